//! The committed schemas and fixtures, held against the types and the loader.
//!
//! `AIM_BLESS=1` writes the schemas anew.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aim_core::{class::Class, limits::Limits};
use aim_ports::schema::SchemaCompiler as _;
use aim_schema_json::JsonSchemas;

use serde_json::Value;

use super::schemas;
use crate::{
    Registry,
    document::{self, Shapes},
    fault::LoadFault,
    yaml,
};

fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../contracts/schemas");
    root.join(name).join("v1")
}

fn fixtures(name: &str, kind: &str) -> Vec<(PathBuf, String)> {
    let mut found: Vec<_> = fs::read_dir(folder(name).join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{name}/{kind}");
    found
}

fn load_contract(path: &Path, text: &str) -> Result<(), Vec<LoadFault>> {
    let shapes = Shapes::compile(&JsonSchemas).unwrap();
    document::contract(path, text, &shapes, &JsonSchemas, |_| {
        (Class::Standard, Limits::CEILING)
    })
    .map(|_| ())
}

/// A project in which the deployment fixtures make sense.
fn load_deployment(text: &str) -> Result<(), Vec<LoadFault>> {
    let dir = tempfile::tempdir().unwrap();
    let contracts = dir.path().join("contracts");
    fs::create_dir(&contracts).unwrap();
    fs::create_dir(dir.path().join("components")).unwrap();
    fs::write(dir.path().join("codex.yaml"), "x").unwrap();
    fs::write(dir.path().join("policy.cedar"), "x").unwrap();
    for name in ["echo-node", "gate"] {
        let from = folder("node").join(format!("valid/{name}.yaml"));
        fs::copy(from, contracts.join(format!("{name}.yaml"))).unwrap();
    }
    let file = dir.path().join("aim.toml");
    fs::write(&file, text).unwrap();
    Registry::load(&file, &JsonSchemas)
        .map(|_| ())
        .map_err(|error| error.faults)
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    for (name, text) in schemas() {
        let file = folder(name).join("schema.json");
        if std::env::var_os("AIM_BLESS").is_some() {
            fs::write(&file, &text).unwrap();
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            committed == text,
            "{} is not what the types say; run this test with AIM_BLESS=1",
            file.display()
        );
    }
}

#[test]
fn every_valid_fixture_loads_and_fits_the_committed_schema() {
    for name in ["node", "runtime-host"] {
        let committed = fs::read(folder(name).join("schema.json")).unwrap();
        let schema = JsonSchemas.compile(&committed).unwrap();
        for (path, text) in fixtures(name, "valid") {
            assert_eq!(load_contract(&path, &text), Ok(()), "{}", path.display());
            let (value, _) = yaml::parse(&text).unwrap_or_else(|fault| panic!("{}", fault.message));
            let body = serde_json::to_vec(&value).unwrap();
            assert_eq!(schema.check(&body), Ok(()), "{}", path.display());
        }
    }
    for (path, text) in fixtures("deployment", "valid") {
        assert_eq!(load_deployment(&text), Ok(()), "{}", path.display());
    }
}

/// The first line of each file says which code it must be refused with.
#[test]
fn every_invalid_fixture_is_refused_with_the_code_it_names() {
    let mut wrong = Vec::new();
    for name in ["node", "runtime-host", "deployment"] {
        for (path, text) in fixtures(name, "invalid") {
            let expected = text
                .lines()
                .next()
                .unwrap()
                .trim_start_matches("# ")
                .to_owned();
            let result = if name == "deployment" {
                load_deployment(&text)
            } else {
                load_contract(&path, &text)
            };
            let faults = result.err().unwrap_or_default();
            let codes: Vec<&str> = faults.iter().map(|fault| fault.code).collect();
            if codes != [expected.as_str()] {
                wrong.push(format!("{}: {faults:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A person who wrote a wrong value of `[gates]` is told where and what to do.
#[test]
fn every_wrong_value_of_gates_has_a_place_and_a_remedy() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for (path, text) in fixtures("deployment", "invalid") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if !name.starts_with("gates-") {
            continue;
        }
        seen += 1;
        // The second line begins the file, the third the table.
        let is_told = |fault: &LoadFault| {
            let is_placed = fault.line >= 3 && fault.column >= 1;
            is_placed && !fault.help.is_empty() && !fault.message.is_empty()
        };
        let faults = load_deployment(&text).err().unwrap_or_default();
        if faults.is_empty() || !faults.iter().all(is_told) {
            wrong.push(format!("{name}: {faults:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 40, "{seen}");
}

/// Pointers of every mapping in which the host knows all keys.
fn closed_mappings(value: &Value, at: &str, found: &mut Vec<String>) {
    const OPEN: [&str; 5] = [
        "/metadata",
        "/input",
        "/output",
        "/db/params",
        "/http/headers",
    ];
    if OPEN.contains(&at) {
        return;
    }
    match value {
        Value::Object(map) => {
            found.push(at.to_owned());
            for (key, inner) in map {
                closed_mappings(inner, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                closed_mappings(inner, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// JSON is YAML, so changed documents go through the whole loader.
fn codes_of(document: &Value) -> Vec<&'static str> {
    load_contract(Path::new("changed.yaml"), &document.to_string())
        .err()
        .unwrap_or_default()
        .iter()
        .map(|fault| fault.code)
        .collect()
}

#[test]
fn no_mapping_of_any_document_takes_an_unknown_key() {
    let mut tried = 0;
    for (path, text) in ["node", "runtime-host"]
        .iter()
        .flat_map(|name| fixtures(name, "valid"))
    {
        let (value, _) = yaml::parse(&text).unwrap_or_else(|fault| panic!("{}", fault.message));
        assert_eq!(codes_of(&value), [""; 0], "{}", path.display());
        let mut mappings = Vec::new();
        closed_mappings(&value, "", &mut mappings);
        for at in mappings {
            let mut changed = value.clone();
            let mapping = changed
                .pointer_mut(&at)
                .and_then(Value::as_object_mut)
                .unwrap();
            mapping.insert("surprise".to_owned(), Value::from(1));
            assert_eq!(codes_of(&changed), ["AIM-C005"], "{}{at}", path.display());
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn no_scalar_of_any_document_can_become_a_list() {
    for (path, text) in ["node", "runtime-host"]
        .iter()
        .flat_map(|name| fixtures(name, "valid"))
    {
        let (value, _) = yaml::parse(&text).unwrap_or_else(|fault| panic!("{}", fault.message));
        let mut mappings = Vec::new();
        closed_mappings(&value, "", &mut mappings);
        for at in mappings {
            let keys = value
                .pointer(&at)
                .and_then(Value::as_object)
                .unwrap()
                .clone();
            for (key, _) in keys
                .iter()
                .filter(|(_, inner)| !inner.is_object() && !inner.is_array())
            {
                let mut changed = value.clone();
                *changed.pointer_mut(&format!("{at}/{key}")).unwrap() = Value::from(vec![1]);
                let codes = codes_of(&changed);
                assert!(!codes.is_empty(), "{}{at}/{key}", path.display());
            }
        }
    }
}
