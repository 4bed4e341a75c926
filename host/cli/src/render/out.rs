//! Writing data to stdout: whole documents or streams of lines.
//!
//! INVARIANT: whoever reads may leave at any time; a closed pipe is no error and never a success of anything else.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use aim_core::outcome::Exit;
use aim_engine::text::neutralise;
use serde::Serialize;

use crate::error::{CliError, Problem};

/// Whether somebody still reads stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Yes, as far as the system says.
    Listening,
    /// No; writing more is no use.
    Gone,
}

#[derive(Serialize)]
struct Document<'a, T> {
    #[serde(rename = "$type")]
    document_type: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

/// Writes a part of a stream to stdout and flushes it.
pub(crate) fn stream(part: &str) -> Result<Reader, CliError> {
    write(part.as_bytes())
}

/// Writes bytes to stdout.
pub(crate) fn data(bytes: &[u8]) -> Result<(), CliError> {
    write(bytes).map(|_| ())
}

/// Writes text to stdout.
pub(crate) fn text(text: &str) -> Result<(), CliError> {
    data(text.as_bytes())
}

fn write(bytes: &[u8]) -> Result<Reader, CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Reader::Listening),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(CliError::new(
            Exit::Bug,
            Problem::new("AIM-D023", format!("stdout can not be written: {error}"))
                .with_help("make room where the output goes, or send it somewhere else"),
        )),
    }
}

/// Says something on stderr; when nobody listens there, nobody needs to know.
pub(crate) fn talk(text: &str) {
    let _ignored = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes one line of text to stdout.
pub(crate) fn line(line: &str) -> Result<(), CliError> {
    text(&format!("{line}\n"))
}

/// Writes one JSON document as one line to stdout.
pub(crate) fn json_line<T: Serialize>(document_type: &str, body: &T) -> Result<(), CliError> {
    text(&json(document_type, body))
}

/// Writes one JSON document that was signed as it is: to a program byte by byte, to a terminal with everything escaped that one would
/// act on.
pub(crate) fn signed_json(document: &[u8]) -> Result<(), CliError> {
    if io::stdout().is_terminal() {
        return line(&escaped(&String::from_utf8_lossy(document)));
    }
    data(document)?;
    data(b"\n")
}

/// One JSON document as one line, `$type` first. `body` is a plain struct or map.
pub(crate) fn json<T: Serialize>(document_type: &str, body: &T) -> String {
    let document = Document {
        document_type,
        body,
    };
    // Plain data with string keys only: serialisation has no failure to report.
    let mut line = escaped(&serde_json::to_string(&document).unwrap_or_default());
    line.push('\n');
    line
}

/// JSON escapes only the oldest control characters; a terminal acts on more than these. Outside of strings there is none.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        let is_shown =
            matches!(c, ' '..='~') || neutralise(c.encode_utf8(&mut [0; 4]), 16).starts_with(c);
        if is_shown {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped_for_terminals_and_reads_as_it_was() {
        let said = "\u{1b}[2J \u{9b}2J \u{7f} \u{202e} \u{e0041} ž🦀 \"\\";
        let line = json(
            "aim.test/v1",
            &std::collections::BTreeMap::from([("said", said)]),
        );
        let body = line.strip_suffix('\n').unwrap();
        assert_eq!(neutralise(body, 1000), body);
        let read: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&read["$type"], &read["said"]),
            (&"aim.test/v1".into(), &said.into())
        );
    }
}
