//! Sends requests through `wasi:http/outgoing-handler`, one after the other, and answers with what came back.
//!
//! The body is one request or a list of them: `{"method", "scheme", "authority", "path", "headers": [[name, value]],
//! "secret": [header, before, name], "body", "order": "early" | "late", "timeout_ms"}`. A plan's input `request` may hold
//! the same. The answer is a list of `{"status", "headers", "body"}` or `{"err": "..."}`. With `"fail":
//! "transient"` in the last request the step fails after it; with `"trap"` it traps, with `"spin"` it never ends.
//! INVARIANT: every function of `wasi:http` that sends has a caller here.

mod exchange;
mod fields;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Fault, Step, StepError};

struct Http;

impl Step for Http {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = aim_sdk::json::read(&envelope)?;
        let body = match body.pointer("/request/value") {
            Some(Value::String(text)) => serde_json::from_str(text)?,
            Some(request) => request.clone(),
            None => body,
        };
        let answer = match envelope.operation.as_str() {
            "fields" => fields::all(),
            "names" => json!(aim_sdk::secret::names()),
            "placeholder" => json!(format!("{:?}", aim_sdk::secret::placeholder("other"))),
            _ => all(&body)?,
        };
        Ok(vec![aim_sdk::json::emit("answered", &answer)?])
    }
}

fn all(body: &Value) -> Result<Value, StepError> {
    let requests = match body {
        Value::Array(requests) => requests.clone(),
        one => vec![one.clone()],
    };
    let mut answers = Vec::new();
    for request in &requests {
        answers.push(match exchange::exchange(request) {
            Ok(answer) => answer,
            Err(error) => json!({ "err": error }),
        });
    }
    let fails = requests.last().and_then(|request| request.get("fail"));
    match fails.and_then(Value::as_str) {
        None => Ok(Value::Array(answers)),
        Some("trap") => core::arch::wasm32::unreachable(),
        Some("spin") => loop {
            core::hint::spin_loop();
        },
        Some(_) => Err(StepError::Transient(Fault {
            code: "GUEST-1".into(),
            message: "told to fail".into(),
        })),
    }
}

aim_sdk::export_step!(Http);
