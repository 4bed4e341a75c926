//! What a plan's budgets do to real components: tokens at the door, soft marks that a step is told of, shares of a pool.
//!
//! INVARIANT: what a witness says was used is what the pool has less of.

use aim_core::{
    outcome::{Exit, LimitKind, Outcome},
    plan::{Plan, PlanBudget, PlanParts, PoolPolicy, SoftBackoff, SoftBudget},
    pool::Prices,
    witness::{AttemptPredicate, StepState},
};
use aim_runtime::admission::AdmissionError;
use serde_json::{Value, json};

use crate::{
    played::{play, rig, rig_with, said},
    rig::Rig,
};

fn change(rig: &mut Rig, change: impl FnOnce(&mut PlanParts)) {
    let mut parts = rig.plan.clone().into_parts();
    change(&mut parts);
    rig.plan = Plan::check(parts).unwrap();
}

fn used(attempt: &AttemptPredicate, name: &str) -> Option<u64> {
    let found = attempt.budgets.iter().find(|one| one.name == name);
    found.map(|one| one.used)
}

/// A step that asks a model for at most 16 tokens. No model is selected, so within its budget it is denied and goes on; beyond,
/// it ends before that.
///
/// Control: with 0 in place of the tokens in `spend_tokens`, the second and the fourth row complete; with nothing given back,
/// the first and the third say that 16 tokens were used: this fails either way (seen).
#[test]
fn tokens_are_charged_before_a_model_is_asked_and_those_that_were_not_moved_are_given_back() {
    let prices = Prices {
        model: 100,
        model_token: 2,
        ..Prices::default()
    };
    for (tokens, cost_micros, limit) in [
        (16, None, None),
        (15, None, Some(LimitKind::Tokens)),
        (16, Some(132), None),
        (16, Some(131), Some(LimitKind::Cost)),
    ] {
        let plan = "PLAN p:\n  QUIP \"Two apples and a half.\"\n  ROLE a: custom(node=\"model\")\n  STEP s:\n    ASSIGN a: \"x\"\n";
        let mut rig = Rig::new(plan).node(
            "model",
            "conformance-model",
            json!({ "asks": [{ "capability": "model" }] }),
        );
        rig.outside = rig.outside.clone().priced(prices);
        change(&mut rig, |parts| {
            parts.steps[0].budget.tokens = tokens;
            parts.steps[0].budget.cost_micros = cost_micros;
        });
        let report = rig.run(&[]).unwrap();
        let attempt = rig.attempt("s");
        assert_eq!(used(&attempt, "tokens"), Some(0), "{limit:?}");
        match limit {
            None => {
                assert_eq!(report.exit, Exit::Ok);
                let answer = json!({ "denied": "model.selection", "target": "L3" });
                assert_eq!(said(&report, "s"), answer);
                assert_eq!(used(&attempt, "tools"), Some(1));
                assert_eq!(used(&attempt, "cost_micros"), Some(100));
            }
            Some(kind) => {
                assert_eq!(report.exit, Exit::Limit);
                assert_eq!(attempt.outcome, Outcome::Limit(kind));
                assert_eq!(attempt.fault.as_ref().unwrap().code, "ACL-R101");
                assert_eq!(report.steps[0].state, StepState::Abstained);
                assert_eq!(attempt.host_calls.calls, 0, "it has no answer");
                assert_eq!(used(&attempt, "tools"), Some(0), "nothing was charged");
            }
        }
        assert!(rig.verify().authenticated);
    }
}

/// The plan gives the step less time than its contract would allow. What waits behind it does not run.
/// Control: with `of_budget` handing the end on as it came, the code is the deadline's own and the step has failed (seen).
#[test]
fn a_guest_that_uses_up_the_plans_time_is_stopped_and_the_plan_is_named_for_it() {
    let rig = rig_with(
        "  step s: a { budget: { tokens: 1 wall_ms: 200 calls: 1 } }\n  step next: a { depends s }\n",
        json!({ "limits": { "fuel_max": 1_000_000_000_000_u64, "deadline_ms_max": 600_000 } }),
    );
    let report = play(&rig, &json!({"s": {"spin": true}, "*": {}}));
    assert_eq!(report.exit, Exit::Limit);
    let states: Vec<StepState> = report.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Abstained, StepState::Skipped]);
    let attempt = rig.attempt("s");
    assert_eq!(attempt.outcome, Outcome::Limit(LimitKind::Deadline));
    assert_eq!(attempt.fault.as_ref().unwrap().code, "ACL-R101");
    assert!(used(&attempt, "time_ms").unwrap() >= 200);
    assert!(rig.verify().authenticated);
}

fn soft(backoff: SoftBackoff) -> SoftBudget {
    SoftBudget {
        backoff,
        cost_micros: None,
        time_ms: Some(1),
        tokens: None,
        tools: None,
    }
}

/// The first try burns more than a millisecond and fails; the second is told, and answers with what it was told.
/// Control: with `check_soft` left out of `follow`, or its labels, there is nothing to tell and this fails (both seen).
#[test]
fn a_step_that_is_to_save_is_told_before_and_after_it_crosses_its_mark() {
    for backoff in [SoftBackoff::Summarize, SoftBackoff::Truncate] {
        let mut rig = rig("  step s: a { retries: { max_attempts: 2 backoff_ms: 1 } }\n");
        change(&mut rig, |parts| {
            parts.steps[0].budget.soft = Some(soft(backoff));
        });
        let names = ["soft.backoff", "soft.time", "backoff", "soft.exceeded.time"];
        let script = json!({
            "s@1": {"burn": 20_000_000, "fail": "transient"},
            "s@2": {"labels": names},
        });
        let report = play(&rig, &script);
        assert_eq!(report.exit, Exit::Ok);
        let told = &said(&report, "s")["labels"];
        assert_eq!(told["soft.backoff"], backoff.word());
        assert_eq!(told["backoff"], backoff.word());
        assert_eq!(told["soft.time"], "1");
        let attempts = rig.attempts();
        let exceeded = used(&attempts[0], "time_ms").unwrap();
        assert_eq!(told["soft.exceeded.time"], exceeded.to_string());
        for attempt in &attempts {
            let mut budgets = attempt.budgets.iter();
            let time = budgets.find(|one| one.name == "time_ms").unwrap();
            assert_eq!(time.soft, Some(1), "the mark is in the witness");
            assert!(budgets.all(|one| one.soft.is_none()));
        }
        let events = rig.ledger().events().into_iter();
        let crossed = events.filter(|event| event.event_type == "budget.soft_exceeded");
        assert_eq!(crossed.count(), 1);
        assert!(rig.verify().authenticated);
    }
}

/// Before it crosses anything a step knows its mark, and what is left: enough to save in time.
#[test]
fn a_step_knows_its_mark_and_what_is_left_from_the_start() {
    let mut rig = rig("  step s: a { budget: { tokens: 20 wall_ms: 30000 calls: 3 } }\n");
    change(&mut rig, |parts| {
        parts.steps[0].budget.soft = Some(SoftBudget {
            time_ms: None,
            tokens: Some(15),
            ..soft(SoftBackoff::Summarize)
        });
    });
    let script = json!({"s": {"labels": ["soft.tokens", "backoff"], "left": true}});
    let report = play(&rig, &script);
    let answer = said(&report, "s");
    assert_eq!(
        answer["labels"],
        json!({"soft.tokens": "15", "backoff": null})
    );
    assert_eq!(answer["left"], json!({"calls": 3, "tokens": 20}));
}

/// Control: with `soft::check` left out of `clear_step`, the first two are admitted and this fails (seen).
#[test]
fn a_step_that_can_not_be_told_to_save_is_not_admitted() {
    let plan = "PLAN p:\n  QUIP \"Echo.\"\n  ROLE a: custom(node=\"echo\")\n  STEP s:\n    ASSIGN a: \"x\"\n  STEP spare:\n    ASSIGN a: \"x\"\n";
    for (backoff, is_refused) in [
        (SoftBackoff::Summarize, true),
        (SoftBackoff::Truncate, true),
        (SoftBackoff::RouteSmallerModel, false),
    ] {
        // Asking for what it does not import changes nothing.
        let asks = json!({ "asks": [{ "capability": "context" }] });
        let mut rig = Rig::new(plan).node("echo", "conformance-echo", asks);
        change(&mut rig, |parts| {
            parts.steps[0].budget.soft = Some(soft(backoff));
            parts.steps[0].fallback = Some(parts.steps[1].name.clone());
            (parts.steps[1].is_standby, parts.steps[1].is_required) = (true, false);
        });
        match rig.admit() {
            Ok(_) => assert!(!is_refused, "{backoff:?}"),
            Err(AdmissionError::Refused(refused)) => {
                assert!(is_refused, "{backoff:?}");
                let codes: Vec<&str> = refused[0].reasons.iter().map(|one| one.code).collect();
                assert_eq!(codes, ["AIM-R074"]);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// What each of two steps finds left of the plan's ten tokens.
fn shares(pool: PoolPolicy, are_probed: bool) -> [Value; 2] {
    let own = "budget: { tokens: 5 wall_ms: 30000 calls: 1 }";
    let mut rig = rig(&format!(
        "  step s: a {{ {own} }}\n  step t: a {{ {own} depends s }}\n"
    ));
    change(&mut rig, |parts| {
        parts.budget = Some(PlanBudget {
            tokens: Some(10),
            pool,
            ..PlanBudget::default()
        });
    });
    if are_probed {
        rig = crate::probes::watched_by_all(rig);
    }
    let report = play(&rig, &json!({"*": {"left": true}}));
    assert_eq!(report.exit, Exit::Ok);
    ["s", "t"].map(|path| said(&report, path)["left"]["tokens"].clone())
}

/// Control: with all nodes counted in `sharing`, a fair share is a sixteenth, nothing is left of it, and this fails (seen).
#[test]
fn probes_take_no_share_of_a_plans_pool() {
    for pool in [PoolPolicy::Fair, PoolPolicy::Adaptive] {
        assert_eq!(shares(pool, true), [json!(5), json!(5)], "{pool:?}");
        assert_eq!(shares(pool, true), shares(pool, false), "{pool:?}");
    }
}
