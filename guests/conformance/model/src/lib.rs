//! Asks for a completion and answers with the case of the error that came back.
//! INVARIANT: it is the only conformance guest that imports `aim:model`.

mod bindings;

use aim_sdk::serde_json::json;
use aim_sdk::{Emission, Envelope, Step, StepError};
use bindings::aim::model::complete::{Message, Part, Request, Speaker, complete};
use bindings::aim::types::types::Error;

struct Model;

impl Step for Model {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let question = Message {
            speaker: Speaker::User,
            parts: vec![Part::Text("how many apples?".to_owned())],
        };
        let request = Request {
            layer: "L3".to_owned(),
            task: "count".to_owned(),
            messages: vec![question],
            output_tokens_max: 16,
            temperature_milli: 0,
            output_schema: None,
        };
        let answer = match complete(&request) {
            Ok(completion) => json!({ "ok": completion.text }),
            Err(Error::Denied(denial)) => json!({ "denied": denial.rule, "target": denial.target }),
            Err(_) => json!({ "err": "other" }),
        };
        Ok(vec![aim_sdk::json::emit(&envelope.operation, &answer)?])
    }
}

aim_sdk::export_step!(Model);
