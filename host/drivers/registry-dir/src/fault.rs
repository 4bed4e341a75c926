//! What is wrong with files: code, place, message and remedy, for all of them at once.
//!
//! INVARIANT: a load error holds at least one fault, and no message holds a raw control character.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One fault in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFault {
    /// The stable code, with a page under `docs/errors`.
    pub code: &'static str,
    /// The file or folder.
    pub file: PathBuf,
    /// Line, from 1; 0 when the fault is of the file as a whole.
    pub line: u64,
    /// Column in characters, from 1; 0 when the fault is of the file as a whole.
    pub column: u64,
    /// What is wrong, naming the key.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl LoadFault {
    /// A fault of a file as a whole.
    pub(crate) fn of_file(
        code: &'static str,
        file: &Path,
        message: impl AsRef<str>,
        help: impl Into<String>,
    ) -> Self {
        Self::at(code, file, (0, 0), message, help)
    }

    /// A fault at a line and column.
    pub(crate) fn at(
        code: &'static str,
        file: &Path,
        (line, column): (u64, u64),
        message: impl AsRef<str>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            file: file.to_owned(),
            line,
            column,
            message: shown(message.as_ref()),
            help: help.into(),
        }
    }
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = shown(&self.file.display().to_string());
        if self.line == 0 {
            write!(f, "[{}] {file}: {}", self.code, self.message)
        } else {
            let (line, column) = (self.line, self.column);
            write!(
                f,
                "[{}] {file}:{line}:{column}: {}",
                self.code, self.message
            )
        }
    }
}

/// A load that did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// Everything that is wrong, in the order of files and lines.
    pub faults: Vec<LoadFault>,
}

impl LoadError {
    pub(crate) fn new(mut faults: Vec<LoadFault>) -> Self {
        faults.sort_by(|a, b| {
            (&a.file, a.line, a.column, a.code).cmp(&(&b.file, b.line, b.column, b.code))
        });
        faults.dedup();
        Self { faults }
    }

    /// The code of the first fault.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.faults.first().map_or("AIM-C001", |fault| fault.code)
    }

    /// The remedy of the first fault.
    #[must_use]
    pub fn help(&self) -> String {
        self.faults
            .first()
            .map(|fault| fault.help.clone())
            .unwrap_or_default()
    }
}

impl From<LoadFault> for LoadError {
    fn from(fault: LoadFault) -> Self {
        Self::new(vec![fault])
    }
}

impl fmt::Display for LoadError {
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

impl std::error::Error for LoadError {}

/// Text that can be shown on any terminal.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
