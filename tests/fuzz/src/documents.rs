//! Documents that people write: contracts, deployments, policies, schemas.
//!
//! INVARIANT: a document is read as the host reads it, from a file; a fault says where it is inside of the file.

use std::{cell::RefCell, fs, path::Path};

use aim_policy_cedar::{CedarPolicy, PolicySource};
use aim_ports::schema::SchemaCompiler as _;
use aim_registry_dir::Registry;
use aim_schema_json::JsonSchemas;

const TOML: &[u8] = b"contracts = [\"contracts\"]\ncomponents = [\"components\"]\n";

thread_local! {
    /// One folder for all inputs; each overwrites the one before it.
    static PROJECT: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

fn load(deployment: &[u8], contract: &[u8]) {
    PROJECT.with_borrow_mut(|project| {
        let folder = project.get_or_insert_with(|| {
            let folder = tempfile::tempdir().expect("a folder");
            for name in ["contracts", "components"] {
                fs::create_dir(folder.path().join(name)).expect("a folder");
            }
            folder
        });
        read(folder.path(), deployment, contract);
    });
}

fn read(folder: &Path, deployment: &[u8], contract: &[u8]) {
    let toml = folder.join("aim.toml");
    fs::write(&toml, deployment).expect("a file");
    fs::write(folder.join("contracts/a.yaml"), contract).expect("a file");
    match Registry::load(&toml, &JsonSchemas) {
        Ok(registry) => {
            for node in registry.nodes() {
                let faults = node
                    .contract
                    .limits
                    .faults_under(&aim_core::limits::Limits::CEILING);
                assert!(faults.is_empty(), "past the ceiling: {faults:?}");
            }
        }
        Err(error) => {
            assert!(!error.faults.is_empty(), "a refusal without a fault");
            for fault in &error.faults {
                assert!(fault.code.starts_with("AIM-"), "{fault:?}");
                assert!(!format!("{fault}").contains('\u{1b}'), "{fault:?}");
            }
        }
    }
}

/// A contract in an otherwise good project.
pub(crate) fn contract(bytes: &[u8]) {
    load(TOML, bytes);
}

/// A deployment over one good contract.
pub(crate) fn deployment(bytes: &[u8]) {
    load(bytes, b"kind: compute\nnode_id: a\nversion: \"0.1.0\"\n");
}

/// A policy: whole or refused, and the same both times.
pub(crate) fn policy(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let sources = || {
        vec![PolicySource {
            name: "policy.cedar".to_owned(),
            text: text.to_owned(),
        }]
    };
    let (one, two) = (
        CedarPolicy::compile(&sources()),
        CedarPolicy::compile(&sources()),
    );
    assert_eq!(one.is_ok(), two.is_ok(), "the same text, loaded once");
}

/// A schema and what it is held against. An invalid schema is refused, and a valid one never fetches and never panics.
pub(crate) fn schema(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let schema = parts.next().unwrap_or_default();
    let Ok(schema) = JsonSchemas.compile(schema) else {
        return;
    };
    let body = parts.next().unwrap_or(b"{}");
    assert_eq!(
        schema.check(body).is_ok(),
        schema.check(body).is_ok(),
        "one answer"
    );
}
