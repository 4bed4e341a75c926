//! L1 to L13 and L18 to L22: what a component imports, exports and is made of.
//!
//! INVARIANT: a refusal here is made before compilation, or in the compiler's own process.

use std::{fs::File, os::unix::fs::MetadataExt as _};

use aim_core::{
    access::Grant,
    admission::{AdmissionRequest, How, Linkage, Mismatch, World, admit},
    outcome::{Outcome, Trap},
};
use aim_engine::{EngineProfile, compile, inspect};
use aim_registry_dir::read_component;
use serde_json::json;

use crate::{
    case::Case,
    component::{edited, guest, replaced, smallest, with_more},
    instance::logs_at_start,
};

/// Negative control: with `admit` not collecting the faults of imports, it is admitted and does not link; with the first
/// fault alone, the second assertion fails.
#[test]
fn l1_every_import_that_is_not_declared_is_named() {
    let component = guest("hostile-l1-undeclared");
    let undeclared = Case::of(component.clone()).with("asks", json!([]));
    undeclared.refused("AIM-A001");
    let faults = unasked(&component).unwrap_err();
    let inspection = inspect(&component).unwrap();
    let with_functions = inspection.imports.iter().filter(|one| !one.is_types_only());
    let undeclared: Vec<&str> = with_functions.map(|one| one.name.as_str()).collect();
    let named: Vec<&str> = faults.iter().map(|fault| fault.subject.as_str()).collect();
    assert!(undeclared.len() > 1, "{undeclared:?}");
    assert_eq!(named, undeclared);
}

/// The decision about a component whose contract asks for nothing.
pub(crate) fn unasked(component: &[u8]) -> Result<Linkage, Vec<Mismatch>> {
    let grant = Grant {
        asks: vec![],
        policy: None,
    };
    let request = AdmissionRequest {
        world: World::Step,
        asks: &[],
        grant: &grant,
        adapt: None,
        class: aim_core::class::Class::Standard,
    };
    admit(&inspect(component).unwrap(), &request)
}

/// Negative control: with `has_served_version` always true the linker binds both, whatever their version.
#[test]
fn l2_another_version_of_a_served_interface_refused() {
    for name in ["hostile-l2-log-version", "hostile-l2-wasi-version"] {
        Case::of(guest(name)).refused("AIM-A004");
    }
}

/// Negative control: a capability that is served is taken (asserted here); the list of them is an enum, which nothing widens.
#[test]
fn l3_asking_for_what_no_host_serves_is_a_fault_of_the_contract() {
    for unknown in ["sockets", "wasi:sockets/tcp", "everything", "*", ""] {
        let asks = json!({ "asks": [{ "capability": unknown }] });
        let error = crate::rig::contract("n", &asks).unwrap_err();
        assert!(error.contains("unknown variant"), "{error}");
    }
    let known = json!({ "asks": [{ "capability": "log" }] });
    assert!(crate::rig::contract("n", &known).is_ok());
}

/// Negative control: with `admit` not collecting the faults of imports, this fails.
#[test]
fn l4_sockets_http_and_environment_are_refused_each_alone() {
    for (name, code) in [
        ("hostile-l4-sockets", "AIM-A001 or AIM-A006"),
        ("hostile-l4-http", "AIM-A001 or AIM-A006"),
        ("hostile-l4-environment", "AIM-A001 or AIM-A006"),
    ] {
        Case::of(guest(name)).refused(code);
    }
}

/// A component inside asks for sockets; the one around it imports them under an innocent name, or under their own.
/// Negative control: with `admit` not collecting the faults of imports, this fails.
#[test]
fn l5_what_an_inner_component_needs_is_seen_whatever_it_is_called_outside() {
    for (outside, code) in [
        ("innocent:time/clock@0.1.0", "AIM-A003"),
        ("wasi:sockets/instance-network@0.2.12", "AIM-A006"),
    ] {
        let more = format!(
            r#"(import "{outside}" (instance $outer
                 (export "network" (type (sub resource)))
                 (export "instance-network" (func))))
               (component $inner (import "wasi:sockets/instance-network@0.2.12" (instance
                 (export "network" (type (sub resource)))
                 (export "instance-network" (func)))))
               (instance (instantiate $inner (with "wasi:sockets/instance-network@0.2.12" (instance $outer))))"#
        );
        Case::of(with_more(&smallest(), &more)).refused(code);
    }
}

/// Negative control: with `admit` not collecting the faults of imports, or with `has_served_version` always true this
/// fails.
#[test]
fn l6_an_import_of_types_alone_is_an_import() {
    let types = |import: &str| {
        let more = format!(r#"(import "{import}" (instance (export "t" (type (eq $late_t)))))"#);
        with_more(&smallest(), &format!("(type $late_t u32) {more}"))
    };
    Case::of(types("wasi:unheard/types@0.2.12")).refused("AIM-A003");
    Case::of(types("wasi:clocks/wall-clock@0.2.99")).refused("AIM-A004");
    let known = types("wasi:clocks/wall-clock@0.2.12");
    let linkage = unasked(&known).unwrap();
    let binding = linkage.bindings().last().unwrap();
    assert_eq!(
        (binding.interface.as_str(), binding.how),
        ("wasi:clocks/wall-clock", How::TypesOnly)
    );
}

/// Negative control: with a core module taken for a component in `inspect::check_header`, this fails.
#[test]
fn l7_a_bare_core_module_refused() {
    Case::of(guest("hostile-l7-core-module")).refused("AIM-A022");
}

fn nested(levels: usize) -> Vec<u8> {
    let mut inner = wasm_encoder::Component::new();
    for _ in 1..levels {
        let mut outer = wasm_encoder::Component::new();
        outer.section(&wasm_encoder::NestedComponentSection(&inner));
        inner = outer;
    }
    inner.finish()
}

/// Negative control: with `NESTING_MAX` and `PARTS_MAX` a thousand times as large, the parser's own limits still refuse the
/// deepest and the widest, and nothing else.
#[test]
fn l8_nesting_is_refused_above_four_and_width_above_what_components_have() {
    for levels in [10, 100, 1_000] {
        let code = if levels > 4 { "AIM-A025" } else { "" };
        Case::of(nested(levels)).refused(code);
    }
    for part in ["(core module)", "(component)"] {
        let wide = with_more(&smallest(), &part.repeat(1_000));
        Case::of(wide).refused("AIM-A026");
    }
}

/// Negative control: with `TYPES_MAX` a thousand times as large, both are read for as long as the parser takes.
#[test]
fn l9_types_end_by_number_and_by_depth() {
    let mut types = wasm_encoder::ComponentTypeSection::new();
    for _ in 0..1_000_000 {
        types
            .defined_type()
            .primitive(wasm_encoder::PrimitiveValType::U8);
    }
    let mut flood = wasm_encoder::Component::new();
    flood.section(&types);
    Case::of(flood.finish()).refused("AIM-A026");
    let mut deep = wasm_encoder::ComponentTypeSection::new();
    deep.defined_type()
        .primitive(wasm_encoder::PrimitiveValType::U8);
    for below in 0..90_000 {
        deep.defined_type()
            .list(wasm_encoder::ComponentValType::Type(below));
    }
    let mut component = wasm_encoder::Component::new();
    component.section(&deep);
    // The parser bounds the depth itself; without an export that uses it, what it leaves is no step anyway.
    let bytes = component.finish();
    match inspect(&bytes) {
        Ok(_) => Case::of(bytes).refused("AIM-A010"),
        Err(error) => Case::of(bytes).refused(error.code()),
    }
}

/// Negative control: with no look at the first four bytes, or with no look at the number of bytes in `source::read` this
/// fails.
#[test]
fn l10_a_file_past_the_cap_is_not_read_and_a_compressed_one_is_never_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.wasm");
    let file = File::create(&path).unwrap();
    file.set_len(1 << 30).unwrap();
    assert!(file.metadata().unwrap().blocks() < 100, "it is all hole");
    let refused = read_component(&path).unwrap_err();
    assert_eq!(refused.faults[0].code, "AIM-C018");
    for magic in [
        &b"\x1f\x8b\x08\0\0\0\0\0"[..],
        b"\x28\xb5\x2f\xfd\0\0\0\0",
        b"PK\x03\x04\0\0\0\0",
    ] {
        Case::of(magic.to_vec()).refused("AIM-A021");
    }
}

/// The text format has no reader in the host: neither the inspection nor the compiler takes it.
/// Negative control: with no look at the first four bytes, this fails.
#[test]
fn l13_text_is_refused_by_the_reader_and_by_the_compiler() {
    let text = b"(component)";
    Case::of(text.to_vec()).refused("AIM-A021");
    assert!(compile(EngineProfile::default(), text).is_err());
    assert!(compile(EngineProfile::default(), &wat::parse_bytes(text).unwrap()).is_ok());
}

/// A missing export is refused, one of another type does not load, and more of them are listed and never called.
/// Negative control: with no look for the export in `admission::check_exports`, or with no `typecheck` in
/// `load::find_function`, this fails.
#[test]
fn l18_exports_must_be_there_and_of_the_right_type_and_more_are_never_called() {
    let renamed = wit_of_another_name();
    Case::of(renamed).refused("AIM-A010");
    let text = wasmprinter::print_bytes(smallest()).unwrap();
    let export = text
        .lines()
        .rev()
        .find(|line| line.contains("(export ") && line.contains("aim:step/handler@0.1.0"))
        .unwrap();
    let other_type = text.replace(
        export,
        r#"(component $other (import "f" (func $f)) (export "handle" (func $f)))
           (core module $nothing (func (export "f"))) (core instance $nothing_i (instantiate $nothing))
           (func $f (canon lift (core func $nothing_i "f")))
           (instance $other_i (instantiate $other (with "f" (func $f))))
           (export "aim:step/handler@0.1.0" (instance $other_i))"#,
    );
    assert_eq!(
        Case::of(wat::parse_str(other_type).unwrap()).does_not_load(),
        "AIM-A036"
    );
    let trap = r#"(core module $boom (func (export "f") unreachable)) (core instance $boom_i (instantiate $boom))
        (func $boom_f (canon lift (core func $boom_i "f"))) (export "call-me" (func $boom_f))"#;
    Case::of(with_more(&smallest(), trap)).ends(&[Outcome::Completed]);
}

fn wit_of_another_name() -> Vec<u8> {
    let text = wasmprinter::print_bytes(smallest()).unwrap();
    let export = text
        .lines()
        .rev()
        .find(|line| line.contains("(export ") && line.contains("aim:step/handler@0.1.0"))
        .unwrap();
    let renamed = export.replace("\"aim:step/handler@0.1.0\"", "\"aim:step/handler@0.1.1\"");
    wat::parse_str(text.replace(export, &renamed)).unwrap()
}

/// Negative control: as for G26: without the check of `is_whole` the line is logged and the step completes.
#[test]
fn l19_a_start_function_can_do_nothing() {
    let case = Case::of(logs_at_start());
    let attempt = case.ends(&[Outcome::Trapped(Trap::Abi)]);
    assert_eq!(
        (attempt.host_calls.calls, attempt.host_calls.logs),
        (0, None)
    );
    let fault = attempt.fault.unwrap();
    assert!(
        fault.message.contains("before its instance was whole"),
        "{}",
        fault.message
    );
}

/// The proposals have a fixture each in the engine's tests; this is the way that one of them takes through admission.
/// Negative control: with every proposal switched on in the reader, this fails.
#[test]
fn l20_a_component_with_a_proposal_that_is_off_refused() {
    let shared = with_more(&smallest(), "(core module (memory 1 1 shared))");
    Case::of(shared).refused("AIM-A024");
    let harmless = edited("hostile-g2-start-loop", |text| {
        replaced(&text, "  (start $start)\n", "")
    });
    Case::of(harmless).ends(&[Outcome::Completed]);
}

/// A link to a secret under a component's name: what is read is no component, and no byte of it is repeated.
/// Negative control: with no look at the first four bytes, this fails.
#[test]
fn l22_a_hard_link_to_a_secret_tells_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, link) = (folder.path().join("secret"), folder.path().join("c.wasm"));
    std::fs::write(&secret, "canary-the-secret").unwrap();
    std::fs::hard_link(&secret, &link).unwrap();
    let bytes = read_component(&link).unwrap();
    let refused = inspect(&bytes).unwrap_err();
    assert_eq!(refused.code(), "AIM-A021");
    assert!(!format!("{refused} {refused:?} {}", refused.help()).contains("canary"));
    Case::of(bytes).refused("AIM-A021");
}
