//! What gates say and what the host then does. A gate *judges*, the host *disposes*.
//!
//! INVARIANT: combining verdicts never improves one; an empty set is an error, and unknown is never a pass.

use serde::{Deserialize, Serialize};

/// A gate's verdict, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No objection.
    Pass,
    /// Released along this plan's edges and marked for review; promotion waits.
    Warn,
    /// The gate can not tell; a person may.
    Abstain,
    /// An objection with a reason.
    Fail,
    /// Written by the host only: the gate trapped, timed out, answered nonsense or is absent.
    Error,
}

impl Verdict {
    /// The verdict of a set: the worst member, and [`Verdict::Error`] for an empty set. Order and
    /// duplicates do not matter.
    #[must_use]
    pub fn worst(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max().unwrap_or(Self::Error)
    }

    /// True when what was judged may leave the step.
    #[must_use]
    pub const fn releases(self) -> bool {
        matches!(self, Self::Pass | Self::Warn)
    }

    /// The word used in evidence and output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Abstain => "abstain",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }

    /// What the verdict counts as once a gate of `severity` gave it: severity `warn` turns only an
    /// objection of a plan's own condition into a warning, never anything else.
    #[must_use]
    pub const fn with_severity(self, severity: Severity) -> Self {
        match (self, severity) {
            (Self::Fail, Severity::Warn) => Self::Warn,
            _ => self,
        }
    }
}

/// How much a gate's objection weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An objection becomes a warning. Only a plan's own conditions may have it.
    Warn,
    /// An objection stops the release.
    #[default]
    Block,
}

/// What the host does after a verdict, from the lightest to what weighs most where several are asked for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// What was judged leaves the step, or doesn't, as the verdict says; nothing more is done.
    #[default]
    Release,
    /// The step is tried again.
    Retry,
    /// Goes on with less.
    Degrade,
    /// The step's repair is tried.
    Repair,
    /// Another step answers instead.
    Reroute,
    /// A person is asked.
    Escalate,
    /// Kept aside until several people release it.
    Quarantine,
    /// The run ends.
    Abort,
}

impl Disposition {
    /// True when nothing more is done than the verdict says.
    #[must_use]
    pub const fn is_release(&self) -> bool {
        matches!(self, Self::Release)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Verdict; 5] = [
        Verdict::Pass,
        Verdict::Warn,
        Verdict::Abstain,
        Verdict::Fail,
        Verdict::Error,
    ];

    #[test]
    fn an_empty_set_is_an_error() {
        assert_eq!(Verdict::worst([]), Verdict::Error);
    }

    #[test]
    fn order_and_duplicates_do_not_matter_and_nothing_improves() {
        for a in ALL {
            for b in ALL {
                let both = Verdict::worst([a, b]);
                assert_eq!(both, Verdict::worst([b, a, a]));
                assert!(both >= a && both >= b);
            }
        }
    }

    #[test]
    fn only_pass_and_warn_release() {
        let releasing: alloc::vec::Vec<_> = ALL.into_iter().filter(|v| v.releases()).collect();
        assert_eq!(releasing, [Verdict::Pass, Verdict::Warn]);
    }

    #[test]
    fn severity_warn_softens_an_objection_and_nothing_else() {
        for verdict in ALL {
            let softened = verdict.with_severity(Severity::Warn);
            let expected = if verdict == Verdict::Fail {
                Verdict::Warn
            } else {
                verdict
            };
            assert_eq!(softened, expected);
            assert_eq!(verdict.with_severity(Severity::Block), verdict);
        }
    }
}
