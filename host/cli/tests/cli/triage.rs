//! The example as a user runs it: right answers, silence when nothing broke, and every refusal it promises.
//!
//! `tests/triage` scores the expected answers against the truth; here the program has to give exactly these.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::support::{Came, Place, guest};

fn example(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/incident-triage")
        .join(path)
}

fn run(place: &Place, plan: &str, logs: &str) -> Came {
    run_with(place, plan, logs, &[])
}

fn run_with(place: &Place, plan: &str, logs: &str, more: &[&str]) -> Came {
    let _is_built = guest("triage-ingest.wasm");
    let (plan, logs) = (example(plan), format!("logs=@{}", example(logs).display()));
    let plan = plan.to_str().unwrap();
    place.run(&[&["run", plan, "-i", &logs, "--data-dir=data"], more].concat())
}

fn expected(incident: &str) -> Value {
    let text = fs::read(example(&format!("expected/{incident}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn each_incident_gets_the_expected_answer() {
    let place = Place::new();
    for incident in ["disk-full", "upstream-down", "wrong-password"] {
        let came = run(&place, "plan.acl", &format!("logs/{incident}"));
        assert_eq!(came.code, 0, "{}", came.stderr);
        let body = came.text().lines().next().unwrap().to_owned();
        let body: Value = serde_json::from_slice(&fs::read(place.path(&body)).unwrap()).unwrap();
        let expected = expected(incident);
        for field in ["cause", "component", "cited", "confidence_ppm", "onset"] {
            assert_eq!(body[field], expected[field], "{incident}: {field}");
        }
        let report = came.text().lines().nth(1).unwrap().to_owned();
        let report = fs::read_to_string(place.path(&report)).unwrap();
        assert!(report.contains(incident), "{report}");
        assert!(!report.contains("Harbor-Lantern"), "credentials are masked");
        let config = example("aim.toml");
        let config = ["--data-dir=data", "--config", config.to_str().unwrap()];
        let came = place.run(&[&["replay", "last", "-o", "json"], config.as_slice()].concat());
        assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
        let replays = came.documents();
        assert_eq!(replays.len(), 9 + 14, "every step and every probe ran once");
        assert!(replays.iter().all(|one| one["standing"] == "equal"));
    }
}

#[test]
fn the_quiet_log_abstains_and_there_is_no_report() {
    let place = Place::new();
    let came = run(&place, "plan.acl", "quiet");
    assert_eq!(came.code, 8, "{}", came.stderr);
    assert_eq!(expected("quiet")["exit"], 8);
    assert!(came.stdout.is_empty(), "{}", came.text());
    let of_probes = |came: &Came| {
        let lines = came.stderr.lines().filter(|line| line.contains("probe"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let [begin, end] = &of_probes(&came)[..] else {
        panic!("{}", came.stderr)
    };
    assert!(begin.contains("9 steps · 14 probes"), "{begin}");
    assert_eq!(end, "  ✓ probes 14 of 14 held", "one line for all");
    let came = run_with(&place, "plan.acl", "quiet", &["--again", "-v"]);
    assert_eq!(came.code, 8, "{}", came.stderr);
    assert_eq!(of_probes(&came).len(), 1 + 14, "{}", came.stderr);
}

#[test]
fn what_leaks_or_asks_too_much_is_refused_with_its_own_exit() {
    let place = Place::new();
    let leak = run(&place, "leak.acl", "logs/wrong-password");
    assert_eq!(leak.code, 3, "{}", leak.stderr);
    assert!(
        leak.stderr.contains("no-credentials-leave"),
        "{}",
        leak.stderr
    );
    assert!(
        !leak.stderr.contains("Harbor-Lantern"),
        "what is stopped is not repeated"
    );
    run(&place, "refused/asks.acl", "logs/wrong-password").assert_refused(3, "AIM-A002");
    run(&place, "refused/sly.acl", "logs/wrong-password").assert_refused(2, "AIM-A001");
    let evidence = fs::read(place.path("data/log/evidence.log")).unwrap();
    let secret = b"Harbor-Lantern-59";
    assert!(
        !evidence
            .windows(secret.len())
            .any(|window| window == secret),
        "nor stored in the log"
    );
}
