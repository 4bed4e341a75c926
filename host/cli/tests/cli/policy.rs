//! `policy` as an operator uses it: check, test, explain, suggest, diff.

use std::{fs, path::PathBuf};

use crate::{
    runs::{assert_verified, deployment},
    support::{Came, Place, guest},
};

const COMPONENT: &str =
    "component=blake3:abababababababababababababababababababababababababababababababab";

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn run(place: &Place, arguments: &[&str]) -> Came {
    let mut all = vec!["policy"];
    all.extend(arguments);
    place.run(&all)
}

#[test]
fn a_good_policy_is_listed_and_a_bad_one_says_all_that_is_wrong() {
    let place = Place::new();
    place.write(
        "good/a.cedar",
        "@id(\"logs\") permit (principal, action == Aim::Action::\"log\", resource);\n",
    );
    place.write(
        "good/b.cedar",
        "\n@approval(\"person\") permit (principal, action, resource);\n",
    );
    let came = run(&place, &["check", "good"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert!(
        came.text().contains("logs (a.cedar:1)") && came.text().contains("b.cedar:2"),
        "{}",
        came.text()
    );
    let came = run(&place, &["check", "good", "-o", "json"]);
    let document = &came.documents()[0];
    assert_eq!(document["$type"], "aim.policy-check/v1");
    assert_eq!(document["rules"][0]["line"], 1);
    assert_eq!(document["rules"][1]["wantsApproval"], true);

    place.write("bad/a.cedar", "permit (principal, action, resource\n");
    place.write(
        "bad/b.cedar",
        "permit (principal, action == Aim::Action::\"fly\", resource);\n",
    );
    place.write(
        "bad/c.cedar",
        "\n\n@aproval(\"person\") permit (principal, action, resource);\n",
    );
    let came = run(&place, &["check", "bad"]);
    came.assert_refused(2, "AIM-P001");
    for what in ["AIM-P002", "AIM-P006", "c.cedar:3", "b.cedar:1"] {
        assert!(came.stderr.contains(what), "{what}: {}", came.stderr);
    }
    run(&place, &["check", "nowhere"]).assert_refused(6, "AIM-C001");
}

/// The corpus that the library decides in the driver's own tests, here through the program.
#[test]
fn the_program_decides_every_row_of_the_corpus_as_the_row_says() {
    let place = Place::new();
    let mut rows = 0;
    for entry in fs::read_dir(root("tests/policy")).unwrap() {
        let path = entry.unwrap().path();
        let came = run(&place, &["test", path.to_str().unwrap(), "-o", "json"]);
        assert_eq!(
            came.code,
            0,
            "{}: {}{}",
            path.display(),
            came.text(),
            came.stderr
        );
        let documents = came.documents();
        let (summary, cases) = documents.split_last().unwrap();
        assert_eq!(summary["$type"], "aim.policy-test/v1");
        assert_eq!(
            (summary["cases"].as_u64(), summary["differ"].as_u64()),
            (Some(cases.len() as u64), Some(0))
        );
        for case in cases {
            assert_eq!(case["$type"], "aim.policy-case/v1");
            assert_eq!(case["verdict"], case["expected"], "{case}");
        }
        rows += cases.len();
    }
    assert!(rows >= 100, "{rows}");
}

#[test]
fn a_verdict_that_differs_exits_1_and_no_cases_exit_2() {
    let place = Place::new();
    place.write(
        "p.cedar",
        "@id(\"logs\") permit (principal, action == Aim::Action::\"log\", resource);\n",
    );
    let cases = format!(
        "[request]\nplan = \"p\"\nstep = \"s\"\nnode = \"n\"\ntenant = \"global\"\n{}\"\n\
         [[case]]\nname = \"log\"\nrequest = {{ action = \"log\" }}\nverdict = \"allow\"\n\
         [[case]]\nname = \"budget\"\nrequest = {{ action = \"budget\" }}\nverdict = \"VERDICT\"\n",
        COMPONENT.replace('=', " = \"")
    );
    place.write("right.toml", cases.replace("VERDICT", "deny"));
    place.write("wrong.toml", cases.replace("VERDICT", "allow"));
    let came = run(&place, &["test", "right.toml", "--policy", "p.cedar"]);
    assert_eq!(
        (came.code, came.text().as_str()),
        (0, "2 cases, 0 differ\n"),
        "{}",
        came.stderr
    );
    let came = run(&place, &["test", "wrong.toml", "--policy", "p.cedar"]);
    assert_eq!(came.code, 1);
    assert!(
        came.text().contains("budget: expected allow, is deny"),
        "{}",
        came.text()
    );
    run(&place, &["test", "right.toml"]).assert_refused(2, "AIM-P010");
    place.write("empty.toml", "");
    run(&place, &["test", "empty.toml"]).assert_refused(2, "AIM-P010");
    run(&place, &["test", "nowhere.toml"]).assert_refused(6, "AIM-C041");
}

fn explain(place: &Place, policy: &str, action: &str, more: &[&str]) -> Came {
    let action = format!("action={action}");
    let request = [
        "plan=triage",
        "step=ingest",
        "node=n",
        COMPONENT,
        "tenant=global",
    ];
    let mut all = vec!["explain", policy, &action];
    all.extend(request);
    all.extend(more);
    run(place, &all)
}

#[test]
fn an_explanation_names_rules_and_the_smallest_change() {
    let place = Place::new();
    let forbid = "\n@id(\"no-put\") forbid (principal, action == Aim::Action::\"artifact.put\", resource);\n";
    place.write(
        "p.cedar",
        format!(
            "@id(\"logs\") permit (principal, action == Aim::Action::\"log\", resource);{forbid}"
        ),
    );
    let of = |action: &str, more: &[&str]| explain(&place, "p.cedar", action, more);
    let came = of("log", &[]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert!(
        came.text().contains("permits    logs (p.cedar:1)"),
        "{}",
        came.text()
    );

    let came = of("filesystem.read", &["resource=logs", "-o", "json"]);
    assert_eq!(came.code, 3);
    let document = &came.documents()[0];
    assert_eq!(
        (&document["$type"], &document["verdict"]),
        (&"aim.policy-explain/v1".into(), &"deny".into())
    );
    assert_eq!(document["change"]["kind"], "add");
    let rule = document["change"]["add"].as_str().unwrap();
    place.write("more/added.cedar", rule);
    for (name, exit) in [("resource=logs", 0), ("resource=keys", 3)] {
        let came = explain(&place, "more", "filesystem.read", &[name]);
        assert_eq!(
            came.code,
            exit,
            "it allows this and nothing else: {}",
            came.text()
        );
    }

    let came = of("artifact.put", &["-o", "json"]);
    assert_eq!(came.documents()[0]["change"]["kind"], "except");
    assert_eq!(came.documents()[0]["forbids"][0]["line"], 2);
    of("artifact.fly", &[]).assert_refused(2, "AIM-P012");
    of("log", &["colour=red"]).assert_refused(2, "AIM-P012");
    run(&place, &["explain", "p.cedar", "action=log"]).assert_refused(2, "AIM-P012");
}

#[test]
fn a_suggested_policy_grants_the_example_what_it_asks_and_nothing_else() {
    let _is_built = guest("triage-ingest.wasm");
    let place = Place::new();
    let plan = root("examples/incident-triage/plan.acl");
    let plan = plan.to_str().unwrap();
    let came = run(&place, &["suggest", "--plan", plan]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    place.write("suggested.cedar", came.text());
    assert!(
        came.text().contains("Aim::Folder::\"logs\""),
        "{}",
        came.text()
    );
    assert!(
        !came.text().contains("permit (principal, action"),
        "{}",
        came.text()
    );

    let shipped = root("examples/incident-triage/policy");
    let came = run(
        &place,
        &[
            "diff",
            shipped.to_str().unwrap(),
            "suggested.cedar",
            "--plan",
            plan,
        ],
    );
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert!(
        came.text().ends_with(" requests, 0 changes\n"),
        "{}",
        came.text()
    );

    place.write(
        "none.cedar",
        "@id(\"never\") forbid (principal, action, resource);\n",
    );
    let came = run(
        &place,
        &[
            "diff",
            "suggested.cedar",
            "none.cedar",
            "--plan",
            plan,
            "-o",
            "json",
        ],
    );
    let documents = came.documents();
    let (summary, rows) = documents.split_last().unwrap();
    assert_eq!(summary["changes"], summary["requests"]);
    assert!(
        rows.len() > 3
            && rows
                .iter()
                .all(|row| row["was"] == "allow" && row["becomes"] == "deny")
    );
    assert_eq!(rows[0]["becomesBy"][0]["name"], "never");
}

/// A policy on trial: its refusals are in the witness, `suggest --run` writes what they need, and the run is as without.
#[test]
fn a_policy_on_trial_is_counted_and_its_least_successor_is_suggested() {
    let place = deployment();
    let asks = "kind: compute\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\n\
                asks: [{ capability: artifact, modes: [put] }]\n";
    place.write("contracts/echo.yaml", asks);
    place.write("now.cedar", "permit (principal, action, resource);\n");
    place.write(
        "next.cedar",
        "@id(\"no-put\") forbid (principal, action, resource);\n",
    );
    let config = fs::read_to_string(place.path("aim.toml")).unwrap();
    place.write(
        "aim.toml",
        format!("policy = \"now.cedar\"\nmonitor = \"next.cedar\"\n{config}"),
    );
    let came = place.run(&["run", "plan.acl", "-i", "word=hello"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_verified(&place);
    let came = place.run(&["witness", "show", "1", "-o", "json"]);
    assert!(
        came.text().contains("would_deny") && came.text().contains("no-put"),
        "{}",
        came.text()
    );
    let came = run(&place, &["suggest", "--run", "last"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_eq!(
        came.text().matches("permit (").count(),
        2,
        "{}",
        came.text()
    );
    assert!(
        came.text().contains("Aim::Step::\"chain.one\""),
        "{}",
        came.text()
    );

    // A trial never grants: with the two exchanged, nothing runs.
    place.write(
        "aim.toml",
        format!("policy = \"next.cedar\"\nmonitor = \"now.cedar\"\n{config}"),
    );
    place
        .run(&["run", "plan.acl", "-i", "word=hello"])
        .assert_refused(3, "AIM-A002");
    // And a trial that can't be held is no trial without findings.
    place.write("next.cedar", "permit (");
    place.write(
        "aim.toml",
        format!("policy = \"now.cedar\"\nmonitor = \"next.cedar\"\n{config}"),
    );
    place
        .run(&["run", "plan.acl", "-i", "word=hello"])
        .assert_refused(2, "AIM-P001");
}

/// The question with this policy: how many runs there are then, and which policies their witnesses name.
fn under(place: &Place, policy: &str) -> (Came, usize, Vec<String>) {
    place.write("p.cedar", policy);
    let came = place.run(&["run", "plan.acl", "-i", "word=hello"]);
    let runs = place.run(&["runs", "-o", "json"]).documents().len();
    let named = (1..=6).filter_map(|leaf| {
        let shown = place.run(&["witness", "show", &leaf.to_string(), "-o", "json"]);
        let text = shown.text();
        let (_, rest) = text.split_once("\"policy\":\"blake3:")?;
        Some(rest.chars().take(64).collect())
    });
    (came, runs, named.collect())
}

/// P10. Negative control: with a fixed digest of the policy in the lock, the second policy is never asked (seen).
#[test]
fn p10_what_one_policy_allowed_is_asked_again_of_a_changed_one() {
    let place = deployment();
    let asks = "kind: compute\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\n\
                asks: [{ capability: artifact, modes: [put] }]\n";
    place.write("contracts/echo.yaml", asks);
    let config = fs::read_to_string(place.path("aim.toml")).unwrap();
    place.write("aim.toml", format!("policy = \"p.cedar\"\n{config}"));
    let all = "permit (principal, action, resource);\n";
    let (came, runs, first) = under(&place, all);
    assert_eq!((came.code, runs), (0, 1), "{}", came.stderr);
    assert!(first.iter().all(|one| *one == first[0]), "{first:?}");
    let (came, runs, _) = under(&place, all);
    assert_eq!((came.code, runs), (0, 1), "the same question");
    let (came, runs, both) = under(
        &place,
        "@id(\"anew\") permit (principal, action, resource);\n",
    );
    assert_eq!((came.code, runs), (0, 2), "{}", came.stderr);
    assert_eq!(both.len(), 2 * first.len(), "each names its own: {both:?}");
    assert_ne!(both[0], both[both.len() - 1]);
    let (came, runs, _) = under(&place, "forbid (principal, action, resource);\n");
    came.assert_refused(3, "AIM-A002");
    assert_eq!(runs, 2, "nothing ran");
    assert_verified(&place);
}

#[test]
fn a_refused_load_is_explained_from_the_log_alone() {
    let place = deployment();
    let asks = "kind: compute\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\n\
                asks: [{ capability: artifact, modes: [put] }]\n";
    place.write("contracts/echo.yaml", asks);
    place.write(
        "p.cedar",
        "@id(\"log\") permit (principal, action == Aim::Action::\"log\", resource);\n",
    );
    let refused = place.run(&["run", "plan.acl", "-i", "word=hello", "--policy", "p.cedar"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    fs::remove_file(place.path("p.cedar")).unwrap();
    let came = place.run(&["explain", "deny", "load", "1", "-o", "json"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let document = &came.documents()[0];
    assert_eq!(document["$type"], "aim.explain-deny/v1");
    assert_eq!(
        (&document["step"], &document["node"]),
        (&"one".into(), &"echo".into())
    );
    let permit = document["permit"].as_str().unwrap().to_owned();
    let text = place.run(&["explain", "deny", "load", "1"]).text();
    assert!(text.contains("no rule permits it"), "{text}");
    // What it names, for both steps, is enough to run.
    let other = place
        .run(&["explain", "deny", "load", "2", "-o", "json"])
        .documents()
        .remove(0);
    place.write(
        "p.cedar",
        format!("{permit}\n{}", other["permit"].as_str().unwrap()),
    );
    let came = place.run(&["run", "plan.acl", "-i", "word=hello", "--policy", "p.cedar"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    place
        .run(&["explain", "deny", "last", "one", "0"])
        .assert_refused(6, "AIM-P014");
    place
        .run(&["explain", "deny", "last", "x"])
        .assert_refused(6, "AIM-P014");
    place
        .run(&["explain", "deny", "load", "0"])
        .assert_refused(6, "AIM-P014");
}

/// The rule of the guide, as it stands there.
/// Negative control: with an IPv4-mapped address given to policy as it is written, no rule can read it, everything is denied for
/// that, and this fails (seen).
#[test]
fn the_guides_rule_about_addresses_catches_an_address_however_it_is_written() {
    let guide = fs::read_to_string(root("docs/guides/policy.md")).unwrap();
    let (_, rest) = guide.split_once("```cedar\n").unwrap();
    let (rules, _) = rest.split_once("```").unwrap();
    let place = Place::new();
    place.write("pay.cedar", rules);
    assert_eq!(run(&place, &["check", "pay.cedar"]).code, 0);
    let at = |address: &str| {
        let address = format!("address={address}");
        let endpoint = "resource=POST https://api.example:443/v1/";
        explain(&place, "pay.cedar", "http.request", &[endpoint, &address])
    };
    for open in [
        "93.184.216.34",
        "2606:2800:220:1::1",
        "::ffff:93.184.216.34",
    ] {
        let came = at(open);
        assert_eq!(came.code, 0, "{open}: {}{}", came.text(), came.stderr);
    }
    for closed in [
        "127.0.0.1",
        "::1",
        "10.1.2.3",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
    ] {
        let came = at(closed);
        assert_eq!(came.code, 3, "{closed}: {}", came.text());
        assert!(
            came.text().contains("never-ourselves"),
            "{closed}: {}",
            came.text()
        );
    }
}
