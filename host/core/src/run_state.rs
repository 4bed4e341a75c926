//! How a run stands: the word that people and programs see, and the code of each that is no success (spec 1.6).
//!
//! INVARIANT: the state of a run follows from what its witnesses say and from nothing else.

use serde::{Deserialize, Serialize};

use crate::{
    outcome::{DeniedBy, Exit, Outcome},
    verdict::Disposition,
};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Begun and not ended; whether a process runs it is not known.
    Running,
    /// A person is asked.
    Waiting,
    /// Every required step completed.
    Succeeded,
    /// A required step failed, or was refused by a gate.
    Failed,
    /// Nobody was sure enough.
    Abstained,
    /// The operator's policy was violated, or an output is kept aside for people.
    Quarantined,
    /// Somebody stopped it.
    Cancelled,
}

/// What an attempt says about the state of its run.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// How it ended.
    pub outcome: &'a Outcome,
    /// What the host did after the verdict.
    pub disposition: Disposition,
    /// True when its outputs left the step.
    pub is_released: bool,
}

impl Ending<'_> {
    /// True for a violation of the policy or the grant, and for an output that is kept aside.
    #[must_use]
    pub const fn is_quarantine(&self) -> bool {
        let is_violation = matches!(
            self.outcome,
            Outcome::Denied(DeniedBy::Policy | DeniedBy::Grant)
        );
        !self.is_released && (is_violation || matches!(self.disposition, Disposition::Quarantine))
    }
}

impl RunState {
    /// The state of a run that has ended with `exit_code`, given the last attempt of every required step.
    #[must_use]
    pub fn of_end<'a>(exit_code: u8, mut last: impl Iterator<Item = Ending<'a>>) -> Self {
        if exit_code == Exit::Ok.code() {
            return Self::Succeeded;
        }
        if exit_code == Exit::Interrupted.code() {
            return Self::Cancelled;
        }
        if last.any(|one| one.is_quarantine()) {
            return Self::Quarantined;
        }
        if exit_code == Exit::Abstained.code() {
            return Self::Abstained;
        }
        if exit_code == Exit::Waiting.code() {
            return Self::Waiting;
        }
        Self::Failed
    }

    /// The state of a run that has not ended.
    #[must_use]
    pub const fn of_open(is_asking: bool) -> Self {
        if is_asking {
            Self::Waiting
        } else {
            Self::Running
        }
    }

    /// The state as it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Abstained => "abstained",
            Self::Quarantined => "quarantined",
            Self::Cancelled => "cancelled",
        }
    }

    /// The stable code; `None` where there is nothing to do about it.
    #[must_use]
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::Running | Self::Succeeded => None,
            Self::Quarantined => Some("ACL-S201"),
            Self::Failed => Some("ACL-S202"),
            Self::Abstained => Some("ACL-S203"),
            Self::Waiting => Some("ACL-S204"),
            Self::Cancelled => Some("ACL-S205"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Abstention;

    fn state(exit: Exit, outcome: &Outcome, disposition: Disposition) -> RunState {
        let ending = Ending {
            outcome,
            disposition,
            is_released: *outcome == Outcome::Completed && disposition == Disposition::Release,
        };
        RunState::of_end(exit.code(), core::iter::once(ending))
    }

    /// Control: with `DeniedBy::Gate` counted as a violation in `is_quarantine`, this fails (seen).
    #[test]
    fn a_run_is_what_its_last_attempts_say() {
        let release = Disposition::Release;
        let by = Outcome::Denied;
        for (exit, outcome, disposition, expected) in [
            (Exit::Ok, Outcome::Completed, release, RunState::Succeeded),
            (Exit::Denied, by(DeniedBy::Gate), release, RunState::Failed),
            (
                Exit::Denied,
                by(DeniedBy::Policy),
                release,
                RunState::Quarantined,
            ),
            (
                Exit::Denied,
                by(DeniedBy::Grant),
                release,
                RunState::Quarantined,
            ),
            (
                Exit::Denied,
                by(DeniedBy::Gate),
                Disposition::Quarantine,
                RunState::Quarantined,
            ),
            (
                Exit::Abstained,
                Outcome::Abstained(Abstention::Kappa),
                release,
                RunState::Abstained,
            ),
            (
                Exit::Waiting,
                Outcome::Indeterminate(0),
                release,
                RunState::Waiting,
            ),
            (
                Exit::Interrupted,
                Outcome::Cancelled,
                release,
                RunState::Cancelled,
            ),
        ] {
            assert_eq!(state(exit, &outcome, disposition), expected, "{outcome:?}");
        }
        assert_eq!(RunState::of_open(true), RunState::Waiting);
        assert_eq!(RunState::of_open(false).code(), None);
    }
}
