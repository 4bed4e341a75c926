//! Problems as people and scripts read them.
//!
//! ```text
//! text   a problem in a text they wrote: its line, marked      else: error CODE: message / help
//! json   one `aim.error/v1` a line
//! ```
//!
//! INVARIANT: no character that a terminal acts on gets through from a file, a guest or a message; colour only on a
//! terminal that wants it.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal},
};

use aim_acl::Position;
use aim_core::outcome::Exit;
use aim_engine::text::neutralise;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
    Severity,
};
use serde::Serialize;

use super::out;
use crate::{
    args::Output,
    error::{CliError, Place, Problem},
};

/// The most bytes of one sentence.
const SENTENCE_BYTES_MAX: usize = 4096;

/// How much a stream can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// ASCII, no colour: a file, a pipe, a log.
    Plain,
    /// A terminal whose user wants no colour.
    Drawn,
    /// A terminal.
    Coloured,
}

impl Look {
    /// How `stream` wants to be written to, by what it is and by `NO_COLOR` and `TERM`.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_dumb = set("TERM").is_some_and(|term| term == "dumb");
        match (stream.is_terminal() && !is_dumb, set("NO_COLOR").is_some()) {
            (false, _) => Self::Plain,
            (true, true) => Self::Drawn,
            (true, false) => Self::Coloured,
        }
    }

    fn theme(self) -> GraphicalTheme {
        match self {
            Self::Plain => GraphicalTheme::none(),
            Self::Drawn => GraphicalTheme::unicode_nocolor(),
            Self::Coloured => GraphicalTheme::unicode(),
        }
    }
}

#[derive(Serialize)]
struct WrittenProblem<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    exit: u8,
}

/// Prints everything that ended a command, on stderr.
pub(crate) fn print(error: &CliError, output: Output) {
    remark(&error.problems, error.exit, output);
}

/// Prints problems on stderr, whether they end the command or not.
pub(crate) fn remark(problems: &[Problem], exit: Exit, output: Output) {
    let look = Look::of(&io::stderr());
    for problem in problems {
        out::talk(&render(problem, exit, output, look));
    }
}

/// Writes one problem down.
pub(crate) fn render(problem: &Problem, exit: Exit, output: Output, look: Look) -> String {
    match (output, &problem.place) {
        (Output::Json, _) => json(problem, exit),
        (Output::Text, Some(place)) => drawn(problem, place, look),
        (Output::Text, None) => plain(problem),
    }
}

fn json(problem: &Problem, exit: Exit) -> String {
    let place = problem.place.as_ref();
    let position = place.map(|place| Position::of(&place.source, place.offset));
    let written = WrittenProblem {
        code: &problem.code,
        severity: word(problem),
        message: &problem.message,
        help: problem.help.as_deref(),
        file: place.map(|place| place.file.as_str()),
        line: position.map(|position| position.line),
        column: position.map(|position| position.column),
        exit: if problem.is_warning { 0 } else { exit.code() },
    };
    out::json("aim.error/v1", &written)
}

fn plain(problem: &Problem) -> String {
    let mut text = format!(
        "{} {}: {}\n",
        word(problem),
        safe(&problem.code),
        safe(&problem.message)
    );
    if let Some(help) = &problem.help {
        // Writing to a string does not fail.
        let _ignored = writeln!(text, "  help: {}", safe(help));
    }
    text
}

fn drawn(problem: &Problem, place: &Place, look: Look) -> String {
    let source = harmless_source(&place.source);
    let primary = inside(&source, place.offset, place.length);
    let others = place.labels.iter().map(|(offset, length, label)| {
        let (offset, length) = inside(&source, *offset, *length);
        LabeledSpan::new(Some(safe(label)), offset, length)
    });
    let primary = LabeledSpan::new_primary_with_span(None, primary);
    let labels: Vec<LabeledSpan> = std::iter::once(primary).chain(others).collect();
    let severity = if problem.is_warning {
        Severity::Warning
    } else {
        Severity::Error
    };
    let headline = format!("{} {}: {}", word(problem), problem.code, problem.message);
    let mut diagnostic = MietteDiagnostic::new(safe(&headline))
        .with_severity(severity)
        .with_labels(labels);
    diagnostic.help = problem.help.as_deref().map(safe);
    let report =
        Report::new(diagnostic).with_source_code(NamedSource::new(safe(&place.file), source));
    let handler = GraphicalReportHandler::new_themed(look.theme())
        .with_links(false)
        .with_width(100);
    let mut text = String::new();
    match handler.render_report(&mut text, &*report) {
        Ok(()) => text,
        Err(_) => plain(problem),
    }
}

fn word(problem: &Problem) -> &'static str {
    if problem.is_warning {
        "warning"
    } else {
        "error"
    }
}

fn safe(text: &str) -> String {
    neutralise(text, SENTENCE_BYTES_MAX)
}

/// A range that lies in the source, whatever came in.
fn inside(source: &str, offset: usize, length: usize) -> (usize, usize) {
    let offset = offset.min(source.len());
    (offset, length.min(source.len() - offset))
}

/// The source with every character that a terminal would act on replaced by one of the same length, so that places stay
/// where they are.
fn harmless_source(source: &str) -> String {
    let mut shown = String::with_capacity(source.len());
    let mut rest = source.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' | ' '..='~' => shown.push(c),
            '\r' if rest.peek() == Some(&'\n') => shown.push(' '),
            c if c.is_ascii() => shown.push('?'),
            c if neutralise(c.encode_utf8(&mut [0; 4]), 16).starts_with(c) => shown.push(c),
            c => shown.push_str(match c.len_utf8() {
                2 => "\u{bf}",
                3 => "\u{fffd}",
                _ => "\u{fffd}?",
            }),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(source: &str, offset: usize) -> Problem {
        Problem::new("ACL-E010", "unknown \u{1b}[31mstep")
            .with_help("say \u{202e}which")
            .at(Place {
                file: "a\u{7}.acl".into(),
                source: source.into(),
                offset,
                length: 1,
                labels: vec![(0, 1, "first".into())],
            })
    }

    #[test]
    fn no_control_character_of_message_file_or_source_reaches_a_terminal() {
        let source = "one\r\ntwo \u{1b}]0;x\u{7} \u{9b}2J \u{202e} \u{e0041} end\r\n";
        let placed = problem(source, 6);
        let bare = Problem {
            place: None,
            ..placed.clone()
        };
        for problem in [placed, bare] {
            let text = render(&problem, Exit::Usage, Output::Text, Look::Drawn);
            assert!(
                text.chars()
                    .all(|c| c == '\n' || neutralise(&c.to_string(), 16).starts_with(c)),
                "{text:?}"
            );
            let json = render(&problem, Exit::Usage, Output::Json, Look::Plain);
            assert!(!json.trim_end().contains(char::is_control), "{json:?}");
        }
    }

    #[test]
    fn replaced_characters_keep_every_place() {
        let source = "a\u{1b}\u{9b}\u{202e}\u{e0041}\r\nž🦀\n";
        let shown = harmless_source(source);
        assert_eq!(shown.len(), source.len());
        assert_eq!(shown.find("ž🦀"), source.find("ž🦀"));
    }

    #[test]
    fn off_a_terminal_the_drawing_is_ascii() {
        let plain = Problem {
            message: "plain".into(),
            help: None,
            ..problem("one\ntwo\n", 4)
        };
        let mut plain = plain;
        plain.place.as_mut().unwrap().file = "a.acl".into();
        let text = render(&plain, Exit::Usage, Output::Text, Look::Plain);
        assert!(text.is_ascii(), "{text}");
        assert!(
            text.contains("ACL-E010") && text.contains("a.acl:2:1"),
            "{text}"
        );
    }

    #[test]
    fn a_place_behind_the_source_is_drawn_at_its_end() {
        let text = render(&problem("x", 99), Exit::Usage, Output::Text, Look::Plain);
        assert!(text.contains("ACL-E010"), "{text}");
    }

    #[test]
    fn json_says_line_column_and_exit() {
        let line = render(
            &problem("one\ntwo\n", 5),
            Exit::Usage,
            Output::Json,
            Look::Plain,
        );
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["$type"], "aim.error/v1");
        assert_eq!(
            (&value["line"], &value["column"], &value["exit"]),
            (&2.into(), &2.into(), &2.into())
        );
    }
}
