//! The shipped probes: each holds on a record that is whole, and fails on one that breaks its invariant.

use aim_core::{digest::Digest, plan::ProbeId};
use aim_engine::{Refusal, StepEnd};
use serde_json::{Value, json};

use crate::support::{Try, step};

/// A record of a step and one that follows it, in which every invariant holds.
fn whole(probe: ProbeId) -> Value {
    let predicate = |step: &str, span: &str, parent: Option<&str>| {
        let mut says = json!({
            "attemptNo": 1,
            "budgets": [{ "cap": 10, "name": "fuel", "used": 3 }],
            "component": "blake3:c",
            "contract": "blake3:d",
            "endedAt": 20,
            "envelope": { "artifacts": [{ "digest": "blake3:a", "size_bytes": 7 }], "body": "blake3:b" },
            "folders": { "logs": "blake3:f" },
            "gates": [
                { "gate": "ethical", "phase": "ingress", "verdict": "pass" },
                { "gate": "ethical", "phase": "egress", "verdict": "pass" },
            ],
            "guestClaims": { "citations": [{ "relation": "supports", "source": { "digest": "blake3:a" } }] },
            "hostCalls": { "count": 0 },
            "kappa": { "confidencePpm": 800_000, "thresholdPpm": 700_000 },
            "outputs": [{ "artifacts": [], "body": "blake3:o" }],
            "released": true,
            "span": span,
            "startedAt": 10,
            "step": step,
        });
        if let Some(parent) = parent {
            says["parentSpan"] = json!(parent);
        }
        says
    };
    let says = [predicate("s", "1", None), predicate("t", "2", Some("1"))];
    json!({ "says": says, "probe": probe.word(), "compiled": ["blake3:p", "blake3:p"], "omitted": 0 })
}

/// The record as the host writes it, once each statement says what it should.
fn record(mut whole: Value) -> Value {
    let mut attempts = Vec::new();
    let mut steps = Vec::new();
    for says in whole["says"].take().as_array().unwrap() {
        let statement = json!({ "predicate": says }).to_string();
        let witness = says.get("forged").map_or_else(
            || Digest::of(statement.as_bytes()).to_string(),
            |forged| forged.as_str().unwrap().to_owned(),
        );
        attempts.push(json!({ "statement": statement, "witness": witness }));
        steps.push(json!({ "is_released": true, "path": says["step"], "witnesses": [witness] }));
    }
    if whole.get("lost").is_some() {
        attempts.pop();
    }
    json!({
        "attempts": attempts,
        "compiled": whole["compiled"],
        "ethical": "ethical",
        "lock": "blake3:l",
        "omitted": whole["omitted"],
        "probe": whole["probe"],
        "steps": steps,
    })
}

/// What breaks one invariant.
fn broken(probe: ProbeId) -> Value {
    let mut record = whole(probe);
    let second = &mut record["says"][1];
    match probe {
        ProbeId::BudgetHonest => second["budgets"][0]["used"] = json!(11),
        ProbeId::KappaEffective => second["kappa"]["confidencePpm"] = json!(699_999),
        ProbeId::PlanDeterminism => record["compiled"][1] = json!("blake3:q"),
        ProbeId::ReplayFidelity => {
            second["step"] = json!("s");
            second["attemptNo"] = json!(2);
            second["outputs"][0]["body"] = json!("blake3:other");
        }
        ProbeId::AtomHashStable => second["envelope"]["artifacts"][0]["size_bytes"] = json!(8),
        ProbeId::SnapshotReversible => second["folders"]["logs"] = json!("blake3:g"),
        ProbeId::GatePresent => second["gates"][1]["gate"] = json!("another"),
        ProbeId::Parity => drop(second.as_object_mut().unwrap().remove("contract")),
        ProbeId::AsOf => second["startedAt"] = json!(9),
        ProbeId::Contradiction => {
            let against = json!({ "relation": "contradicts", "source": { "digest": "blake3:a" } });
            second["guestClaims"]["citations"]
                .as_array_mut()
                .unwrap()
                .push(against);
        }
        ProbeId::ExportIntegrity => record["lost"] = json!(true),
        ProbeId::ChainComplete => second["parentSpan"] = json!("3"),
        ProbeId::EceWithin => {
            let sure = json!({ "method": "m", "score": 950_000 });
            let mut wrong = second.clone();
            wrong["guestClaims"]["confidence"] = sure;
            wrong["released"] = json!(false);
            record["says"] = json!(vec![wrong; 10]);
        }
        ProbeId::WitnessIntegrity => second["forged"] = json!("blake3:forged"),
    }
    record
}

/// What the shipped probe says about a record; the reason when the invariant does not hold.
async fn asked(record: &Value) -> Result<(), String> {
    let probe = step("probe-invariants", &[]);
    match Try::new("observe", record).on(&probe).await.end {
        StepEnd::Answered(emissions) => {
            let said: Value = serde_json::from_slice(&emissions[0].body).unwrap();
            assert_eq!(said["held"], true);
            Ok(())
        }
        StepEnd::Refused(Refusal::Permanent(fault)) => Err(fault.message),
        other => panic!("{other:?}"),
    }
}

/// Negative control: with any one of the fourteen invariants of the guest answering `Ok`, its broken record holds and this fails
/// (all taken, one at a time).
#[tokio::test]
async fn each_probe_holds_on_a_whole_record_and_fails_on_one_that_breaks_its_invariant() {
    for id in ProbeId::ALL.iter().copied() {
        assert_eq!(asked(&record(whole(id))).await, Ok(()), "{}", id.word());
        let Err(why) = asked(&record(broken(id))).await else {
            panic!("{} holds on a broken record", id.word());
        };
        assert!(why.starts_with(id.word()), "{why}");
    }
    let mut unknown = record(whole(ProbeId::AsOf));
    unknown["probe"] = json!("probe.nobody.knows");
    assert!(asked(&unknown).await.is_err());
    unknown["attempts"][0]["statement"] = json!("{}");
    assert!(
        asked(&unknown)
            .await
            .unwrap_err()
            .contains("can not be read")
    );
}
