//! Uses Rust's standard library as any program would, by `envelope.operation`, and answers with what it saw:
//! `{"ok": ...}` or `{"err": {"kind": "...", "code": ...}}`. Arguments are members of the JSON body.
//! INVARIANT: nothing here is special to the host; what it sees is what any `wasm32-wasip2` program sees.

mod files;
mod surroundings;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};

struct Std;

impl Step for Std {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = if envelope.body.is_empty() {
            json!({})
        } else {
            aim_sdk::json::read(&envelope)?
        };
        let answer = files::run(&envelope.operation, &body)
            .or_else(|| surroundings::run(&envelope.operation, &body))
            .ok_or_else(|| {
                StepError::invalid_input(format!("there is no operation `{}`", envelope.operation))
            })?;
        Ok(vec![aim_sdk::json::emit(&envelope.operation, &answer)?])
    }
}

/// `{"ok": ...}` or `{"err": ...}` with the kind and the code of the error, whose text differs between platforms.
fn shown(result: std::io::Result<Value>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(error) => {
            json!({ "err": { "kind": format!("{:?}", error.kind()), "code": error.raw_os_error() } })
        }
    }
}

aim_sdk::export_step!(Std);
