//! Why a policy was not taken: every fault with its file and line.
//!
//! INVARIANT: a load error holds at least one fault.

use std::fmt;

/// One fault of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFault {
    /// The stable code.
    pub code: &'static str,
    /// The source's name; empty when the fault is of the set as a whole.
    pub file: String,
    /// Line, from 1; 0 when unknown.
    pub line: usize,
    /// Column in characters, from 1; 0 when unknown.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file.is_empty() {
            write!(f, "[{}] {}", self.code, self.message)
        } else {
            let (file, line, column) = (&self.file, self.line, self.column);
            write!(
                f,
                "[{}] {file}:{line}:{column}: {}",
                self.code, self.message
            )
        }
    }
}

/// A policy that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLoadError {
    /// What is wrong with it, in the order of files and lines.
    pub faults: Vec<PolicyFault>,
}

impl PolicyLoadError {
    /// The code of the first fault.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.faults.first().map_or("AIM-P001", |fault| fault.code)
    }

    /// The remedy of the first fault.
    #[must_use]
    pub fn help(&self) -> String {
        self.faults
            .first()
            .map(|fault| fault.help.clone())
            .unwrap_or_default()
    }

    /// Something that is built in does not hold together; a test asserts that it does.
    pub(crate) fn bug(what: &str) -> Self {
        Self {
            faults: vec![PolicyFault {
                code: "AIM-P005",
                file: String::new(),
                line: 0,
                column: 0,
                message: format!("the built-in policy schema is broken: {what}"),
                help: "report this as a bug".to_owned(),
            }],
        }
    }
}

impl fmt::Display for PolicyLoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyLoadError {}
