//! Attacks through WASI: `envelope.operation` picks one, the JSON body its size.
//! INVARIANT: one file per attack, named after its entry in the catalogue of the security model.

mod g22_empty_writes;
mod g4_host_wait;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};

struct Hostile;

impl Step for Hostile {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = if envelope.body.is_empty() {
            json!({})
        } else {
            aim_sdk::json::read(&envelope)?
        };
        let number =
            |name: &str, default: u64| body.get(name).and_then(Value::as_u64).unwrap_or(default);
        let answer = match envelope.operation.as_str() {
            "g4-sleep" => g4_host_wait::sleep(number("ms", 3_600_000)),
            "g4-stdin" => g4_host_wait::stdin(),
            "g4-poll" => g4_host_wait::poll(number("ms", 3_600_000)),
            "g22-empty-writes" => g22_empty_writes::run(number("times", 100_000_000)),
            other => {
                return Err(StepError::invalid_input(format!(
                    "there is no attack `{other}`"
                )));
            }
        };
        Ok(vec![aim_sdk::json::emit(&envelope.operation, &answer)?])
    }
}

aim_sdk::export_step!(Hostile);
