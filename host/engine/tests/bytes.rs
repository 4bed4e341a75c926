//! Bytes that are no component, or a broken one: always a typed refusal, never a panic.

use aim_core::digest::Digest;
use aim_engine::{InspectError, inspect, inspect::COMPONENT_BYTES_MAX};
use proptest::prelude::*;

use crate::support::guest;

fn refused(bytes: &[u8]) -> InspectError {
    inspect(bytes).expect_err("a refusal")
}

/// Negative control: with the digest made from other bytes, this fails.
#[test]
fn reads_what_a_component_imports_and_exports() {
    let bytes = guest("conformance-functions");
    let inspection = inspect(&bytes).unwrap();
    assert_eq!(inspection.digest, Digest::of(&bytes));
    assert_eq!(inspection.size_bytes, bytes.len() as u64);
    assert_eq!(inspection.exports, ["aim:step/handler@0.1.0"]);
    let store = inspection
        .imports
        .iter()
        .find(|import| import.name == "aim:artifact/store@0.1.0")
        .unwrap();
    assert!(
        store
            .functions
            .iter()
            .any(|name| name == "[method]writer.append")
    );
    assert_eq!(store.resources, ["writer"]);
    let types = inspection
        .imports
        .iter()
        .find(|import| import.name == "aim:types/types@0.1.0")
        .unwrap();
    assert!(types.is_types_only());
    assert_eq!(
        inspection.world_guess(),
        Some(aim_core::admission::World::Step)
    );
}

#[test]
fn a_resource_counts_for_the_import_that_defines_it_only() {
    let inspection = inspect(&guest("conformance-std")).unwrap();
    let resources = |start: &str| {
        inspection
            .imports
            .iter()
            .find(|import| import.name.starts_with(start))
            .map(|import| import.resources.clone())
            .unwrap_or_default()
    };
    assert!(resources("wasi:io/streams@").contains(&"output-stream".to_owned()));
    assert!(resources("wasi:cli/stdout@").is_empty());
}

/// Negative control: with a core module taken for a component in `inspect::check_header`, this fails.
#[test]
fn l7_a_bare_core_module_is_refused_and_its_preview_1_imports_are_named() {
    let error = refused(&guest("hostile-l7-core-module"));
    assert_eq!(error.code(), "AIM-A022");
    assert!(
        error.to_string().contains("wasi_snapshot_preview1"),
        "{error}"
    );
}

/// Negative control: with no look at the first four bytes, this fails.
#[test]
fn l13_text_emptiness_and_other_files_are_refused() {
    assert_eq!(refused(b"(component)").code(), "AIM-A021");
    assert_eq!(refused(b"").code(), "AIM-A021");
    assert_eq!(refused(b"\x7fELF").code(), "AIM-A021");
    assert_eq!(
        refused(&vec![0; COMPONENT_BYTES_MAX + 1]).code(),
        "AIM-A020"
    );
}

/// Negative control: with no `NESTING_MAX`, this fails.
#[test]
fn l8_nesting_deeper_than_four_is_refused_and_four_is_not() {
    let nested = |levels: usize| {
        let text = format!("{}{}", "(component ".repeat(levels), ")".repeat(levels));
        wat::parse_str(text).unwrap()
    };
    assert_eq!(inspect(&nested(4)).unwrap().nesting_depth, 4);
    assert_eq!(refused(&nested(5)).code(), "AIM-A025");
    assert_eq!(refused(&nested(90)).code(), "AIM-A025");
}

/// Negative control: with no `PARTS_MAX`, this fails.
#[test]
fn too_many_parts_are_refused() {
    let text = format!("(component {})", "(core module)".repeat(1000));
    assert_eq!(refused(&wat::parse_str(text).unwrap()).code(), "AIM-A026");
}

/// Negative control: with imports at the root left out, this fails.
#[test]
fn root_imports_are_told_apart_from_instances() {
    let bytes = wat::parse_str(r#"(component (import "f" (func)) (import "m" (core module)))"#);
    assert_eq!(inspect(&bytes.unwrap()).unwrap().root_imports, ["f", "m"]);
}

/// Some cuts fall between two sections and leave a smaller component; its digest is another one.
/// Negative control: with a panic where the parser finds a fault, this fails.
#[test]
fn l12_every_truncation_is_refused_or_is_another_component() {
    let bytes = guest("hostile-g2-start-loop");
    let mut refusals = 0;
    for end in 0..bytes.len() {
        match inspect(&bytes[..end]) {
            Ok(inspection) => assert_ne!(inspection.digest, Digest::of(&bytes)),
            Err(error) => {
                refusals += 1;
                assert!(error.code().starts_with("AIM-A02"), "{end}: {error}");
            }
        }
    }
    assert!(
        refusals > bytes.len() * 9 / 10,
        "{refusals} of {}",
        bytes.len()
    );
}

proptest! {
    /// Negative control: with a panic where the parser finds a fault, this fails.
    #[test]
    fn no_mutation_panics(at in 0_usize..2_800, byte in any::<u8>(), more in any::<u32>()) {
        let mut bytes = guest("hostile-g2-start-loop");
        bytes[at] = byte;
        let second = usize::try_from(more).unwrap() % bytes.len();
        bytes[second] ^= 1 << (more % 8);
        let _ = inspect(&bytes);
    }

    /// Negative control: with a panic where the parser finds a fault, this fails.
    #[test]
    fn no_random_bytes_panic(tail in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        bytes.extend(tail);
        let _ = inspect(&bytes);
    }
}
