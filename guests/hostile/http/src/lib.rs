//! Attacks through `wasi:http`: `envelope.operation` picks one, the JSON body its size and where it goes.
//! INVARIANT: one file per attack.

mod http_empty_writes;
mod http_endless_body;
mod http_flood;
mod http_hoard;
mod http_unfinished;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};
use wasip2::http::types::{Fields, Method, OutgoingRequest, Scheme};

struct Hostile;

impl Step for Hostile {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = if envelope.body.is_empty() {
            json!({})
        } else {
            aim_sdk::json::read(&envelope)?
        };
        let times = body
            .get("times")
            .and_then(Value::as_u64)
            .unwrap_or(1_000_000);
        let answer = match envelope.operation.as_str() {
            "http-empty-writes" => http_empty_writes::run(times),
            "http-endless-body" => http_endless_body::run(times),
            "http-flood" => http_flood::run(times),
            "http-hoard" => http_hoard::run(times),
            "http-unfinished" => http_unfinished::run(),
            other => {
                let message = format!("there is no attack `{other}`");
                return Err(StepError::invalid_input(message));
            }
        };
        Ok(vec![aim_sdk::json::emit(&envelope.operation, &answer)?])
    }
}

/// A request that the scope of the tests allows.
fn allowed(method: &Method) -> OutgoingRequest {
    let request = OutgoingRequest::new(Fields::new());
    // Plain values of known good form: the host has nothing to refuse.
    let _ = request.set_method(method);
    let _ = request.set_scheme(Some(&Scheme::Https));
    let _ = request.set_authority(Some("api.example"));
    let _ = request.set_path_with_query(Some("/v1/attack"));
    request
}

aim_sdk::export_step!(Hostile);
