//! Attacks that need no more than the world `step`: `envelope.operation` picks one, the JSON body its size. In a whole run
//! the operation is the host's, so there the input `attack` picks, and its other words are `name=value`.
//! An attack that ends by itself answers with what it got, so that a test can see the limit that stopped it.
//! INVARIANT: one file per attack, named after its entry in the catalogue of the security model.

mod borrowed_artifact;
mod g10_recursion;
mod g12_long_names;
mod g17_resource_flood;
mod g1_infinite_loop;
mod g21_artifacts;
mod g21_emissions;
mod g21_log_flood;
mod g24_trap;
mod g29_error_text;
mod g3_host_calls;
mod g5_bulk_copy;
mod g6_memory_grow;
mod s1_terminal_escapes;
mod s2_forged_record;
mod s5_host_errors;
mod unfounded_denial;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};

struct Hostile;

/// What a caller chose.
struct Choice {
    attack: String,
    sizes: Value,
}

impl Choice {
    fn of(envelope: &Envelope) -> Result<Self, StepError> {
        let body: Value = if envelope.body.is_empty() {
            json!({})
        } else {
            aim_sdk::json::read(envelope)?
        };
        let Some(input) = body.pointer("/attack/value").and_then(Value::as_str) else {
            return Ok(Self {
                attack: envelope.operation.clone(),
                sizes: body,
            });
        };
        let mut words = input.split_whitespace();
        let attack = words.next().unwrap_or_default().to_owned();
        let sizes = words
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| {
                let number = value.parse::<u64>().ok().map(Value::from);
                (name.to_owned(), number.unwrap_or_else(|| value.into()))
            });
        Ok(Self {
            attack,
            sizes: Value::Object(sizes.collect()),
        })
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.sizes
            .get(name)
            .and_then(Value::as_u64)
            .unwrap_or(default)
    }

    fn text(&self, name: &str) -> &str {
        self.sizes
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

impl Step for Hostile {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let choice = Choice::of(&envelope)?;
        let answer = match choice.attack.as_str() {
            "g12-long-names" => {
                let times = usize::try_from(choice.number("times", 1)).unwrap_or(usize::MAX);
                let text = choice.text("text").repeat(times);
                return Ok(vec![g12_long_names::run(choice.text("part"), text)]);
            }
            "g21-emissions" => {
                let (times, bytes) = (choice.number("times", 1_000), choice.number("bytes", 1));
                return Ok(g21_emissions::run(times, bytes));
            }
            "borrowed-artifact" => {
                let bytes = choice.number("bytes", 0);
                return Ok(vec![borrowed_artifact::run(choice.text("digest"), bytes)]);
            }
            "g29-error-text" => return Err(g29_error_text::run(choice.number("bytes", 50 << 20))),
            "unfounded-denial" => return Err(unfounded_denial::run()),
            _ => answer(&choice)?,
        };
        Ok(vec![aim_sdk::json::emit(&choice.attack, &answer)?])
    }
}

/// The attacks that answer with what they got, if they answer at all.
fn answer(choice: &Choice) -> Result<Value, StepError> {
    let number = |name: &str, default: u64| choice.number(name, default);
    Ok(match choice.attack.as_str() {
        "g1-infinite-loop" => g1_infinite_loop::run(),
        "g3-host-calls" => g3_host_calls::run(number("times", 1_000_000)),
        "g5-bulk-copy" => g5_bulk_copy::run(number("bytes", 32 << 20)),
        "g6-memory-grow-once" => g6_memory_grow::once(number("pages", 65_535)),
        "g6-memory-grow-pages" => g6_memory_grow::page_by_page(number("times", 65_535)),
        "g10-recursion" => g10_recursion::run(),
        "g17-resource-flood" => g17_resource_flood::keep(number("times", 100_000)),
        "g17-resource-drop" => g17_resource_flood::drop_each(number("times", 10_000)),
        "g21-artifacts" => g21_artifacts::run(number("times", 1_000_000), number("bytes", 1_024)),
        "g21-log-line" => g21_log_flood::one_line(number("bytes", 100 << 20)),
        "g21-log-lines" => {
            g21_log_flood::many_lines(number("times", 1_000_000), number("bytes", 1_024))
        }
        "g24-trap" => g24_trap::run(),
        "s1-terminal-escapes" => s1_terminal_escapes::run(),
        "s2-forged-record" => s2_forged_record::run(),
        "s5-host-errors" => s5_host_errors::run(choice.text("known")),
        other => {
            let message = format!("there is no attack `{other}`");
            return Err(StepError::invalid_input(message));
        }
    })
}

aim_sdk::export_step!(Hostile);
