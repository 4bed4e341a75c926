//! The functions that take and give plain values.
//! INVARIANT: `None` is an unknown function and nothing else.

use aim_sdk::serde_json::{Value, json};
use aim_sdk::types::{Confidence, Doubt};
use aim_sdk::{StepError, attest, budget, consult, context, log};

use crate::answer::{decision, result, value};
use crate::arguments::{artifact, bytes, fields, level, number32, relation, text};

type Answer = Result<Option<Value>, StepError>;

/// `aim:host/context`.
pub(crate) fn context(function: &str, with: &Value) -> Answer {
    Ok(Some(match function {
        "run-id" => value(context::run_id()),
        "step-name" => value(context::step_name()),
        "role" => value(context::role()),
        "attempt" => value(context::attempt()),
        "tenant" => value(context::tenant()),
        "actor" => value(context::actor()),
        "correlation-id" => value(context::correlation_id()),
        "causation-id" => value(context::causation_id()),
        "traceparent" => value(context::traceparent()),
        "label" => value(context::label(&text(with, "key")?)),
        "plan" => value(context::plan()),
        "component" => value(context::component()),
        "seed" => value(context::seed()),
        _ => return Ok(None),
    }))
}

/// `aim:host/budget`.
pub(crate) fn budget(function: &str) -> Option<Value> {
    Some(match function {
        "fuel" => value(budget::fuel()),
        "calls" => value(budget::calls()),
        "tokens" => value(budget::tokens()),
        "cost-micros" => value(budget::cost_micros()),
        "wall-ms" => value(budget::wall_ms()),
        "is-cancelled" => value(budget::is_cancelled()),
        _ => return None,
    })
}

/// `aim:witness/attest`. A claim's body and a confidence go as they are, so that the host's own checks are what is tested.
pub(crate) fn attest(function: &str, with: &Value) -> Answer {
    Ok(Some(match function {
        "claim" => {
            let claimed = attest::claim_text(&text(with, "kind")?, &text(with, "body")?);
            result(claimed.map(Value::from))
        }
        "cite" => {
            let source = artifact(with, "source")?;
            result(attest::cite(&source, relation(with, "relation")?).map(Value::from))
        }
        "set-confidence" => {
            let confidence = Confidence {
                score: number32(with, "score")?,
                method: text(with, "method")?,
            };
            result(attest::confidence_exact(&confidence).map(Value::from))
        }
        "set-doubt" => {
            let doubt = Doubt {
                epistemic: number32(with, "epistemic")?,
                moral: number32(with, "moral")?,
                distributional: number32(with, "distributional")?,
                unknown_unknown: number32(with, "unknown-unknown")?,
            };
            result(attest::doubt(doubt).map(Value::from))
        }
        "declare-impact" => result(attest::impact(&text(with, "impact")?).map(Value::from)),
        "set-quip" => result(attest::quip(&text(with, "quip")?).map(Value::from)),
        _ => return Ok(None),
    }))
}

/// `aim:gate/consult`.
pub(crate) fn consult(function: &str, with: &Value) -> Answer {
    if function != "check" {
        return Ok(None);
    }
    let checked = consult::check(
        &text(with, "action")?,
        &text(with, "target")?,
        &bytes(with, "payload")?,
    );
    Ok(Some(result(checked.map(|made| decision(&made)))))
}

/// `aim:log/log`.
pub(crate) fn log(function: &str, with: &Value) -> Answer {
    if function != "write" {
        return Ok(None);
    }
    let fields = fields(with, "fields")?;
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    log::write(level(with, "level")?, &text(with, "message")?, &fields);
    Ok(Some(json!({ "ok": null })))
}
