//! Attacks that need no more than the world `step`: `envelope.operation` picks one, the JSON body its size.
//! An attack that ends by itself answers with what it got, so that a test can see the limit that stopped it.
//! INVARIANT: one file per attack, named after its entry in the catalogue of the security model.

mod g10_recursion;
mod g17_resource_flood;
mod g1_infinite_loop;
mod g21_log_flood;
mod g24_trap;
mod g6_memory_grow;
mod s1_terminal_escapes;

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
            "g1-infinite-loop" => g1_infinite_loop::run(),
            "g6-memory-grow-once" => g6_memory_grow::once(number("pages", 65_535)),
            "g6-memory-grow-pages" => g6_memory_grow::page_by_page(number("times", 65_535)),
            "g10-recursion" => g10_recursion::run(),
            "g17-resource-flood" => g17_resource_flood::keep(number("times", 100_000)),
            "g17-resource-drop" => g17_resource_flood::drop_each(number("times", 10_000)),
            "g21-log-line" => g21_log_flood::one_line(number("bytes", 100 << 20)),
            "g21-log-lines" => {
                g21_log_flood::many_lines(number("times", 1_000_000), number("bytes", 1_024))
            }
            "g24-trap" => g24_trap::run(),
            "s1-terminal-escapes" => s1_terminal_escapes::run(),
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
