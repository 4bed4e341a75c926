//! Reasons by rare templates: see `triage_method::rare`.
//! INVARIANT: no import but that of claims, so the finding is a function of the selection.
#![forbid(unsafe_code)]

use aim_sdk::attest::{self, Relation};
use aim_sdk::types::Confidence;
use aim_sdk::{Emission, Envelope, Step, StepError, json};
use triage_method::rare;
use triage_method::select::Selection;

struct Rare;

impl Step for Rare {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let selection: Selection = json::read(&envelope)?;
        let finding = rare::find(&selection).map_err(|abstains| {
            let score = f64::from(abstains.confidence_ppm) / 1e6;
            StepError::abstain(abstains.reason, score, rare::METHOD)
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
            method: rare::METHOD.into(),
        })?;
        Ok(vec![json::emit("found", &finding)?])
    }
}

aim_sdk::export_step!(Rare, arena: 4 * aim_sdk::MIB);
