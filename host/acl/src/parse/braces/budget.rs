//! Budgets in brace form: of a plan and of a step.
//!
//! INVARIANT: a part that can not be understood marks the whole budget, so that nothing is said about parts that are missing.

use alloc::{format, string::String};

use aim_core::condition::Decimal;

use super::{Broken, Parsed, Parser};
use crate::{
    ast::{Amount, Backoff, Budget, Pool, Spanned},
    codes,
    parse::amount::{Unit, amount},
    token::{Token, TokenKind},
};

pub(crate) const BUDGET: [&str; 7] = [
    "tokens", "wall_ms", "calls", "cost", "backoff", "pool", "headroom",
];

impl<'s> Parser<'s, '_> {
    /// `{ tokens: N wall_ms: N calls: N cost: N }`, each part a number or `{ max: N soft: N }`.
    pub(super) fn budget(&mut self, word: &Token<'s>) -> Parsed<Budget> {
        let mut budget = Budget::default();
        self.stream.eat(":");
        let mut is_faulty = false;
        let whole = self.block("budget", &BUDGET, |parser, key| {
            let read = parser.budget_part(&mut budget, &key);
            is_faulty |= read.is_err();
            read
        })?;
        budget.is_faulty = is_faulty;
        budget.span = word.span.start..whole.end;
        Ok(budget)
    }

    fn budget_part(&mut self, budget: &mut Budget, key: &Token<'s>) -> Parsed<()> {
        let unit = match key.text {
            "cost" => Unit::Money,
            "tokens" | "wall_ms" | "calls" => Unit::Kilo,
            "backoff" | "pool" | "headroom" => Unit::Count,
            unknown => {
                let help = self.faults.suggest(unknown, BUDGET);
                let help =
                    help.unwrap_or_else(|| "the parts are tokens, wall_ms, calls and cost".into());
                let shown: String = unknown.chars().take(40).collect();
                self.faults.error(
                    codes::BAD_BUDGET,
                    key.span.clone(),
                    format!("unknown budget part `{shown}`"),
                    help,
                );
                return Err(Broken);
            }
        };
        self.colon("budget")?;
        match key.text {
            "backoff" => {
                budget.backoff = Some(self.listed("way to save", Backoff::ALL, Backoff::word)?)
            }
            "pool" => {
                budget.pool = Some(self.listed("way to share a budget", Pool::ALL, Pool::word)?)
            }
            "headroom" => budget.headroom = Some(self.factor()?),
            "tokens" => budget.tokens = Some(self.amount("tokens", unit)?),
            "wall_ms" => budget.time_ms = Some(self.amount("wall_ms", unit)?),
            "calls" => budget.tools = Some(self.amount("calls", unit)?),
            _ => budget.cost_micros = Some(self.amount("cost", unit)?),
        }
        Ok(())
    }

    /// A factor from 1 to 100, in whole millionths.
    fn factor(&mut self) -> Parsed<Spanned<Decimal>> {
        let token = self.stream.peek(0);
        let range = Decimal::parse("1").zip(Decimal::parse("100"));
        let value = Decimal::parse(token.text).filter(|value| {
            value.millionths().is_some()
                && range
                    .as_ref()
                    .is_some_and(|(low, high)| low <= value && value <= high)
        });
        match value {
            Some(value) => {
                self.stream.next();
                Ok(Spanned::new(value, token.span))
            }
            None => {
                self.faults.error(
                    codes::BAD_VALUE,
                    token.span,
                    "headroom is a factor from 1 to 100",
                    "write `1.1` for a tenth more",
                );
                Err(Broken)
            }
        }
    }

    fn amount(&mut self, key: &'static str, unit: Unit) -> Parsed<Amount> {
        if !self.stream.is("{") {
            return self.amount_number(key, unit).map(Amount::hard);
        }
        let (mut max, mut soft) = (None, None);
        let keys = ["max", "soft"];
        let whole = self.block(key, &keys, |parser, word| {
            if !keys.contains(&word.text) {
                return Err(parser.unknown(&word, "a budget part", &keys));
            }
            parser.colon("budget")?;
            let number = parser.amount_number(key, unit)?;
            *(if word.text == "max" {
                &mut max
            } else {
                &mut soft
            }) = Some(number);
            Ok(())
        })?;
        match max {
            Some(max) if soft.is_none_or(|soft| soft <= max) => Ok(Amount { max, soft }),
            _ => {
                let message = format!("{key} needs a `max` that is not below `soft`");
                self.faults.error(
                    codes::BAD_BUDGET,
                    whole,
                    message,
                    "write `{ max: 2000 soft: 1500 }`",
                );
                Err(Broken)
            }
        }
    }

    fn amount_number(&mut self, key: &str, unit: Unit) -> Parsed<u64> {
        let token = self.stream.peek(0);
        let is_value = matches!(
            token.kind,
            TokenKind::Number | TokenKind::Word | TokenKind::Text
        );
        if is_value {
            self.stream.next();
        }
        amount(key, token.text, unit).map_err(|(message, help)| {
            self.faults
                .error(codes::BAD_BUDGET, token.span, message, help);
            Broken
        })
    }
}
