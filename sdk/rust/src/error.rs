//! How the failure of a host call becomes the failure of a step when the author writes `?`.
//!
//! | host error | step error | why |
//! |---|---|---|
//! | `denied` | `denied` | it stays a refusal, with the rule and the call that it cites |
//! | `timeout`, `unavailable`, `conflict` | transient `SDK-T001` to `T003` | another attempt may find it otherwise |
//! | `cancelled` | transient `SDK-T004` | the run asked this attempt to stop, not the next |
//! | `exhausted` | permanent `SDK-P001` | the same grant and budget would run out again |
//! | `not-found`, `invalid-argument` | permanent `SDK-P002`, `SDK-P003` | the same call would fail again |
//! | `other` | permanent, the host's own code | unknown is not retried |
//!
//! INVARIANT: a denial never turns into anything but a denial.

use crate::types::{HostError, StepError};

impl From<HostError> for StepError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Denied(denial) => Self::Denied(denial),
            HostError::Timeout => Self::transient("SDK-T001", "a host call ran out of time"),
            HostError::Unavailable(what) => {
                Self::transient("SDK-T002", format!("`{what}` is unavailable"))
            }
            HostError::Conflict(what) => {
                Self::transient("SDK-T003", format!("conflict on `{what}`"))
            }
            HostError::Cancelled => Self::transient("SDK-T004", "the run asked this step to stop"),
            HostError::Exhausted(limit) => {
                Self::permanent("SDK-P001", format!("the limit `{limit}` is used up"))
            }
            HostError::NotFound(what) => {
                Self::permanent("SDK-P002", format!("`{what}` was not found"))
            }
            HostError::InvalidArgument(what) => {
                Self::permanent("SDK-P003", format!("the host refused an argument: {what}"))
            }
            HostError::Other(fault) => Self::Permanent(fault),
        }
    }
}

impl From<serde_json::Error> for StepError {
    /// A body that is not the JSON a step expects is invalid input.
    fn from(error: serde_json::Error) -> Self {
        Self::invalid_input(format!(
            "the body is not the JSON that this step reads: {error}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Denial, fault};

    fn code_of(error: HostError) -> (bool, String) {
        match StepError::from(error) {
            StepError::Transient(fault) => (true, fault.code),
            StepError::Permanent(fault) => (false, fault.code),
            other => panic!("neither transient nor permanent: {other:?}"),
        }
    }

    #[test]
    fn a_denial_stays_the_same_denial() {
        let denial = Denial {
            rule: "no-credentials".into(),
            action: "aim:artifact/store.put".into(),
            target: "text/plain".into(),
            call_index: 7,
        };
        let error = StepError::from(HostError::Denied(denial.clone()));
        assert_eq!(error, StepError::Denied(denial));
    }

    #[test]
    fn only_what_may_change_is_worth_another_attempt() {
        let transient = [
            (HostError::Timeout, "SDK-T001"),
            (HostError::Unavailable("gate".into()), "SDK-T002"),
            (HostError::Conflict("key".into()), "SDK-T003"),
            (HostError::Cancelled, "SDK-T004"),
        ];
        for (error, code) in transient {
            assert_eq!(code_of(error), (true, code.to_owned()));
        }
        let permanent = [
            (HostError::Exhausted("puts".into()), "SDK-P001"),
            (HostError::NotFound("blake3:0".into()), "SDK-P002"),
            (HostError::InvalidArgument("kind".into()), "SDK-P003"),
            (HostError::Other(fault("HST-1", "?")), "HST-1"),
        ];
        for (error, code) in permanent {
            assert_eq!(code_of(error), (false, code.to_owned()));
        }
    }
}
