//! Carries out the list of calls in the JSON body, in order, and answers with the list of what came back: `{"ok": ...}` or
//! `{"err": "<case>"}`. With the operation `fail` it does the same and then gives up.
//!
//! A call is `{"do": "<name>", "bucket": ..., "key": ..., "value": ...}`; buckets are opened anew for every call.
//! INVARIANT: it keeps nothing between calls but what the host keeps for it.

mod bindings;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};
use bindings::wasi::config::store as config;
use bindings::wasi::keyvalue::{atomics, batch, store};

struct State;

impl Step for State {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = aim_sdk::json::read(&envelope)?;
        // A run gives the list as the value of its input `calls`.
        let calls = body.pointer("/calls/value").cloned().unwrap_or(body);
        let list = calls
            .as_array()
            .ok_or_else(|| StepError::invalid_input("the body is a list of calls"))?;
        let answers: Vec<Value> = list.iter().map(call).collect();
        let asked = |name: &str| list.iter().any(|call| call["do"].as_str() == Some(name));
        if asked("fail") {
            return Err(StepError::permanent("TOLD", "told to fail"));
        }
        if asked("trap") {
            core::arch::wasm32::unreachable();
        }
        Ok(vec![aim_sdk::json::emit("state", &Value::Array(answers))?])
    }
}

fn text(call: &Value, name: &str) -> String {
    let text = call.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn call(call: &Value) -> Value {
    let shown = match call.get("do").and_then(Value::as_str).unwrap_or_default() {
        "config" => config::get(&text(call, "key"))
            .map(|value| json!(value))
            .map_err(|_| "config".to_owned()),
        "config-all" => config::get_all()
            .map(|values| json!(values))
            .map_err(|_| "config".to_owned()),
        "fail" | "trap" => Ok(Value::Null),
        name => keyvalue(name, call).map_err(|error| match error {
            store::Error::NoSuchStore => "no-such-store".to_owned(),
            store::Error::AccessDenied => "access-denied".to_owned(),
            store::Error::Other(what) => what,
        }),
    };
    match shown {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "err": error }),
    }
}

fn keyvalue(name: &str, call: &Value) -> Result<Value, store::Error> {
    let bucket = store::open(&text(call, "bucket"))?;
    let (key, value) = (text(call, "key"), text(call, "value"));
    let shown = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    Ok(match name {
        "get" => json!(bucket.get(&key)?.map(shown)),
        "set" => {
            let times = call.get("times").and_then(Value::as_u64).unwrap_or(1);
            let times = usize::try_from(times).unwrap_or(0);
            bucket.set(&key, value.repeat(times).as_bytes())?;
            Value::Null
        }
        "delete" => {
            bucket.delete(&key)?;
            Value::Null
        }
        "exists" => json!(bucket.exists(&key)?),
        "list" => json!(bucket.list_keys(None)?.keys),
        "increment" => {
            let delta = call.get("delta").and_then(Value::as_u64).unwrap_or(1);
            json!(atomics::increment(&bucket, &key, delta)?)
        }
        "get-many" => {
            let times = call.get("times").and_then(Value::as_u64).unwrap_or(1);
            let keys = vec![key; usize::try_from(times).unwrap_or(0)];
            let pairs = batch::get_many(&bucket, &keys)?;
            let pairs = pairs.into_iter().flatten();
            json!(
                pairs
                    .map(|(key, value)| (key, shown(value)))
                    .collect::<Vec<_>>()
            )
        }
        "set-many" => {
            batch::set_many(&bucket, &[(key, value.into_bytes())])?;
            Value::Null
        }
        "delete-many" => {
            let times = call.get("times").and_then(Value::as_u64).unwrap_or(1);
            let keys = vec![key; usize::try_from(times).unwrap_or(0)];
            batch::delete_many(&bucket, &keys)?;
            Value::Null
        }
        other => return Err(store::Error::Other(format!("there is no call `{other}`"))),
    })
}

aim_sdk::export_step!(State);
