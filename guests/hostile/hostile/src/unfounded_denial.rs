//! Answers that the host denied it something, without ever having asked.

use aim_sdk::StepError;
use aim_sdk::types::Denial;

/// A denial that no transcript holds.
pub(crate) fn run() -> StepError {
    StepError::Denied(Denial {
        rule: "grant".into(),
        action: "aim:artifact/store.read".into(),
        target: "everything".into(),
        call_index: 0,
    })
}
