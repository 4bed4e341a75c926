//! The IR is a trust boundary: whatever reaches a `Plan` has passed every check here.

use alloc::format;
use alloc::{collections::BTreeMap, string::ToString, vec, vec::Vec};

use super::*;
use crate::{class::Class, name::NodeId, verdict::Severity};

mod lock;
mod topology;

fn name(text: &str) -> StepName {
    StepName::parse(text).unwrap()
}

fn step(number: u32, text: &str, requires: &[&str]) -> Step {
    Step {
        requires: (requires.iter())
            .map(|required| Require {
                is_optional: required.ends_with('?'),
                ..Require::on(name(required.trim_end_matches('?')))
            })
            .collect(),
        ..Step::new(StepId::new(number), name(text), name("builder"), "do it")
    }
}

fn gate(text: &str, source: &str) -> Gate {
    Gate::over(name(text), Clause::parse(source).unwrap(), Action::Abort)
}

/// `b` stands first in the source and waits for `a`; `c` waits for both.
fn parts() -> PlanParts {
    let mut last = step(3, "c", &["a", "b"]);
    last.gates.push(gate("sure", "output.confidence >= 0.85"));
    let role = Role {
        kind: name("builder"),
        params: BTreeMap::new(),
    };
    PlanParts {
        quip: Some("a bridge is as good as its bolts".into()),
        roles: BTreeMap::from([(name("builder"), role)]),
        steps: vec![step(2, "a", &[]), step(1, "b", &["a"]), last],
        ..PlanParts::new(name("demo"))
    }
}

fn faults(change: impl FnOnce(&mut PlanParts)) -> Vec<PlanFault> {
    let mut parts = parts();
    change(&mut parts);
    Plan::check(parts)
        .err()
        .map(|error| error.faults)
        .unwrap_or_default()
}

#[test]
fn a_sound_plan_round_trips_to_the_same_bytes_and_digest() {
    let plan = Plan::check(parts()).unwrap();
    let again = Plan::from_json(&plan.to_json()).unwrap();
    assert_eq!(again, plan);
    assert_eq!(again.digest(), Digest::of(&plan.to_json()));
    assert_eq!(
        plan.terminals()
            .map(|step| step.name.as_str())
            .collect::<Vec<_>>(),
        ["c"]
    );
}

#[test]
fn canonical_json_sorts_every_key_and_has_no_fraction() {
    fn sorted(value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => fields.values().for_each(sorted),
            serde_json::Value::Array(items) => items.iter().for_each(sorted),
            serde_json::Value::Number(number) => assert!(number.is_u64(), "{number}"),
            _ => {}
        }
    }
    let mut parts = parts();
    parts.budget = Some(PlanBudget {
        tokens: Some(50_000),
        tools: Some(100),
        time_ms: Some(1_000_000),
        ..PlanBudget::default()
    });
    parts.gates = vec![gate("good", "output.text == \"a \\\"b\\\"\"")];
    let bytes = Plan::check(parts).unwrap().to_json();
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    sorted(&value);
    // serde_json's own maps are ordered, so writing the value again sorts whatever was not sorted.
    assert_eq!(serde_json::to_vec(&value).unwrap(), bytes);
}

/// Control: with the comparison of bytes left out, this fails.
#[test]
fn bytes_in_another_spelling_are_refused() {
    let plan = Plan::check(parts()).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&plan.to_json()).unwrap();
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    assert_eq!(
        Plan::from_json(&pretty).unwrap_err().faults,
        [PlanFault::NotCanonical]
    );
    let mut padded = plan.to_json();
    padded.push(b'\n');
    assert_eq!(Plan::from_json(&padded), Ok(plan));
}

#[test]
fn unknown_fields_garbage_and_truncation_are_refused() {
    let text = String::from_utf8(Plan::check(parts()).unwrap().to_json()).unwrap();
    let extended = text.replacen("{\"gates\"", "{\"extra\":1,\"gates\"", 1);
    assert_ne!(extended, text);
    for bad in [
        &extended,
        "",
        "null",
        "[]",
        text.get(..text.len() / 2).unwrap(),
    ] {
        let error = Plan::from_json(bad.as_bytes()).unwrap_err();
        assert!(
            matches!(error.faults[..], [PlanFault::Malformed(_)]),
            "{error}"
        );
        assert_eq!(error.code(), "ACL-E040");
    }
}

/// Control: with the search for cycles left out, this fails.
#[test]
fn a_cycle_is_named() {
    let found = faults(|parts| parts.steps[0].requires = step(9, "x", &["c"]).requires);
    assert_eq!(found, [PlanFault::Cycle("a -> c -> a".into())]);
    let found = faults(|parts| parts.steps[0].requires = step(9, "x", &["a"]).requires);
    assert_eq!(found, [PlanFault::Cycle("a -> a".into())]);
}

#[test]
fn names_that_lead_nowhere_are_named() {
    let found = faults(|parts| {
        parts.steps[0].role = name("ghost");
        parts.steps[1].requires = step(9, "x", &["nobody"]).requires;
    });
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "step `a` names the role `ghost`, which the plan does not have",
            "step `b` names the step `nobody`, which the plan does not have",
        ]
    );
}

/// Control: with the order left unchecked, this fails.
#[test]
fn steps_out_of_their_one_order_are_refused() {
    let swapped = faults(|parts| parts.steps.swap(0, 1));
    assert_eq!(swapped, [PlanFault::Order]);
    // Two free steps: the order is right for the graph, but not the one by source.
    let tied = faults(|parts| {
        parts.steps = vec![step(2, "y", &[]), step(1, "x", &[])];
    });
    assert_eq!(tied, [PlanFault::Order]);
    let gap = faults(|parts| parts.steps[2].id = StepId::new(7));
    assert_eq!(gap, [PlanFault::Order]);
    let twice = faults(|parts| parts.steps[2].id = StepId::new(2));
    assert_eq!(twice, [PlanFault::Order]);
}

/// Control: with the mark taken as it comes, this fails.
#[test]
fn required_follows_from_the_edges_alone() {
    let lie = faults(|parts| parts.steps[0].is_required = false);
    assert_eq!(lie, [PlanFault::Required(name("a"))]);
    let all_optional = |parts: &mut PlanParts| {
        parts.steps[1].requires = step(9, "x", &["a?"]).requires;
        parts.steps[2].requires = step(9, "x", &["a?", "b"]).requires;
    };
    assert_eq!(faults(all_optional), [PlanFault::Required(name("a"))]);
    let marked = faults(|parts| {
        all_optional(parts);
        parts.steps[0].is_required = false;
    });
    assert_eq!(marked, []);
    // A terminal step is a result, so it can not be optional.
    let terminal = faults(|parts| parts.steps[2].is_required = false);
    assert_eq!(terminal, [PlanFault::Required(name("c"))]);
}

#[test]
fn duplicates_are_refused_and_a_step_gate_can_not_shadow_a_plan_gate() {
    let found = faults(|parts| {
        parts.steps[2].requires.push(Require::on(name("a")));
        let again = parts.steps[2].gates[0].clone();
        parts.steps[2].gates.push(again.clone());
        parts.steps[0].gates.push(gate("plan_wide", "output.x"));
        parts.gates = vec![gate("plan_wide", "output.y")];
    });
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "gate `a.plan_wide` appears twice",
            "gate `c.sure` appears twice",
            "requirement `a in c` appears twice",
        ]
    );
    let found = faults(|parts| parts.steps[1] = step(1, "a", &[]));
    assert!(
        found.contains(&check::duplicate("step", "a".into())),
        "{found:?}"
    );
}

/// Control: with any amount in range, this fails.
#[test]
fn budgets_are_positive_bounded_and_fit_the_plan() {
    let zero = faults(|parts| parts.steps[0].budget.tools = 0);
    assert!(
        matches!(zero[..], [PlanFault::Budget { part: "tools", .. }]),
        "{zero:?}"
    );
    let huge = faults(|parts| parts.steps[0].budget.tokens = INTEGER_MAX + 1);
    assert!(
        matches!(huge[..], [PlanFault::Budget { part: "tokens", .. }]),
        "{huge:?}"
    );
    let cap = |tokens| {
        move |parts: &mut PlanParts| {
            parts.budget = Some(PlanBudget {
                tokens: Some(tokens),
                ..PlanBudget::default()
            });
        }
    };
    assert_eq!(faults(cap(30_000)), []);
    let infeasible = faults(cap(29_999));
    assert_eq!(
        infeasible,
        [PlanFault::Infeasible {
            part: "tokens",
            sum: 30_000,
            cap: 29_999
        }]
    );
}

/// Control: with gates taken as they come, this fails.
#[test]
fn a_gate_whose_source_says_something_else_than_its_condition_is_refused() {
    let is_refused = |change: fn(&mut Gate)| {
        let found = faults(|parts| change(&mut parts.steps[2].gates[0]));
        assert!(
            matches!(&found[..], [PlanFault::Gate(gate, _)] if gate == "c.sure"),
            "{found:?}"
        );
    };
    is_refused(|gate| {
        let Check::Condition(clause) = &mut gate.check else {
            return;
        };
        clause.source = "output.confidence >= 0.1".into();
    });
    is_refused(|gate| gate.severity = Severity::Warn);
    is_refused(|gate| gate.on_fail.clear());
    is_refused(|gate| gate.on_fail.push(OnFail::always(Action::Abort)));
    is_refused(|gate| gate.on_fail[0].action = Action::Reroute);
    is_refused(|gate| gate.on_fail[0].target = Some(name("a")));
    is_refused(|gate| gate.phase = GatePhase::Ingress);
    is_refused(|gate| gate.check = Check::Rules(Rules::default()));
}

/// Control: with every character allowed, this fails.
#[test]
fn text_that_a_terminal_could_act_on_is_refused() {
    for bad in ["\u{1b}[2J", "a\u{202e}b", "two\nlines", "\u{2066}x"] {
        let found = faults(|parts| parts.steps[0].description = bad.into());
        assert!(
            matches!(found[..], [PlanFault::Text(_)]),
            "{bad:?} {found:?}"
        );
    }
    assert_eq!(
        faults(|parts| parts.quip = Some("große Brücke 橋".into())),
        []
    );
}

#[test]
fn foreign_versions_and_empty_plans_are_refused() {
    let found = faults(|parts| {
        parts.schema_version = "3.0.0".parse().unwrap();
        parts.language_version = "2.0".parse().unwrap();
        parts.steps.clear();
    });
    assert_eq!(
        found,
        [
            PlanFault::SchemaVersion("3.0.0".parse().unwrap()),
            PlanFault::LanguageVersion(LanguageVersion { major: 2, minor: 0 }),
            PlanFault::StepCount(0),
        ]
    );
    for bad in ["1", "1.", "01.0", "1.0.0", "v1.0", "+1.0"] {
        assert!(bad.parse::<LanguageVersion>().is_err(), "{bad}");
    }
    for bad in [
        "2",
        "2.0",
        "2.0.0.0",
        "02.0.0",
        "v2.0.0",
        "2.0.x",
        "2.0.0-rc.1",
    ] {
        assert!(bad.parse::<SchemaVersion>().is_err(), "{bad}");
    }
    for bad in ["1", "s", "s01", "s-1", "S1", "s4294967296"] {
        assert!(bad.parse::<StepId>().is_err(), "{bad}");
    }
}

#[test]
fn a_role_names_its_node_or_its_kind_is_mapped_and_all_gaps_are_named() {
    let with_node = |node: Option<&str>| {
        let mut parts = parts();
        let role = parts.roles.get_mut(&name("builder")).unwrap();
        role.params
            .extend(node.map(|node| (name("node"), node.into())));
        Plan::check(parts).unwrap()
    };
    let mapped = NodeId::parse("maker").unwrap();
    let kinds = BTreeMap::from([(name("builder"), mapped.clone())]);
    let bound = bindings(&with_node(None), &kinds).unwrap();
    assert_eq!(bound.values().collect::<Vec<_>>(), [&mapped; 3]);
    // The plan's own word is stronger than the deployment's.
    let bound = bindings(&with_node(Some("special")), &kinds).unwrap();
    assert_eq!(bound.get(&name("a")).unwrap().as_str(), "special");

    let unbound = bindings(&with_node(None), &BTreeMap::new()).unwrap_err();
    assert_eq!(unbound.len(), 3);
    assert!(
        unbound
            .iter()
            .all(|unbound| unbound.reason == UnboundReason::NotMapped)
    );
    assert!(unbound[0].help().contains("[roles.builder]"));
    let unbound = bindings(&with_node(Some("../up")), &kinds).unwrap_err();
    assert!(matches!(unbound[0].reason, UnboundReason::NotANodeId(_)));
}

/// Control: with the check in `rules` left out, both are accepted and nothing would happen; this fails (seen).
#[test]
fn a_rule_that_would_do_nothing_is_refused() {
    for action in Action::ALL {
        let found = faults(|parts| {
            parts.rules.push(Rule {
                on: Trigger::Failed,
                steps: vec![],
                then: OnFail::always(action),
            });
        });
        let is_refused = matches!(action, Action::Retry | Action::Warn) || action.has_target();
        assert_eq!(!found.is_empty(), is_refused, "{action:?}: {found:?}");
    }
}

/// The kinds are written out: a test that asks `has_evaluator` itself could not fail. Control: with `has_evaluator` answering
/// true, this fails.
#[test]
fn a_gate_that_nothing_here_can_judge_is_refused() {
    for kind in JudgeKind::ALL {
        let found = faults(|parts| {
            parts.steps[2].gates[0].check = Check::Judge(JudgeCheck {
                inputs: BTreeMap::new(),
                is_strict: false,
                kind,
                policy: None,
                threshold_ppm: Some(1),
            });
        });
        let gate = "c.sure".into();
        let refused = PlanFault::NoEvaluator {
            gate,
            kind: kind.word(),
        };
        let expected: &[PlanFault] = if matches!(kind, JudgeKind::Schema | JudgeKind::Uq) {
            &[]
        } else {
            &[refused]
        };
        assert_eq!(found, expected, "{kind:?}");
    }
}
