//! Names and texts of brace form, and what is said where something else stands.
//!
//! INVARIANT: a word that is not understood is reported once, with what could stand there.

use alloc::{
    format,
    string::{String, ToString as _},
};
use core::ops::Range;

use aim_core::name::StepName;

use super::{Broken, Parsed, Parser, statement};
use crate::{
    ast::Spanned,
    codes,
    diagnostic::Diagnostic,
    token::{Token, TokenKind},
};

impl Parser<'_, '_> {
    pub(super) fn syntax(&mut self, token: &Token<'_>, what: &str, says: &str) -> Broken {
        self.syntax_at(token.span.clone(), what, says)
    }

    pub(super) fn syntax_at(&mut self, span: Range<usize>, what: &str, says: &str) -> Broken {
        let message = format!("invalid {what} syntax: {says}");
        let help = format!("write `{}`", statement(what));
        self.faults.error(codes::SYNTAX, span, message, help);
        Broken
    }

    /// Reports a word that begins no statement here.
    pub(super) fn unknown(&mut self, word: &Token<'_>, place: &str, known: &[&str]) -> Broken {
        if word.kind != TokenKind::Word {
            let shown: String = word.text.chars().take(40).collect();
            let message = format!("expected a statement, not `{shown}`");
            let help = format!("in {place} stand {}", known.join(", "));
            self.faults
                .error(codes::SYNTAX, word.span.clone(), message, help);
            return Broken;
        }
        let help = self.faults.suggest(word.text, known.iter().copied());
        let help = help.unwrap_or_else(|| format!("in {place} stand {}", known.join(", ")));
        let shown: String = word.text.chars().take(40).collect();
        self.faults.error(
            codes::UNKNOWN_KEYWORD,
            word.span.clone(),
            format!("unknown keyword `{shown}`"),
            help,
        );
        Broken
    }

    /// Takes a name.
    pub(super) fn name(&mut self, what: &str) -> Parsed<Spanned<StepName>> {
        let token = self.stream.peek(0);
        if !matches!(token.kind, TokenKind::Word | TokenKind::Number) {
            return Err(self.syntax(&token, what, "expected a name"));
        }
        self.stream.next();
        match StepName::parse(token.text) {
            Ok(value) => Ok(Spanned {
                value,
                span: token.span,
            }),
            Err(error) => {
                let help = "use letters, digits and underscores only";
                self.faults
                    .error(codes::BAD_NAME, token.span, error.to_string(), help);
                Err(Broken)
            }
        }
    }

    /// Takes a name that stands in quotes, as those of pipelines and shards do. `None` when it is no name.
    pub(super) fn name_in_quotes(&mut self, what: &str) -> Parsed<Option<Spanned<StepName>>> {
        if self.stream.peek(0).kind == TokenKind::Word {
            return self.name(what).map(Some);
        }
        let text = self.text(what)?;
        match StepName::parse(&text.value) {
            Ok(value) => Ok(Some(Spanned {
                value,
                span: text.span,
            })),
            Err(error) => {
                let plain = StepName::parse(&text.value.replace(['.', '-'], "_")).ok();
                match &plain {
                    Some(plain) => {
                        let message = format!("`{}` is named `{plain}`", text.value);
                        let fault =
                            Diagnostic::warning(codes::BAD_NAME, text.span.clone(), message);
                        self.faults.push(fault.help(format!("write \"{plain}\"")));
                    }
                    None => {
                        let help = "use letters, digits and underscores only";
                        self.faults.error(
                            codes::BAD_NAME,
                            text.span.clone(),
                            error.to_string(),
                            help,
                        );
                    }
                }
                Ok(plain.map(|value| Spanned {
                    value,
                    span: text.span,
                }))
            }
        }
    }

    /// Takes a text in quotes.
    pub(super) fn text(&mut self, what: &str) -> Parsed<Spanned<String>> {
        let token = self.stream.peek(0);
        match self.stream.eat_text() {
            Some((value, span)) => Ok(Spanned { value, span }),
            None if token.kind == TokenKind::OpenText => {
                self.stream.next();
                Err(self.syntax(&token, what, "the text is not closed by a quote"))
            }
            None if token.kind == TokenKind::Text => {
                self.stream.next();
                Err(self.syntax(
                    &token,
                    what,
                    "a backslash only goes before a quote or a backslash",
                ))
            }
            None => Err(self.syntax(&token, what, "expected a text in quotes")),
        }
    }
}
