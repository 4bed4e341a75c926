//! Components from text: guests of `guests/wat` with another number in them, and parts added to what a compiler built.
//!
//! INVARIANT: what comes out is as valid as what went in; only `inspect` and the engine say what is refused.

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A folder or file of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The bytes of a built guest.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = repository(&format!("target/guests/{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask guests`", path.display()))
}

/// A guest of `guests/wat` whose text was changed by `edit`, in UTF-8.
pub(crate) fn edited(name: &str, edit: impl FnOnce(String) -> String) -> Vec<u8> {
    encoded(name, StringEncoding::UTF8, edit)
}

/// A guest of `guests/wat` with this number as its `$case`.
pub(crate) fn variant(name: &str, case: u32) -> Vec<u8> {
    edited(name, |text| {
        replaced(
            &text,
            "$case i32 (i32.const 0)",
            &format!("$case i32 (i32.const {case})"),
        )
    })
}

/// A guest of `guests/wat` in another encoding of text.
pub(crate) fn encoded(
    name: &str,
    encoding: StringEncoding,
    edit: impl FnOnce(String) -> String,
) -> Vec<u8> {
    let folder = repository("guests/wat");
    let text = std::fs::read_to_string(folder.join(format!("{name}.wat"))).unwrap();
    let wit = std::fs::read_to_string(folder.join(format!("{name}.wit"))).unwrap();
    of_module(&wat::parse_str(edit(text)).unwrap(), &wit, encoding)
}

/// `text` with its one `from` replaced.
pub(crate) fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` must be there once");
    text.replace(from, to)
}

/// A component of a core module in the world that `wit` gives.
pub(crate) fn of_module(module: &[u8], wit: &str, encoding: StringEncoding) -> Vec<u8> {
    try_of_module(module, wit, encoding).unwrap()
}

/// As [`of_module`], for modules that may not fit their world any more.
pub(crate) fn try_of_module(
    module: &[u8],
    wit: &str,
    encoding: StringEncoding,
) -> Result<Vec<u8>, String> {
    let mut resolve = packages();
    let package = resolve
        .push_str("guest.wit", wit)
        .map_err(|e| e.to_string())?;
    let world = resolve
        .select_world(&[package], None)
        .map_err(|e| e.to_string())?;
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, encoding).map_err(|e| e.to_string())?;
    let encoder = ComponentEncoder::default()
        .module(&module)
        .map_err(|e| e.to_string())?;
    let mut encoder = encoder.validate(false);
    encoder.encode().map_err(|e| e.to_string())
}

/// Every WIT package of the project that a step of ours may import.
pub(crate) fn packages() -> Resolve {
    let mut resolve = Resolve::default();
    for package in [
        "types", "host", "witness", "gate", "artifact", "log", "step",
    ] {
        let folder = repository(&format!("wit/aim-{package}@0.1.0"));
        resolve.push_dir(folder).unwrap();
    }
    resolve
}

/// A built component with `more` behind its last part.
pub(crate) fn with_more(bytes: &[u8], more: &str) -> Vec<u8> {
    let text = wasmprinter::print_bytes(bytes).unwrap();
    let body = text.trim_end().strip_suffix(')').unwrap();
    wat::parse_str(format!("{body}{more})")).unwrap()
}

/// The index of an imported instance in the printed text of a component.
pub(crate) fn import_index(bytes: &[u8], import: &str) -> u32 {
    let text = wasmprinter::print_bytes(bytes).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains(&format!("(import \"{import}\" (instance")))
        .unwrap();
    let number = line.split("(;").nth(1).unwrap().split(";)").next().unwrap();
    number.parse().unwrap()
}

/// The smallest step: answers with nothing.
pub(crate) fn smallest() -> Vec<u8> {
    edited("hostile-g2-start-loop", |text| {
        replaced(&text, "  (start $start)\n", "")
    })
}
