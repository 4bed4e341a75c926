//! What the operator wants at least from every ethical score, whatever the codex of a gate says.
//!
//! INVARIANT: a floor can only make a verdict worse.

use alloc::{format, string::String};

use serde::{Deserialize, Serialize};

use crate::{claims::RATIO_ONE, verdict::Verdict};

/// The least scores that count, in parts per million. All zero asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Floors {
    /// What a worse decision before adds to both borders, so that a score near one does not flip back and forth.
    pub hysteresis_ppm: u32,
    /// Below this score a person must decide.
    pub kappa_ppm: u32,
    /// Below this score a release is marked for review.
    pub review_below_ppm: u32,
}

impl Floors {
    /// The stricter of both, value by value.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            hysteresis_ppm: self.hysteresis_ppm.max(other.hysteresis_ppm),
            kappa_ppm: self.kappa_ppm.max(other.kappa_ppm),
            review_below_ppm: self.review_below_ppm.max(other.review_below_ppm),
        }
    }

    /// The verdict on a score in parts per million, and why it is no pass. `prior` is the last verdict in the same scope: what
    /// asked for a person must rise above `kappa_ppm` by the hysteresis, what was marked for review above `review_below_ppm`.
    #[must_use]
    pub fn judge(&self, score_ppm: u32, prior: Option<Verdict>) -> (Verdict, Option<String>) {
        let raised = |border: u32, is_raised: bool| {
            let more = if is_raised && border > 0 {
                self.hysteresis_ppm
            } else {
                0
            };
            border.saturating_add(more).min(RATIO_ONE)
        };
        let prior = prior.unwrap_or(Verdict::Pass);
        let kappa = raised(self.kappa_ppm, prior >= Verdict::Abstain);
        let review = raised(self.review_below_ppm, prior >= Verdict::Warn);
        if score_ppm < kappa {
            let reason =
                format!("score {score_ppm} is below the operator's {kappa}; a person must decide");
            return (Verdict::Abstain, Some(reason));
        }
        if score_ppm < review {
            let reason =
                format!("score {score_ppm} is below the operator's {review}; marked for review");
            return (Verdict::Warn, Some(reason));
        }
        (Verdict::Pass, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOORS: Floors = Floors {
        hysteresis_ppm: 50_000,
        kappa_ppm: 600_000,
        review_below_ppm: 700_000,
    };

    fn at(score: u32, prior: Option<Verdict>) -> Verdict {
        FLOORS.judge(score, prior).0
    }

    #[test]
    fn borders_are_exact() {
        assert_eq!(at(599_999, None), Verdict::Abstain);
        assert_eq!(at(600_000, None), Verdict::Warn);
        assert_eq!(at(699_999, Some(Verdict::Pass)), Verdict::Warn);
        assert_eq!(at(700_000, None), Verdict::Pass);
    }

    #[test]
    fn a_worse_decision_before_raises_the_border_that_it_has_to_cross_again() {
        for prior in [Verdict::Abstain, Verdict::Fail, Verdict::Error] {
            assert_eq!(at(649_999, Some(prior)), Verdict::Abstain);
            assert_eq!(at(650_000, Some(prior)), Verdict::Warn);
        }
        assert_eq!(at(749_999, Some(Verdict::Warn)), Verdict::Warn);
        assert_eq!(at(750_000, Some(Verdict::Warn)), Verdict::Pass);
        assert_eq!(
            at(600_000, Some(Verdict::Warn)),
            Verdict::Warn,
            "a warning asks for nobody"
        );
    }

    #[test]
    fn without_floors_every_score_passes_and_together_the_stricter_counts() {
        let none = Floors {
            hysteresis_ppm: 90_000,
            ..Floors::default()
        };
        assert_eq!(none.judge(0, Some(Verdict::Fail)), (Verdict::Pass, None));
        let both = FLOORS.over(Floors {
            kappa_ppm: 800_000,
            ..Floors::default()
        });
        assert_eq!((both.kappa_ppm, both.review_below_ppm), (800_000, 700_000));
    }
}
