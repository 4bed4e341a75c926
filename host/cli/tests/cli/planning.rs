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

/// A deployment of its own with everything that a lock pins, and its lock.
fn locked() -> Place {
    let place = crate::runs::deployment();
    place.write(
        "plan.acl",
        "PLAN chain v1.0:\n  QUIP \"An echo never had an idea of its own.\"\n  ROLE a: custom(node=\"echo\")\n  STEP one:\n    ASSIGN a: \"say it\"\n    BUDGET tokens=1, time=30s, tools=1\n",
    );
    let deployment = place.read("aim.toml");
    let deployment = format!("policy = \"policy.cedar\"\n{deployment}[config]\ntone = \"calm\"\n");
    place.write("aim.toml", deployment);
    place.write(
        "policy.cedar",
        "@id(\"all\") permit(principal, action, resource);\n",
    );
    place.write(
        "contracts/echo.yaml",
        "kind: compute\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\nasks: [{ capability: config, scope: [tone] }]\n",
    );
    let came = place.run(&["plan", "plan.acl", "--lock"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    place
}

/// Control: with `lock::check` never called, the first drift ran to exit 0 and this failed.
#[test]
fn a_locked_run_refuses_every_drift_names_the_field_and_writes_nothing() {
    let place = locked();
    let run = ["run", "plan.acl", "-i", "word=hello", "--locked"];
    let edit = |name: &str, from: &str, to: &str| {
        let text = place.read(name);
        assert!(text.contains(from), "{name}: {text}");
        place.write(name, text.replace(from, to));
    };
    let edits: [(&str, &str, &str, &[&str]); 6] = [
        ("plan.acl", "say it", "say this", &["plan: "]),
        ("aim.toml", "calm", "curt", &["steps.one.config: "]),
        (
            "contracts/echo.yaml",
            "0.1.0",
            "0.1.1",
            &[
                "steps.one.contract: ",
                "steps.one.version: pinned 0.1.0, present 0.1.1",
            ],
        ),
        ("policy.cedar", "all", "any", &["policy: "]),
        (
            "contracts/echo.yaml",
            "asks:",
            "adapt: std-0.2.12\nasks:",
            &[
                "steps.one.adapt: pinned nothing, present std-0.2.12",
                "steps.one.contract: ",
            ],
        ),
        (
            "aim.toml",
            "[gates]",
            "[operator]\nbig = [\"echo\"]\n[gates]",
            &[
                "steps.one.class: pinned nothing, present big",
                "steps.one.contract: ",
            ],
        ),
    ];
    for (name, from, to, fields) in edits {
        let before = place.read(name);
        edit(name, from, to);
        let came = place.run(&run);
        came.assert_refused(2, "ACL-E060");
        for field in fields {
            assert!(came.stderr.contains(field), "{field}: {}", came.stderr);
        }
        let named = came.stderr.matches(": pinned ").count();
        assert_eq!(named, fields.len(), "{}", came.stderr);
        place.write(name, before);
    }
    let component = std::fs::read(place.path("components/echo.wasm")).unwrap();
    // A custom section at the end changes the bytes and nothing that they do.
    place.write(
        "components/echo.wasm",
        [component.as_slice(), &[0, 2, 1, b'x']].concat(),
    );
    let came = place.run(&run);
    came.assert_refused(2, "ACL-E060");
    assert!(
        came.stderr.contains("steps.one.component: pinned blake3:"),
        "{}",
        came.stderr
    );
    place.write("components/echo.wasm", component);
    assert!(!place.path(".aim").exists() && !place.path("keys").exists());
    let came = place.run(&run);
    assert_eq!(came.code, 0, "{}", came.stderr);
}

#[test]
fn a_lock_is_the_same_on_every_run_and_a_missing_or_broken_one_is_refused() {
    let place = locked();
    let first = place.read("plan.lock");
    assert_eq!(place.run(&["plan", "plan.acl", "--lock"]).code, 0);
    assert_eq!(place.read("plan.lock"), first);
    assert_eq!(
        locked().read("plan.lock"),
        first,
        "another folder, the same lock"
    );
    let lock: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(lock["steps"]["one"]["wit"]["aim:types"][0], "0.1.0");
    assert!(lock["gates"]["ethical"]["codex"].is_string());
    place.write("plan.lock", first.replace(':', ": "));
    place
        .run(&["run", "plan.acl", "--locked"])
        .assert_refused(2, "ACL-E042");
    std::fs::remove_file(place.path("plan.lock")).unwrap();
    let came = place.run(&["run", "plan.acl", "--locked"]);
    came.assert_refused(6, "ACL-E061");
    assert!(came.stderr.contains("aimctl plan plan.acl --lock"));
    assert!(!place.path(".aim").exists());
}

#[test]
fn what_is_refused_gets_no_lock() {
    let place = locked();
    std::fs::remove_file(place.path("plan.lock")).unwrap();
    place.write(
        "policy.cedar",
        "@id(\"none\") forbid(principal, action, resource);\n",
    );
    let came = place.run(&["plan", "plan.acl", "--lock"]);
    assert_eq!(came.code, 3, "{}", came.stderr);
    assert!(!place.path("plan.lock").exists());
}
