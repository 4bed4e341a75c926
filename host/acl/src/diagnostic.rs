//! What is said about a source, as plain data. Rendering belongs to whoever has a terminal.
//!
//! INVARIANT: every range lies inside the source, on character borders, and the list is bounded.

use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

use crate::codes::{self, Code};

/// The most errors, and the most warnings, that one source is answered with.
pub const DIAGNOSTICS_MAX: usize = 1_000;
/// How many unknown names are compared with all known ones: that is quadratic in the worst case.
const SUGGESTIONS_MAX: usize = 16;

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The source does not compile.
    Error,
    /// The source compiles; its author may want to know.
    Warning,
}

/// One thing to say about a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code, such as `ACL-E010`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: lower case, without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The bytes that it is about.
    pub span: Range<usize>,
    /// Other places that explain it.
    pub labels: Vec<(Range<usize>, String)>,
    /// A change that mends it and leaves the compiled plan as it is, where there is one.
    pub fix: Option<Fix>,
}

/// A change of a source that leaves the plan that it compiles to as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Where in the source.
    pub at: usize,
    /// What is put there.
    pub text: String,
}

/// Makes all changes that diagnostics of a source hold.
#[must_use]
pub fn fixed(source: &str, diagnostics: &[Diagnostic]) -> String {
    let mut fixes: Vec<&Fix> = diagnostics
        .iter()
        .filter_map(|one| one.fix.as_ref())
        .collect();
    fixes.sort_by_key(|fix| fix.at);
    let mut out = String::with_capacity(source.len());
    let mut from = 0;
    for fix in fixes {
        out.push_str(source.get(from..fix.at).unwrap_or_default());
        out.push_str(&fix.text);
        from = fix.at;
    }
    out.push_str(source.get(from..).unwrap_or_default());
    out
}

/// A place in a source as people count: from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// Finds the line and column of a byte; an offset outside the source counts as its end.
    #[must_use]
    pub fn of(source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl Diagnostic {
    pub(crate) fn error(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code: code.id,
            severity: Severity::Error,
            message: message.into(),
            help: None,
            span,
            labels: Vec::new(),
            fix: None,
        }
    }

    pub(crate) fn warning(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn fix(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix;
        self
    }

    pub(crate) fn label(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    /// Finds where the diagnostic begins in its source.
    #[must_use]
    pub fn position(&self, source: &str) -> Position {
        Position::of(source, self.span.start)
    }
}

/// Collects diagnostics up to the bound and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    errors: Bounded,
    warnings: Bounded,
    suggested: usize,
}

#[derive(Debug, Default)]
struct Bounded {
    kept: Vec<Diagnostic>,
    dropped: usize,
}

impl Bounded {
    fn push(&mut self, diagnostic: Diagnostic) {
        if self.kept.len() < DIAGNOSTICS_MAX {
            self.kept.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }
}

impl Faults {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        match diagnostic.severity {
            Severity::Error => self.errors.push(diagnostic),
            Severity::Warning => self.warnings.push(diagnostic),
        }
    }

    /// An error with what to do about it.
    pub(crate) fn error(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Diagnostic::error(code, span, message).help(help));
    }

    pub(crate) fn extend(&mut self, diagnostic: Option<Diagnostic>) {
        if let Some(diagnostic) = diagnostic {
            self.push(diagnostic);
        }
    }

    /// True once the source can not compile any more.
    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.kept.is_empty()
    }

    /// Finds a known name close to an unknown one; only for the first few, because each asks all known names.
    pub(crate) fn suggest<'a>(
        &mut self,
        unknown: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        self.suggested += 1;
        if self.suggested > SUGGESTIONS_MAX {
            return None;
        }
        crate::suggest::closest(unknown, known).map(|name| format!("did you mean `{name}`?"))
    }

    /// Returns everything in source order; one more diagnostic at the end stands for what did not fit.
    pub(crate) fn into_sorted(self, source: &str) -> Vec<Diagnostic> {
        let (errors, warnings) = (self.errors.dropped, self.warnings.dropped);
        let mut all = self.errors.kept;
        all.extend(self.warnings.kept);
        all.sort_by(|a, b| {
            (a.span.start, a.code, a.span.end).cmp(&(b.span.start, b.code, b.span.end))
        });
        let end = source.len()..source.len();
        if errors > 0 {
            let message = format!("{errors} more errors are not listed");
            all.push(Diagnostic::error(codes::TOO_MANY, end.clone(), message));
        }
        if warnings > 0 {
            let message = format!("{warnings} more warnings are not listed");
            all.push(Diagnostic::warning(codes::TOO_MANY, end, message));
        }
        all
    }
}
