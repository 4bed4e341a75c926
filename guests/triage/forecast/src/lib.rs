//! Guesses whether the incident will happen again: see `triage_method::forecast`.
//! INVARIANT: no import but that of claims, so the finding is a function of the selection.
#![forbid(unsafe_code)]

use aim_sdk::attest::{self, Relation};
use aim_sdk::types::Confidence;
use aim_sdk::{Emission, Envelope, Step, StepError, json};
use triage_method::forecast;
use triage_method::select::Selection;

struct Forecast;

impl Step for Forecast {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let selection: Selection = json::read(&envelope)?;
        let finding = forecast::find(&selection).map_err(|abstains| {
            let score = f64::from(abstains.confidence_ppm) / 1e6;
            StepError::abstain(abstains.reason, score, forecast::METHOD)
        })?;
        for source in &envelope.artifacts {
            attest::cite(source, Relation::DerivesFrom)?;
        }
        attest::confidence_exact(&Confidence {
            score: finding.confidence_ppm,
            method: forecast::METHOD.into(),
        })?;
        Ok(vec![json::emit("guessed", &finding)?])
    }
}

aim_sdk::export_step!(Forecast, arena: 4 * aim_sdk::MIB);
