//! The actions of `ON_FAIL`, `on_fail` and rules: one little grammar for every form.
//!
//! INVARIANT: a word that is no action is refused with its place; an action that exists elsewhere but not here says so.

use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

use aim_core::name::StepName;

use crate::{
    ast::Action,
    codes,
    cursor::unquote,
    diagnostic::{Diagnostic, Faults},
    token::{Token, TokenKind},
};

/// Every word that begins an action.
pub(crate) const ACTIONS: [&str; 12] = [
    "abort",
    "escalate",
    "warn",
    "retry",
    "reroute",
    "degrade",
    "repair",
    "quarantine",
    "abstain",
    "hitl",
    "fallback",
    "log",
];
/// The most attempts that an action may ask for.
const RETRY_MAX: u64 = 10;

/// A reading position among tokens.
#[derive(Debug, Clone)]
pub(crate) struct Stream<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Stream<'a> {
    /// Starts at the first token; every span is moved by `base`. The tokens must end with [`TokenKind::End`].
    pub(crate) fn new(mut tokens: Vec<Token<'a>>, base: usize) -> Self {
        for token in &mut tokens {
            token.span = token.span.start + base..token.span.end + base;
        }
        Self { tokens, at: 0 }
    }

    /// Starts at the first token of a text that does not stand in the source as it is: every token stands at `span`.
    pub(crate) fn fixed(mut tokens: Vec<Token<'a>>, span: &Range<usize>) -> Self {
        for token in &mut tokens {
            token.span = span.clone();
        }
        Self { tokens, at: 0 }
    }

    /// The token that is next, or the one `ahead` of it; the end stays the end.
    pub(crate) fn peek(&self, ahead: usize) -> Token<'a> {
        let token = self
            .tokens
            .get(self.at + ahead)
            .or_else(|| self.tokens.last());
        token.cloned().unwrap_or(Token {
            kind: TokenKind::End,
            text: "",
            span: 0..0,
            is_first_on_line: true,
        })
    }

    /// Takes the next token.
    pub(crate) fn next(&mut self) -> Token<'a> {
        let token = self.peek(0);
        self.at = (self.at + 1).min(self.tokens.len());
        token
    }

    /// Gives the last token back.
    pub(crate) fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    /// Takes the next token when it is this mark, operator or word.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let is_next = self.is(text);
        if is_next {
            self.next();
        }
        is_next
    }

    pub(crate) fn is(&self, text: &str) -> bool {
        let token = self.peek(0);
        token.text == text && !matches!(token.kind, TokenKind::Text | TokenKind::End)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.peek(0).kind == TokenKind::End
    }

    /// Where the token before the next one ends.
    pub(crate) fn end_of_last(&self) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(0, |token| token.span.end)
    }

    /// Takes a text in quotes, when one is next.
    pub(crate) fn eat_text(&mut self) -> Option<(String, Range<usize>)> {
        let token = self.peek(0);
        let text = (token.kind == TokenKind::Text)
            .then(|| unquote(token.text))
            .flatten()?;
        self.next();
        Some((text, token.span))
    }
}

/// Reads one action. What follows it is left to the caller.
pub(crate) fn action(stream: &mut Stream<'_>, faults: &mut Faults) -> Option<Action> {
    let word = stream.next();
    let message = |stream: &mut Stream<'_>| stream.eat_text().map(|(text, _)| text);
    let action = match word.text {
        "abort" => Action::Abort(message(stream)),
        "escalate" | "hitl" => Action::Escalate(message(stream)),
        "abstain" => Action::Abstain(message(stream)),
        "warn" | "log" => Action::Warn,
        "repair" => Action::Repair,
        "quarantine" => Action::Quarantine,
        "retry" => Action::Retry(retries(stream, faults)?),
        "reroute" => Action::Reroute(target(&word, stream, faults)?),
        "fallback" => Action::Fallback(target(&word, stream, faults)?),
        "degrade" => Action::Degrade(degrade(stream, faults)?),
        _ => {
            let close = faults.suggest(word.text, ACTIONS);
            faults.push(unknown(&word, close));
            return None;
        }
    };
    Some(action)
}

fn unknown(word: &Token<'_>, close: Option<String>) -> Diagnostic {
    let shown: String = word.text.chars().take(40).collect();
    let (message, help) = match word.text {
        "rollback" => (
            String::from("action `rollback` is not available: nothing undoes what the world has seen"),
            String::from("use quarantine or escalate"),
        ),
        "" => (
            String::from("expected an action"),
            String::from("the actions are abort, warn, escalate, retry, reroute, degrade, repair, quarantine and abstain"),
        ),
        _ => (
            format!("unknown action `{shown}`"),
            close.unwrap_or_else(|| {
                "the actions are abort, warn, escalate, retry, reroute, degrade, repair, quarantine and abstain".into()
            }),
        ),
    };
    Diagnostic::error(codes::BAD_ACTION, word.span.clone(), message).help(help)
}

fn retries(stream: &mut Stream<'_>, faults: &mut Faults) -> Option<Option<u64>> {
    let is_wrapped = stream.is("(");
    if !is_wrapped {
        return Some(None);
    }
    stream.next();
    let token = stream.next();
    let number = token
        .text
        .parse::<u64>()
        .ok()
        .filter(|number| (1..=RETRY_MAX).contains(number));
    if number.is_none() || !stream.eat(")") {
        let message =
            format!("retry takes a number of attempts from 1 to {RETRY_MAX} in parentheses");
        let fault = Diagnostic::error(codes::BAD_ACTION, token.span, message);
        faults.push(fault.help("write `retry(3)`"));
        return None;
    }
    Some(number)
}

fn target(word: &Token<'_>, stream: &mut Stream<'_>, faults: &mut Faults) -> Option<StepName> {
    let is_wrapped = stream.eat("(");
    let token = stream.peek(0);
    let name = StepName::parse(token.text).ok();
    if name.is_some() {
        stream.next();
    }
    if name.is_none() || (is_wrapped && !stream.eat(")")) {
        let message = format!("`{}` names the step that answers instead", word.text);
        let fault = Diagnostic::error(codes::BAD_ACTION, word.span.clone(), message);
        faults.push(fault.help(format!("write `{}(<step>)`", word.text)));
        return None;
    }
    name
}

/// `{ name: value ... }`, or nothing.
fn degrade(stream: &mut Stream<'_>, faults: &mut Faults) -> Option<Vec<(StepName, String)>> {
    let mut options = Vec::new();
    if !stream.eat("{") {
        return Some(options);
    }
    // BOUND: every turn takes a token or ends.
    loop {
        while stream.eat(";") || stream.eat(",") {}
        if stream.eat("}") {
            return Some(options);
        }
        let key = stream.next();
        let name = StepName::parse(key.text).ok().filter(|_| stream.eat(":"));
        let value = match stream.eat_text() {
            Some((text, _)) => Some(text),
            None => Some(stream.next())
                .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Number))
                .map(|token| String::from(token.text)),
        };
        let (Some(name), Some(value)) = (name, value) else {
            let message = "degrade takes options, each a name, a colon and a value";
            let fault = Diagnostic::error(codes::BAD_ACTION, key.span, message);
            faults.push(fault.help("write `degrade { backoff: summarize }`"));
            return None;
        };
        options.push((name, value));
    }
}
