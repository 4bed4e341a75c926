//! Proposals beyond WebAssembly 2.0 are refused, by the reader and by the compiler alike.

use aim_engine::{EngineProfile, compile, inspect};

/// One component per switched-off proposal. `compile` must refuse each even when `inspect` were not asked first.
const SWITCHED_OFF: [(&str, &str); 13] = [
    ("threads", "(component (core module (memory 1 1 shared)))"),
    (
        "atomics",
        "(component (core module (memory 1) (func i32.const 0 i32.atomic.load drop)))",
    ),
    ("memory64", "(component (core module (memory i64 1)))"),
    ("table64", "(component (core module (table i64 1 funcref)))"),
    (
        "custom page sizes",
        "(component (core module (memory 1 (pagesize 1))))",
    ),
    (
        "relaxed simd",
        "(component (core module (func (param v128) (result v128)
           local.get 0 local.get 0 i8x16.relaxed_swizzle)))",
    ),
    (
        "gc",
        "(component (core module (type (struct (field i32)))))",
    ),
    (
        "function references",
        "(component (core module (type $f (func)) (func (param (ref $f)) local.get 0 call_ref $f)))",
    ),
    (
        "exceptions",
        "(component (core module (tag) (func (throw 0))))",
    ),
    (
        "stack switching",
        "(component (core module (type $f (func)) (type $c (cont $f))))",
    ),
    (
        "wide arithmetic",
        "(component (core module (func (param i64 i64) (result i64 i64)
           local.get 0 local.get 1 i64.mul_wide_u)))",
    ),
    (
        "component async",
        r#"(component (import "f" (func $f async)) (core func (canon lower (func $f) async)))"#,
    ),
    (
        "error context",
        "(component (type (func (param \"x\" error-context))))",
    ),
];

/// Instructions alone: function bodies are the compiler's to check, the reader looks at types and imports.
const IN_BODIES: [&str; 3] = ["atomics", "relaxed simd", "wide arithmetic"];

/// Negative control: with `gc: true` in `profile::WASI_02` the fixture `gc` compiles and this fails (seen); with every proposal
/// switched on in the reader it fails as well.
#[test]
fn l20_every_switched_off_proposal_is_refused_by_reader_and_compiler() {
    for (proposal, text) in SWITCHED_OFF {
        let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{proposal}: {error}"));
        let read = inspect(&bytes);
        assert_eq!(read.is_ok(), IN_BODIES.contains(&proposal), "{proposal}");
        if let Err(error) = &read {
            assert_eq!(error.code(), "AIM-A024", "{proposal}: {error}");
        }
        assert!(
            compile(EngineProfile::Wasi02, &bytes).is_err(),
            "{proposal} compiled"
        );
    }
}

#[test]
fn what_is_switched_on_compiles() {
    for text in [
        "(component (core module (memory 1) (memory 1)))",
        "(component (core module (func $f (return_call $f))))",
        "(component (core module (func (param v128) (result v128) local.get 0)))",
    ] {
        let bytes = wat::parse_str(text).unwrap();
        inspect(&bytes).unwrap();
        compile(EngineProfile::Wasi02, &bytes).unwrap();
    }
}

#[test]
fn the_fingerprint_names_engine_and_settings() {
    let line = EngineProfile::Wasi02.fingerprint();
    for part in [
        "wasi-0.2",
        "wasmtime=48.0.8",
        "nan_canonicalization: true",
        "consume_fuel: true",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

/// A step that grows its memory by forty pages, answers nothing when all of it is zero, and traps otherwise.
pub(crate) fn zero_probe() -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let wit = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    for package in [
        "types", "host", "witness", "gate", "artifact", "log", "step",
    ] {
        resolve
            .push_dir(wit.join(format!("aim-{package}@0.1.0")))
            .unwrap();
    }
    let probe = "package guest:probe; world probe { export aim:step/handler@0.1.0; }";
    let package = resolve.push_str("probe.wit", probe).unwrap();
    let world = resolve.select_world(&[package], Some("probe")).unwrap();
    let mut module = wat::parse_str(ZERO_PROBE).unwrap();
    let utf8 = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &resolve, world, utf8).unwrap();
    let encoder = wit_component::ComponentEncoder::default();
    encoder.module(&module).unwrap().encode().unwrap()
}

/// The answer lies at 16: `ok` with an empty list, all zero. Two pages are there at the start.
const ZERO_PROBE: &str = r#"(module
  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local $at i32) (local $end i32)
    (local.set $at (i32.const 65536))
    (drop (memory.grow (i32.const 40)))
    (local.set $end (i32.mul (memory.size) (i32.const 65536)))
    (loop $next
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (i32.const 16)))"#;
