//! Attacks through WASI: `envelope.operation` picks one, the JSON body its size.
//! INVARIANT: one file per attack, named after its entry in the catalogue of the security model.

mod g20_random_flood;
mod g22_empty_writes;
mod g23_clock_flood;
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
        // In a whole run the operation is the host's: there the input `attack` picks, and its other words are `name=value`.
        let input = body.pointer("/attack/value").and_then(Value::as_str);
        let mut words = input.unwrap_or_default().split_whitespace();
        let attack = words.next().unwrap_or(&envelope.operation);
        let sizes: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
        let number = |name: &str, default: u64| {
            let written = sizes.iter().find(|(key, _)| *key == name);
            let written = written.and_then(|(_, value)| value.parse().ok());
            let told = || body.get(name).and_then(Value::as_u64);
            written.or_else(told).unwrap_or(default)
        };
        let answer = match attack {
            "g4-sleep" => g4_host_wait::sleep(number("ms", 3_600_000)),
            "g4-stdin" => g4_host_wait::stdin(),
            "g4-poll" => g4_host_wait::poll(number("ms", 3_600_000)),
            "g20-random-flood" => {
                g20_random_flood::run(number("times", 1_000_000), number("bytes", 64 << 20))
            }
            "g23-clock-read" => g23_clock_flood::read(number("times", 10_000_000)),
            "g23-clock-sleep" => g23_clock_flood::sleep(number("times", 1_000_000)),
            "g23-clock-poll" => g23_clock_flood::poll(number("times", 10_000_000)),
            "g22-empty-writes" => g22_empty_writes::run(number("times", 100_000_000)),
            other => {
                return Err(StepError::invalid_input(format!(
                    "there is no attack `{other}`"
                )));
            }
        };
        Ok(vec![aim_sdk::json::emit(attack, &answer)?])
    }
}

aim_sdk::export_step!(Hostile);
