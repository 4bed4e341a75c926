//! What a command can fail with, as a person meets it: exit, code, sentence, place, remedy.
//!
//! INVARIANT: every error that leaves a command has a stable code; a stack trace is never shown for a user's mistake.

use aim_core::outcome::Exit;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The stable code.
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
    /// Where, when it is in a text that people write.
    pub(crate) place: Option<Place>,
    /// True for a remark that stops nothing.
    pub(crate) is_warning: bool,
}

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file, as the user named it.
    pub(crate) file: String,
    /// The whole text, for showing the line.
    pub(crate) source: String,
    /// Offset of the first byte.
    pub(crate) offset: usize,
    /// Bytes that are meant.
    pub(crate) length: usize,
    /// Further places in the same text, with what is to be said about each.
    pub(crate) labels: Vec<(usize, usize, String)>,
}

/// Why a command ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CliError {
    /// How the process exits.
    pub(crate) exit: Exit,
    /// Everything that is wrong, in order; never empty.
    pub(crate) problems: Vec<Problem>,
}

impl Problem {
    /// A problem without a place.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            help: None,
            place: None,
            is_warning: false,
        }
    }

    /// Adds what to do about it.
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds where it is.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

impl CliError {
    /// One problem.
    pub(crate) fn new(exit: Exit, problem: Problem) -> Self {
        Self {
            exit,
            problems: vec![problem],
        }
    }

    /// A mistake in usage or configuration.
    pub(crate) fn usage(code: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Exit::Usage, Problem::new(code, message).with_help(help))
    }

    /// A command line that is none; `written` is what the parser of command lines says about it.
    pub(crate) fn of_command_line(written: &str) -> Self {
        let mut parts = written.split("\n\n").map(|part| {
            let words: Vec<&str> = part.split_whitespace().collect();
            words.join(" ")
        });
        let message = parts.next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        let help: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        Self::usage("AIM-C049", message, help.join("; "))
    }

    /// Something named that is not there.
    pub(crate) fn not_found(
        code: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::new(Exit::NotFound, Problem::new(code, message).with_help(help))
    }
}
