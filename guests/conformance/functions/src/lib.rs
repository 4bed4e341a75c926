//! Calls the function that `envelope.operation` names, such as `aim:artifact/store.put`, with arguments from the JSON
//! body, and answers with `{"ok": ...}` or `{"err": {"<case>": ...}}`.
//!
//! Arguments are the members of one object, named as in the WIT files. Bytes are text in the member itself, or any
//! bytes as a list of numbers. An operation `batch` takes a list of `{"call": "...", "with": {...}}` and answers with the
//! list of answers, so that one attempt can make several calls; in a plan the list is the input `calls`. A call that is not one of these is invalid input.
//! INVARIANT: every function of the world `step` has a name here.

mod answer;
mod arguments;
mod artifact;
mod calls;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};

struct Functions;

impl Step for Functions {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = if envelope.body.is_empty() {
            json!({})
        } else {
            aim_sdk::json::read(&envelope)?
        };
        // In a plan the calls are the value of the input `calls`.
        let answer = if let Some(calls) = body.pointer("/calls/value") {
            batch(calls)?
        } else if envelope.operation == "batch" {
            batch(&body)?
        } else {
            call(&envelope.operation, &body)?
        };
        Ok(vec![aim_sdk::json::emit(&envelope.operation, &answer)?])
    }
}

fn batch(body: &Value) -> Result<Value, StepError> {
    let calls = body
        .as_array()
        .ok_or_else(|| StepError::invalid_input("a batch is a list of calls"))?;
    let mut answers = Vec::new();
    for item in calls {
        let name = arguments::text(item, "call")?;
        answers.push(call(&name, item.get("with").unwrap_or(&Value::Null))?);
    }
    Ok(Value::Array(answers))
}

/// Splits `<package>/<interface>.<function>` and calls it.
fn call(name: &str, with: &Value) -> Result<Value, StepError> {
    let (interface, function) = name.split_once('.').unwrap_or((name, ""));
    let answer = match interface {
        "aim:host/context" => calls::context(function, with)?,
        "aim:host/budget" => calls::budget(function),
        "aim:witness/attest" => calls::attest(function, with)?,
        "aim:gate/consult" => calls::consult(function, with)?,
        "aim:artifact/store" => artifact::store(function, with)?,
        "aim:log/log" => calls::log(function, with)?,
        _ => None,
    };
    answer.ok_or_else(|| StepError::invalid_input(format!("there is no function `{name}`")))
}

aim_sdk::export_step!(Functions);
