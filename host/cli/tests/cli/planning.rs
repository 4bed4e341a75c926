//! `aimctl plan`: what would run and what would be refused, as `run` would have it, and nothing left behind.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Came, Place, guest};

fn example(path: &str) -> String {
    let _is_built = guest("triage-ingest.wasm");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/incident-triage")
        .join(path);
    path.canonicalize().unwrap().display().to_string()
}

fn document(came: &Came) -> Value {
    came.documents().remove(0)
}

fn names(list: &Value, field: &str) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one[field].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_plan_is_shown_in_its_order_with_the_rule_behind_each_grant_and_nothing_is_left_behind() {
    let place = Place::new();
    let came = place.run(&["plan", &example("plan.acl"), "-o", "json"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let shown = document(&came);
    assert_eq!(shown["$type"], "aim.plan/v1");
    let steps: Vec<String> = names(&shown["steps"], "step");
    let own = [
        "ingest", "retrieve", "rate", "rare", "order", "forecast", "verify", "redact", "report",
    ];
    let own_shown: Vec<&String> = steps
        .iter()
        .filter(|name| own.contains(&name.as_str()))
        .collect();
    assert_eq!(own_shown, own, "the order of the plan");
    let probes = shown["steps"].as_array().unwrap().iter();
    let probes = probes.filter(|step| step["probe"]["id"].is_string());
    assert_eq!(probes.count(), 14, "the deployment has every probe on");
    assert!(
        shown["probes"].get("off").is_none() && shown["result"] == serde_json::json!(["report"])
    );
    let ingest = &shown["steps"][0];
    let grants = ingest["node"]["grants"].as_array().unwrap();
    let folder = grants
        .iter()
        .find(|one| one["use"] == "filesystem.read on `logs`");
    assert_eq!(folder.unwrap()["rules"][0], "ingest-reads-the-logs");
    assert_eq!(ingest["gates"][0], "ethical-gate");
    assert_eq!(ingest["budget"]["time_ms"], 30_000);
    assert_eq!(shown["inputs"][0], "logs");
    assert_eq!(shown["refused"].as_array().unwrap().len(), 0);
    let text = place.run(&["plan", &example("plan.acl")]).text();
    assert!(
        text.contains("filesystem.read on `logs`: by ingest-reads-the-logs"),
        "{text}"
    );
    for left in [".aim", "keys", "cache"] {
        assert!(!place.path(left).exists(), "{left} was made");
    }
}

/// Control: with the refusals of `plan` taken from nowhere (`refusals` answering `Ok`), the first assertion fails (seen).
#[test]
fn what_run_refuses_plan_refuses_with_the_same_exit_and_the_same_codes() {
    for (plan, exit, code) in [
        ("refused/asks.acl", 3, "AIM-A002"),
        ("refused/sly.acl", 2, "AIM-A001"),
    ] {
        let place = Place::new();
        let came = place.run(&["plan", &example(plan), "-o", "json"]);
        assert_eq!(came.code, exit, "{}", came.stderr);
        let shown = document(&came);
        assert!(names(&shown["refused"], "code").contains(&code.to_owned()));
        assert!(shown.get("lock").is_none(), "nothing to lock");
        let steps = shown["steps"].as_array().unwrap();
        assert!(steps.iter().any(|step| step.get("node").is_none()));
        let run = place.run(&["run", &example(plan), "--data-dir=data"]);
        assert_eq!(run.code, exit, "{}", run.stderr);
        assert!(came.stderr.contains(code) && run.stderr.contains(code));
    }
}

#[test]
fn a_plan_is_drawn_in_three_ways_without_a_deployment() {
    let place = Place::new();
    place.write(
        "plan.acl",
        "PLAN two v1.0:\nROLE a: custom(node=\"nowhere\")\nSTEP one:\n  ASSIGN a: \"x\"\nSTEP two:\n  ASSIGN a: \"y\"\n  REQUIRES one\n",
    );
    for (format, opens) in [
        ("dot", "digraph"),
        ("mermaid", "flowchart"),
        ("svg", "<svg"),
    ] {
        let came = place.run(&["plan", "plan.acl", "--graph", format]);
        assert_eq!(came.code, 0, "{}", came.stderr);
        assert!(came.text().starts_with(opens), "{}", came.text());
        assert!(came.text().contains("two"));
    }
    place
        .run(&["plan", "plan.acl"])
        .assert_refused(6, "AIM-C001");
}
