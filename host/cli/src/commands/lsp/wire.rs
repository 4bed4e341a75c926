//! Messages on a stream: a header with a length, an empty line, so many bytes (LSP 3.17, "Base Protocol").
//!
//! INVARIANT: no more bytes are kept than a message may have, whatever length is claimed, and one malformed message costs
//! itself only as long as its end can be told.

use std::io::{self, BufRead, Read as _, Write};

use serde_json::Value;

/// The most bytes of one message: a source of the largest size with every character escaped, and something around it.
pub(super) const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most bytes of one header line.
const HEADER_BYTES_MAX: u64 = 1024;
/// The most lines of a header.
const HEADER_LINES_MAX: usize = 16;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// A message's bytes.
    Message(Vec<u8>),
    /// A message of so many bytes, which is more than are read; it was skipped.
    TooLarge(u64),
    /// A header without a length that can be read.
    NoLength,
}

/// Reads the next message; `None` when there is none any more.
pub(super) fn read(input: &mut impl BufRead) -> Option<Arrived> {
    let mut length = None;
    let mut lines = 0;
    // BOUND: `HEADER_LINES_MAX` lines of `HEADER_BYTES_MAX` bytes.
    loop {
        let line = header_line(input)?;
        if line.is_empty() && lines > 0 {
            break;
        }
        lines += 1;
        length = length.or_else(|| content_length(&line));
        if lines > HEADER_LINES_MAX {
            return Some(Arrived::NoLength);
        }
    }
    let Some(length) = length else {
        return Some(Arrived::NoLength);
    };
    match usize::try_from(length) {
        Ok(known) if known <= MESSAGE_BYTES_MAX => {
            let mut bytes = vec![0; known];
            input.read_exact(&mut bytes).ok()?;
            Some(Arrived::Message(bytes))
        }
        _ => {
            let skipped = io::copy(&mut input.take(length), &mut io::sink()).ok()?;
            (skipped == length).then_some(Arrived::TooLarge(length))
        }
    }
}

/// Reads a line without its end. A longer one comes in pieces, none of which has a length in it.
fn header_line(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = input.take(HEADER_BYTES_MAX).read_until(b'\n', &mut line);
    if read.ok()? == 0 {
        return None;
    }
    while line
        .last()
        .is_some_and(|last| matches!(last, b'\n' | b'\r'))
    {
        line.pop();
    }
    Some(line)
}

fn content_length(line: &[u8]) -> Option<u64> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    let is_it = name.trim().eq_ignore_ascii_case("content-length");
    is_it.then(|| value.trim().parse().ok()).flatten()
}

/// Writes a message.
///
/// # Errors
/// When nobody reads any more.
pub(super) fn write(output: &mut impl Write, message: &Value) -> io::Result<()> {
    let text = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut bytes: &[u8]) -> Vec<Arrived> {
        std::iter::from_fn(|| read(&mut bytes)).collect()
    }

    fn message(text: &str) -> Arrived {
        Arrived::Message(text.as_bytes().to_vec())
    }

    #[test]
    fn messages_follow_one_another_whatever_else_their_headers_say() {
        let bytes = b"Content-Length: 2\r\nContent-Type: x\r\n\r\n{}content-length:3\n\n[1]";
        assert_eq!(all(bytes), [message("{}"), message("[1]")]);
    }

    // Control: with the check of the length taken out, the claimed gigabytes are allocated and this aborts (seen).
    #[test]
    fn a_claimed_length_is_never_allocated_and_the_next_message_is_read() {
        let large = MESSAGE_BYTES_MAX + 1;
        let mut bytes = format!("Content-Length: {large}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + large, b'x');
        bytes.extend(b"Content-Length: 2\r\n\r\n{}");
        let claimed = u64::try_from(large).unwrap();
        assert_eq!(all(&bytes), [Arrived::TooLarge(claimed), message("{}")]);
        assert_eq!(all(b"Content-Length: 18446744073709551615\r\n\r\n{}"), []);
    }

    #[test]
    fn what_is_no_header_is_said_and_what_is_cut_ends() {
        assert_eq!(all(b"hello\r\n\r\n"), [Arrived::NoLength]);
        assert_eq!(all(b"Content-Length: -1\r\n\r\n"), [Arrived::NoLength]);
        assert_eq!(all(b"Content-Length: 9\r\n\r\n{}"), []);
        assert_eq!(all(b"Content-Length: 9"), []);
        let endless = vec![b'a'; 64 * 1024];
        assert!(all(&endless).iter().all(|one| *one == Arrived::NoLength));
    }
}
