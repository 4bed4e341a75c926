//! Admission over hand-made inspections: what binds, what is refused, and that all faults are named.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::*;

fn import(name: &str, functions: &[&str]) -> ImportedInstance {
    ImportedInstance {
        name: name.to_string(),
        functions: functions.iter().map(ToString::to_string).collect(),
        resources: Vec::new(),
        has_other_items: false,
    }
}

fn component(imports: Vec<ImportedInstance>) -> Inspection {
    Inspection {
        digest: Digest::of(b"component"),
        size_bytes: 9,
        imports,
        root_imports: Vec::new(),
        exports: vec![World::Step.export().to_string()],
        producers: Vec::new(),
        core_modules: 1,
        nesting_depth: 1,
        core_instances: 1,
        table_elements: 0,
        memory_bytes: 0,
    }
}

fn granted(capabilities: &[Capability]) -> Grant {
    Grant {
        asks: capabilities.iter().copied().map(Ask::plain).collect(),
        policy: None,
    }
}

fn admitted(
    inspection: &Inspection,
    asks: &[Capability],
    grants: &[Capability],
    adapt: Option<Profile>,
) -> Result<Linkage, Vec<Mismatch>> {
    let asks: Vec<Ask> = asks.iter().copied().map(Ask::plain).collect();
    let request = AdmissionRequest {
        world: World::Step,
        asks: &asks,
        grant: &granted(grants),
        adapt,
        class: Class::Standard,
    };
    admit(inspection, &request)
}

fn codes(result: Result<Linkage, Vec<Mismatch>>) -> Vec<&'static str> {
    result.unwrap_err().iter().map(Mismatch::code).collect()
}

#[test]
fn binds_exactly_what_is_asked_and_granted() {
    let inspection = component(vec![
        import("aim:types/types@0.1.0", &[]),
        import("aim:log/log@0.1.0", &["write"]),
    ]);
    let linkage = admitted(&inspection, &[Capability::Log], &[Capability::Log], None).unwrap();
    let hows: Vec<How> = linkage
        .bindings()
        .iter()
        .map(|binding| binding.how)
        .collect();
    assert_eq!(hows, [How::TypesOnly, How::Serve(Capability::Log)]);
    assert!(linkage.unused_asks().is_empty());
}

#[test]
fn names_every_undeclared_import_and_not_just_the_first() {
    let inspection = component(vec![
        import("aim:log/log@0.1.0", &["write"]),
        import("aim:host/context@0.1.0", &["run-id"]),
        import("acme:web/fetch@1.0.0", &["get"]),
    ]);
    let faults = admitted(&inspection, &[], &[], None).unwrap_err();
    let subjects: Vec<&str> = faults.iter().map(|fault| fault.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "aim:log/log@0.1.0",
            "aim:host/context@0.1.0",
            "acme:web/fetch@1.0.0"
        ]
    );
    assert!(faults.iter().all(|fault| !fault.is_denial()));
}

#[test]
fn asked_and_not_granted_is_a_denial_and_not_asked_is_not() {
    let inspection = component(vec![import("aim:artifact/store@0.1.0", &["put"])]);
    let faults = admitted(&inspection, &[Capability::Artifact], &[], None).unwrap_err();
    assert_eq!(faults[0].code(), "AIM-A002");
    assert!(faults[0].is_denial());
    let faults = admitted(&inspection, &[], &[Capability::Artifact], None).unwrap_err();
    assert_eq!(faults[0].code(), "AIM-A001");
    assert!(!faults[0].is_denial());
}

#[test]
fn refuses_a_known_interface_at_a_version_it_does_not_serve() {
    for name in ["aim:log/log@0.1.1", "aim:log/log@0.2.0", "aim:log/log"] {
        let inspection = component(vec![import(name, &["write"])]);
        let result = admitted(&inspection, &[Capability::Log], &[Capability::Log], None);
        assert_eq!(codes(result), ["AIM-A004"], "{name}");
    }
}

#[test]
fn types_of_packages_that_are_not_served_are_refused_too() {
    let inspection = component(vec![import("acme:types/types@0.1.0", &[])]);
    assert_eq!(codes(admitted(&inspection, &[], &[], None)), ["AIM-A003"]);
}

#[test]
fn sockets_and_unasked_http_have_no_way_in() {
    for (name, code) in [
        ("wasi:sockets/tcp@0.2.6", "AIM-A006"),
        ("wasi:http/outgoing-handler@0.2.6", "AIM-A001"),
        ("wasi:http/incoming-handler@0.2.6", "AIM-A003"),
    ] {
        let inspection = component(vec![import(name, &["x"])]);
        assert_eq!(
            codes(admitted(&inspection, &[], &[], Some(Profile::Std))),
            [code]
        );
    }
}

#[test]
fn a_profile_adapts_what_nobody_granted_and_a_grant_wins_over_it() {
    let inspection = component(vec![
        import("wasi:cli/environment@0.2.6", &["get-environment"]),
        import("wasi:filesystem/preopens@0.2.6", &["get-directories"]),
        import("wasi:io/streams@0.2.6", &["[method]output-stream.write"]),
    ]);
    assert_eq!(
        codes(admitted(&inspection, &[], &[], None)),
        ["AIM-A001", "AIM-A001", "AIM-A001"]
    );
    let hows = |linkage: Linkage| -> Vec<How> {
        linkage
            .bindings()
            .iter()
            .map(|binding| binding.how)
            .collect()
    };
    let adapted = admitted(&inspection, &[], &[], Some(Profile::Std)).unwrap();
    assert_eq!(hows(adapted), [How::Adapt, How::Adapt, How::Plumbing]);
    let files = [Capability::Filesystem];
    let served = admitted(&inspection, &files, &files, Some(Profile::Std)).unwrap();
    assert_eq!(
        hows(served),
        [
            How::Adapt,
            How::Serve(Capability::Filesystem),
            How::Plumbing
        ]
    );
    // An ask that was refused never falls back to the adapter: the step would run without what it needs.
    let refused = admitted(&inspection, &files, &[], Some(Profile::Std));
    assert_eq!(codes(refused), ["AIM-A002"]);
}

#[test]
fn refuses_functions_that_do_not_exist_and_odd_shapes() {
    let mut inspection = component(vec![import("aim:log/log@0.1.0", &["write", "erase"])]);
    inspection.root_imports = vec!["raw".to_string()];
    inspection.exports = vec!["aim:step/handler@0.1.1".to_string()];
    let log = [Capability::Log];
    let result = admitted(&inspection, &log, &log, Some(Profile::ComponentizePy));
    assert_eq!(codes(result), ["AIM-A009", "AIM-A005", "AIM-A010"]);
    let mut nested = import("aim:log/log@0.1.0", &["write"]);
    nested.has_other_items = true;
    assert_eq!(
        codes(admitted(&component(vec![nested]), &log, &log, None)),
        ["AIM-A009"]
    );
}

#[test]
fn a_gate_has_its_codex_and_no_effect() {
    let mut inspection = component(vec![
        import("aim:gate/types@0.1.0", &[]),
        import("aim:gate/codex@0.1.0", &["document"]),
    ]);
    inspection.exports = vec![World::Gate.export().to_string(), "extra".to_string()];
    let log = [Ask::plain(Capability::Log)];
    let request = AdmissionRequest {
        world: World::Gate,
        asks: &log,
        grant: &granted(&[Capability::Log]),
        adapt: None,
        class: Class::Standard,
    };
    let linkage = admit(&inspection, &request).unwrap();
    assert_eq!(linkage.extra_exports(), ["extra"]);
    assert_eq!(linkage.unused_asks(), log);
    inspection
        .imports
        .push(import("aim:log/log@0.1.0", &["write"]));
    assert_eq!(codes(admit(&inspection, &request)), ["AIM-A008"]);
}

#[test]
fn a_step_never_sees_a_codex() {
    let inspection = component(vec![import("aim:gate/codex@0.1.0", &["document"])]);
    let codex = [Capability::Codex];
    assert_eq!(
        codes(admitted(&inspection, &codex, &codex, None)),
        ["AIM-A008"]
    );
}

#[test]
fn exports_beside_the_handler_are_listed_and_a_missing_handler_is_named() {
    let mut inspection = component(Vec::new());
    inspection.exports.push("wasi:cli/run@0.2.6".to_string());
    let linkage = admitted(&inspection, &[], &[], None).unwrap();
    assert_eq!(
        linkage.extra_exports(),
        [String::from("wasi:cli/run@0.2.6")]
    );
    inspection.exports.remove(0);
    assert_eq!(codes(admitted(&inspection, &[], &[], None)), ["AIM-A010"]);
}

/// Negative control: with no look at the versions that a toolchain writes, this fails.
#[test]
fn a_profile_adapts_only_imports_of_the_versions_that_its_toolchain_writes() {
    let clock = |version: &str| {
        let name = alloc::format!("wasi:clocks/wall-clock@{version}");
        component(vec![import(&name, &["now"])])
    };
    let adapted = |version: &str, profile| admitted(&clock(version), &[], &[], Some(profile));
    for (version, profile) in [
        ("0.2.9", Profile::ComponentizePy),
        ("0.2.12", Profile::ComponentizeJs),
        ("0.2.0", Profile::Std),
    ] {
        let linkage = adapted(version, profile).unwrap();
        assert_eq!(linkage.adapt(), Some(profile));
    }
    for (version, profile) in [
        ("0.2.12", Profile::ComponentizePy),
        ("0.2.9", Profile::ComponentizeJs),
    ] {
        assert_eq!(codes(adapted(version, profile)), ["AIM-A051"]);
    }
}

/// Negative control: with no look at the class, this fails.
#[test]
fn what_is_too_large_for_its_class_is_refused_with_every_figure_and_the_way_out() {
    let mut inspection = component(Vec::new());
    inspection.size_bytes = 18_000_000;
    inspection.core_modules = 14;
    let refused = admitted(&inspection, &[], &[], None).unwrap_err();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].code(), "AIM-A050");
    let text = refused[0].to_string();
    assert!(text.contains("18000000 bytes of 8388608"), "{text}");
    assert!(text.contains("14 core modules of 12"), "{text}");
    assert!(
        refused[0].help().contains("`big = "),
        "{}",
        refused[0].help()
    );
    let request = AdmissionRequest {
        world: World::Step,
        asks: &[],
        grant: &granted(&[]),
        adapt: None,
        class: Class::Big,
    };
    assert_eq!(admit(&inspection, &request).unwrap().class(), Class::Big);
    inspection.size_bytes = u64::MAX;
    let refused = admit(&inspection, &request).unwrap_err();
    assert!(
        refused[0].help().contains("smaller"),
        "{}",
        refused[0].help()
    );
}
