//! What waits for a person: shown, asked for at a terminal only, signed, and held against every run.
//!
//! INVARIANT: each case but the first starts from an approval that counts, and changes one thing about it.

use std::fs;

use aim_core::{access::SignedUseApproval, time::Timestamp};
use aim_hardening::key_file::{Role, load_secret};
use aim_registry_dir::{Registry, approval_text};
use aim_schema_json::JsonSchemas;
use aim_trust::{
    key::{KeyRole, SecretKey},
    use_approval::sign,
};

use serde_json::Value;

use crate::{
    runs::{assert_verified, deployment},
    support::{Came, Place},
};

const ECHO: &str = "kind: compute\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\n\
                    asks: [{ capability: artifact, modes: [put] }]\n";
const PERSON: &str =
    "@id(\"person\") @approval(\"person\") permit (principal, action, resource);\n";

pub(crate) fn waiting() -> Place {
    let place = deployment();
    place.write("contracts/echo.yaml", ECHO);
    place.write("p.cedar", PERSON);
    place.write("approvals.toml", "");
    place.list_approver("ann");
    let config = place.read("aim.toml");
    place.write(
        "aim.toml",
        format!("policy = \"p.cedar\"\napprovals = \"approvals.toml\"\n{config}"),
    );
    place
}

fn approve(place: &Place, more: &[&str]) -> Came {
    let mut all = vec!["policy", "approve", "--plan", "plan.acl"];
    all.extend(["--as", "ann", "--key-dir", "ann"]);
    all.extend(more);
    place.run(&all)
}

fn run(place: &Place) -> Came {
    place.run(&["run", "plan.acl", "-i", "word=hello"])
}

fn approved() -> Place {
    let place = waiting();
    let came = approve(&place, &["--yes"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    place
}

#[test]
fn nobody_is_asked_without_a_terminal_and_what_is_approved_runs() {
    let place = waiting();
    run(&place).assert_refused(3, "AIM-P030");
    let explained = place.run(&["explain", "deny", "load", "1"]);
    assert!(
        explained.text().contains("aimctl policy approve"),
        "{}{}",
        explained.text(),
        explained.stderr
    );
    let came = approve(&place, &[]);
    assert_eq!(came.code, 3, "{}", came.stderr);
    assert!(came.stderr.contains("AIM-P037") && came.stderr.contains("--yes"));
    assert!(came.text().contains("artifact.put"), "{}", came.text());
    assert_eq!(place.read("approvals.toml"), "", "nothing was approved");

    let came = approve(&place, &["--yes"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let came = run(&place);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_verified(&place);
    let came = approve(&place, &[]);
    assert_eq!(
        (came.code, came.text().as_str()),
        (0, ""),
        "nothing waits any more: {}",
        came.stderr
    );
}

#[test]
fn an_approval_without_the_approvers_signature_is_refused() {
    let place = approved();
    let good = place.read("approvals.toml");
    let lines: Vec<&str> = good
        .lines()
        .filter(|l| !l.starts_with("signature"))
        .collect();
    place.write("approvals.toml", lines.join("\n"));
    run(&place).assert_refused(3, "AIM-P031");
    let later = good.replace("approval.expires = \"2", "approval.expires = \"3");
    assert_ne!(later, good);
    place.write("approvals.toml", later);
    run(&place).assert_refused(3, "AIM-P032");
    // The same name with another key is another person.
    place.write("approvals.toml", &good);
    let other = place.run(&["keys", "new", "approver", "ben"]).text();
    let other = other.lines().nth(1).unwrap().replace("approver ", "");
    let config = place.read("aim.toml");
    let at = config.find("key = \"").unwrap() + 7;
    let (before, rest) = config.split_at(at);
    place.write(
        "aim.toml",
        format!("{before}{other}{}", rest.get(64..).unwrap()),
    );
    run(&place).assert_refused(3, "AIM-P032");
    let came = approve(&place, &["--yes"]);
    assert_eq!(came.code, 3, "{}", came.stderr);
    assert!(came.stderr.contains("AIM-G029"), "{}", came.stderr);
    place.write("approvals.toml", "approved = 1\n");
    run(&place).assert_refused(2, "AIM-P038");
}

#[test]
fn an_approval_that_expired_is_refused() {
    let place = approved();
    let registry = Registry::load(&place.path("aim.toml"), &JsonSchemas).unwrap();
    let good = registry.read_approvals().unwrap().uses.remove(0);
    let seed = load_secret(&place.path("ann"), Role::Approver).unwrap();
    let key = SecretKey::from_bytes(KeyRole::Approver, seed.bytes());
    let mut old = good.approval;
    old.expires = Timestamp::from_millis(1_000);
    let signed: SignedUseApproval = sign(old, &key);
    place.write("approvals.toml", approval_text(&signed));
    run(&place).assert_refused(3, "AIM-P033");
}

#[test]
fn an_approval_of_another_use_component_or_tenant_is_refused_and_a_forbid_stays() {
    let place = approved();
    assert_eq!(run(&place).code, 0);
    place.write("contracts/echo.yaml", ECHO.replace("[put]", "[read]"));
    run(&place).assert_refused(3, "AIM-P034");
    place.write("contracts/echo.yaml", ECHO);

    let config = place.read("aim.toml");
    place.write("aim.toml", format!("tenant = \"other\"\n{config}"));
    run(&place).assert_refused(3, "AIM-P036");
    place.write("aim.toml", config);

    place.write(
        "p.cedar",
        format!("{PERSON}@id(\"never\") forbid (principal, action, resource);\n"),
    );
    let came = run(&place);
    came.assert_refused(3, "AIM-A002");
    assert!(came.stderr.contains("never"), "{}", came.stderr);
    place.write("p.cedar", PERSON);

    let mut bytes = fs::read(place.path("components/echo.wasm")).unwrap();
    // An empty custom section: the same program, other bytes.
    bytes.extend([0, 2, 1, b'x']);
    place.write("components/echo.wasm", bytes);
    run(&place).assert_refused(3, "AIM-P035");
}

/// An old contract with its old component is put back; `policy approve` lists it, and a signed leave lets it run until it
/// is taken away again. With another signature it counts for nothing.
#[test]
fn an_older_version_waits_for_an_approver_and_runs_once_there_is_one() {
    let place = approved();
    let older = fs::read(place.path("components/echo.wasm")).unwrap();
    assert_eq!(run(&place).code, 0);
    // The same program with other bytes, in the name of a newer version.
    let mut newer = older.clone();
    newer.extend([0, 2, 1, b'x']);
    place.write("contracts/echo.yaml", ECHO.replace("0.1.0", "0.2.0"));
    place.write("components/echo.wasm", newer);
    assert_eq!(approve(&place, &["--yes"]).code, 0, "the new bytes");
    let came = run(&place);
    assert_eq!(came.code, 0, "{}", came.stderr);

    place.write("contracts/echo.yaml", ECHO);
    place.write("components/echo.wasm", older);
    run(&place).assert_refused(3, "AIM-A060");
    let explained = place.run(&["witness", "show", "last"]).text();
    assert!(explained.contains("AIM-A060"), "{explained}");
    let before = place.read("approvals.toml");
    let came = approve(&place, &[]);
    assert_eq!(came.code, 3, "nobody is asked without a terminal");
    assert!(
        came.text().contains("echo  version 0.1.0 after 0.2.0"),
        "{}",
        came.text()
    );
    let came = approve(&place, &["--yes"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let good = place.read("approvals.toml");
    let leave = good.strip_prefix(before.as_str()).unwrap();
    assert!(leave.contains("[[downgraded]]"), "{leave}");
    let came = run(&place);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_verified(&place);
    assert_eq!(approve(&place, &[]).text(), "", "nothing waits any more");
    let forged = leave.replace("approval.expires = \"2", "approval.expires = \"3");
    place.write("approvals.toml", format!("{before}{forged}"));
    run(&place).assert_refused(3, "AIM-A060");
}

/// Whoever has the approvers' keys needs nothing of the deployment: an export is checked like the log, and lacks nothing.
///
/// Negative control: with `write_approvals` left out of `execute`, no log of the run verifies and this fails (seen).
#[test]
fn an_auditor_holds_each_approval_against_the_key_of_who_gave_it() {
    let place = approved();
    assert_eq!(run(&place).code, 0);
    let machine = place.run(&["keys", "show"]).text();
    let config = place.read("aim.toml");
    let (_, ann) = config.split_once("key = \"").unwrap();
    let ann = format!("approver {}", ann.get(..64).unwrap());
    let ben = place.run(&["keys", "new", "approver", "ben"]).text();
    let ben = ben.lines().nth(1).unwrap();
    for export in [&["-fplain.json"][..], &["--replayable", "-fwhole.json"]] {
        let came = place.run(&[&["witness", "export"], export].concat());
        assert_eq!(came.code, 0, "{}", came.stderr);
    }
    for evidence in [".aim", "plain.json", "whole.json"] {
        let verify = |person: &str| {
            place.write("known.pub", format!("{machine}{person}"));
            place.run(&["verify", evidence, "--key", "known.pub"])
        };
        let came = verify("");
        assert_eq!(came.code, 0, "{evidence}: {}", came.text());
        assert!(
            came.text().contains("who gave 1 answers"),
            "{evidence}: {}",
            came.text()
        );
        let came = verify(&format!("{ann}\n"));
        assert_eq!(came.code, 0, "{evidence}: {}", came.text());
        assert!(
            !came.text().contains("who gave"),
            "{evidence}: {}",
            came.text()
        );
        let came = verify(&format!("{ben}\n"));
        assert_eq!(came.code, 4, "{evidence}: {}", came.text());
        assert!(
            came.text().contains("AIM-E016"),
            "{evidence}: {}",
            came.text()
        );
    }
    // The approval is the first statement of the run; without it nobody has let the step do what its lock says.
    let mut document: Value = serde_json::from_str(&place.read("whole.json")).unwrap();
    document["witnesses"].as_array_mut().unwrap().remove(0);
    place.write("less.json", document.to_string());
    let came = place.run(&["verify", "less.json", "--key", "known.pub"]);
    assert_eq!(came.code, 4, "{}", came.text());
    assert!(
        came.text().contains("AIM-R084") && came.text().contains("which the lock names"),
        "{}",
        came.text()
    );
}
