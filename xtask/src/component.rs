//! From what a compiler or an author wrote to a component: encode, validate, digest.
//! INVARIANT: the bytes depend on the input bytes and on the pinned encoder only.

use std::path::Path;

use anyhow::{Context as _, Result};
use wasi_preview1_component_adapter_provider as adapter;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Makes a component of a core module that carries its component type. A component is returned as it is.
pub(crate) fn encode(core: &[u8]) -> Result<Vec<u8>> {
    if wasmparser::Parser::is_component(core) {
        return Ok(core.to_vec());
    }
    let mut encoder = ComponentEncoder::default()
        .validate(true)
        .merge_imports_based_on_semver(false)
        .module(core)?;
    if imports_from(core, adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME)? {
        encoder = encoder.adapter(
            adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        )?;
    }
    encoder.encode()
}

/// True when the core module imports anything from `module`.
fn imports_from(core: &[u8], module: &str) -> Result<bool> {
    for payload in wasmparser::Parser::new(0).parse_all(core) {
        if let wasmparser::Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                if import?.module == module {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Makes a component of a `.wat` file. A `.wit` file beside it gives the world to encode for: its one package holds one
/// world, and may nest packages that the project has not. Without one the text stays what it is, module or component.
pub(crate) fn encode_text(text: &Path, wit_folder: &Path) -> Result<Vec<u8>> {
    let mut module = wat::parse_file(text).context("the text does not parse")?;
    let world_file = text.with_extension("wit");
    if !world_file.exists() {
        return Ok(module);
    }
    let mut resolve = resolve_folder(wit_folder)?;
    let package = resolve.push_path(&world_file)?.0;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    encode(&module)
}

/// All packages of the project, one folder each, in an order that puts what is used before what uses it.
fn resolve_folder(wit_folder: &Path) -> Result<Resolve> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(wit_folder)? {
        let path = entry?.path();
        // A package's folder is named `name@version`; `deps` beside them holds the packages of others.
        let is_package = entry_name(&path).contains('@');
        if path.is_dir() && is_package {
            folders.push(path);
        }
    }
    folders.sort();
    let mut resolve = Resolve::default();
    // BOUND: every round pushes at least one folder or is the last.
    while !folders.is_empty() {
        let before = folders.len();
        let mut failed = Vec::new();
        let mut reason = None;
        for folder in folders {
            let mut attempt = resolve.clone();
            match attempt.push_path(&folder) {
                Ok(_) => resolve = attempt,
                Err(error) => {
                    failed.push(folder);
                    reason = Some(error);
                }
            }
        }
        if let (true, Some(reason)) = (failed.len() == before, reason) {
            return Err(reason);
        }
        folders = failed;
    }
    Ok(resolve)
}

/// `blake3:` and 64 hex digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(bytes).to_hex())
}

fn entry_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
