//! Confinement of a real process: `probe` confines itself and says what it can still do.
//!
//! INVARIANT: a confinement can not be undone, so it only ever happens in a child.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{fs, process::Command};

use aim_hardening::key_file;

fn confined(part: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    key_file::init(&home.path().join("keys")).unwrap();
    for folder in ["data", "given"] {
        fs::create_dir(home.path().join(folder)).unwrap();
    }
    fs::write(home.path().join("given/f"), b"x").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_aim-confinement-probe"))
        .arg(part)
        .arg(home.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

fn says(text: &str, line: &str) -> bool {
    text.lines().any(|found| found == line)
}

/// Negative control: with no rules in `restrict`, this fails.
#[test]
fn a_confined_host_keeps_what_it_was_given_and_nothing_else() {
    let text = confined("plain");
    for line in [
        "DUMPABLE Ok(NotDumpable)",
        "READ-KEY DENIED",
        "READ-GIVEN DONE",
        "WRITE-GIVEN DENIED",
        "WRITE-DATA DONE",
        "RENAME-DATA DONE",
        "READ-OTHER DENIED",
        "RUN DENIED",
        "CONNECT DENIED",
    ] {
        assert!(says(&text, line), "{line} is missing in\n{text}");
    }
}

#[test]
fn the_level_landlock_is_reported_when_an_attempt_showed_it() {
    let text = confined("plain");
    assert!(says(&text, "LEVEL landlock"), "{text}");
}

// Negative control of the two tests above: rules that keep everything leave the keys within reach.
#[test]
fn rules_that_keep_everything_are_not_reported_as_isolation() {
    let text = confined("everything");
    assert!(says(&text, "LEVEL same-uid"), "{text}");
    assert!(says(&text, "READ-KEY DONE"), "{text}");
}

// Negative control: with `first_reachable` left out of `confine_host`, this reports landlock and fails.
#[test]
fn a_key_folder_below_a_given_path_is_noticed() {
    let text = confined("inside");
    assert!(says(&text, "LEVEL same-uid"), "{text}");
    assert!(text.contains("can still be opened"), "{text}");
}

/// Negative control: with no count of threads, this fails.
#[test]
fn threads_that_keep_their_access_are_noticed() {
    let text = confined("threads");
    assert!(says(&text, "LEVEL same-uid"), "{text}");
    assert!(text.contains("threads were running"), "{text}");
}

#[test]
fn a_folder_that_could_not_be_opened_before_shows_nothing() {
    let text = confined("absent");
    assert!(says(&text, "LEVEL same-uid"), "{text}");
    assert!(text.contains("before either"), "{text}");
}
