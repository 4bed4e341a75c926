//! What a run hands to whoever asked for it: files named by the plan's last steps, whatever became of the others.
//!
//! INVARIANT: a result is a released output, each instance has its own, and of a flow only the round that ended it.

use std::fs;

use crate::{
    runs::deployment,
    support::{Came, Place, guest},
};

/// The names of the bodies that the run printed, each of which is there; the echo hands its artifacts on as well.
fn results(place: &Place, came: &Came) -> Vec<String> {
    let text = came.text();
    let names = text.lines().map(|line| {
        let path = place.path(line);
        assert!(path.is_file(), "{line}");
        path.file_name().unwrap().to_str().unwrap().to_owned()
    });
    names.filter(|name| name.ends_with(".json")).collect()
}

fn run(statements: &str) -> (Place, Came) {
    let place = deployment();
    let budget = "budget: { tokens: 1, wall_ms: 30000, calls: 1 }";
    let statements = statements.replace("BUDGET", budget);
    place.write("plan.acl", format!(
        "pipeline \"results\" {{\n  header {{ quip: \"All is well that ends.\" }}\n  role a: custom {{ node: \"echo\" }}\n  \
         role b: custom {{ node: \"loop\" }}\n  {statements}\n}}\n"
    ));
    place.write("contracts/loop.yaml", "kind: compute\nnode_id: loop\nversion: \"0.1.0\"\ncomponent: { path: loop.wasm }\nlimits: { fuel_max: 1000000 }\n");
    let endless = fs::read(guest("hostile-g2-start-loop.wasm")).unwrap();
    place.write("components/loop.wasm", endless);
    let came = place.run(&["run", "plan.acl", "-i", "word=hello"]);
    (place, came)
}

/// Negative control: with the instance left out of `PlanOutput::name`, three results are one file (seen).
#[test]
fn every_instance_that_nobody_reduces_leaves_a_result_of_its_own() {
    let fanned =
        "step first: a { BUDGET }\n  step each: a { BUDGET }\n  fanout first -> each[1..3]";
    let (place, came) = run(fanned);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let expected = ["each-1.json", "each-2.json", "each-3.json"];
    assert_eq!(results(&place, &came), expected);
}

/// Negative control: with `answered_by` passed over, there is no result (seen).
#[test]
fn the_answer_of_a_standby_step_is_the_result_of_the_step_that_it_stands_in_for() {
    let standing = "step say: b { fallback: spare BUDGET }\n  step spare: a { BUDGET }";
    let (place, came) = run(standing);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_eq!(results(&place, &came), ["say.json"]);
    let body = place.read(came.text().lines().next().unwrap());
    assert!(body.contains("hello"), "{body}");
}

/// Negative control: with `has_later_round` always false, a flow that ended with its second round leaves two results (seen).
#[test]
fn a_flow_leaves_what_its_last_round_released_and_nothing_when_it_abstained() {
    let flow = |until: &str| {
        run(&format!(
            "step say: a {{ BUDGET }}\n  flow again(say, max_iter=2) until output.{until}"
        ))
    };
    for (until, exit, expected) in [
        ("word.size_bytes == 5", 0, &["say.json"][..]),
        ("never == true else release", 0, &["say.json"]),
        ("never == true", 8, &[]),
    ] {
        let (place, came) = flow(until);
        assert_eq!(came.code, exit, "{until}: {}", came.stderr);
        assert_eq!(results(&place, &came), expected, "{until}");
    }
}
