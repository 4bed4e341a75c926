//! Turns JSON lines into records, and says which lines are none.
//! INVARIANT: every line that isn't empty is either a record or counted as rejected, by its number from 1.
#![forbid(unsafe_code)]

use aim_sdk::serde_json::{self, Map, Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};

struct Parse;

impl Step for Parse {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = aim_sdk::json::read(&envelope)?;
        let Some(text) = body.pointer("/orders/value").and_then(Value::as_str) else {
            return Err(StepError::invalid_input(
                "there is no input `orders` with text of at most 64 KiB".to_owned(),
            ));
        };
        let mut records = Vec::new();
        let mut rejected = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<Map<String, Value>>(line) {
                Ok(record) => records.push(record),
                Err(_) => rejected.push(index.saturating_add(1)),
            }
        }
        let answer = json!({ "records": records, "rejected_lines": rejected });
        Ok(vec![aim_sdk::json::emit("parsed", &answer)?])
    }
}

aim_sdk::export_step!(Parse);
