//! Buckets and folders: committed with the witness or not at all, once, whatever happens in between.

use aim_core::outcome::Exit;
use aim_runtime::{execute::StepReport, host::OpenError};
use aim_testkit::{AppendFault, MemoryFolder};
use serde_json::{Value, json};

use crate::rig::Rig;

const PLAN: &str = r#"
PLAN state v1.0:
  QUIP "A squirrel that counts its nuts before it sleeps."
  ROLE a: custom(node="work")
  STEP work:
    ASSIGN a: "keep something"
"#;

fn state() -> Rig {
    let asks = json!([
        { "capability": "config", "scope": ["region"], "values": { "region": "eu" } },
        { "capability": "keyvalue", "modes": ["read", "write"], "scope": ["state"] },
    ]);
    Rig::new(PLAN).node("work", "conformance-state", json!({ "asks": asks }))
}

fn increment() -> Value {
    json!({ "do": "increment", "bucket": "state", "key": "n" })
}

/// Runs the calls; the answers, or `None` when nothing was released.
fn calls(rig: &Rig, calls: &[Value]) -> Option<Value> {
    let text = Value::Array(calls.to_vec()).to_string();
    let report = rig.run(&[("calls", &text)]).unwrap();
    answers(&report.steps[0])
}

/// What the step answered, or `None` when nothing was released.
fn answers(step: &StepReport) -> Option<Value> {
    let released = step.released.as_ref()?;
    Some(serde_json::from_slice(&released.emissions[0].body).unwrap())
}

#[test]
fn what_a_step_keeps_is_there_for_the_next_run_and_for_no_other_node() {
    let rig = state();
    assert_eq!(calls(&rig, &[increment()]).unwrap(), json!([{ "ok": 1 }]));
    assert_eq!(calls(&rig, &[increment()]).unwrap(), json!([{ "ok": 2 }]));
    let staged = &rig.attempts()[1].staged;
    assert_eq!((staged.len(), staged[0].name.as_str()), (1, "state"));
    assert!(rig.verify().authenticated);
    let other = PLAN.replace("node=\"work\"", "node=\"other\"");
    let asks = json!([{ "capability": "keyvalue", "modes": ["read", "write"], "scope": ["state"] },
        { "capability": "config", "scope": ["region"], "values": { "region": "eu" } }]);
    let mut elsewhere =
        Rig::new(&other).node("other", "conformance-state", json!({ "asks": asks }));
    elsewhere.log = rig.log.clone();
    elsewhere.store = std::sync::Arc::clone(&rig.store);
    assert_eq!(
        calls(&elsewhere, &[increment()]).unwrap(),
        json!([{ "ok": 1 }]),
        "the bucket of another node is another bucket"
    );
}

/// Negative control: with the step left out of `Namespace::of` the second step counts on, and with the plan left out the other
/// plan does; with either left out of `Namespace::told` alone the second run begins at one again (seen).
#[test]
fn two_steps_of_one_node_and_two_plans_of_one_step_have_buckets_of_their_own() {
    const TWICE: &str = r#"
PLAN state v1.0:
  QUIP "Two squirrels, two trees."
  ROLE a: custom(node="work")
  STEP work:
    ASSIGN a: "keep something"
  STEP again:
    ASSIGN a: "keep something else"
"#;
    let asks = json!([
        { "capability": "config", "scope": ["region"], "values": { "region": "eu" } },
        { "capability": "keyvalue", "modes": ["read", "write"], "scope": ["state"] },
    ]);
    let rig = Rig::new(TWICE).node("work", "conformance-state", json!({ "asks": asks }));
    let text = json!([increment()]).to_string();
    for count in [1, 2] {
        let report = rig.run(&[("calls", &text)]).unwrap();
        assert_eq!(report.steps.len(), 2);
        for step in &report.steps {
            let counted = json!([{ "ok": count }]);
            assert_eq!(answers(step).unwrap(), counted, "{}", step.path);
        }
    }
    let mut elsewhere = Rig::new(&TWICE.replace("PLAN state", "PLAN other")).node(
        "work",
        "conformance-state",
        json!({ "asks": asks }),
    );
    elsewhere.log = rig.log.clone();
    elsewhere.store = std::sync::Arc::clone(&rig.store);
    assert_eq!(
        calls(&elsewhere, &[increment()]).unwrap(),
        json!([{ "ok": 1 }]),
        "the bucket of another plan is another bucket"
    );
}

/// Negative control: with attempts that released nothing counted in `rebuild` this fails (seen).
#[test]
fn what_a_failed_attempt_wrote_is_dropped() {
    let rig = state();
    assert_eq!(calls(&rig, &[increment()]).unwrap(), json!([{ "ok": 1 }]));
    for end in ["fail", "trap"] {
        assert_eq!(
            calls(&rig, &[increment(), json!({ "do": end })]),
            None,
            "{end}"
        );
        let last = rig.attempts().pop().unwrap();
        assert!(!last.released && last.staged.len() == 1, "{end}: {last:?}");
    }
    assert_eq!(calls(&rig, &[increment()]).unwrap(), json!([{ "ok": 2 }]));
}

/// P11 for buckets: the run is interrupted at every append, and goes on; the counter counts every run once.
/// Negative control: with the result of the append ignored, this fails.
#[test]
fn p11_a_counter_counts_once_whatever_append_fails() {
    let appends = {
        let rig = state();
        calls(&rig, &[increment()]).unwrap();
        rig.log.appends()
    };
    let text = json!([increment()]).to_string();
    for number in 1..appends {
        for kept_bytes in [0, 200] {
            let rig = state();
            rig.log
                .fail_append(number, AppendFault::FailStop { kept_bytes });
            assert!(rig.run(&[("calls", &text)]).is_err(), "append {number}");
            assert_eq!(rig.run(&[("calls", &text)]).unwrap().exit, Exit::Ok);
            assert_eq!(
                calls(&rig, &[increment()]).unwrap(),
                json!([{ "ok": 2 }]),
                "append {number}, {kept_bytes} bytes kept"
            );
        }
    }
}

/// Opens the host as after a restart, and ends it.
fn reopen(rig: &Rig) {
    let (host, _) = rig.open().unwrap();
    host.committer.close().unwrap();
}

fn files(folder: &MemoryFolder) -> Rig {
    let asks = json!([
        { "capability": "filesystem", "modes": ["read", "write"], "folder": "out" },
    ]);
    let more = json!({ "asks": asks, "adapt": "std-0.2.12" });
    let mut rig = Rig::new(PLAN).node("work", "conformance-std", more);
    rig.folders.insert("out".to_owned(), folder.clone());
    rig
}

fn write(path: &str, text: &str) -> String {
    json!({ "operation": "write-file", "path": format!("/out/{path}"), "text": text }).to_string()
}

/// Negative control: with the notes of what was published ignored, the person's change is undone (seen).
#[test]
fn a_written_file_is_published_once_after_its_witness() {
    let folder = MemoryFolder::default();
    folder.put("kept", b"kept");
    let rig = files(&folder);
    let report = rig.run(&[("call", &write("a.txt", "one"))]).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{:?}", report.steps);
    assert_eq!(folder.file("a.txt").unwrap(), b"one");
    assert_eq!(folder.file("kept").unwrap(), b"kept");
    assert_eq!(folder.writes(), 1);
    assert!(rig.verify().authenticated);
    // Opening again publishes nothing again, even when somebody has changed the file since.
    folder.put("a.txt", b"changed by a person");
    reopen(&rig);
    assert_eq!(folder.file("a.txt").unwrap(), b"changed by a person");
}

/// The host dies between the commit and the folder; what is missing is published when it opens again, before anything runs.
/// Negative control: with `finish_publications` doing nothing the file never appears (seen).
#[test]
fn p11_what_a_crash_left_unpublished_is_published_when_the_host_opens() {
    let folder = MemoryFolder::default();
    let rig = files(&folder);
    folder.fail_next(1);
    let error = rig.run(&[("call", &write("a.txt", "one"))]).unwrap_err();
    assert!(error.to_string().contains("publishing"), "{error}");
    assert_eq!(folder.file("a.txt"), None);
    folder.fail_next(1);
    let refused = rig.open().map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Publish { .. }), "{refused}");
    assert_eq!(refused.code(), "AIM-S001");
    reopen(&rig);
    assert_eq!(folder.file("a.txt").unwrap(), b"one");
    let report = rig.run(&[("call", &write("a.txt", "one"))]).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(folder.writes(), 1, "no second effect");
    assert_eq!(rig.attempts().len(), 1, "the step is not done again");
}

#[test]
fn a_folder_that_the_deployment_does_not_have_stops_the_load() {
    let mut rig = files(&MemoryFolder::default());
    rig.folders.clear();
    let error = rig.admit().unwrap_err();
    assert!(format!("{error:?}").contains("AIM-S003"), "{error:?}");
    let asks = json!([{ "capability": "config", "scope": ["region"] },
        { "capability": "keyvalue", "modes": ["read"], "scope": ["state"] }]);
    let rig = Rig::new(PLAN).node("work", "conformance-state", json!({ "asks": asks }));
    let error = rig.admit().unwrap_err();
    assert!(format!("{error:?}").contains("AIM-S002"), "{error:?}");
}
