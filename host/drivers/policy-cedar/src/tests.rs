//! What the policy promises: default deny, forbid wins, order is nothing, one bad rule stops all.

use std::collections::BTreeSet;

use aim_core::{
    access::{
        AccessDecision, AccessRequest, Capability, Mode, Resource, ResourceKind, action_name,
    },
    contract::Autonomy,
    digest::Digest,
    name::{NodeId, StepName, TenantId},
};
use aim_ports::policy::Policy as _;
use proptest::prelude::*;

use super::{CedarPolicy, PolicyLoadError, PolicySource, SCHEMA, Schema};

fn source(name: &str, text: &str) -> PolicySource {
    PolicySource {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn policy(text: &str) -> CedarPolicy {
    CedarPolicy::compile(&[source("main.cedar", text)]).unwrap()
}

fn refused(text: &str) -> PolicyLoadError {
    CedarPolicy::compile(&[source("main.cedar", text)])
        .map(|_| text.to_owned())
        .unwrap_err()
}

fn asks(capability: Capability, mode: Option<Mode>) -> AccessRequest {
    AccessRequest {
        component: Digest::of(b"component"),
        node: NodeId::parse("ingest-node").unwrap(),
        plan: StepName::parse("triage").unwrap(),
        step: StepName::parse("ingest").unwrap(),
        tenant: TenantId::parse("global").unwrap(),
        capability,
        mode,
        resource: Resource::host(),
        autonomy: Autonomy::ReadOnly,
        facts: vec![],
    }
}

fn folder(name: &str) -> AccessRequest {
    AccessRequest {
        resource: Resource::new(ResourceKind::Folder, name),
        ..asks(Capability::Filesystem, Some(Mode::Read))
    }
}

const PERMIT_LOG: &str =
    r#"@id("logs") permit(principal, action == Aim::Action::"log", resource);"#;

#[test]
fn what_no_rule_permits_is_denied() {
    let decision = policy(PERMIT_LOG).decide(&asks(Capability::Budget, None));
    assert_eq!(decision, AccessDecision::default());
    let decision = policy(PERMIT_LOG).decide(&asks(Capability::Log, None));
    assert!(decision.is_permitted);
    assert_eq!(decision.rules, ["logs"]);
}

#[test]
fn a_forbidding_rule_wins_over_any_number_of_permitting_ones() {
    let policy = policy(
        r#"
        permit(principal, action, resource);
        @id("everything") permit(principal, action, resource);
        @id("not-this-one") forbid(principal == Aim::Step::"triage.ingest", action, resource);
        "#,
    );
    let decision = policy.decide(&asks(Capability::Log, None));
    assert!(!decision.is_permitted);
    assert_eq!(decision.rules, ["not-this-one"]);
    let other = AccessRequest {
        step: StepName::parse("report").unwrap(),
        ..asks(Capability::Log, None)
    };
    assert_eq!(policy.decide(&other).rules, ["everything", "main.cedar:2"]);
}

#[test]
fn facts_of_the_request_can_be_named() {
    let component = Digest::of(b"component");
    let policy = policy(&format!(
        r#"permit(principal, action == Aim::Action::"artifact.put", resource == Aim::Host::"any") when {{
            principal.plan == "triage" && principal.step == "ingest" && principal.node == "ingest-node"
            && principal.component == "{component}" && context.tenant == "global"
        }};"#
    ));
    let right = asks(Capability::Artifact, Some(Mode::Put));
    assert!(policy.decide(&right).is_permitted);
    for wrong in [
        AccessRequest {
            component: Digest::of(b"other"),
            ..right.clone()
        },
        AccessRequest {
            node: NodeId::parse("ingest-node2").unwrap(),
            ..right.clone()
        },
        AccessRequest {
            plan: StepName::parse("Triage").unwrap(),
            ..right.clone()
        },
        AccessRequest {
            step: StepName::parse("ingest_").unwrap(),
            ..right.clone()
        },
        AccessRequest {
            tenant: TenantId::parse("acme").unwrap(),
            ..right.clone()
        },
        AccessRequest {
            mode: Some(Mode::Read),
            ..right.clone()
        },
    ] {
        assert!(!policy.decide(&wrong).is_permitted, "{wrong:?}");
    }
}

#[test]
fn a_folder_is_granted_by_name() {
    let policy = policy(
        r#"permit(principal, action == Aim::Action::"filesystem.read", resource == Aim::Folder::"logs");"#,
    );
    assert!(policy.decide(&folder("logs")).is_permitted);
    for other in ["log", "logs2", "Logs", "l\u{43e}gs", "logs/", ""] {
        assert!(!policy.decide(&folder(other)).is_permitted, "{other}");
    }
}

/// Requests that the schema does not know are denied even when a rule permits everything. With the schema left out of
/// `Request::new`, the last three are permitted.
#[test]
fn what_the_schema_does_not_know_is_denied() {
    let policy = policy("permit(principal, action, resource);");
    assert!(policy.decide(&asks(Capability::Log, None)).is_permitted);
    assert!(
        !policy
            .decide(&asks(Capability::Artifact, None))
            .is_permitted
    );
    assert!(
        !policy
            .decide(&asks(Capability::Log, Some(Mode::Put)))
            .is_permitted
    );
    let without_folder = asks(Capability::Filesystem, Some(Mode::Read));
    assert!(!policy.decide(&without_folder).is_permitted);
}

/// Cedar skips a rule that fails; with the check of `errors()` taken out of `decide`, this is permitted.
#[test]
fn a_rule_that_fails_denies() {
    let policy = policy(
        r#"
        permit(principal, action, resource);
        @id("overflows") forbid(principal, action, resource) when {
            9223372036854775807 + (if principal.plan == "triage" then 1 else 0) > 0
        };
        "#,
    );
    let decision = policy.decide(&asks(Capability::Log, None));
    assert!(!decision.is_permitted);
    assert_eq!(decision.rules, ["overflows"]);
}

#[test]
fn rules_about_unknown_things_are_refused_with_their_place() {
    for (rule, hint) in [
        (
            r#"permit(principal, action == Aim::Action::"http.get", resource);"#,
            "http.get",
        ),
        (
            r#"permit(principal, action == Action::"log", resource);"#,
            "Action",
        ),
        (
            r#"permit(principal is Aim::User, action, resource);"#,
            "User",
        ),
        (
            r#"permit(principal, action, resource is Aim::Ghost);"#,
            "Ghost",
        ),
        (
            "permit(principal, action, resource) when { principal.signer == \"x\" };",
            "signer",
        ),
        (
            "permit(principal, action, resource) when { context.now > 5 };",
            "now",
        ),
        (
            "permit(principal, action, resource) when { principal.plan == 5 };",
            "",
        ),
        (
            "permit(principal, action, resource) when { principal.plan };",
            "",
        ),
        (
            r#"permit(principal, action == Aim::Action::"log", resource == Aim::Folder::"x");"#,
            "",
        ),
    ] {
        let error = refused(&format!("{PERMIT_LOG}\n\n{rule}"));
        assert_eq!(error.code(), "AIM-P002", "{rule}: {error}");
        let fault = &error.faults[0];
        assert_eq!(
            (fault.file.as_str(), fault.line),
            ("main.cedar", 3),
            "{rule}"
        );
        assert!(fault.message.contains(hint), "{rule}: {}", fault.message);
    }
}

#[test]
fn one_source_of_ten_that_does_not_parse_stops_all() {
    let mut sources: Vec<PolicySource> = (0..9)
        .map(|n| {
            source(
                &format!("{n}.cedar"),
                &format!("@id(\"r{n}\") permit(principal, action, resource);"),
            )
        })
        .collect();
    assert!(CedarPolicy::compile(&sources).is_ok());
    sources.push(source(
        "broken.cedar",
        "permit(principal, action, resource);\n\nforbid(principal, action);",
    ));
    let error = CedarPolicy::compile(&sources).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "AIM-P001");
    let fault = &error.faults[0];
    assert_eq!(
        (fault.file.as_str(), fault.line),
        ("broken.cedar", 3),
        "{fault}"
    );
}

#[test]
fn faults_of_all_sources_are_reported_at_once() {
    let error = CedarPolicy::compile(&[
        source("b.cedar", "permit("),
        source(
            "a.cedar",
            "permit(principal, action, resource) when { principal.x };",
        ),
        source(
            "c.cedar",
            "permit(principal == ?principal, action, resource);",
        ),
    ])
    .map(|_| ())
    .unwrap_err();
    let files: BTreeSet<&str> = error.faults.iter().map(|f| f.file.as_str()).collect();
    assert_eq!(files, BTreeSet::from(["a.cedar", "b.cedar", "c.cedar"]));
}

#[test]
fn an_empty_policy_is_refused() {
    assert_eq!(refused("").code(), "AIM-P004");
    assert_eq!(refused("// nothing but a comment\n").code(), "AIM-P004");
    let none = CedarPolicy::compile(&[]).map(|_| ()).unwrap_err();
    assert_eq!(none.code(), "AIM-P004");
}

#[test]
fn two_rules_can_not_share_a_name() {
    let error = refused(&format!("{PERMIT_LOG}\n{PERMIT_LOG}"));
    assert_eq!((error.code(), error.faults[0].line), ("AIM-P003", 2));
}

#[test]
fn rules_without_a_name_go_by_file_and_line() {
    let policy = policy("\n\npermit(principal,\n  action, resource);");
    assert_eq!(
        policy.decide(&asks(Capability::Log, None)).rules,
        ["main.cedar:3"]
    );
}

#[test]
fn the_schema_and_the_table_of_capabilities_agree() {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let declared: BTreeSet<String> = schema.actions().map(ToString::to_string).collect();
    let mut expected = BTreeSet::new();
    for capability in Capability::ALL {
        let modes = capability.modes();
        if modes.is_empty() {
            expected.insert(action_name(capability, None));
        }
        for mode in modes {
            expected.insert(action_name(capability, Some(*mode)));
        }
    }
    let expected: BTreeSet<String> = expected
        .into_iter()
        .map(|name| format!("Aim::Action::\"{name}\""))
        .collect();
    assert_eq!(declared, expected);
}

#[test]
fn the_digest_is_of_names_and_texts_in_any_order() {
    let (a, b) = (
        source("a.cedar", PERMIT_LOG),
        source("b.cedar", "permit(principal, action, resource);"),
    );
    let digest = |sources: &[PolicySource]| CedarPolicy::compile(sources).unwrap().digest();
    let both = digest(&[a.clone(), b.clone()]);
    assert_eq!(both, digest(&[b.clone(), a.clone()]));
    assert_ne!(both, digest(std::slice::from_ref(&a)));
    let renamed = PolicySource {
        name: "c.cedar".to_owned(),
        ..a.clone()
    };
    assert_ne!(both, digest(&[renamed, b]));
}

const RULES: [&str; 6] = [
    r#"permit(principal, action == Aim::Action::"log", resource);"#,
    r#"permit(principal, action, resource) when { context.tenant == "global" };"#,
    r#"permit(principal == Aim::Step::"triage.ingest", action, resource);"#,
    r#"forbid(principal, action == Aim::Action::"artifact.put", resource);"#,
    r#"forbid(principal, action, resource) unless { principal.plan == "triage" };"#,
    r#"permit(principal, action == Aim::Action::"filesystem.read", resource == Aim::Folder::"logs");"#,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The order of sources is nothing, and one more forbidding rule never permits more.
    #[test]
    fn order_never_changes_a_decision(
        picks in proptest::sample::subsequence((0..RULES.len()).collect::<Vec<_>>(), 1..=RULES.len()).prop_shuffle(),
        tenant in prop_oneof![Just("global"), Just("acme")],
        plan in prop_oneof![Just("triage"), Just("other")],
    ) {
        let build = |picks: &[usize]| {
            let sources: Vec<_> = picks.iter().map(|n| source(&format!("{n}.cedar"), RULES[*n])).collect();
            CedarPolicy::compile(&sources).unwrap()
        };
        let mut sorted = picks.clone();
        sorted.sort_unstable();
        let (shuffled, ordered) = (build(&picks), build(&sorted));
        let mut stricter = picks.clone();
        stricter.retain(|n| *n != 4);
        stricter.push(4);
        let stricter = build(&stricter);
        prop_assert_eq!(shuffled.digest(), ordered.digest());
        for mut request in [
            asks(Capability::Log, None),
            asks(Capability::Artifact, Some(Mode::Put)),
            asks(Capability::Artifact, Some(Mode::Read)),
            folder("logs"),
        ] {
            request.tenant = TenantId::parse(tenant).unwrap();
            request.plan = StepName::parse(plan).unwrap();
            let decision = shuffled.decide(&request);
            prop_assert_eq!(&decision, &ordered.decide(&request));
            if stricter.decide(&request).is_permitted {
                prop_assert!(decision.is_permitted);
            }
        }
    }
}

// Negative control: without the look at `too_deep` the library's parser ends the process with a full stack.
#[test]
fn a_rule_that_goes_too_deep_is_refused_with_its_place_before_the_library_reads_it() {
    for condition in [
        format!("{}true{}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("true{}", " && true".repeat(60_000)),
        format!("context{}", ".a".repeat(60_000)),
    ] {
        let text = format!(
            "@id(\"a\") permit (principal, action, resource);\n@id(\"b\") permit (principal, action, resource) when {{ {condition} }};"
        );
        let error = refused(&text);
        assert_eq!((error.code(), error.faults[0].line), ("AIM-P007", 2));
    }
}
