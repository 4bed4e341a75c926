//! Reasons by rate change: see `triage_method::rate`.
//! INVARIANT: no import but that of claims, so the finding is a function of the selection.
#![forbid(unsafe_code)]

use aim_sdk::attest::{self, Relation};
use aim_sdk::types::Confidence;
use aim_sdk::{Emission, Envelope, Step, StepError, json};
use triage_method::rate;
use triage_method::select::Selection;

struct Rate;

impl Step for Rate {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let selection: Selection = json::read(&envelope)?;
        let finding = rate::find(&selection).map_err(|abstains| {
            let score = f64::from(abstains.confidence_ppm) / 1e6;
            StepError::abstain(abstains.reason, score, rate::METHOD)
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
            method: rate::METHOD.into(),
        })?;
        Ok(vec![json::emit("found", &finding)?])
    }
}

aim_sdk::export_step!(Rate, arena: 4 * aim_sdk::MIB);
