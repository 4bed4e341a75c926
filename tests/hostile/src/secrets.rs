//! S1 to S9: text that wants to be something else, and secrets that want to get out.
//!
//! INVARIANT: what a guest says is shown as what it is, and what a host knows is said to nobody.

use std::sync::Arc;

use aim_core::{access::Capability, digest::Digest, name::NodeId, outcome::Outcome};
use aim_engine::StepEnd;
use aim_trust::key::{KeyRole, SecretKey};
use serde_json::Value;

use crate::{
    case::{Case, holds},
    component::guest,
    instance::{NoServices, call, linked, wait},
    rig::SECRETS,
};

fn hostile() -> aim_engine::LinkedStep {
    let capabilities = [
        Capability::Budget,
        Capability::Log,
        Capability::Artifact,
        Capability::Consult,
    ];
    linked(&guest("hostile"), &capabilities)
}

/// Negative control: with `neutralise` handing text through, the escapes are in the lines.
#[test]
fn s1_escapes_of_terminals_become_visible_text() {
    Case::hostile("s1-terminal-escapes").ends(&[Outcome::Completed]);
    let report = wait(hostile().invoke(call("s1-terminal-escapes", "", Arc::new(NoServices))));
    assert_eq!(report.logs.len(), 8);
    for line in &report.logs {
        let fields = line
            .fields
            .iter()
            .flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let all: String = fields.chain([line.message.as_str()]).collect();
        let hidden = ['\u{202e}', '\u{2066}', '\u{2028}', '\u{200f}'];
        assert!(
            !all.chars().any(|c| c.is_control() || hidden.contains(&c)),
            "{all:?}"
        );
    }
    assert!(report.logs[0].message.contains("\\u{1b}[31mred"));
}

/// One call makes one record, with the guest's text in quoted fields of it, wherever it is kept.
/// Negative control: with `text::neutralise` handing text through, this fails.
#[test]
fn s2_a_line_that_looks_like_a_record_of_the_host_stays_inside_of_one() {
    let attempt = Case::hostile("s2-forged-record").ends(&[Outcome::Completed]);
    assert!(attempt.host_calls.logs.is_some());
    let report = wait(hostile().invoke(call("s2-forged-record", "", Arc::new(NoServices))));
    assert_eq!(report.logs.len(), 1);
    let line = &report.logs[0];
    assert_eq!(line.source, "log");
    assert!(
        line.message.contains("done\\u{a}{\"level\""),
        "{}",
        line.message
    );
    assert!(!line.message.contains('\n') && !line.fields[0].0.contains('\n'));
}

/// The host's own words about a failure (a path, a user's number) stop at the door: a guest learns the kind alone.
/// Negative control: with the port's detail in `door::port_error` both are in the answer.
#[tokio::test]
async fn s5_a_guest_learns_what_failed_and_nothing_about_the_host() {
    let known = Digest::of(b"an input");
    let mut call = call(
        "s5-host-errors",
        &format!("{{\"known\":\"{known}\"}}"),
        Arc::new(NoServices),
    );
    call.envelope.artifacts = vec![aim_core::envelope::ArtifactRef {
        digest: known,
        media_type: "text/plain".to_owned(),
        size_bytes: 8,
    }];
    call.grant = Arc::new(aim_core::access::Grant {
        asks: vec![artifact_ask()],
        policy: None,
    });
    let report = hostile().invoke(call).await;
    let StepEnd::Answered(emissions) = &report.end else {
        panic!("{:?}", report.end);
    };
    let said: Value = serde_json::from_slice(&emissions[0].body).unwrap();
    let said = said["said"].to_string();
    assert!(
        said.contains("Unavailable") && said.contains("Denied"),
        "{said}"
    );
    for secret in [
        "/etc/secret-place",
        "4711",
        env!("CARGO_MANIFEST_DIR"),
        "src/",
    ] {
        assert!(!said.contains(secret), "`{secret}` in {said}");
    }
}

fn artifact_ask() -> aim_core::access::Ask {
    let mut ask = aim_core::access::Ask::plain(Capability::Artifact);
    ask.modes = Capability::Artifact.modes().iter().copied().collect();
    ask
}

/// What is printed for debugging shows no secret. The seeds of key files have a test of their own beside them.
/// Negative control: with `Debug` printing the key, this fails.
#[test]
fn s7_debug_print_of_a_secret_shows_nothing_of_it() {
    for (role, bytes) in [(KeyRole::Step, SECRETS[0]), (KeyRole::Log, SECRETS[1])] {
        let secret = SecretKey::from_bytes(role, &bytes);
        let shown = format!("{secret:?} {secret:#?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(
            !shown.contains(&bytes.map(|byte| byte.to_string()).join(", ")),
            "{shown}"
        );
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!shown.contains(&hex), "{shown}");
    }
}

/// Ids become names of files and of what is counted, so their alphabet has nothing that either would act on.
/// Negative control: with every text an id, this fails.
#[test]
fn s8_an_id_has_no_room_for_a_secret_or_a_path() {
    for text in [
        "secret=hunter2",
        "a/b",
        "a\\b",
        "a:b",
        "a\nb",
        "a b",
        "a\"b",
        "a{b}",
        "$HOME",
        "%2e%2e",
    ] {
        let error = NodeId::parse(text).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        assert!(crate::rig::contract(text, &serde_json::json!({})).is_err());
    }
}

/// Every way an attack can end, and the key bytes are in none of the evidence (I5 asserts it in every case; this one shows
/// that the search would find them).
#[test]
fn s3_the_search_for_secrets_finds_what_is_there() {
    let log = [b"before ".as_slice(), &SECRETS[0], b" after"].concat();
    assert!(holds(&log, &SECRETS[0]) && !holds(&log, &SECRETS[1]));
    let attempt =
        Case::hostile("g24-trap").ends(&[Outcome::Trapped(aim_core::outcome::Trap::Unreachable)]);
    assert!(!format!("{attempt:?}").contains("canary"));
}
