//! A person at a terminal, what the evidence says of a decision, and a refused call that is explained and then allowed.
//!
//! INVARIANT: a terminal is a real one, made by `script`; what is allowed in the end is what `explain deny` named and no more.

use std::{
    fs,
    io::Write as _,
    process::{Output, Stdio},
};

use aim_core::{access::UseApproval, digest::decode_hex, leaf::LeafKind};
use aim_hardening::key_file::{Role, load_public};
use aim_trust::{
    dsse::pae,
    key::{KeyRole, PublicKey},
    use_approval::USE_APPROVAL_TYPE,
};
use serde_json::{Value, json};

use crate::{
    approving::waiting,
    runs::{assert_verified, deployment},
    support::{Came, Place, guest},
};

const APPROVE: [&str; 7] = [
    "policy",
    "approve",
    "--plan=plan.acl",
    "--as=ann",
    "--key-dir=ann",
    "--days=7",
    "--data-dir=.aim",
];

fn at_a_terminal(place: &Place, typed: &str) -> Came {
    type_at_a_terminal(place, &APPROVE, typed)
}

/// `aimctl` at a terminal of its own, where somebody types `typed`. What it says is all on one stream there.
pub(crate) fn type_at_a_terminal(place: &Place, arguments: &[&str], typed: &str) -> Came {
    let line = format!("{} {}", env!("CARGO_BIN_EXE_aimctl"), arguments.join(" "));
    let mut command = place.terminal(&line);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(typed.as_bytes())
        .unwrap();
    let output: Output = child.wait_with_output().unwrap();
    output.into()
}

// Negative control: with `consent` taking any answer for a yes, `no` approves.
#[test]
fn a_person_at_a_terminal_is_asked_and_only_yes_is_a_yes() {
    let place = waiting();
    for typed in ["no\n", "Yes please\n", "\n", "\u{4}"] {
        let came = at_a_terminal(&place, typed);
        assert_eq!(came.code, 3, "{typed:?}: {}", came.text());
        let text = came.text();
        assert!(text.contains("type `yes`:"), "{typed:?}: {text}");
        assert!(text.contains("AIM-P037"), "{typed:?}: {text}");
        assert_eq!(place.read("approvals.toml"), "", "{typed:?}");
    }
    let came = at_a_terminal(&place, "yes\n");
    assert_eq!(came.code, 0, "{}", came.text());
    assert!(came.text().contains("approved until"), "{}", came.text());
    let written = place.read("approvals.toml");
    assert_eq!(written.matches("[[approved]]").count(), 1, "{written}");
    assert!(written.contains("\nsignature = \""), "{written}");
    let came = place.run(&["run", "plan.acl", "-i", "word=hello"]);
    assert_eq!(came.code, 0, "{}", came.stderr);

    let place = waiting();
    let came = place.run(&APPROVE);
    assert_eq!(came.code, 3, "{}", came.stderr);
    assert!(!came.stderr.contains("type `yes`"), "{}", came.stderr);
}

/// Who approved what, when, over which digest: in the log, signed by the approver, and covered by the log's signatures.
#[test]
fn an_approval_in_the_evidence_says_who_what_when_and_over_which_digest() {
    let place = waiting();
    place
        .run(&["run", "plan.acl", "-i", "word=hello"])
        .assert_refused(3, "AIM-P030");
    let came = place.run(&[&APPROVE[..], &["--yes"]].concat());
    assert_eq!(came.code, 0, "{}", came.stderr);
    let json = place.run(&["witness", "show", "last", "-ojson"]);
    let statement = &json.documents()[0];
    let predicate = &statement["predicate"];
    let approval: UseApproval = serde_json::from_value(predicate["approval"].clone()).unwrap();
    assert_eq!(
        (approval.approver.as_str(), approval.node.as_str()),
        ("ann", "echo")
    );
    let component = fs::read(place.path("components/echo.wasm")).unwrap();
    let component = aim_core::digest::Digest::of(&component);
    assert_eq!(approval.component, Some(component));
    assert_eq!(predicate["digest"], approval.digest().to_string());
    assert_eq!(
        statement["predicateType"],
        LeafKind::Answer.predicate_type()
    );
    assert!(predicate["actor"].as_str().unwrap().starts_with("uid:"));
    let given = predicate["answeredAt"].as_str().unwrap();
    assert!(given < approval.expires.to_string().as_str(), "{given}");
    // Anybody who has the approver's public key can check the approval itself, without the deployment's file.
    let public = load_public(&place.path("ann"), Role::Approver).unwrap();
    let public = PublicKey::from_bytes(KeyRole::Approver, &public).unwrap();
    let signature = decode_hex::<64>(predicate["signature"].as_str().unwrap()).unwrap();
    let message = pae(USE_APPROVAL_TYPE, &approval.bytes());
    public.verify(&message, &signature).unwrap();

    let text = place.run(&["witness", "show", "last"]).text();
    for said in ["approver ann", "capability artifact", "mode put", given] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_verified(&place);
    let log = place.path(".aim/log/evidence.log");
    let bytes = fs::read(&log).unwrap();
    let said = b"\"approver\":\"ann\"";
    let at = bytes
        .windows(said.len())
        .position(|one| one == said)
        .unwrap();
    let mut forged = bytes.clone();
    forged[at + 12..at + 15].copy_from_slice(b"ben");
    fs::write(&log, forged).unwrap();
    let came = place.run(&["verify", ".aim", "--key=aim.pub"]);
    assert_eq!(came.code, 4, "{}", came.text());
    fs::write(&log, bytes).unwrap();
    assert_verified(&place);
}

const STATE: &str = "kind: compute\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\nasks:\n\
  - { capability: config, scope: [region], values: { region: eu } }\n\
  - { capability: keyvalue, modes: [read], scope: [state] }\n";
const READS: &str = "@id(\"region\") permit (principal, action == Aim::Action::\"config\", resource);\n\
     @id(\"reads\") permit (principal, action == Aim::Action::\"keyvalue.read\", resource);\n";

/// A step that reads a bucket and then writes to it, with leave to read only.
fn reading() -> Place {
    let place = deployment();
    let state = fs::read(guest("conformance-state.wasm")).unwrap();
    place.write("components/echo.wasm", state);
    place.write("contracts/echo.yaml", STATE);
    place.write("p.cedar", READS);
    let plan = place.read("plan.acl");
    let one = plan.split("  STEP two:").next().unwrap().to_owned();
    place.write("plan.acl", one);
    place
}

fn write_a_key(place: &Place) -> Value {
    let set = json!({ "do": "set", "bucket": "state", "key": "n", "value": "1" });
    let calls = format!("calls={}", json!([set]));
    let came = place.run(&["run", "plan.acl", "--policy=p.cedar", "-i", &calls]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    let output = came.text().lines().next().unwrap().to_owned();
    serde_json::from_slice(&fs::read(place.path(&output)).unwrap()).unwrap()
}

// Negative control: the run before the grant is the control of the one after it.
#[test]
fn a_denied_call_is_explained_and_the_smallest_grant_that_is_named_allows_it() {
    let place = reading();
    assert_eq!(write_a_key(&place), json!([{ "err": "access-denied" }]));
    let shown = place.run(&["witness", "show", "1", "-ojson"]).documents();
    let denied = &shown[0]["predicate"]["hostCalls"]["denials"][0];
    let call = denied["call"].to_string();
    let explain = |more: &[&str]| {
        let arguments = ["explain", "deny", "last", "one", &call];
        let came = place.run(&[&arguments[..], more].concat());
        assert_eq!(came.code, 0, "{}", came.stderr);
        came
    };
    let text = explain(&[]).text();
    assert!(
        text.contains("keyvalue.write") && text.contains("`state`"),
        "{text}"
    );
    let document = explain(&["-ojson"]).documents().remove(0);
    assert_eq!(document["ask"], "keyvalue of `state` (read, write)");
    let permit = document["permit"].as_str().unwrap();
    assert!(permit.contains("Aim::Step::\"chain.one\""), "{permit}");
    assert!(permit.contains("Aim::Bucket::\"state\""), "{permit}");

    // Asked for and not permitted, it is no grant either.
    let asked = STATE.replace("[read]", "[read, write]");
    place.write("contracts/echo.yaml", &asked);
    let calls = "calls=[]";
    place
        .run(&["run", "plan.acl", "--policy=p.cedar", "-i", calls])
        .assert_refused(3, "AIM-A002");
    place.write("p.cedar", format!("{READS}{permit}"));
    assert_eq!(write_a_key(&place), json!([{ "ok": null }]));
    // It is the smallest: another bucket is as far away as before.
    let other = asked.replace("scope: [state]", "scope: [state, other]");
    place.write("contracts/echo.yaml", other);
    place
        .run(&["run", "plan.acl", "--policy=p.cedar", "-i", calls])
        .assert_refused(3, "AIM-A002");
}

/// A guest chooses what it names, and what is explained is meant to be pasted.
#[test]
fn a_name_that_no_contract_can_ask_for_gets_no_suggestion() {
    let place = reading();
    let odd = "a`state`\"); permit(principal, action, resource); //";
    let get = json!([{ "do": "get", "bucket": odd, "key": "n" }]);
    let calls = format!("calls={get}");
    let came = place.run(&["run", "plan.acl", "--policy=p.cedar", "-i", &calls]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let shown = place.run(&["witness", "show", "1", "-ojson"]).documents();
    let call = shown[0]["predicate"]["hostCalls"]["denials"][0]["call"].to_string();
    let explained = place.run(&["explain", "deny", "last", "one", &call, "-ojson"]);
    let document = explained.documents().remove(0);
    let change = document["change"].as_str().unwrap();
    assert!(change.contains("no contract can ask"), "{document}");
    assert!(
        document["ask"].is_null() && document["permit"].is_null(),
        "{document}"
    );
}

/// A statement is printed as it was signed, and a terminal acts on characters that JSON leaves alone.
#[test]
fn a_statement_on_a_terminal_has_nothing_that_one_acts_on() {
    let place = reading();
    let get = json!([{ "do": "get", "bucket": "a\u{9b}31m\u{202e}b", "key": "n" }]);
    let calls = format!("calls={get}");
    let came = place.run(&["run", "plan.acl", "--policy=p.cedar", "-i", &calls]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let show = ["witness", "show", "1", "-ojson"];
    let exact = place.run(&show).text();
    assert!(exact.contains('\u{9b}'), "{exact}");
    let shown = type_at_a_terminal(&place, &show, "").text();
    assert!(!shown.contains(['\u{9b}', '\u{202e}']), "{shown}");
    let read = |text: &str| serde_json::from_str::<Value>(text.trim()).unwrap();
    assert_eq!(read(&shown), read(&exact));
}
