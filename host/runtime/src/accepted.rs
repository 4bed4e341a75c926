//! Which versions a log has accepted: a projection of how its executions began.
//!
//! Only an admitted plan's execution begins, and its first frame holds the lock with the version of every node and gate. A
//! refused load leaves a leaf and no such frame, so what was refused is not accepted.
//!
//! INVARIANT: nothing but the log is asked; the same log gives the same answer on every host, after every restart.

use std::collections::BTreeMap;

use aim_core::{
    access::{AcceptedVersions, Candidate},
    digest::Digest,
    event::ExecutionStart,
    name::NodeId,
};
use aim_ports::log::LogReader;
use serde::Deserialize;

use crate::ledger::Ledger;

/// What is read of a lock; the rest, and whatever later versions add, says nothing here.
#[derive(Deserialize)]
struct Pins {
    #[serde(default)]
    gates: BTreeMap<NodeId, Pin>,
    #[serde(default)]
    steps: BTreeMap<String, Pin>,
}

#[derive(Deserialize)]
struct Pin {
    component: Digest,
    node: Option<NodeId>,
    version: Option<String>,
}

/// What a log that was read has accepted.
#[must_use]
pub fn accepted(ledger: &Ledger) -> AcceptedVersions {
    let mut versions = AcceptedVersions::default();
    for execution in ledger.executions() {
        note(&mut versions, &execution.start);
    }
    versions
}

/// What the log behind `reader` has accepted. Only beginnings of executions are looked at, and reading ends at damage:
/// opening the log refuses a damaged one before anything runs.
#[must_use]
pub fn accepted_in(reader: &dyn LogReader) -> AcceptedVersions {
    accepted(&Ledger::read_starts(reader))
}

fn note(versions: &mut AcceptedVersions, start: &ExecutionStart) {
    // A lock of a shape that is not known any more names nothing that could be compared.
    let Ok(pins) = serde_json::from_str::<Pins>(&start.lock) else {
        return;
    };
    let steps = pins.steps.values().map(|pin| (pin.node.as_ref(), pin));
    let gates = pins.gates.iter().map(|(node, pin)| (Some(node), pin));
    for (node, pin) in steps.chain(gates) {
        if let (Some(node), Some(version)) = (node, &pin.version) {
            versions.note(Candidate {
                tenant: &start.tenant,
                node,
                version,
                component: pin.component,
            });
        }
    }
}
