//! What the gate promises, on the codex that is shipped. Pieces that look like secrets are put together here, so that
//! no scanner takes this file for a leak.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::types::{Decision, Doubt, Item, Phase, Request, Verdict};

const CODEX: &str = include_str!("../../../../contracts/codex/default.json");

fn request(phase: Phase, payload: &str) -> Request<'_> {
    Request {
        phase,
        effects: vec!["aim:artifact/store"],
        items: vec![Item {
            place: "`next`".to_string(),
            payload: Some(payload.as_bytes()),
        }],
        impact: None,
        doubt: None,
        quip: None,
        prior: None,
        context: Vec::new(),
    }
}

fn judge(request: &Request<'_>) -> Decision {
    crate::judge(request, CODEX.as_bytes()).unwrap()
}

/// The verdict on a text that leaves a step.
fn leaving(text: &str) -> Verdict {
    judge(&request(Phase::Egress, text)).verdict
}

fn secrets() -> Vec<String> {
    let run = "A1B2C3D4E5F6G7H8";
    vec![
        format!("key {}{run} used", "AKIA"),
        format!("-----BEGIN RSA {}-----\nMII", "PRIVATE KEY"),
        format!("Authorization: bearer {run}{run}"),
        format!("token={}_{run}{run}", "ghp"),
        format!("postgres://app:{run}@db:5432/app"),
        format!("pass{}={run}", "word"),
        format!("{{\"db_pass{}\": \"{run}\"}}", "word"),
        format!("{{\\\"PASS{}\\\":\\\"{run}\\\"}}", "WORD"),
        format!("pass{}=$2b$10${run}", "word"),
        format!("CREATE ROLE app LOGIN PASS{} '{run}'", "WORD"),
        format!("client_{} => '{run}'", "secret"),
    ]
}

#[test]
fn a_credential_does_not_leave_a_step() {
    for text in secrets() {
        assert_eq!(leaving(&text), Verdict::Fail, "{text}");
        assert_eq!(
            leaving(&format!("{} {text}", "x".repeat(1_000))),
            Verdict::Fail,
            "{text}"
        );
    }
}

#[test]
fn a_credential_may_come_in() {
    for text in secrets() {
        assert_eq!(
            judge(&request(Phase::Ingress, &text)).verdict,
            Verdict::Pass,
            "{text}"
        );
    }
}

#[test]
fn a_masked_or_harmless_value_is_no_credential() {
    let texts = [
        "password=[REDACTED]",
        "\"password\": \"[REDACTED]\"",
        "postgres://app:[REDACTED]@db:5432/app",
        "Authorization: Bearer [REDACTED]",
        "password=null",
        "PWD=/srv/app",
        "password=${APP_PASSWORD}",
        "password: ",
        "FATAL:  password authentication failed for user \"app\"",
        "Failed password for root from 203.0.113.9 port 22 ssh2",
        "http://db:5432/app",
        "https://example.org/@someone",
        "an access key AKIA is four letters",
        "MASAKIA1B2C3D4E5F6G7H8AKIA",
    ];
    for text in texts {
        assert_eq!(leaving(text), Verdict::Pass, "{text}");
    }
}

#[test]
fn a_reason_names_the_place_and_never_the_secret() {
    for text in secrets() {
        let decision = judge(&request(Phase::Egress, &text));
        let reasons = decision.reasons.join("\n");
        assert_eq!(decision.axioms_hit, ["no-credentials-leave"]);
        assert!(reasons.contains("item 0 to `next` at byte"), "{reasons}");
        assert!(!reasons.contains("A1B2C3"), "{reasons}");
    }
}

#[test]
fn a_credential_in_what_the_step_declares_is_found_too() {
    let mut asked = request(Phase::Egress, "clean");
    let secret = secrets().swap_remove(5);
    asked.quip = Some(&secret);
    assert_eq!(judge(&asked).verdict, Verdict::Fail);
}

#[test]
fn a_prohibited_effect_or_impact_fails_in_every_phase() {
    for phase in [Phase::Ingress, Phase::Effect, Phase::Egress, Phase::Consult] {
        let mut asked = request(phase, "clean");
        asked.effects.push("wasi:sockets/tcp@0.2.6");
        assert_eq!(judge(&asked).axioms_hit, ["no-prohibited-effect"]);
        let mut asked = request(phase, "clean");
        asked.impact = Some("Covert Tracking of visitors");
        assert_eq!(judge(&asked).axioms_hit, ["no-prohibited-impact"]);
        assert_eq!(judge(&asked).verdict, Verdict::Fail);
    }
}

#[test]
fn weighty_concerns_ask_a_person_and_darken_the_futures() {
    let mut asked = request(Phase::Egress, "clean");
    asked.impact = Some("Irreversible, and it decides about people.");
    let decision = judge(&asked);
    assert_eq!(decision.verdict, Verdict::Abstain);
    assert_eq!(decision.doubt.moral, 600_000);
    assert_eq!(decision.ethical_score, 1_000_000 - 600_000 - 180_000);
    let values: Vec<i64> = decision.futures.iter().map(|future| future.value).collect();
    assert_eq!(values, [200_000, -400_000, 0]);
    assert_eq!(
        decision.facts,
        [(
            "concerns-hit".to_owned(),
            "irreversible decides-about-people".to_owned()
        )]
    );
}

#[test]
fn a_middling_score_is_marked_for_review() {
    let mut asked = request(Phase::Egress, "clean");
    asked.impact = Some("It decides about people.");
    let decision = judge(&asked);
    assert_eq!(
        (decision.verdict, decision.ethical_score),
        (Verdict::Warn, 675_000)
    );
}

#[test]
fn a_prior_abstention_raises_the_bar() {
    let mut asked = request(Phase::Egress, "clean");
    asked.doubt = Some(Doubt {
        epistemic: 1_000_000,
        moral: 0,
        distributional: 0,
        unknown_unknown: 0,
    });
    asked.effects.push("wasi:http/outgoing-handler@0.2.6");
    assert_eq!(
        (judge(&asked).verdict, judge(&asked).ethical_score),
        (Verdict::Warn, 650_000)
    );
    asked.impact = Some("hiring");
    asked.doubt = None;
    asked.prior = Some(Verdict::Abstain);
    assert_eq!(
        (judge(&asked).verdict, judge(&asked).ethical_score),
        (Verdict::Abstain, 610_000)
    );
    asked.prior = Some(Verdict::Pass);
    assert_eq!(judge(&asked).verdict, Verdict::Warn);
}

#[test]
fn a_prior_mark_for_review_raises_the_bar_for_review_only() {
    let mut asked = request(Phase::Egress, "clean");
    asked.doubt = Some(Doubt {
        epistemic: 900_000,
        ..Doubt::default()
    });
    assert_eq!(
        (judge(&asked).verdict, judge(&asked).ethical_score),
        (Verdict::Pass, 730_000)
    );
    asked.prior = Some(Verdict::Warn);
    assert_eq!(judge(&asked).verdict, Verdict::Warn, "750000 is needed now");
    asked.doubt = Some(Doubt {
        epistemic: 833_333,
        ..Doubt::default()
    });
    assert_eq!(
        (judge(&asked).verdict, judge(&asked).ethical_score),
        (Verdict::Pass, 750_001)
    );
}

#[test]
fn a_plan_without_a_quip_is_marked_for_review_once() {
    let mut asked = request(Phase::Ingress, "clean");
    assert_eq!(
        judge(&asked).verdict,
        Verdict::Pass,
        "without the fact the rule does not apply"
    );
    asked.context = vec![("plan-quip", b"judge".as_slice())];
    assert_eq!(judge(&asked).verdict, Verdict::Warn);
    asked.quip = Some("  ");
    assert_eq!(judge(&asked).verdict, Verdict::Warn, "a blank quip is none");
    asked.quip = Some("Like asking the fire for directions to the exit.");
    let decision = judge(&asked);
    assert_eq!(
        (decision.verdict, decision.quip.as_deref()),
        (Verdict::Pass, asked.quip)
    );
    asked.phase = Phase::Egress;
    asked.quip = None;
    assert_eq!(
        judge(&asked).verdict,
        Verdict::Pass,
        "the rule is for ingress"
    );
}

#[test]
fn a_good_quip_does_not_excuse_anything() {
    let mut asked = request(Phase::Ingress, "clean");
    asked.context = vec![("plan-quip", b"judge".as_slice())];
    asked.quip = Some("Funny.");
    asked.impact = Some("malware");
    assert_eq!(judge(&asked).verdict, Verdict::Fail);
}

#[test]
fn what_can_not_be_read_is_doubted() {
    let mut asked = request(Phase::Egress, "");
    asked.items = vec![Item {
        payload: None,
        ..asked.items.swap_remove(0)
    }];
    let decision = judge(&asked);
    assert_eq!(decision.doubt.epistemic, 100_000);
    assert_eq!(
        decision.facts,
        [("unreadable-items".to_owned(), "1".to_owned())]
    );
}

#[test]
fn the_decision_carries_the_version_of_its_codex() {
    let decision = judge(&request(Phase::Egress, "clean"));
    assert_eq!(decision.codex_version, "1.0.0");
    assert!(
        decision.doubt.unknown_unknown > 0,
        "unknown unknowns are never nothing"
    );
}

#[test]
fn a_malformed_codex_is_a_fault() {
    let edits: &[(&str, &str)] = &[
        ("\"codex\": 1", "\"codex\": 2"),
        ("\"kappa\": 600000", "\"kappa\": 1000001"),
        ("\"kappa\": 600000,", ""),
        ("\"kappa\": 600000", "\"kappa\": 0.6"),
        ("\"kappa\": 600000", "\"kapa\": 600000"),
        ("\"version\": \"1.0.0\"", "\"version\": \"\""),
        ("\"egress\"", "\"exit\""),
        ("\"url-password\": true", "\"url-password\": false"),
        ("\"url-password\": true", "\"text\": [\"\"]"),
        ("\"url-password\": true", "\"text\": []"),
        (
            "\"url-password\": true",
            "\"url-password\": true, \"text\": [\"a\"]",
        ),
        (
            "{\"concern\": \"irreversible\"",
            "{\"concern\": \"nothing\"",
        ),
    ];
    for (from, to) in edits {
        assert!(CODEX.contains(from), "{from}");
        let fault = crate::judge(
            &request(Phase::Egress, "clean"),
            CODEX.replacen(from, to, 1).as_bytes(),
        );
        assert!(fault.is_err(), "{from} -> {to}");
    }
    for document in ["", "null", "[]", "{", "\u{0}"] {
        assert!(crate::judge(&request(Phase::Egress, "clean"), document.as_bytes()).is_err());
    }
}
