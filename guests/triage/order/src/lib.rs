//! Reasons by dependency order: see `triage_method::order`.
//! INVARIANT: no import but that of claims, so the finding is a function of the selection.
#![forbid(unsafe_code)]

use aim_sdk::attest::{self, Relation};
use aim_sdk::types::Confidence;
use aim_sdk::{Emission, Envelope, Step, StepError, json};
use triage_method::order;
use triage_method::select::Selection;

struct Order;

impl Step for Order {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let selection: Selection = json::read(&envelope)?;
        let finding = order::find(&selection).map_err(|abstains| {
            let score = f64::from(abstains.confidence_ppm) / 1e6;
            StepError::abstain(abstains.reason, score, order::METHOD)
        })?;
        for source in &envelope.artifacts {
            attest::cite(source, Relation::DerivesFrom)?;
        }
        let lines: Vec<String> = finding
            .cited
            .iter()
            .map(|one| format!("{}:{}", one.file, one.line))
            .collect();
        attest::claim("https://aim.example/kinds/cited-lines", &lines)?;
        attest::confidence_exact(&Confidence {
            score: finding.confidence_ppm,
            method: order::METHOD.into(),
        })?;
        Ok(vec![json::emit("found", &finding)?])
    }
}

aim_sdk::export_step!(Order, arena: 4 * aim_sdk::MIB);
