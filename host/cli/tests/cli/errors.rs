//! Files that are missing or broken: a code, a remedy, the right exit, in text and in JSON.

use crate::support::{Place, plan};

#[test]
fn files_that_are_not_there_exit_as_not_found() {
    let place = Place::new();
    for arguments in [
        ["compile", "no.acl"],
        ["lint", "no.acl"],
        ["inspect", "no.wasm"],
        ["verify", "no.json"],
    ] {
        place.run(&arguments).assert_refused(6, "AIM-C041");
    }
}

#[test]
fn data_directories_without_a_log_exit_as_not_found_and_are_not_made() {
    let place = Place::new();
    for arguments in [
        ["logs", "--data-dir=none"].as_slice(),
        &["logs", "-f", "--data-dir=none"],
        &["witness", "show", "last", "--data-dir=none"],
        &["witness", "export", "--data-dir=none"],
    ] {
        place.run(arguments).assert_refused(6, "AIM-D004");
    }
    assert!(!place.path("none").exists());
}

#[test]
fn files_that_can_not_be_read_as_what_they_should_be_exit_as_usage() {
    let place = Place::new();
    place.write("latin1.acl", b"PLAN caf\xe9:\n");
    place.write("large.acl", vec![b'#'; 1024 * 1024 + 1]);
    for name in ["latin1.acl", "large.acl", "."] {
        place.run(&["compile", name]).assert_refused(2, "AIM-C045");
        place.run(&["lint", name]).assert_refused(2, "AIM-C045");
    }
    place.run(&["inspect", "."]).assert_refused(2, "AIM-C045");
}

#[test]
fn as_json_an_error_is_one_document_a_problem() {
    let place = Place::new();
    let came = place.run(&[
        "-o",
        "json",
        "compile",
        &plan("bad/ACL-E010-unknown_step.acl"),
    ]);
    assert_eq!(came.code, 2);
    let documents: Vec<serde_json::Value> = came
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let errors = documents.iter().filter(|one| one["severity"] == "error");
    assert_eq!(errors.count(), 2);
    for one in &documents {
        assert_eq!(one["$type"], "aim.error/v1");
        assert!(one["file"].as_str().unwrap().ends_with("unknown_step.acl"));
    }
    let missing = place.run(&["-o", "json", "inspect", "no.wasm"]);
    let one: serde_json::Value = serde_json::from_str(&missing.stderr).unwrap();
    assert_eq!(
        (&one["code"], &one["exit"]),
        (&"AIM-C041".into(), &6.into())
    );
    assert!(one["help"].is_string() && one["line"].is_null());
}

#[test]
fn the_workers_refuse_to_be_started_by_hand() {
    let place = Place::new();
    for (worker, code) in [("signer", "AIM-K005"), ("compile-worker", "AIM-K008")] {
        place.run(&[worker, "--keys=keys"]).assert_refused(70, code);
    }
    assert!(!place.path("keys").exists());
}
