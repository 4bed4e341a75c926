//! Values: numbers, texts, words of closed lists, and the small maps that hold them.
//!
//! INVARIANT: a value that can not be understood is reported once and leaves its place empty.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use aim_core::{condition::Decimal, name::StepName, plan::INTEGER_MAX};

use super::{Broken, Parsed, Parser};
use crate::{
    ast::{Check, Input, Opt, Pins, Source, Spanned},
    codes,
    cursor::without_tabs,
    parse::{
        amount::{Unit, amount, share},
        lines,
    },
    token::{Token, TokenKind},
};

impl<'s> Parser<'s, '_> {
    /// A colon, where one is expected.
    pub(super) fn colon(&mut self, what: &str) -> Parsed<()> {
        let next = self.stream.peek(0);
        if self.stream.eat(":") {
            Ok(())
        } else {
            Err(self.syntax(&next, what, "expected `:`"))
        }
    }

    /// A whole number, with `k` for thousands; zero is one.
    pub(super) fn whole(&mut self, what: &str) -> Parsed<Spanned<u64>> {
        let token = self.stream.peek(0);
        if token.kind == TokenKind::Number {
            self.stream.next();
            if token.text == "0" {
                return Ok(Spanned::new(0, token.span));
            }
            return match amount(what, token.text, Unit::Kilo) {
                Ok(value) => Ok(Spanned::new(value, token.span)),
                Err((message, help)) => {
                    self.faults
                        .error(codes::BAD_VALUE, token.span, message, help);
                    Err(Broken)
                }
            };
        }
        let help = "write a whole number without signs, such as `1000` or `120k`";
        self.faults.error(
            codes::BAD_VALUE,
            token.span,
            format!("{what} is a whole number"),
            help,
        );
        Err(Broken)
    }

    pub(super) fn positive(&mut self, what: &str) -> Parsed<Spanned<u64>> {
        let number = self.whole(what)?;
        if number.value == 0 {
            self.faults.error(
                codes::BAD_VALUE,
                number.span,
                format!("{what} must be more than zero"),
                "write a number from 1",
            );
            return Err(Broken);
        }
        Ok(number)
    }

    pub(super) fn boolean(&mut self, what: &str) -> Parsed<Spanned<bool>> {
        let token = self.stream.peek(0);
        let value = match token.text {
            "true" | "True" => true,
            "false" | "False" => false,
            _ => {
                self.faults.error(
                    codes::BAD_VALUE,
                    token.span,
                    format!("{what} is true or false"),
                    "write `true` or `false`",
                );
                return Err(Broken);
            }
        };
        self.stream.next();
        Ok(Spanned::new(value, token.span))
    }

    /// A share from 0 to 1, in whole millionths.
    pub(super) fn share(&mut self, what: &str) -> Parsed<Spanned<Decimal>> {
        let token = self.stream.peek(0);
        match share(token.text).filter(|_| token.kind == TokenKind::Number) {
            Some(value) => {
                self.stream.next();
                Ok(Spanned::new(value, token.span))
            }
            None => {
                let help = "write a number such as `0.85`, with at most six digits after the point";
                self.faults.error(
                    codes::BAD_VALUE,
                    token.span,
                    format!("{what} is a number from 0 to 1"),
                    help,
                );
                Err(Broken)
            }
        }
    }

    /// A word of a closed list.
    pub(super) fn listed<T: Copy>(
        &mut self,
        what: &str,
        known: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Parsed<Spanned<T>> {
        let token = self.stream.peek(0);
        let found = known.iter().copied().find(|one| word(*one) == token.text);
        if let Some(value) = found.filter(|_| token.kind == TokenKind::Word) {
            self.stream.next();
            return Ok(Spanned::new(value, token.span));
        }
        let words: Vec<&str> = known.iter().map(|one| word(*one)).collect();
        let shown: String = token.text.chars().take(40).collect();
        let help = self.faults.suggest(token.text, words.iter().copied());
        let help = help.unwrap_or_else(|| format!("write one of {}", words.join(", ")));
        self.faults.error(
            codes::UNKNOWN_WORD,
            token.span,
            format!("`{shown}` is no {what}"),
            help,
        );
        Err(Broken)
    }

    /// `a`, or `[a, b]`, or `a, b` for as long as names follow that begin no statement.
    pub(super) fn list<T>(
        &mut self,
        what: &str,
        mut one: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        let is_wrapped = self.stream.eat("[");
        // BOUND: every turn takes a token or ends.
        loop {
            if is_wrapped && self.stream.eat("]") {
                return Ok(items);
            }
            items.push(one(self)?);
            if is_wrapped {
                let next = self.stream.peek(0);
                if !self.stream.eat(",") && !self.stream.is("]") {
                    return Err(self.syntax(&next, what, "expected `,` or `]`"));
                }
                continue;
            }
            let follows = self.stream.peek(1);
            let begins = self.stream.peek(2);
            let goes_on = self.stream.is(",")
                && !follows.is_first_on_line
                && (matches!(follows.kind, TokenKind::Word | TokenKind::Text)
                    || follows.text == "*")
                && !matches!(begins.text, ":" | "{");
            if !goes_on {
                return Ok(items);
            }
            self.stream.next();
        }
    }

    /// `{ key: value ... }`; `read` takes what follows the colon.
    pub(super) fn map(
        &mut self,
        what: &'static str,
        keys: &[&str],
        mut read: impl FnMut(&mut Self, &Token<'s>) -> Parsed<()>,
    ) -> Parsed<Range<usize>> {
        self.stream.eat(":");
        self.block(what, keys, |parser, word| {
            if !keys.is_empty() && !keys.contains(&word.text) {
                let place = format!("a {what} block");
                return Err(parser.unknown(&word, &place, keys));
            }
            parser.colon(what)?;
            read(parser, &word)
        })
    }

    /// `{ model: "m" index: "i" tool: "t" seed: N }`
    pub(super) fn pins(&mut self, word: &Token<'s>) -> Parsed<Pins> {
        let mut pins = Pins::default();
        let whole = self.map(
            "pins",
            &["model", "index", "tool", "seed"],
            |parser, key| {
                match key.text {
                    "model" => pins.model = Some(parser.text("pins")?),
                    "index" => pins.index = Some(parser.text("pins")?),
                    "tool" => pins.tool = Some(parser.text("pins")?),
                    _ => pins.seed = Some(parser.seed()?),
                }
                Ok(())
            },
        )?;
        pins.span = word.span.start..whole.end;
        Ok(pins)
    }

    /// A seed, with or without quotes.
    fn seed(&mut self) -> Parsed<Spanned<u64>> {
        let token = self.stream.peek(0);
        let digits = token.text.trim_matches('"');
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        match digits.parse::<u64>() {
            Ok(value) if token.kind == TokenKind::Text && is_number && value <= INTEGER_MAX => {
                self.stream.next();
                Ok(Spanned::new(value, token.span))
            }
            _ => self.whole("seed"),
        }
    }

    /// `{ name: value ... }`
    pub(super) fn inputs(&mut self) -> Parsed<Vec<Input>> {
        self.inputs_and(|_, _| Ok(false))
    }

    /// As [`Parser::inputs`]; `other` reads an entry that is none, after its colon, and says whether it did.
    pub(super) fn inputs_and(
        &mut self,
        mut other: impl FnMut(&mut Self, &Token<'s>) -> Parsed<bool>,
    ) -> Parsed<Vec<Input>> {
        let mut inputs = Vec::new();
        self.map("inputs", &[], |parser, key| {
            if other(parser, key)? {
                return Ok(());
            }
            let name = parser.named(key)?;
            let value = parser.source_value("inputs")?;
            inputs.push(Input { name, value });
            Ok(())
        })?;
        Ok(inputs)
    }

    /// A token that was taken, as a name.
    pub(super) fn named(&mut self, token: &Token<'_>) -> Parsed<Spanned<StepName>> {
        StepName::parse(token.text)
            .map(|value| Spanned::new(value, token.span.clone()))
            .map_err(|error| {
                let help = "use letters, digits and underscores only";
                self.faults
                    .error(codes::BAD_NAME, token.span.clone(), error.to_string(), help);
                Broken
            })
    }

    /// Where something comes from.
    pub(super) fn source_value(&mut self, what: &str) -> Parsed<Spanned<Source>> {
        let token = self.stream.peek(0);
        let value = match token.kind {
            TokenKind::Text | TokenKind::OpenText => Source::Text(self.text(what)?.value),
            TokenKind::Selector => Source::Memory(self.selector()?.value),
            TokenKind::Number => {
                self.stream.next();
                Source::Number(self.decimal(&token, token.text)?)
            }
            TokenKind::Word => {
                self.stream.next();
                match token.text {
                    "true" | "True" => Source::Boolean(true),
                    "false" | "False" => Source::Boolean(false),
                    "ALL" => Source::Trace,
                    "input" | "inputs" if self.stream.eat(".") => {
                        let name = self.name(what)?;
                        return Ok(Spanned::new(
                            Source::Run(name.value),
                            token.span.start..name.span.end,
                        ));
                    }
                    _ => Source::Step(self.named(&token)?.value),
                }
            }
            _ if token.text == "-" => {
                self.stream.next();
                let number = self.stream.next();
                let text = self
                    .source
                    .get(token.span.start..number.span.end)
                    .unwrap_or_default();
                let value = Source::Number(self.decimal(&number, text)?);
                return Ok(Spanned::new(value, token.span.start..number.span.end));
            }
            _ => return Err(self.syntax(&token, what, "expected a value")),
        };
        Ok(Spanned::new(
            value,
            token.span.start..self.stream.end_of_last(),
        ))
    }

    fn decimal(&mut self, token: &Token<'_>, text: &str) -> Parsed<Decimal> {
        Decimal::parse(text).ok_or_else(|| {
            let message = "the number is malformed or has more than 64 digits";
            self.faults.error(
                codes::BAD_VALUE,
                token.span.clone(),
                message,
                "write it in plain digits, such as `-12.5`",
            );
            Broken
        })
    }

    /// `key=value, key=value`
    pub(super) fn options(&mut self, what: &str) -> Parsed<Vec<Opt>> {
        let mut options = Vec::new();
        // BOUND: every turn takes a token or ends.
        loop {
            let name = self.name(what)?;
            let next = self.stream.peek(0);
            if !self.stream.eat("=") {
                return Err(self.syntax(&next, what, "expected `=` after an option"));
            }
            let value = self.source_value(what)?;
            options.push(Opt { name, value });
            if !(self.stream.is(",") && self.stream.peek(2).text == "=") {
                return Ok(options);
            }
            self.stream.next();
        }
    }

    /// A condition up to the end of its line, a separator, `else`, or the end of what encloses it.
    pub(super) fn condition(&mut self, stop: &str) -> Parsed<Spanned<Check>> {
        let first = self.stream.peek(0);
        let (start, mut end, mut before) = (first.span.start, first.span.start, "");
        // BOUND: every turn takes a token or ends.
        loop {
            let token = self.stream.peek(0);
            let is_next = matches!(
                token.text,
                "else" | "require" | "forbid" | "emit" | "on_fail"
            );
            let is_mark = matches!(token.text, ";" | "," | "}" | "{" | ")" | "=>");
            let is_end = token.kind == TokenKind::End
                || (!before.is_empty() && token.is_first_on_line)
                || (token.kind == TokenKind::Word && is_next && before != ".")
                || (token.kind != TokenKind::Text && (is_mark || token.text == stop));
            if is_end {
                break;
            }
            end = token.span.end;
            before = token.text;
            self.stream.next();
        }
        let span = start..end;
        let source = without_tabs(self.source.get(span.clone()).unwrap_or_default());
        lines::checked(source, span, self.faults).ok_or(Broken)
    }
}
