//! How steps fit together: fan-out, flows, standby steps, probes, pins, and the bounds of waits.

use super::*;

/// Control: without `parallel::check`, this fails.
#[test]
fn fan_out_is_finite_and_reduced_only_where_there_is_something_to_reduce() {
    let fan = |first, last| {
        Some(Fanout {
            first,
            last,
            options: BTreeMap::new(),
        })
    };
    let reduce = |method, quorum| {
        Some(Reduce {
            method,
            quorum,
            tie: Tie::Abstain,
        })
    };
    let count = |change: &dyn Fn(&mut PlanParts)| faults(|parts| change(parts)).len();
    let vote = reduce(ReduceMethod::Vote, None);
    let fanned = move |parts: &mut PlanParts, range: Option<Fanout>, how| {
        parts.steps[0].fanout = range;
        parts.steps[1].requires[0].reduce = how;
    };
    assert_eq!(count(&|parts| fanned(parts, fan(1, 5), vote)), 0);
    assert_eq!(
        count(&|parts| fanned(parts, fan(5, 1), None)),
        1,
        "an empty range"
    );
    assert_eq!(
        count(&|parts| fanned(parts, fan(0, 9_997), None)),
        0,
        "10 000 nodes"
    );
    assert_eq!(
        count(&|parts| fanned(parts, fan(0, 9_998), None)),
        1,
        "one too many"
    );
    assert_eq!(count(&|parts| fanned(parts, fan(0, u32::MAX), None)), 1);
    assert_eq!(
        count(&|parts| fanned(parts, None, vote)),
        1,
        "nothing to reduce"
    );
    let quorum = |least| reduce(ReduceMethod::Merge, Some(least));
    assert_eq!(count(&|parts| fanned(parts, fan(1, 5), quorum(5))), 0);
    assert_eq!(count(&|parts| fanned(parts, fan(1, 5), quorum(6))), 1);
    let judge = reduce(ReduceMethod::Adjudicate, None);
    assert_eq!(
        count(&|parts| fanned(parts, fan(1, 5), judge)),
        1,
        "a builder does not adjudicate"
    );
}

#[test]
fn flows_are_bounded_and_keep_their_inside_to_themselves() {
    let flow = |steps: &[&str], result: &str, max_iter| Flow {
        max_iter,
        name: name("refine"),
        on_exhausted: Exhausted::Abstain,
        result: name(result),
        steps: steps.iter().map(|step| name(step)).collect(),
        until: Clause::parse("output.done").unwrap(),
    };
    let with = |flow: Flow| faults(|parts| parts.flows.push(flow));
    assert_eq!(with(flow(&["b", "c"], "c", 3)), []);
    assert_eq!(with(flow(&["a"], "a", 1)), []);
    for (bad, why) in [
        (flow(&["b", "c"], "c", 0), "no round"),
        (flow(&["a", "b"], "b", 2), "c requires a from outside"),
        (flow(&["b"], "c", 2), "a result of its own"),
        (flow(&["b", "b"], "b", 2), "twice"),
        (flow(&["zz"], "zz", 2), "unknown"),
    ] {
        let found = with(bad);
        assert!(
            matches!(found[..], [PlanFault::Parallel { .. }, ..]),
            "{why}: {found:?}"
        );
    }
}

#[test]
fn standby_steps_are_led_to_and_never_required() {
    let standby = |parts: &mut PlanParts| {
        let mut spare = step(4, "spare", &["a"]);
        spare.is_standby = true;
        spare.is_required = false;
        parts.steps.push(spare);
    };
    let found = faults(standby);
    assert!(
        matches!(found[..], [PlanFault::Recovery { .. }]),
        "nothing leads to it: {found:?}"
    );
    let led_to = |parts: &mut PlanParts| {
        standby(parts);
        parts.steps[1].fallback = Some(name("spare"));
    };
    assert_eq!(faults(led_to), []);
    let terminals: Vec<_> = {
        let mut parts = parts();
        led_to(&mut parts);
        Plan::check(parts)
            .unwrap()
            .terminals()
            .map(|step| step.name.clone())
            .collect()
    };
    assert_eq!(terminals, [name("c")]);
    let found = faults(|parts| {
        led_to(parts);
        parts.steps[2].requires.push(Require::on(name("spare")));
    });
    assert!(
        matches!(
            found[..],
            [
                PlanFault::Required(_) | PlanFault::Order | PlanFault::Recovery { .. },
                ..
            ]
        ),
        "{found:?}"
    );
    let found = faults(|parts| parts.steps[1].fallback = Some(name("c")));
    assert!(
        matches!(found[..], [PlanFault::Recovery { .. }]),
        "{found:?}"
    );
}

/// Control: with `smaller_fault` left out of `check`, the first half finds nothing and this fails (seen).
#[test]
fn a_smaller_model_needs_a_step_that_has_one() {
    let smaller = |parts: &mut PlanParts| {
        parts.steps[1].budget.soft = Some(SoftBudget {
            backoff: SoftBackoff::RouteSmallerModel,
            cost_micros: None,
            time_ms: None,
            tokens: Some(1),
            tools: None,
        });
    };
    let found = faults(smaller);
    assert!(
        matches!(found[..], [PlanFault::Recovery { .. }]),
        "{found:?}"
    );
    let found = faults(|parts| {
        smaller(parts);
        let mut spare = step(4, "spare", &["a"]);
        (spare.is_standby, spare.is_required) = (true, false);
        parts.steps.push(spare);
        parts.steps[1].fallback = Some(name("spare"));
    });
    assert_eq!(found, []);
}

#[test]
fn a_probe_watches_without_making_what_it_watches_less_of_a_result() {
    let found = faults(|parts| {
        let mut probe = step(4, "seen", &["c?"]);
        probe.is_required = false;
        probe.probe = Some(Probe {
            id: "probe.vif.chain_complete".into(),
            observes: vec![name("c")],
        });
        parts.steps.push(probe);
    });
    assert_eq!(found, []);
}

/// Control: without `missing_pins`, this fails.
#[test]
fn a_claim_of_determinism_wants_every_pin() {
    let found = faults(|parts| {
        parts.header.is_deterministic = true;
        parts.steps[0].model = Some("m".into());
        parts.steps[0].tools = vec!["t".into()];
        let selector = Selector {
            index: SelectorIndex::Hhni,
            path: "notes".into(),
        };
        parts.steps[0].inputs = BTreeMap::from([(name("q"), InputSource::Selector(selector))]);
    });
    let pins: Vec<&str> = found
        .iter()
        .map(|fault| match fault {
            PlanFault::Pin { pin, .. } => *pin,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(pins, ["model", "seed", "tool", "index", "snapshot"]);
}

#[test]
fn waits_and_counts_are_bounded() {
    let with = |retries: Retries| faults(|parts| parts.steps[0].retries = Some(retries)).len();
    let base = Retries::DEFAULT;
    assert_eq!(with(base), 0);
    for bad in [
        Retries {
            max_attempts: 0,
            ..base
        },
        Retries {
            max_attempts: 11,
            ..base
        },
        Retries {
            factor_percent: 99,
            ..base
        },
        Retries {
            jitter_percent: 101,
            ..base
        },
        Retries {
            base_ms: 2,
            max_ms: 1,
            ..base
        },
        Retries {
            max_ms: BACKOFF_MS_MAX + 1,
            ..base
        },
    ] {
        assert_eq!(with(bad), 1, "{bad:?}");
    }
    let soft = |tokens| {
        faults(|parts| {
            parts.steps[0].budget.soft = Some(SoftBudget {
                backoff: SoftBackoff::Truncate,
                cost_micros: None,
                time_ms: None,
                tokens: Some(tokens),
                tools: None,
            });
        })
        .len()
    };
    assert_eq!((soft(10_000), soft(10_001), soft(0)), (0, 1, 1));
}
