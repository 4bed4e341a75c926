//! What a replay may load: the deployment of that time, a folder of components, and the component to compare with.
//!
//! INVARIANT: everything is taken by the digest of its bytes; a deployment that has changed since is only missing something.

use std::path::{Path, PathBuf};

use aim_core::digest::Digest;
use aim_registry_dir::Registry;
use aim_schema_json::JsonSchemas;

use super::Library;
use crate::{
    args::ReplayArgs,
    commands::run::{load_error, prepare::rules},
    error::CliError,
    files,
};

/// The largest component that is read.
const COMPONENT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// What the deployment of that time has; nothing without one, and then the replay says what it misses of it.
pub(super) fn deployed(args: &ReplayArgs, data_dir: &Path) -> Result<Library, CliError> {
    let config = beside(args.config.as_deref(), data_dir);
    if args.config.is_none() && !config.exists() {
        return Ok(Library::default());
    }
    let registry = Registry::load(&config, &JsonSchemas).map_err(|error| load_error(&error))?;
    let mut library = Library::new(rules(registry.deployment()));
    for node in registry.nodes() {
        take(&mut library, &registry, node)?;
    }
    Ok(library)
}

/// The deployment file that is named, or the one beside the data directory.
pub(crate) fn beside(named: Option<&Path>, data_dir: &Path) -> PathBuf {
    let data_dir = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_path_buf());
    let folder = data_dir.parent().unwrap_or(&data_dir);
    named.map_or_else(|| folder.join("aim.toml"), Path::to_path_buf)
}

/// Adds the nodes of a deployment to what an export carries; its rules stay.
pub(super) fn deploy(library: &mut Library, config: &Path) -> Result<(), CliError> {
    let registry = Registry::load(config, &JsonSchemas).map_err(|error| load_error(&error))?;
    let mut nodes = registry.nodes();
    nodes.try_for_each(|node| take(library, &registry, node))
}

/// Adds the folder of components, and the component to compare with; the digest of that one, if there is one.
pub(super) fn add(library: &mut Library, args: &ReplayArgs) -> Result<Option<Digest>, CliError> {
    if let Some(folder) = &args.components {
        for path in components(folder)? {
            library.add_component(bytes(&path)?);
        }
    }
    let against = args.against.as_deref().map(bytes).transpose()?;
    Ok(against.map(|bytes| library.add_component(bytes)))
}

fn take(
    library: &mut Library,
    registry: &Registry,
    node: &aim_registry_dir::LoadedNode,
) -> Result<(), CliError> {
    let contract = &node.contract;
    library
        .add_contract(contract, &JsonSchemas)
        .map_err(|error| CliError::usage(error.code(), error.to_string(), "correct the schema"))?;
    let id = &contract.node_id;
    // What can not be read is missing, and only those who need it say so.
    if let Ok(component) = registry.read_component(id) {
        library.add_component(component);
    }
    if contract.is_gate()
        && let Ok(Some(codex)) = registry.read_codex(id)
    {
        library.add_codex(&codex);
    }
    Ok(())
}

/// Every `.wasm` in a folder, in the order of their names.
pub(crate) fn components(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|one| one == "wasm"))
        .collect();
    paths.sort();
    Ok(paths)
}

/// A component's bytes.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    files::read_found(path, "component", COMPONENT_BYTES_MAX)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    let message = format!("`{}`: {error}", path.display());
    CliError::not_found("AIM-C001", message, "check the path")
}
