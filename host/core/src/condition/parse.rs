//! Reads a condition from text. Errors point at the offending bytes, so that a plan's author sees the place.
//!
//! INVARIANT: whatever this accepts, its canonical spelling is accepted too and means the same.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::ops::Range;

use super::{
    Comparison, Condition, Decimal, FIELDS_MAX, Literal, Operator, Root, SOURCE_BYTES_MAX,
};

/// Why a condition was not accepted, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ConditionError {
    /// What is wrong.
    pub kind: ConditionErrorKind,
    /// The offending bytes of the condition's text.
    pub span: Range<usize>,
}

/// What is wrong with a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionErrorKind {
    /// Nothing is there.
    #[error("the condition is empty")]
    Empty,
    /// The text is beyond the limit.
    #[error("the condition is longer than {SOURCE_BYTES_MAX} bytes")]
    TooLong,
    /// It starts with something else than `output.<field>` or `input.<field>`.
    #[error("a condition must start with `output.` or `input.` and a field name")]
    Path,
    /// The path has too many fields.
    #[error("the path has more than {FIELDS_MAX} fields")]
    Depth,
    /// Something that is no operator follows the path.
    #[error("expected one of `>= <= > < == !=` after the path")]
    Operator,
    /// What follows the operator is no literal.
    #[error("expected a number, `true`, `false` or a quoted string after the operator")]
    Literal,
    /// A string that does not end, or ends badly.
    #[error("the string is not closed by a quote")]
    Quote,
    /// A number with too many digits.
    #[error("the number is malformed or has more than 64 digits")]
    Number,
    /// Text or a boolean asked for an order.
    #[error("only numbers can be ordered; compare text and booleans with `==` or `!=`")]
    Order,
    /// Something follows a complete condition.
    #[error("unexpected text after the condition; combine conditions with several gates")]
    Trailing,
}

type Parsed<T> = Result<T, ConditionError>;

impl Condition {
    /// Reads a condition; surrounding blanks do not matter.
    ///
    /// # Errors
    /// [`ConditionError`] with the place when the text is not of the closed language.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let mut cursor = Cursor { text, at: 0 };
        if text.len() > SOURCE_BYTES_MAX {
            return Err(cursor.error(ConditionErrorKind::TooLong));
        }
        cursor.skip_blanks();
        if cursor.rest().is_empty() {
            return Err(cursor.error(ConditionErrorKind::Empty));
        }
        let (root, path) = cursor.path()?;
        cursor.skip_blanks();
        if cursor.rest().is_empty() {
            return Ok(Self {
                comparison: None,
                path,
                root,
            });
        }
        let comparison = Some(cursor.comparison()?);
        cursor.skip_blanks();
        if !cursor.rest().is_empty() {
            return Err(cursor.error(ConditionErrorKind::Trailing));
        }
        Ok(Self {
            comparison,
            path,
            root,
        })
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// An error that covers the rest of the text without its trailing blanks.
    fn error(&self, kind: ConditionErrorKind) -> ConditionError {
        let end = self.at + self.rest().trim_end().len();
        ConditionError {
            kind,
            span: self.at..end,
        }
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn eat(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    fn path(&mut self) -> Parsed<(Root, Vec<String>)> {
        let start = self.error(ConditionErrorKind::Path);
        let root = match self.word() {
            "output" => Root::Output,
            "input" => Root::Input,
            _ => return Err(start),
        };
        let mut path = Vec::new();
        while self.eat(".") {
            let field = self.word();
            if field.is_empty() || field.len() > 64 {
                return Err(start);
            }
            path.push(field.to_owned());
        }
        match path.len() {
            0 => Err(start),
            1..=FIELDS_MAX => Ok((root, path)),
            _ => Err(ConditionError {
                kind: ConditionErrorKind::Depth,
                ..start
            }),
        }
    }

    fn comparison(&mut self) -> Parsed<Comparison> {
        let start = self.at;
        // Longer symbols first: `>=` begins with `>`.
        let operator = [
            Operator::AtLeast,
            Operator::AtMost,
            Operator::Equal,
            Operator::NotEqual,
            Operator::Above,
            Operator::Below,
        ]
        .into_iter()
        .find(|operator| self.eat(operator.symbol()))
        .ok_or_else(|| self.error(ConditionErrorKind::Operator))?;
        self.skip_blanks();
        let literal = self.literal()?;
        if operator.orders() && !matches!(literal, Literal::Number(_)) {
            return Err(ConditionError {
                kind: ConditionErrorKind::Order,
                span: start..self.at,
            });
        }
        Ok(Comparison { literal, operator })
    }

    fn literal(&mut self) -> Parsed<Literal> {
        let missing = self.error(ConditionErrorKind::Literal);
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.string(quote).map(Literal::Text),
            Some(c) if c == '-' || c.is_ascii_digit() => self.number().map(Literal::Number),
            _ => match self.word() {
                "true" | "True" => Ok(Literal::Boolean(true)),
                "false" | "False" => Ok(Literal::Boolean(false)),
                _ => Err(missing),
            },
        }
    }

    fn number(&mut self) -> Parsed<Decimal> {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let span = self.at..self.at + end;
        let written = rest.get(..end).unwrap_or_default();
        let number = Decimal::parse(written).ok_or(ConditionError {
            kind: ConditionErrorKind::Number,
            span,
        })?;
        self.at += end;
        Ok(number)
    }

    /// A quoted string; a backslash takes the next character as it is, for quotes and backslashes only.
    fn string(&mut self, quote: char) -> Parsed<String> {
        let unclosed = self.error(ConditionErrorKind::Quote);
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((index, c)) = chars.next() {
            if c == quote {
                self.at += index + c.len_utf8();
                return Ok(text);
            }
            match c {
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\'' | '\\'))) => text.push(escaped),
                    _ => return Err(unclosed),
                },
                _ if c.is_control() => return Err(unclosed),
                _ => text.push(c),
            }
        }
        Err(unclosed)
    }
}
