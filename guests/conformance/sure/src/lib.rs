//! Answers with what it got, and claims a confidence of 0.9 for it.
//! INVARIANT: the claim is the same whatever comes in.

use aim_sdk::types::Confidence;
use aim_sdk::{Emission, Envelope, Step, StepError, Target, attest};

struct Sure;

impl Step for Sure {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        attest::confidence_exact(&Confidence {
            score: 900_000,
            method: "fixed".to_owned(),
        })?;
        Ok(vec![Emission {
            target: Target::Next,
            operation: envelope.operation,
            media_type: envelope.media_type,
            artifacts: envelope.artifacts,
            body: envelope.body,
        }])
    }
}

aim_sdk::export_step!(Sure);
