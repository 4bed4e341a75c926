//! Fourteen invariants, each held against the record of a run that the host made.
//! INVARIANT: what can not be read does not hold, and a probe that nobody knows is no answer.
#![forbid(unsafe_code)]

mod cause;
mod gate;
mod record;
mod same;

use aim_sdk::serde_json::json;
use aim_sdk::{Emission, Envelope, Step, StepError, json};
use record::Record;

/// Why an invariant does not hold.
type Broken = String;

struct Invariants;

impl Step for Invariants {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let record = Record::read(&envelope.body).map_err(|why| {
            StepError::permanent("PROBE-E002", format!("the record can not be read: {why}"))
        })?;
        let held = match record.probe.as_str() {
            "probe.apoe.budget_honest" => gate::budget_honest(&record),
            "probe.apoe.kappa_effective" => gate::kappa_effective(&record),
            "probe.apoe.plan_determinism" => same::plan_determinism(&record),
            "probe.apoe.replay_fidelity" => same::replay_fidelity(&record),
            "probe.cmc.atom_hash_stable" => same::atom_hash_stable(&record),
            "probe.cmc.snapshot_reversible" => same::snapshot_reversible(&record),
            "probe.mcel.gate_present" => gate::gate_present(&record),
            "probe.sdfcvf.parity" => gate::parity(&record),
            "probe.seg.asof" => cause::as_of(&record),
            "probe.seg.contradiction" => same::contradiction(&record),
            "probe.seg.export_integrity" => cause::export_integrity(&record),
            "probe.vif.chain_complete" => cause::chain_complete(&record),
            "probe.vif.ece_within" => gate::ece_within(&record),
            "probe.vif.witness_integrity" => cause::witness_integrity(&record),
            other => {
                let message = format!("`{other}` is no invariant of this probe");
                return Err(StepError::permanent("PROBE-E003", message));
            }
        };
        // Which witnesses were looked at is the evidence; their ids are in the record, which the probe's own witness names.
        held.map_err(|why| StepError::permanent("PROBE-E001", format!("{}: {why}", record.probe)))?;
        let finding = json!({
            "held": true,
            "omitted": record.omitted,
            "probe": record.probe,
            "seen": record.attempts.len(),
        });
        Ok(vec![json::emit("observed", &finding)?])
    }
}

aim_sdk::export_step!(Invariants, arena: 16 * aim_sdk::MIB);
