//! From a text to a value with places, and from there through schema, types and rules, with every fault at its place.
//!
//! The generated JSON Schema speaks first because it names all structural faults at once, where the types would stop at
//! the first. The types speak second and are the authority: what the schema lets through and they do not is a fault too.
//! The rules of `aim_core::contract` speak last, and where they and the schema complain about one field, theirs is kept.
//!
//! INVARIANT: a value is returned only when none of the three complained.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use aim_core::{
    class::Class,
    contract::{
        ContractFault, ContractRule, NodeContract, NodeDocument, RuntimeHostContract,
        RuntimeHostDocument,
    },
    limits::Limits,
};
use aim_ports::schema::{Schema, SchemaCompiler, SchemaFault, SchemaFaultKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    fault::{LoadError, LoadFault},
    schemas::schema_of,
    yaml,
};

/// Line and column, both from 1.
pub(crate) type Place = (u64, u64);

/// Where each key and each value of a document stands, by JSON pointer.
#[derive(Debug, Default)]
pub(crate) struct Places {
    keys: BTreeMap<String, Place>,
    values: BTreeMap<String, Place>,
}

impl Places {
    pub(crate) fn key(&mut self, at: &str, place: Place) {
        self.keys.insert(at.to_owned(), place);
    }

    pub(crate) fn value(&mut self, at: &str, place: Place) {
        self.values.insert(at.to_owned(), place);
    }

    /// The value's place, or that of the nearest thing around it that has one.
    pub(crate) fn of_value(&self, at: &str) -> Place {
        let mut at = at;
        loop {
            if let Some(place) = self.values.get(at) {
                return *place;
            }
            // BOUND: each round takes one part off.
            match at.rfind('/').and_then(|end| at.get(..end)) {
                Some(parent) => at = parent,
                None => return (1, 1),
            }
        }
    }

    /// The key's place, or that of its value.
    pub(crate) fn of_key(&self, at: &str) -> Place {
        self.keys
            .get(at)
            .copied()
            .unwrap_or_else(|| self.of_value(at))
    }
}

/// A pointer one key further in.
pub(crate) fn pointer_to(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A contract of either kind.
#[derive(Debug)]
pub(crate) enum Contract {
    Node(Box<NodeContract>),
    Host(Box<RuntimeHostContract>),
}

/// The compiled schemas of our own documents.
#[derive(Debug)]
pub(crate) struct Shapes {
    node: Arc<dyn Schema>,
    host: Arc<dyn Schema>,
    deployment: Arc<dyn Schema>,
}

impl Shapes {
    pub(crate) fn compile(compiler: &dyn SchemaCompiler) -> Result<Self, LoadError> {
        let compile = |name: &str| {
            compiler
                .compile(schema_of(name).as_bytes())
                .map_err(|error| {
                    LoadError::from(LoadFault::of_file(
                        "AIM-C013",
                        Path::new(name),
                        format!("the built-in schema can not be used: {error}"),
                        "report this as a bug",
                    ))
                })
        };
        Ok(Self {
            node: compile("node")?,
            host: compile("runtime-host")?,
            deployment: compile("deployment")?,
        })
    }
}

/// A document's value, its places and the file that faults are reported for.
pub(crate) struct Located<'a> {
    pub(crate) file: &'a Path,
    pub(crate) value: Value,
    pub(crate) places: Places,
}

impl Located<'_> {
    pub(crate) fn fault(
        &self,
        code: &'static str,
        at: &str,
        message: &str,
        help: &str,
    ) -> LoadFault {
        LoadFault::at(code, self.file, self.places.of_value(at), message, help)
    }

    fn contract_fault(&self, fault: &ContractFault) -> LoadFault {
        let name = field_name(&fault.field);
        let message = match name.as_str() {
            "" => fault.message.clone(),
            name => format!("`{name}`: {}", fault.message),
        };
        self.fault(fault.code(), &fault.field, &message, &self.help(fault.rule))
    }

    fn schema_fault(&self, fault: &SchemaFault) -> LoadFault {
        let rule = match fault.kind {
            SchemaFaultKind::UnknownKey => ContractRule::UnknownKey,
            SchemaFaultKind::MissingKey => ContractRule::MissingKey,
            SchemaFaultKind::Value | SchemaFaultKind::NotJson => ContractRule::Value,
        };
        let place = match fault.kind {
            SchemaFaultKind::UnknownKey => self.places.of_key(&fault.field),
            _ => self.places.of_value(&fault.field),
        };
        let message = match fault.kind {
            SchemaFaultKind::Value => format!("`{}` {}", field_name(&fault.field), fault.message),
            _ => fault.message.clone(),
        };
        LoadFault::at(rule.code(), self.file, place, message, self.help(rule))
    }

    /// The remedy for a rule, naming the page that is about this kind of file.
    fn help(&self, rule: ContractRule) -> String {
        let is_deployment = self.file.extension().is_some_and(|end| end == "toml");
        match (is_deployment, rule) {
            (true, ContractRule::UnknownKey) => {
                "remove the key or correct its spelling; docs/formats/aim-toml.md has them all"
                    .to_owned()
            }
            (true, _) => rule.help().replace("contract.md", "aim-toml.md"),
            (false, _) => rule.help().to_owned(),
        }
    }

    /// Runs schema, types and rules.
    pub(crate) fn through<A: DeserializeOwned, C>(
        &self,
        shape: &dyn Schema,
        check: impl FnOnce(A) -> Result<C, Vec<ContractFault>>,
    ) -> Result<C, Vec<LoadFault>> {
        // A value of plain JSON always has a text.
        let text = serde_json::to_vec(&self.value).unwrap_or_default();
        let structural = shape.check(&text).err().unwrap_or_default();
        let (checked, semantic) = match serde_json::from_value::<A>(self.value.clone()) {
            Ok(authored) => match check(authored) {
                Ok(checked) => (Some(checked), Vec::new()),
                Err(faults) => (None, faults),
            },
            Err(error) if structural.is_empty() => {
                let fault = ContractFault {
                    rule: ContractRule::Value,
                    field: String::new(),
                    message: error.to_string(),
                };
                (None, vec![fault])
            }
            Err(_) => (None, Vec::new()),
        };
        let mut faults: Vec<LoadFault> = structural
            .iter()
            .filter(|fault| semantic.iter().all(|other| other.field != fault.field))
            .map(|fault| self.schema_fault(fault))
            .collect();
        faults.extend(semantic.iter().map(|fault| self.contract_fault(fault)));
        match checked {
            Some(checked) if faults.is_empty() => Ok(checked),
            _ => Err(faults),
        }
    }
}

/// `/limits/fuel_max` as people say it: `limits.fuel_max`.
fn field_name(pointer: &str) -> String {
    pointer
        .trim_start_matches('/')
        .replace('/', ".")
        .replace("~1", "/")
        .replace("~0", "~")
}

/// Reads one contract. `room` tells a node's class and ceilings.
pub(crate) fn contract(
    file: &Path,
    text: &str,
    shapes: &Shapes,
    compiler: &dyn SchemaCompiler,
    room: impl Fn(&str) -> (Class, Limits),
) -> Result<Contract, Vec<LoadFault>> {
    let (value, places) = yaml::parse(text).map_err(|fault| {
        vec![LoadFault::at(
            fault.code,
            file,
            fault.place,
            fault.message,
            fault.help,
        )]
    })?;
    let located = Located {
        file,
        value,
        places,
    };
    if !located.value.is_object() {
        let message = "a contract is a mapping";
        return Err(vec![located.fault(
            "AIM-C007",
            "",
            message,
            "see docs/formats/contract.md",
        )]);
    }
    match located.value.get("kind").and_then(Value::as_str) {
        Some("runtime_host") => located
            .through(&*shapes.host, RuntimeHostDocument::check)
            .map(|host| Contract::Host(Box::new(host))),
        Some("effect" | "compute" | "reducer" | "orchestrator") | None => {
            let node = located.through(&*shapes.node, |document: NodeDocument| {
                let (class, ceiling) = room(&document.node_id);
                document.check_as(class, &ceiling)
            });
            let mut faults = payload_schema_faults(&located, compiler);
            match node {
                Ok(node) if faults.is_empty() => Ok(Contract::Node(Box::new(node))),
                Ok(_) => Err(faults),
                Err(others) => {
                    faults.extend(others);
                    Err(faults)
                }
            }
        }
        Some(_) => Err(vec![located.fault(
            "AIM-C007",
            "/kind",
            "`kind` must be one of `effect`, `compute`, `reducer`, `orchestrator`, `runtime_host`",
            "see docs/formats/contract.md",
        )]),
    }
}

/// Whether `input` and `output` can be used is found at load, not when the first envelope comes.
fn payload_schema_faults(located: &Located<'_>, compiler: &dyn SchemaCompiler) -> Vec<LoadFault> {
    let mut faults = Vec::new();
    for key in ["input", "output"] {
        let Some(schema) = located.value.get(key) else {
            continue;
        };
        if !schema.is_object() && !schema.is_boolean() {
            continue; // The rules say that already.
        }
        let text = serde_json::to_vec(schema).unwrap_or_default();
        if let Err(error) = compiler.compile(&text) {
            let rule = ContractRule::Schema;
            faults.push(located.fault(
                rule.code(),
                &format!("/{key}{}", error.field),
                &format!("`{key}` is no usable JSON Schema: {}", error.detail),
                rule.help(),
            ));
        }
    }
    faults
}

impl Shapes {
    pub(crate) fn deployment(&self) -> &dyn Schema {
        &*self.deployment
    }
}
