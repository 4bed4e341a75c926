//! Reads one line from left to right and knows at every moment which bytes it stands on.
//!
//! INVARIANT: a cursor never leaves its line and every span it gives lies on character borders.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::ops::Range;

use aim_core::{name::StepName, plan::text_fault};

use crate::{
    ast::{Comment, Spanned},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// A reading position inside one line.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    line: &'a str,
    base: usize,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts on `line`, whose first byte is at `base` of the source.
    pub(crate) const fn new(line: &'a str, base: usize) -> Self {
        Self { line, base, at: 0 }
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn offset(&self) -> usize {
        self.base + self.at
    }

    /// The whole line.
    pub(crate) fn line_span(&self) -> Range<usize> {
        self.base..self.base + self.line.len()
    }

    /// What is left, or the end of the line when nothing is.
    pub(crate) fn rest_span(&self) -> Range<usize> {
        self.offset()..self.base + self.line.len()
    }

    /// Skips bytes that were looked at through [`Self::rest`].
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.line.len());
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub(crate) fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// Takes `token` after blanks, if it is next.
    pub(crate) fn eat(&mut self, token: char) -> bool {
        self.skip_blanks();
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len_utf8();
        }
        is_next
    }

    /// Takes everything up to one of `stops` or a blank.
    pub(crate) fn run(&mut self, stops: &[char]) -> Spanned<&'a str> {
        self.skip_blanks();
        let rest = self.rest();
        let is_stop = |c: char| c == ' ' || c == '\t' || stops.contains(&c);
        let value = rest
            .find(is_stop)
            .and_then(|end| rest.get(..end))
            .unwrap_or(rest);
        let start = self.offset();
        self.at += value.len();
        Spanned {
            value,
            span: start..self.offset(),
        }
    }

    /// Takes everything up to one of `stops`, inner blanks included, outer blanks not.
    pub(crate) fn field(&mut self, stops: &[char]) -> Spanned<&'a str> {
        self.skip_blanks();
        let rest = self.rest();
        let raw = rest
            .find(stops)
            .and_then(|end| rest.get(..end))
            .unwrap_or(rest);
        let start = self.offset();
        self.at += raw.len();
        let value = raw.trim_end_matches([' ', '\t']);
        Spanned {
            value,
            span: start..start + value.len(),
        }
    }

    /// Takes a name. `Some(None)` when something is there that is no name, which is reported here; `None` when nothing is.
    pub(crate) fn name(&mut self, faults: &mut Faults) -> Option<Option<Spanned<StepName>>> {
        let run = self.run(&[':', ',', '?', '(', ')', '=', '"', '\'']);
        if run.value.is_empty() {
            return None;
        }
        let name = StepName::parse(run.value);
        if let Err(error) = &name {
            let fault = Diagnostic::error(codes::BAD_NAME, run.span.clone(), format!("{error}"));
            faults.push(fault.help("use letters, digits and underscores only"));
        }
        Some(name.ok().map(|value| Spanned {
            value,
            span: run.span,
        }))
    }

    /// Takes a string in quotes of either kind. A backslash takes a quote or a backslash as it is.
    ///
    /// # Errors
    /// What was expected instead, and where.
    pub(crate) fn quoted(&mut self) -> Result<Spanned<String>, (&'static str, Range<usize>)> {
        self.skip_blanks();
        let whole = self.rest_span();
        let start = self.at;
        let mut chars = self.rest().char_indices();
        let Some((_, quote @ ('"' | '\''))) = chars.next() else {
            return Err(("expected a text in quotes", whole));
        };
        let mut value = String::new();
        while let Some((index, c)) = chars.next() {
            if c == quote {
                self.at = start + index + c.len_utf8();
                let span = whole.start..self.offset();
                return Ok(Spanned { value, span });
            }
            match c {
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\'' | '\\'))) => value.push(escaped),
                    _ => {
                        return Err(("a backslash only goes before a quote or a backslash", whole));
                    }
                },
                '\t' => value.push(' '),
                _ => value.push(c),
            }
        }
        Err(("the text is not closed by a quote", whole))
    }
}

/// The lines of a source with their offsets, comments and outer blanks cut off, empty lines left out.
pub(crate) fn lines(source: &str) -> impl Iterator<Item = Cursor<'_>> {
    let mut base = 0;
    source.split_inclusive('\n').filter_map(move |raw| {
        let start = base;
        base += raw.len();
        let line = raw.trim_end_matches(['\n', '\r']);
        let line = line.get(..comment_start(line)).unwrap_or(line);
        // A byte order mark is tolerated where editors put one.
        let body = if start == 0 {
            line.trim_start_matches('\u{feff}')
        } else {
            line
        };
        let body = body.trim_start_matches([' ', '\t']);
        let indent = line.len() - body.len();
        let line = body.trim_end_matches([' ', '\t']);
        (!line.is_empty()).then(|| Cursor::new(line, start + indent))
    })
}

/// Every comment of a source in line form.
pub(crate) fn comments(source: &str) -> Vec<Comment> {
    let mut base = 0;
    let mut comments = Vec::new();
    for raw in source.split_inclusive('\n') {
        let line = raw.trim_end_matches(['\n', '\r']);
        let start = comment_start(line);
        if let Some(text) = line.get(start + 1..) {
            comments.push(Comment {
                text: text.trim().to_owned(),
                is_block: false,
                span: base + start..base + line.len(),
            });
        }
        base += raw.len();
    }
    comments
}

/// What a text in quotes says: a backslash takes a quote or a backslash as it is, a tab reads as a blank.
pub(crate) fn unquote(text: &str) -> Option<String> {
    let mut cursor = Cursor::new(text, 0);
    let value = cursor.quoted().ok()?;
    cursor.is_at_end().then_some(value.value)
}

/// Where a comment begins: at the first `#` outside quotes.
fn comment_start(line: &str) -> usize {
    let mut quote = None;
    let mut chars = line.char_indices();
    while let Some((index, c)) = chars.next() {
        match (quote, c) {
            (None, '#') => return index,
            (None, '"' | '\'') => quote = Some(c),
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    line.len()
}

/// Reports every character that can hide what a source says, comments included.
pub(crate) fn report_forbidden(source: &str, faults: &mut Faults) {
    let mut chars = source.char_indices().peekable();
    while let Some((index, c)) = chars.next() {
        let is_line_end =
            c == '\n' || (c == '\r' && chars.peek().is_some_and(|(_, next)| *next == '\n'));
        let mut buffer = [0; 4];
        if is_line_end || c == '\t' || text_fault(c.encode_utf8(&mut buffer)).is_none() {
            continue;
        }
        let message = format!("character {} is not allowed in a plan", c.escape_default());
        let span = index..index + c.len_utf8();
        let fault = Diagnostic::error(codes::FORBIDDEN_CHARACTER, span, message);
        faults
            .push(fault.help(
                "remove it: control and direction-changing characters hide what a plan says",
            ));
    }
}

/// A text as it was written, tabs as blanks: as many bytes, so places stay the same.
pub(crate) fn without_tabs(text: &str) -> String {
    if text.contains('\t') {
        text.replace('\t', " ")
    } else {
        text.to_owned()
    }
}
