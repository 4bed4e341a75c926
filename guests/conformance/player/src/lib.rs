//! Plays the part that a script gives its step: answers, fails, abstains, claims, or never ends.
//!
//! The script is JSON: a member for each part, by `<step>#<instance>@<attempt>`, `<step>@<attempt>`, `<step>#<instance>`,
//! `<step>` or `*`, the first of these that there is. It comes as a plan's input `script`, and from there in every answer's
//! member `script`, so that later steps have it too. A part may hold:
//!
//! | member | what is done |
//! | --- | --- |
//! | `emit` | its members are in the answer |
//! | `confidence` | that many parts per million are claimed |
//! | `labels` | the values of these labels are in the answer's member `labels` |
//! | `left` | `true`: tokens and calls that are left are in the answer's member `left` |
//! | `got` | `true`: the body that came, without the script, is in the answer's member `got` |
//! | `fail` | `transient`, `permanent` or `invalid`: it fails so |
//! | `abstain` | `true`: it does |
//! | `burn` | so many turns of a loop first |
//! | `claims` | so many claims are made; a refusal of one is the step's own |
//! | `to` | `reply`: the answer goes there |
//! | `spin` | `true`: it never ends by itself |
//!
//! INVARIANT: without a part it answers with the script alone; what it does is a function of script, place and labels.

mod part;

use aim_sdk::serde_json::Value;
use aim_sdk::{Emission, Envelope, Step, StepError};

struct Player;

impl Step for Player {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = aim_sdk::json::read(&envelope)?;
        let script = script(&body)?;
        let (answer, target) = part::play(&script, &body)?;
        Ok(vec![aim_sdk::json::emit("played", &answer)?.to(target)])
    }
}

/// The script in an input, in the only answer that came, or in the first of several.
fn script(body: &Value) -> Result<Value, StepError> {
    let own = body.get("script").or_else(|| match body {
        Value::Object(members) => members.values().find_map(in_answer),
        _ => None,
    });
    match own {
        None => Ok(Value::Null),
        Some(script) => match script.get("value") {
            Some(Value::String(text)) => Ok(aim_sdk::serde_json::from_str(text)?),
            Some(value) => Ok(value.clone()),
            None => Ok(script.clone()),
        },
    }
}

fn in_answer(answer: &Value) -> Option<&Value> {
    match answer {
        Value::Array(answers) => answers.iter().find_map(in_answer),
        one => one.get("script"),
    }
}

aim_sdk::export_step!(Player);
