//! A gate that says it can't judge.
//! INVARIANT: no answer of this file is a decision.

use aim_sdk::gate::Decision;
use aim_sdk::types::Fault;

/// A fault.
pub(crate) fn fault() -> Result<Decision, Fault> {
    Err(aim_sdk::types::fault("GATE-1", "this gate can not judge"))
}

/// A word that nobody knows.
pub(crate) fn unknown(word: &str) -> Result<Decision, Fault> {
    Err(fault_of(word))
}

fn fault_of(word: &str) -> Fault {
    aim_sdk::types::fault("GATE-2", format!("no behaviour `{word}`"))
}
