//! The example's plans, contracts and policy, checked with the host's own code and without running anything.
//! INVARIANT: what a step of `plan.acl` asks for is granted to it and to no step that does not need it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aim_acl::Profile;
use aim_core::access::{AccessRequest, Capability, Grant, RefusedAsk, grant};
use aim_core::digest::Digest;
use aim_core::name::{NodeId, StepName, TenantId};
use aim_core::plan::{Plan, bindings};
use aim_policy_cedar::{CedarPolicy, PolicySource};
use aim_ports::policy::Policy;
use aim_registry_dir::Registry;
use aim_schema_json::JsonSchemas;

fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/incident-triage")
}

fn plan(file: &str) -> Plan {
    let source = std::fs::read_to_string(example().join(file)).unwrap();
    let compiled = aim_acl::compile(&source, Profile::Strict);
    let compiled = compiled.unwrap_or_else(|faults| panic!("{file}: {faults:#?}"));
    assert!(
        compiled.warnings.is_empty(),
        "{file}: {:#?}",
        compiled.warnings
    );
    compiled.plan
}

fn registry(deployment: &str) -> Registry {
    Registry::load(&example().join(deployment), &JsonSchemas)
        .unwrap_or_else(|error| panic!("{deployment}: {error:#?}"))
}

fn policy(registry: &Registry) -> CedarPolicy {
    let files = registry.read_policy().unwrap().unwrap();
    let sources: Vec<_> = files
        .into_iter()
        .map(|file| PolicySource {
            name: file.name,
            text: file.text,
        })
        .collect();
    CedarPolicy::compile(&sources).unwrap()
}

/// What each step of the plan is granted and refused.
fn grants(file: &str, deployment: &str) -> BTreeMap<String, (Grant, Vec<RefusedAsk>)> {
    let (plan, registry) = (plan(file), registry(deployment));
    let policy = policy(&registry);
    let nodes = bindings(&plan, &registry.deployment().roles).unwrap();
    let decide = |step: &StepName, node: &NodeId| {
        let contract = &registry
            .node(node)
            .unwrap_or_else(|| panic!("{file}: `{node}` has no contract"))
            .contract;
        grant(
            &contract.asks,
            Some(policy.digest()),
            |ask, mode, resource| {
                policy.decide(&AccessRequest {
                    component: Digest::of(b"any"),
                    node: node.clone(),
                    plan: plan.name().clone(),
                    step: step.clone(),
                    tenant: TenantId::parse("global").unwrap(),
                    capability: ask.capability,
                    mode,
                    resource: resource.clone(),
                    autonomy: contract.autonomy,
                    facts: Vec::new(),
                })
            },
        )
    };
    nodes
        .iter()
        .map(|(step, node)| (step.to_string(), decide(step, node)))
        .collect()
}

#[test]
fn every_step_of_the_example_gets_what_it_asks_for() {
    for file in ["plan.acl", "leak.acl"] {
        for (step, (_, refused)) in grants(file, "aim.toml") {
            assert!(refused.is_empty(), "{file}, {step}: {refused:?}");
        }
    }
}

#[test]
fn only_one_step_reads_a_folder_and_two_put_artifacts() {
    let grants = grants("plan.acl", "aim.toml");
    let with = |capability, mode| -> Vec<&str> {
        let granted = grants
            .iter()
            .filter(|(_, (grant, _))| grant.permits(capability, mode));
        granted.map(|(step, _)| step.as_str()).collect()
    };
    use aim_core::access::Mode;
    assert_eq!(with(Capability::Filesystem, None), ["ingest"]);
    assert_eq!(
        with(Capability::Artifact, Some(Mode::Put)),
        ["ingest", "report"]
    );
    assert_eq!(
        with(Capability::Artifact, Some(Mode::Read)),
        ["redact", "retrieve", "verify"]
    );
}

#[test]
fn a_step_that_asks_for_the_folder_is_refused() {
    let grants = grants("refused/asks.acl", "refused/aim.toml");
    let (granted, refused) = &grants["retrieve"];
    assert!(granted.asks.is_empty());
    assert_eq!(refused[0].ask.capability, Capability::Filesystem);
    assert!(grants["ingest"].1.is_empty());
}

#[test]
fn a_contract_that_asks_for_nothing_is_granted_nothing() {
    let grants = grants("refused/sly.acl", "refused/aim.toml");
    assert!(!grants["retrieve"].0.permits(Capability::Filesystem, None));
}
