//! `compile` and `lint`, on plans of the language's own corpus.

use crate::support::{Place, plan};

#[test]
fn compiling_prints_the_canonical_ir_and_nothing_else() {
    let plan = plan("good/user_authentication.acl");
    let place = Place::new();
    let came = place.run(&["compile", &plan]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let (last, ir) = came.stdout.split_last().unwrap();
    assert_eq!(*last, b'\n');
    let read = aim_core::plan::Plan::from_json(ir).unwrap();
    assert_eq!(read.to_json(), ir);
    assert!(
        came.stderr.contains(&read.digest().to_string()),
        "{}",
        came.stderr
    );
    assert_eq!(
        place.run(&["compile", &plan, "-o", "json"]).stdout,
        came.stdout
    );
}

#[test]
fn a_plan_that_does_not_compile_leaves_stdout_empty_and_shows_the_line() {
    let came = Place::new().run(&["compile", &plan("bad/ACL-E010-unknown_step.acl")]);
    came.assert_refused(2, "ACL-E010");
    assert!(came.stderr.contains("gahter") && came.stderr.contains("did you mean `gather`?"));
    assert!(came.stderr.contains("unknown_step.acl:"), "{}", came.stderr);
}

#[test]
fn lint_says_everything_at_once_and_exits_as_usage() {
    let path = plan("bad/ACL-E010-unknown_step.acl");
    let place = Place::new();
    let came = place.run(&["lint", &path]);
    assert_eq!(came.code, 2);
    assert_eq!(
        came.text().matches("error ACL-E010: ").count(),
        2,
        "{}",
        came.text()
    );
    let documents = place.run(&["lint", &path, "-o", "json"]).documents();
    let found = documents
        .iter()
        .map(|one| (one["code"].as_str(), one["line"].as_u64()));
    let expected = [
        ("ACL-E016", 2),
        ("ACL-E016", 4),
        ("ACL-E010", 6),
        ("ACL-E010", 6),
    ];
    let expected = expected.map(|(code, line)| (Some(code), Some(line)));
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert!(documents.iter().all(|one| one["$type"] == "aim.error/v1"));
}

#[test]
fn warnings_alone_are_no_failure_unless_budgets_are_demanded() {
    let path = plan("good/one_step.acl");
    let place = Place::new();
    let lenient = place.run(&["lint", &path]);
    assert_eq!(lenient.code, 0);
    assert!(lenient.text().contains("ACL-E016"));
    assert_eq!(place.run(&["lint", &path, "--strict"]).code, 2);
}

// Without the replacement in drawn sources, this printed the escape sequence.
#[test]
fn hidden_characters_of_a_plan_reach_neither_terminal_nor_log() {
    let place = Place::new();
    place.write(
        "evil.acl",
        "PLAN hello:\nSTEP a\u{1b}]0;owned\u{7}\u{202e}:\n",
    );
    for arguments in [
        ["lint", "evil.acl", "-otext"],
        ["lint", "evil.acl", "-ojson"],
    ] {
        let came = place.run(&arguments);
        assert_eq!(came.code, 2);
        let all = came.text() + &came.stderr;
        assert!(!all.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{all:?}");
    }
}

#[test]
fn whoever_stops_reading_gets_no_error() {
    let place = Place::new();
    let mut command = place.command(&["compile", &plan("good/user_authentication.acl")]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let came: crate::support::Came = {
        let child = command
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(command);
        child.wait_with_output().unwrap().into()
    };
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert!(!came.stderr.contains("error"), "{}", came.stderr);
}

const MESSY: &str = "PLAN p:\n# why\nSTEP a:\nASSIGN builder:'x'\n";
const TIDY: &str = "PLAN p:\n# why\nSTEP a:\n  ASSIGN builder: \"x\"\n";

// Control: with the writing done under `--check` as well, the second assertion fails.
#[test]
fn formatting_writes_the_one_layout_and_checking_only_names_what_differs() {
    let place = Place::new();
    place.write("plan.acl", MESSY);
    let checked = place.run(&["fmt", "--check", "plan.acl"]);
    assert_eq!((checked.code, checked.text().trim()), (2, "plan.acl"));
    assert_eq!(place.read("plan.acl"), MESSY);
    assert_eq!(place.run(&["fmt", "plan.acl"]).code, 0);
    assert_eq!(place.read("plan.acl"), TIDY);
    assert_eq!(place.run(&["fmt", "--check", "plan.acl"]).code, 0);
}

#[test]
fn a_plan_with_faults_is_shown_and_left_alone() {
    let place = Place::new();
    place.write("plan.acl", "PLAN p:\nSTPE a:\n");
    place
        .run(&["fmt", "plan.acl"])
        .assert_refused(2, "ACL-E004");
    assert_eq!(place.read("plan.acl"), "PLAN p:\nSTPE a:\n");
}

#[test]
fn mending_writes_what_was_unsaid_and_compiles_to_the_same_bytes() {
    let place = Place::new();
    place.write("plan.acl", TIDY);
    let before = place.run(&["compile", "plan.acl"]);
    let came = place.run(&["lint", "--fix", "plan.acl"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert!(
        came.text().is_empty() && came.stderr.contains("mended 1 place"),
        "{}",
        came.stderr
    );
    assert!(
        place
            .read("plan.acl")
            .contains("BUDGET tokens=10000, time=5m, tools=10")
    );
    let after = place.run(&["compile", "plan.acl", "--profile", "strict"]);
    assert_eq!((before.stdout, after.code), (after.stdout, 0));
}

#[test]
fn imports_are_read_beside_the_plan_and_pinned_by_their_bytes() {
    let place = Place::new();
    let plan = "import policy \"rules.aclp\" as house\npipeline \"p\" {\n  header { policy: house }\n  step a: Builder { }\n}\n";
    place.write("plan.acl", plan);
    place
        .run(&["compile", "plan.acl"])
        .assert_refused(2, "ACL-E055");
    const RULES: &str = "permit (principal, action, resource);";
    place.write("rules.aclp", "no rules");
    place
        .run(&["compile", "plan.acl"])
        .assert_refused(2, "AIM-P001");
    place.write("rules.aclp", RULES);
    let first = place.run(&["compile", "plan.acl"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let digest = aim_core::digest::Digest::of(RULES.as_bytes()).to_string();
    assert!(first.text().contains(&digest), "{}", first.text());
    place.write("rules.aclp", format!("{RULES} // again"));
    assert_ne!(place.run(&["compile", "plan.acl"]).stdout, first.stdout);
}
