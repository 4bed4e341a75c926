//! What follows an attempt: nothing, another try after a wait, another step, or a question to a person.
//!
//! INVARIANT: a denial, an overrun budget and a lack of confidence are never tried again, and nothing is tried again that
//! may have had an effect unless somebody said that this does no harm.

use serde::{Deserialize, Serialize};

use crate::{
    outcome::{Abstention, Failure, Outcome},
    plan::{Action, Breaker, Retries, Trigger},
    time::Timestamp,
    verdict::Disposition,
};

/// How an attempt ended, as far as what follows depends on it.
#[derive(Debug, Clone, Copy)]
pub struct AttemptEnd<'a> {
    /// Its outcome.
    pub outcome: &'a Outcome,
    /// What the plan's gates ask the host to do.
    pub disposition: Disposition,
    /// True when its output leaves the step.
    pub is_released: bool,
    /// Its number, from 1.
    pub number: u32,
}

/// What the plan and the contract allow.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Tries in all.
    pub attempts_max: u32,
    /// True when doing it twice does no harm: idempotent, without effects outside, or allowed by the plan.
    pub is_repeatable: bool,
    /// True when a standby step answers once this one has failed for good.
    pub has_fallback: bool,
    /// What a rule of the plan says about how it ended.
    pub rule: Option<Action>,
    /// True when it was mended as often as it may be.
    pub was_mended: bool,
}

impl AttemptEnd<'_> {
    /// True when the step would be tried again, and there were as many tries as there may be.
    #[must_use]
    pub const fn is_spent(&self, allowed: &Allowance) -> bool {
        let is_partial = matches!(self.outcome, Outcome::Failed(Failure::Transient))
            || matches!(self.disposition, Disposition::Retry);
        is_partial && allowed.is_repeatable && self.number >= allowed.attempts_max
    }
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The step is over.
    Settle,
    /// The step is over, and so is the run.
    Abort,
    /// The step is over; what it wanted to let go is kept aside.
    Quarantine,
    /// It is tried again after the plan's wait.
    Retry,
    /// It is tried again at once, and told what was wrong.
    Repair,
    /// It is tried again at once, and told to do with less.
    Degrade,
    /// A standby step answers instead.
    Reroute,
    /// A person is asked.
    Ask,
    /// Nobody is sure enough; what depends on it does not run.
    Abstain,
}

/// Decides what follows an attempt.
#[must_use]
pub const fn next(end: &AttemptEnd<'_>, allowed: &Allowance) -> Next {
    if end.is_released {
        return Next::Settle;
    }
    let has_tries = end.number < allowed.attempts_max;
    match (end.outcome, end.disposition) {
        (Outcome::Cancelled | Outcome::Bug, _) => Next::Settle,
        (_, Disposition::Abort) => Next::Abort,
        (_, Disposition::Quarantine) => Next::Quarantine,
        (_, Disposition::Escalate) => Next::Ask,
        (_, Disposition::Reroute) => Next::Reroute,
        (_, Disposition::Retry) if has_tries && allowed.is_repeatable => Next::Retry,
        (_, Disposition::Repair) if !allowed.was_mended => Next::Repair,
        (_, Disposition::Degrade) if !allowed.was_mended => Next::Degrade,
        // Whether it happened is not known: only a person, or a step that may be repeated, goes on.
        (Outcome::Indeterminate(_), _) if allowed.is_repeatable && has_tries => Next::Retry,
        (Outcome::Indeterminate(_), _) => Next::Ask,
        (Outcome::Failed(Failure::Transient), _) if has_tries && allowed.is_repeatable => {
            Next::Retry
        }
        _ => by_rule(allowed),
    }
}

const fn by_rule(allowed: &Allowance) -> Next {
    match allowed.rule {
        Some(Action::Abort) => Next::Abort,
        Some(Action::Abstain) => Next::Abstain,
        Some(Action::Degrade) if !allowed.was_mended => Next::Degrade,
        Some(Action::Escalate) => Next::Ask,
        Some(Action::Fallback | Action::Reroute) => Next::Reroute,
        Some(Action::Quarantine) => Next::Quarantine,
        Some(Action::Repair) if !allowed.was_mended => Next::Repair,
        _ if allowed.has_fallback => Next::Reroute,
        _ => Next::Settle,
    }
}

/// Which rules of a plan are about an outcome.
#[must_use]
pub const fn trigger(outcome: &Outcome) -> Option<Trigger> {
    Some(match outcome {
        Outcome::Abstained(Abstention::Kappa) => Trigger::LowConfidence,
        Outcome::Abstained(Abstention::Budget) | Outcome::Limit(_) => Trigger::OverBudget,
        Outcome::Denied(crate::outcome::DeniedBy::Policy | crate::outcome::DeniedBy::Grant) => {
            Trigger::PolicyViolation
        }
        Outcome::Failed(_) | Outcome::Trapped(_) => Trigger::Failed,
        _ => return None,
    })
}

/// How long to wait before try `number` + 1, in milliseconds. `draw` is a number by chance; equal draws give equal waits.
#[must_use]
pub fn backoff_ms(retries: &Retries, number: u32, draw: u64) -> u64 {
    let mut wait = u128::from(retries.base_ms);
    let most = u128::from(retries.max_ms);
    for _ in 1..number.min(64) {
        wait = (wait * u128::from(retries.factor_percent) / 100).min(most);
    }
    wait = wait.min(most);
    let share = wait * u128::from(retries.jitter_percent) / 100;
    let off = (share * u128::from(draw)) >> 64;
    u64::try_from(wait - off).unwrap_or(u64::MAX)
}

/// How a node that keeps failing is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Everything is let through.
    Closed,
    /// Nothing is.
    Open,
    /// One try is let through, to see.
    HalfOpen,
}

impl BreakerState {
    /// The state as it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// The circuit breaker of one node.
#[derive(Debug, Clone, Copy)]
pub struct Circuit {
    settings: Breaker,
    failures: u32,
    opened_at: Option<Timestamp>,
    is_trying: bool,
}

impl Circuit {
    /// A closed breaker.
    #[must_use]
    pub const fn new(settings: Breaker) -> Self {
        Self {
            settings,
            failures: 0,
            opened_at: None,
            is_trying: false,
        }
    }

    /// Its state at `now`.
    #[must_use]
    pub const fn state(&self, now: Timestamp) -> BreakerState {
        match self.opened_at {
            None => BreakerState::Closed,
            Some(at) if now.millis() < at.millis().saturating_add(self.settings.cooldown_ms) => {
                BreakerState::Open
            }
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// True when a try may begin; half open lets one through at a time.
    #[must_use]
    pub const fn admits(&mut self, now: Timestamp) -> bool {
        match self.state(now) {
            BreakerState::Closed => true,
            BreakerState::Open => false,
            BreakerState::HalfOpen if self.is_trying => false,
            BreakerState::HalfOpen => {
                self.is_trying = true;
                true
            }
        }
    }

    /// Takes the end of a try. Returns the new state when it changed.
    pub fn record(&mut self, has_failed: bool, now: Timestamp) -> Option<BreakerState> {
        let before = self.state(now);
        self.is_trying = false;
        if has_failed {
            self.failures = self.failures.saturating_add(1);
            let reopens = before == BreakerState::HalfOpen;
            if reopens || (self.opened_at.is_none() && self.failures >= self.settings.failures) {
                self.opened_at = Some(now);
            }
        } else {
            self.failures = 0;
            self.opened_at = None;
        }
        let after = self.state(now);
        (after != before).then_some(after)
    }
}

/// True when an outcome speaks against the node that did the step: it failed, trapped or ran over its limits.
#[must_use]
pub const fn is_node_failure(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed(Failure::Transient | Failure::Permanent)
            | Outcome::Trapped(_)
            | Outcome::Limit(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{DeniedBy, LimitKind, Trap};

    const ALLOWED: Allowance = Allowance {
        attempts_max: 3,
        is_repeatable: true,
        has_fallback: false,
        rule: None,
        was_mended: false,
    };

    fn after(outcome: &Outcome, disposition: Disposition, number: u32, allowed: Allowance) -> Next {
        let end = AttemptEnd {
            outcome,
            disposition,
            is_released: false,
            number,
        };
        next(&end, &allowed)
    }

    /// Control: with the arm for transient failures matching any failure, this fails.
    #[test]
    fn only_transient_failures_are_tried_again_and_only_where_that_does_no_harm() {
        let transient = Outcome::Failed(Failure::Transient);
        let release = Disposition::Release;
        assert_eq!(after(&transient, release, 2, ALLOWED), Next::Retry);
        assert_eq!(after(&transient, release, 3, ALLOWED), Next::Settle);
        let once = Allowance {
            is_repeatable: false,
            ..ALLOWED
        };
        assert_eq!(after(&transient, release, 1, once), Next::Settle);
        for never in [
            Outcome::Failed(Failure::Permanent),
            Outcome::Failed(Failure::InvalidInput),
            Outcome::Limit(LimitKind::Tokens),
            Outcome::Limit(LimitKind::Deadline),
            Outcome::Abstained(Abstention::Kappa),
            Outcome::Abstained(Abstention::Budget),
            Outcome::Denied(DeniedBy::Gate),
            Outcome::Trapped(Trap::Other),
            Outcome::Cancelled,
            Outcome::Bug,
        ] {
            assert_eq!(
                after(&never, release, 1, ALLOWED),
                Next::Settle,
                "{never:?}"
            );
        }
    }

    #[test]
    fn what_may_have_happened_waits_for_a_person_unless_it_may_be_repeated() {
        let unknown = Outcome::Indeterminate(3);
        let release = Disposition::Release;
        assert_eq!(after(&unknown, release, 1, ALLOWED), Next::Retry);
        let once = Allowance {
            is_repeatable: false,
            ..ALLOWED
        };
        assert_eq!(after(&unknown, release, 1, once), Next::Ask);
    }

    #[test]
    fn every_disposition_leads_somewhere_and_mending_is_done_once() {
        let denied = Outcome::Denied(DeniedBy::Gate);
        let mended = Allowance {
            was_mended: true,
            ..ALLOWED
        };
        for (disposition, first, second) in [
            (Disposition::Release, Next::Settle, Next::Settle),
            (Disposition::Retry, Next::Retry, Next::Retry),
            (Disposition::Degrade, Next::Degrade, Next::Settle),
            (Disposition::Repair, Next::Repair, Next::Settle),
            (Disposition::Reroute, Next::Reroute, Next::Reroute),
            (Disposition::Escalate, Next::Ask, Next::Ask),
            (Disposition::Quarantine, Next::Quarantine, Next::Quarantine),
            (Disposition::Abort, Next::Abort, Next::Abort),
        ] {
            assert_eq!(after(&denied, disposition, 1, ALLOWED), first);
            assert_eq!(after(&denied, disposition, 1, mended), second);
        }
    }

    #[test]
    fn rules_and_fallbacks_are_asked_once_nothing_is_left_to_try() {
        let failed = Outcome::Failed(Failure::Permanent);
        let with = |rule, has_fallback| {
            let allowed = Allowance {
                rule,
                has_fallback,
                ..ALLOWED
            };
            after(&failed, Disposition::Release, 1, allowed)
        };
        assert_eq!(with(None, true), Next::Reroute);
        assert_eq!(with(Some(Action::Escalate), true), Next::Ask);
        assert_eq!(with(Some(Action::Abstain), false), Next::Abstain);
        assert_eq!(with(Some(Action::Quarantine), false), Next::Quarantine);
    }

    /// Control: with the factor applied before the first wait, this fails.
    #[test]
    fn waits_double_up_to_their_maximum_and_jitter_only_shortens_them() {
        let retries = Retries {
            jitter_percent: 0,
            ..Retries::DEFAULT
        };
        let waits: [u64; 7] =
            core::array::from_fn(|n| backoff_ms(&retries, u32::try_from(n + 1).unwrap(), u64::MAX));
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        let jittered = Retries {
            jitter_percent: 10,
            ..retries
        };
        assert_eq!(backoff_ms(&jittered, 1, 0), 1_000);
        assert_eq!(backoff_ms(&jittered, 1, u64::MAX), 901);
        assert_eq!(backoff_ms(&jittered, 1, 1 << 63), 950);
        assert_eq!(backoff_ms(&jittered, u32::MAX, 0), 30_000);
    }

    /// Control: with the cooldown not looked at, the breaker never opens again for a try and this fails.
    #[test]
    fn a_breaker_opens_after_five_failures_for_a_minute_and_tries_once() {
        let at = Timestamp::from_millis;
        let mut circuit = Circuit::new(Breaker::DEFAULT);
        for _ in 0..4 {
            assert!(circuit.admits(at(0)));
            assert_eq!(circuit.record(true, at(0)), None);
        }
        assert_eq!(circuit.record(true, at(0)), Some(BreakerState::Open));
        assert!(!circuit.admits(at(59_999)));
        assert!(circuit.admits(at(60_000)), "half open");
        assert!(!circuit.admits(at(60_000)), "one at a time");
        assert_eq!(circuit.record(true, at(60_000)), Some(BreakerState::Open));
        assert!(!circuit.admits(at(119_999)));
        assert!(circuit.admits(at(120_000)));
        assert_eq!(
            circuit.record(false, at(120_000)),
            Some(BreakerState::Closed)
        );
        for _ in 0..4 {
            circuit.record(true, at(120_000));
        }
        assert!(circuit.admits(at(120_000)), "a success has reset the count");
    }
}
