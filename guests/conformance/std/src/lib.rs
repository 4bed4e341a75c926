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
        // In a plan the operation and its arguments are the value of the input `call`.
        let given = body.pointer("/call/value").cloned();
        let named = given.as_ref().and_then(|call| call.get("operation"));
        let operation = named.and_then(Value::as_str).unwrap_or(&envelope.operation);
        let body = given.as_ref().unwrap_or(&body);
        let answer = files::run(operation, body)
            .or_else(|| surroundings::run(operation, body))
            .ok_or_else(|| {
                StepError::invalid_input(format!("there is no operation `{operation}`"))
            })?;
        Ok(vec![aim_sdk::json::emit(operation, &answer)?])
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
