//! What is asked, granted, spent and tried out stands in the witness, and a trial never changes what a run may do.

use aim_core::outcome::Exit;
use aim_ports::policy::Policy as _;
use aim_testkit::FixedPolicy;
use serde_json::json;

use crate::rig::Rig;

const ONE: &str = r#"
PLAN one v1.0:
  QUIP "An echo asks for nothing it does not say."
  ROLE a: custom(node="echo")
  STEP say:
    ASSIGN a: "say it"
"#;

fn asking() -> Rig {
    let asks = json!({ "asks": [{ "capability": "artifact", "modes": ["put"] }] });
    Rig::new(ONE).node("echo", "conformance-echo", asks)
}

#[test]
fn a_policy_on_trial_is_counted_and_not_obeyed() {
    let mut rig = asking();
    rig.monitor = Some(FixedPolicy::Deny);
    assert_eq!(rig.run(&[("word", "hello")]).unwrap().exit, Exit::Ok);
    let attempt = rig.attempt("say");
    let record = attempt.monitor.unwrap();
    assert_eq!(record.policy, FixedPolicy::Deny.digest());
    assert_eq!(attempt.grant.policy, Some(FixedPolicy::Permit.digest()));
    let refused = &record.would_deny[0];
    assert_eq!(
        (refused.action.as_str(), refused.resource.as_str()),
        ("artifact.put", "Host/any")
    );
    assert_eq!(
        (refused.rules.as_slice(), refused.calls),
        ([String::from("test-forbids")].as_slice(), 0)
    );
}

#[test]
fn a_policy_on_trial_grants_nothing_that_the_enforced_one_refuses() {
    let mut rig = asking();
    rig.policy = Some(FixedPolicy::Deny);
    rig.monitor = Some(FixedPolicy::Permit);
    assert!(rig.admit().is_err());
    rig.policy = None;
    assert!(rig.admit().is_err());
}

#[test]
fn a_run_without_a_trial_says_nothing_about_one() {
    let rig = asking();
    rig.run(&[("word", "hello")]).unwrap();
    let attempt = rig.attempt("say");
    assert_eq!(attempt.monitor, None);
    assert!(attempt.tokens.is_empty(), "an echo spends nothing");
}
