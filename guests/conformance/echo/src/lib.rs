//! Answers with what it got: the envelope's body, media type, operation and artifacts as one emission to `next`.
//! INVARIANT: no imports, so its output is a function of its input.

use aim_sdk::{Emission, Envelope, Step, StepError, Target};

struct Echo;

impl Step for Echo {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        Ok(vec![Emission {
            target: Target::Next,
            operation: envelope.operation,
            media_type: envelope.media_type,
            artifacts: envelope.artifacts,
            body: envelope.body,
        }])
    }
}

aim_sdk::export_step!(Echo);
