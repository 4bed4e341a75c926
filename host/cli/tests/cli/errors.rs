//! Files that are missing or broken: a code, a remedy, the right exit, in text and in JSON.

use crate::{
    runs::deployment,
    support::{Place, plan},
};

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

/// Negative control: with a fault of the deployment file taken for the file's own absence wherever it is, the help tells people to
/// write the file that they have, and this fails (seen).
#[test]
fn a_file_that_the_deployment_names_and_that_is_missing_is_named_with_its_key() {
    let place = deployment();
    let whole = place.read("aim.toml");
    let with = |line: &str| format!("{line}\n{whole}");
    for (key, text) in [
        ("policy", with("policy = \"gone.x\"")),
        ("monitor", with("monitor = \"gone.x\"")),
        ("approvals", with("approvals = \"gone.x\"")),
        ("codex", with("codex = \"gone.x\"")),
        (
            "contracts",
            whole.replace("[\"contracts\"]", "[\"gone.x\"]"),
        ),
        (
            "components",
            whole.replace("[\"components\"]", "[\"gone.x\"]"),
        ),
        ("gates.codex_keys", whole.replace("publisher.pub", "gone.x")),
        (
            "folders.out",
            format!("{whole}[folders]\nout = \"gone.x\"\n"),
        ),
    ] {
        place.write("aim.toml", text);
        let came = place.run(&["run", "plan.acl", "-o", "json"]);
        came.assert_refused(6, "AIM-C001");
        assert!(came.stderr.contains("gone.x"), "{key}: {}", came.stderr);
        let named = format!("or correct or remove `{key}`");
        assert!(came.stderr.contains(&named), "{key}: {}", came.stderr);
        assert!(
            !came.stderr.contains("write `aim.toml`"),
            "{key}: {}",
            came.stderr
        );
    }
    std::fs::remove_file(place.path("aim.toml")).unwrap();
    let came = place.run(&["run", "plan.acl", "-o", "json"]);
    came.assert_refused(6, "AIM-C001");
    assert!(came.stderr.contains("write `aim.toml`"), "{}", came.stderr);
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
