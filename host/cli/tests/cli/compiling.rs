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
}

/// Negative control: with the IR put into the document as JSON of its own, no bytes are left to hash and this fails (seen).
#[test]
fn the_document_of_a_plan_holds_the_very_bytes_that_its_digest_is_of() {
    let plan = plan("good/user_authentication.acl");
    let place = Place::new();
    let came = place.run(&["compile", &plan]);
    let (_, ir) = came.stdout.split_last().unwrap();
    let documents = place.run(&["compile", &plan, "-o", "json"]).documents();
    let [document] = documents.as_slice() else {
        panic!("{documents:?}");
    };
    assert_eq!(document["$type"], "aim.compile/v1");
    let held = document["ir"].as_str().unwrap();
    assert_eq!(held.as_bytes(), ir);
    let digest = aim_core::digest::Digest::of(held.as_bytes()).to_string();
    assert_eq!(document["digest"].as_str(), Some(digest.as_str()));
    assert!(came.stderr.contains(&digest), "{}", came.stderr);
    assert_eq!(document["name"], "user_authentication");
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

const YAML: &str = "id: p\nsteps:\n  - id: a   # why\n    action: log\n  - { id: b, action: log }\n  - id: c\n    action: log\n    budget: { tokens: 5 }\n";
const MENDED: &str = "id: p\nsteps:\n  - id: a   # why\n    budget: {tokens: 10000, wall_ms: 300000, calls: 10}\n    action: log\n  \
                      - { id: b, action: log, budget: {tokens: 10000, wall_ms: 300000, calls: 10} }\n  - id: c\n    action: log\n    \
                      budget: { tokens: 5, wall_ms: 300000, calls: 10 }\n";

// Control: without a place for a budget in YAML, nothing is mended and this fails (seen).
#[test]
fn what_is_suggested_and_written_is_in_the_form_of_the_plan() {
    let place = Place::new();
    for (plan, suggested, mended) in [
        (
            TIDY,
            "`BUDGET tokens=10000, time=300s, tools=10`",
            "  BUDGET tokens=10000, time=5m, tools=10\n",
        ),
        (
            "pipeline \"p\" {\n  step a: Builder { }\n}\n",
            "`budget: { tokens: 10k, wall_ms: 300000, calls: 10 }`",
            "budget: { tokens: 10000, wall_ms: 300000, calls: 10 }",
        ),
        (
            YAML,
            "`budget: {tokens: 10000, wall_ms: 300000, calls: 10}`",
            MENDED,
        ),
    ] {
        place.write("plan.acl", plan);
        let before = place.run(&["compile", "plan.acl"]);
        let said = place.run(&["lint", "plan.acl"]);
        assert!(said.text().contains(suggested), "{}", said.text());
        assert_eq!(place.run(&["lint", "--fix", "plan.acl"]).code, 0);
        assert!(
            place.read("plan.acl").contains(mended),
            "{}",
            place.read("plan.acl")
        );
        let after = place.run(&["compile", "--strict", "plan.acl"]);
        assert_eq!((after.code, after.stdout), (0, before.stdout));
    }
}

#[test]
fn an_effect_that_is_missing_is_named_with_the_use_that_has_it() {
    let place = crate::runs::deployment();
    place.write(
        "plan.acl",
        "pipeline \"p\" {\n  role a: custom { node: \"echo\" }\n  step fetch: a { effects: [net.read] budget: { tokens: 1, wall_ms: 30000, calls: 1 } }\n}\n",
    );
    place.write(
        "contracts/echo.yaml",
        "kind: effect\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\n\
         asks: [{ capability: http, modes: [request], scope: [\"GET https://example.com:443/news\"] }]\n",
    );
    place.write("policy.cedar", "permit(principal, action, resource);\n");
    let deployment = format!("policy = \"policy.cedar\"\n{}", place.read("aim.toml"));
    place.write("aim.toml", deployment);
    let came = place.run(&["-o", "json", "lint", "plan.acl"]);
    assert_eq!(came.code, 2, "{}", came.stderr);
    let found = came.documents().remove(0);
    assert_eq!(found["code"], "ACL-E065");
    assert_eq!(
        found["message"],
        "`echo` is granted `net.write` for `http.request`, and the step does not declare it"
    );
    assert_eq!(
        found["help"],
        "write `effects: [net.read, net.write]` in the step, or take the ask out of the contract"
    );
    let source = place.read("plan.acl");
    place.write(
        "plan.acl",
        source.replace("[net.read]", "[net.read, net.write]"),
    );
    let came = place.run(&["lint", "plan.acl"]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
}
