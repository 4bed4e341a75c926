//! One part of a script.
//! INVARIANT: a member that nobody knows is no reason to fail, and one of another kind than it should be counts as absent.

use aim_sdk::serde_json::{Map, Value, json};
use aim_sdk::types::Confidence;
use aim_sdk::{StepError, Target, attest, budget, context};

/// Does what the script says for this try of this step.
pub(crate) fn play(script: &Value, body: &Value) -> Result<(Value, Target), StepError> {
    let none = Value::Null;
    let part = find(script).unwrap_or(&none);
    if part.get("spin") == Some(&Value::Bool(true)) {
        spin();
    }
    burn(number(part, "burn").unwrap_or(0));
    for _ in 0..number(part, "claims").unwrap_or(0) {
        attest::claim_text("played", "{}")?;
    }
    if let Some(score) = number(part, "confidence") {
        attest::confidence_exact(&Confidence {
            score,
            method: "script".to_owned(),
        })?;
    }
    match part.get("fail").and_then(Value::as_str) {
        Some("transient") => return Err(StepError::transient("PLAY-T", "the script says so")),
        Some("permanent") => return Err(StepError::permanent("PLAY-P", "the script says so")),
        Some(_) => return Err(StepError::invalid_input("the script says so")),
        None => {}
    }
    if part.get("abstain") == Some(&Value::Bool(true)) {
        return Err(StepError::abstain("the script says so", 0.1, "script"));
    }
    let target = match part.get("to").and_then(Value::as_str) {
        Some("reply") => Target::Reply,
        _ => Target::Next,
    };
    Ok((answer(script, part, body), target))
}

fn find(script: &Value) -> Option<&Value> {
    let (step, attempt) = (context::step_name(), context::attempt());
    let instance = context::label("instance");
    let named = |name: String| script.get(name);
    let numbered = |instance: &String| {
        named(format!("{step}#{instance}@{attempt}"))
            .or_else(|| named(format!("{step}@{attempt}")))
            .or_else(|| named(format!("{step}#{instance}")))
    };
    (instance.as_ref().and_then(numbered))
        .or_else(|| named(format!("{step}@{attempt}")))
        .or_else(|| named(step.clone()))
        .or_else(|| named("*".to_owned()))
}

fn answer(script: &Value, part: &Value, body: &Value) -> Value {
    let mut answer = match part.get("emit") {
        Some(Value::Object(members)) => members.clone(),
        _ => Map::new(),
    };
    if let Some(Value::Array(names)) = part.get("labels") {
        let told = names.iter().filter_map(Value::as_str);
        let told: Map<String, Value> = told
            .map(|name| (name.to_owned(), json!(context::label(name))))
            .collect();
        answer.insert("labels".to_owned(), Value::Object(told));
    }
    if part.get("left") == Some(&Value::Bool(true)) {
        let left = json!({ "calls": budget::calls(), "tokens": budget::tokens() });
        answer.insert("left".to_owned(), left);
    }
    if part.get("got") == Some(&Value::Bool(true)) {
        answer.insert("got".to_owned(), without_script(body));
    }
    if !script.is_null() {
        answer.insert("script".to_owned(), script.clone());
    }
    Value::Object(answer)
}

/// The same without scripts, so that answers do not grow with every step.
fn without_script(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| *name != "script");
            kept.map(|(name, value)| (name.clone(), without_script(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_script).collect(),
        other => other.clone(),
    }
}

fn number(part: &Value, name: &str) -> Option<u32> {
    u32::try_from(part.get(name)?.as_u64()?).ok()
}

fn burn(turns: u32) {
    for turn in 0..turns {
        core::hint::black_box(turn);
    }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    // BOUND: none; whoever stops it is what is tested.
    loop {
        turns = core::hint::black_box(turns.wrapping_add(1));
    }
}
