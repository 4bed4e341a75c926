//! The budget of one attempt, charged call by call.
//!
//! INVARIANT: a charge that would exceed changes nothing, not even of the parts that there is enough of.

use serde::{Deserialize, Serialize};

use super::Amount;
use crate::outcome::LimitKind;

/// What a host call is to a budget. Calls that only tell the guest something the host has at hand are none of these, and cost
/// fuel only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallClass {
    /// An artifact is read or put.
    Artifact,
    /// The gates are asked about an intention.
    Consult,
    /// A request goes out.
    Http,
    /// A model is asked.
    Model,
    /// A bucket or a folder is read or changed.
    State,
}

impl CallClass {
    /// True for a call that the plan's `tools` and `calls` count: one that leaves the host.
    #[must_use]
    pub const fn is_tool(self) -> bool {
        matches!(self, Self::Http | Self::Model)
    }
}

/// What one call of each class costs, in millionths of the plan's currency: the operator's price table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// An artifact is read or put.
    pub artifact: u64,
    /// The gates are asked about an intention.
    pub consult: u64,
    /// A request goes out.
    pub http: u64,
    /// A model is asked.
    pub model: u64,
    /// One token of a model.
    pub model_token: u64,
    /// A bucket or a folder is read or changed.
    pub state: u64,
}

impl Prices {
    /// What a call costs that moves so many tokens.
    #[must_use]
    pub const fn of(&self, class: CallClass, tokens: u64) -> u64 {
        let call = match class {
            CallClass::Artifact => self.artifact,
            CallClass::Consult => self.consult,
            CallClass::Http => self.http,
            CallClass::Model => self.model,
            CallClass::State => self.state,
        };
        call.saturating_add(self.model_token.saturating_mul(tokens))
    }
}

/// What is left to one attempt, and what it has used; a part that is `None` is not capped, and is counted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meter {
    /// Calls that leave the host.
    pub calls: Option<u64>,
    /// Model tokens.
    pub tokens: Option<u64>,
    /// Millionths of the plan's currency.
    pub cost_micros: Option<u64>,
    /// What calls cost.
    pub prices: Prices,
    used: Amount,
}

impl Meter {
    /// A meter at zero.
    #[must_use]
    pub const fn new(
        calls: Option<u64>,
        tokens: Option<u64>,
        cost_micros: Option<u64>,
        prices: Prices,
    ) -> Self {
        Self {
            calls,
            tokens,
            cost_micros,
            prices,
            used: Amount {
                tokens: 0,
                time_ms: 0,
                tools: 0,
                cost_micros: 0,
            },
        }
    }

    /// What was used: calls, tokens and cost; never time.
    #[must_use]
    pub const fn used(&self) -> Amount {
        self.used
    }

    /// Charges for one call that moves so many tokens.
    ///
    /// # Errors
    /// The part that there is not enough of; nothing was charged.
    pub fn charge(&mut self, class: CallClass, tokens: u64) -> Result<(), LimitKind> {
        let wanted = Amount {
            tokens,
            time_ms: 0,
            tools: u64::from(class.is_tool()),
            cost_micros: self.prices.of(class, tokens),
        };
        self.take(wanted)
    }

    /// Charges for tokens that a call turned out to have moved beyond those that it was charged for.
    ///
    /// # Errors
    /// The part that there is not enough of; nothing was charged.
    pub fn charge_tokens(&mut self, tokens: u64) -> Result<(), LimitKind> {
        self.take(Amount {
            tokens,
            cost_micros: self.prices.model_token.saturating_mul(tokens),
            ..Amount::default()
        })
    }

    /// Gives back what was charged for tokens that a call did not move.
    pub fn give_back_tokens(&mut self, tokens: u64) {
        let cost = self.prices.model_token.saturating_mul(tokens);
        self.used.tokens = self.used.tokens.saturating_sub(tokens);
        self.used.cost_micros = self.used.cost_micros.saturating_sub(cost);
        self.tokens = self.tokens.map(|left| left.saturating_add(tokens));
        self.cost_micros = self.cost_micros.map(|left| left.saturating_add(cost));
    }

    fn take(&mut self, wanted: Amount) -> Result<(), LimitKind> {
        let left = |left: Option<u64>, wanted: u64, kind| match left {
            None => Ok(None),
            Some(left) => left.checked_sub(wanted).map(Some).ok_or(kind),
        };
        let calls = left(self.calls, wanted.tools, LimitKind::Tools)?;
        let tokens = left(self.tokens, wanted.tokens, LimitKind::Tokens)?;
        let cost_micros = left(self.cost_micros, wanted.cost_micros, LimitKind::Cost)?;
        self.used = self.used.plus(wanted);
        (self.calls, self.tokens, self.cost_micros) = (calls, tokens, cost_micros);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: Prices = Prices {
        artifact: 1,
        consult: 2,
        http: 30,
        model: 100,
        model_token: 3,
        state: 5,
    };

    fn meter() -> Meter {
        Meter::new(Some(2), Some(100), Some(500), PRICES)
    }

    /// Control: with `used` and the parts changed before all three were looked at, this fails (seen).
    #[test]
    fn a_charge_that_would_exceed_any_part_changes_none() {
        let mut meter = meter();
        meter.charge(CallClass::Model, 100).unwrap();
        let before = meter;
        assert_eq!(
            (meter.calls, meter.tokens, meter.cost_micros),
            (Some(1), Some(0), Some(100))
        );
        assert_eq!(meter.charge(CallClass::Model, 1), Err(LimitKind::Tokens));
        assert_eq!(meter.charge_tokens(1), Err(LimitKind::Tokens));
        assert_eq!(meter, before);
        meter.charge(CallClass::Http, 0).unwrap();
        assert_eq!(meter.charge(CallClass::Http, 0), Err(LimitKind::Tools));
        for _ in 0..14 {
            meter.charge(CallClass::State, 0).unwrap();
        }
        let before = meter;
        assert_eq!(meter.charge(CallClass::State, 0), Err(LimitKind::Cost));
        assert_eq!(meter, before);
        meter.charge(CallClass::Artifact, 0).unwrap_err();
    }

    /// A call is charged for the most that it may move; what it did not move is there again, at the same price.
    #[test]
    fn tokens_that_were_not_moved_are_given_back_and_the_call_is_not() {
        let mut meter = meter();
        meter.charge(CallClass::Model, 100).unwrap();
        meter.give_back_tokens(60);
        assert_eq!(
            (meter.calls, meter.tokens, meter.cost_micros),
            (Some(1), Some(60), Some(280))
        );
        let used = meter.used();
        assert_eq!((used.tools, used.tokens, used.cost_micros), (1, 40, 220));
        assert_eq!(meter.charge_tokens(61), Err(LimitKind::Tokens));
        meter.charge_tokens(60).unwrap();
    }

    #[test]
    fn what_is_not_capped_is_counted() {
        let mut meter = Meter::new(None, None, None, PRICES);
        meter.charge(CallClass::Model, 10).unwrap();
        meter.charge_tokens(5).unwrap();
        meter.charge(CallClass::Consult, 0).unwrap();
        let expected = Amount {
            tokens: 15,
            time_ms: 0,
            tools: 1,
            cost_micros: 100 + 45 + 2,
        };
        assert_eq!(meter.used(), expected);
    }
}
