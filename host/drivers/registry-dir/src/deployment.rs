//! `aim.toml`: which contracts, which gates, which policy, for one project.
//!
//! All paths are relative to the file's own folder and must end up below `root`, which is that folder unless the file
//! widens it by a path upwards. So a plan's folder can use components that were built elsewhere in the repository, and it
//! says so in one visible place.
//!
//! INVARIANT: no key switches a protection off; ceilings can be lowered and never lifted. Probes protect nothing, they watch:
//! which of them are off is recorded by every run.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use aim_core::{
    access::ResourceKind,
    class::Class,
    contract::{ContractFault, ContractRule, authored::AuthoredLimits},
    limits::Limits,
    name::{NodeId, StepName, TenantId},
    plan::ProbeSwitch,
    pool::Prices,
    traffic::TrafficLimits,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    document::{Located, Place, Places, Shapes, pointer_to},
    fault::{LoadError, LoadFault},
    gates::{AuthoredGates, DeploymentGates},
    outside::{self, AuthoredHttpClient, AuthoredSecret, OutsideUse},
    probes::AuthoredProbes,
    source,
};

/// The deployment file exactly as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredDeployment {
    /// The tenant that runs belong to; `global` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The folder that everything must lie in; this file's own when absent. May lead upwards: `../..`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub root: Option<String>,
    /// Folders of contracts.
    #[schemars(length(min = 1))]
    pub contracts: Vec<String>,
    /// Folders where components are looked for when they are not beside their contract.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// The codex for gates that name none themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codex: Option<String>,
    /// The operator's policy: a `.cedar` file or a folder of them. Without it only effect-free capabilities are granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The file of approvals for rules of the policy that want a person's: written by `aimctl policy approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<String>,
    /// A policy on trial beside the enforced one: what it would refuse is counted in every witness, and nothing is done about
    /// it. It never grants anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// Which node serves which kind of role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, AuthoredRole>,
    /// Gates that every step passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<AuthoredGates>,
    /// Which invariants are watched in every plan. Nothing runs until this says so, or says that none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<AuthoredProbes>,
    /// How evidence is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<AuthoredOperator>,
    /// What contracts can have at most, where that is less than the built-in ceiling.
    #[serde(default, skip_serializing_if = "AuthoredLimits::is_empty")]
    pub ceilings: AuthoredLimits,
    /// How many attempts may run and wait at the same time.
    #[serde(default, skip_serializing_if = "AuthoredConcurrency::is_empty")]
    pub concurrency: AuthoredConcurrency,
    /// What host calls cost, in millionths of the plans' currency; nothing when absent.
    #[serde(default, skip_serializing_if = "AuthoredPrices::is_empty")]
    pub prices: AuthoredPrices,
    /// Configuration values that contracts may ask for, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Folders that contracts may ask to change, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub folders: BTreeMap<String, String>,
    /// How HTTP is spoken, for steps that are granted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<AuthoredHttpClient>,
    /// Secrets that host calls may use, by name. Their values are elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, AuthoredSecret>,
}

/// How many attempts may run and wait; what is absent has the built-in value.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct AuthoredConcurrency {
    /// Attempts that run at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub attempts_max: Option<u32>,
    /// Attempts of one tenant that run at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub attempts_per_tenant_max: Option<u32>,
    /// Bytes of guest memory that all running attempts may take together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub memory_bytes_max: Option<u64>,
    /// Attempts that wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub waiting_max: Option<u32>,
    /// Attempts of one tenant that wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub waiting_per_tenant_max: Option<u32>,
}

impl AuthoredConcurrency {
    /// True when nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn limits(self) -> TrafficLimits {
        let built_in = TrafficLimits::DEFAULT;
        TrafficLimits {
            attempts_max: self.attempts_max.unwrap_or(built_in.attempts_max),
            attempts_per_tenant_max: (self.attempts_per_tenant_max)
                .unwrap_or(built_in.attempts_per_tenant_max),
            memory_bytes_max: self.memory_bytes_max.unwrap_or(built_in.memory_bytes_max),
            waiting_max: self.waiting_max.unwrap_or(built_in.waiting_max),
            waiting_per_tenant_max: (self.waiting_per_tenant_max)
                .unwrap_or(built_in.waiting_per_tenant_max),
        }
    }
}

/// What one host call of each class costs, in millionths of the plans' currency; what is absent costs nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct AuthoredPrices {
    /// An artifact is read or put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub artifact: Option<u64>,
    /// The gates are asked about an intention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub consult: Option<u64>,
    /// A request goes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub http: Option<u64>,
    /// A model is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub model: Option<u64>,
    /// One token of a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub model_token: Option<u64>,
    /// A bucket or a folder is read or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub state: Option<u64>,
}

impl AuthoredPrices {
    /// True when nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn prices(self) -> Prices {
        Prices {
            artifact: self.artifact.unwrap_or(0),
            consult: self.consult.unwrap_or(0),
            http: self.http.unwrap_or(0),
            model: self.model.unwrap_or(0),
            model_token: self.model_token.unwrap_or(0),
            state: self.state.unwrap_or(0),
        }
    }
}

/// One kind of role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredRole {
    /// The node that serves it.
    pub node: String,
}

/// The operator's choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredOperator {
    /// `each` (the default): a signature for every witness; `batch`: one for every checkpoint.
    #[serde(default)]
    pub signing: Signing,
    /// Nodes whose components have the room of a language runtime: Python, JavaScript.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub big: Vec<String>,
}

/// How witnesses are signed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Signing {
    /// A signature for every witness.
    #[default]
    Each,
    /// The checkpoint signs for all witnesses before it.
    Batch,
}

/// A deployment that came through every rule; paths are resolved, exist and lie below the root.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Deployment {
    /// The file.
    pub file: PathBuf,
    /// What it says, as it was read.
    pub text: String,
    /// The tenant that runs belong to.
    pub tenant: TenantId,
    /// What everything lies below.
    pub root: PathBuf,
    /// Folders of contracts.
    pub contracts: Vec<PathBuf>,
    /// Folders of components.
    pub components: Vec<PathBuf>,
    /// The codex for gates that name none.
    pub codex: Option<PathBuf>,
    /// The operator's policy, file or folder.
    pub policy: Option<PathBuf>,
    /// The file of approvals.
    pub approvals: Option<PathBuf>,
    /// The policy on trial, file or folder.
    pub monitor: Option<PathBuf>,
    /// Which node serves which kind of role.
    pub roles: BTreeMap<StepName, NodeId>,
    /// The ethical gate's node.
    pub ethical_gate: Option<NodeId>,
    /// What is wanted of gates, and after them.
    pub gates: DeploymentGates,
    /// Which invariants are watched in every plan, and by which node; `None` where the file says nothing about it.
    pub probes: Option<ProbeSwitch>,
    /// How witnesses are signed.
    pub signing: Signing,
    /// What contracts can have at most.
    pub ceilings: Limits,
    /// How many attempts may run and wait.
    pub traffic: TrafficLimits,
    /// What host calls cost.
    pub prices: Prices,
    /// Configuration values by key.
    pub config: BTreeMap<String, String>,
    /// Folders that steps may be granted to change, by name.
    pub folders: BTreeMap<String, PathBuf>,
    /// Nodes of the big class.
    pub big: BTreeSet<NodeId>,
    /// What their contracts can have at most.
    pub big_ceilings: Limits,
    /// What steps reach outside.
    pub outside: OutsideUse,
}

impl Deployment {
    /// The class of a node; standard for all that the operator has not named.
    #[must_use]
    pub fn class_of(&self, node: &str) -> Class {
        if self.big.iter().any(|big| big.as_str() == node) {
            Class::Big
        } else {
            Class::Standard
        }
    }

    /// A node's class, and what its contract can have at most.
    #[must_use]
    pub fn room_of(&self, node: &str) -> (Class, Limits) {
        match self.class_of(node) {
            Class::Standard => (Class::Standard, self.ceilings),
            Class::Big => (Class::Big, self.big_ceilings),
        }
    }
}

/// The parts that need no file system.
struct Checked {
    tenant: TenantId,
    roles: BTreeMap<StepName, NodeId>,
    ethical_gate: Option<NodeId>,
    gates: DeploymentGates,
    probes: Option<ProbeSwitch>,
    ceilings: Limits,
    big: BTreeSet<NodeId>,
    authored: AuthoredDeployment,
}

/// Reads, checks and resolves a deployment. The places serve for faults that are found later.
pub(crate) fn load(path: &Path, shapes: &Shapes) -> Result<(Deployment, Places), LoadError> {
    let text = source::read_text(path)?;
    let (value, places) = parse(path, &text)?;
    let located = Located {
        file: path,
        value,
        places,
    };
    let checked = located
        .through(shapes.deployment(), check)
        .map_err(LoadError::new)?;
    let deployment = resolve(&located, checked).map_err(LoadError::new)?;
    let deployment = Deployment { text, ..deployment };
    Ok((deployment, located.places))
}

fn check(authored: AuthoredDeployment) -> Result<Checked, Vec<ContractFault>> {
    let mut faults = Vec::new();
    let mut add = |rule, field: String, message: String| {
        faults.push(ContractFault {
            rule,
            field,
            message,
        });
    };
    let tenant = authored.tenant.as_deref().unwrap_or("global");
    let tenant = TenantId::parse(tenant)
        .map_err(|error| add(ContractRule::Name, "/tenant".to_owned(), error.to_string()))
        .ok();
    let mut roles = BTreeMap::new();
    for (kind, role) in &authored.roles {
        let at = pointer_to("/roles", kind);
        let name = StepName::parse(kind)
            .map_err(|error| add(ContractRule::Name, at.clone(), error.to_string()));
        let node = NodeId::parse(&role.node)
            .map_err(|error| add(ContractRule::Name, format!("{at}/node"), error.to_string()));
        if let (Ok(name), Ok(node)) = (name, node) {
            roles.insert(name, node);
        }
    }
    let ethical_gate = authored.gates.as_ref().and_then(|gates| {
        NodeId::parse(&gates.ethical)
            .map_err(|error| {
                add(
                    ContractRule::Name,
                    "/gates/ethical".to_owned(),
                    error.to_string(),
                )
            })
            .ok()
    });
    let big = big_nodes(&authored, &mut add);
    let gates = authored.gates.as_ref();
    let gates = gates.map(|gates| gates.check(&mut add)).unwrap_or_default();
    let probes = authored.probes.as_ref();
    let probes = probes.map(|probes| probes.check(&mut add));
    let ceilings = authored.ceilings.over(Limits::CEILING);
    for name in ceilings.faults_under(&Limits::CEILING) {
        let message = "a ceiling is a whole number from 1 up to the built-in ceiling".to_owned();
        add(ContractRule::Limit, format!("/ceilings/{name}"), message);
    }
    for name in authored.concurrency.limits().faults() {
        let message = "a number of attempts or bytes is a whole number from 1 on".to_owned();
        add(ContractRule::Limit, format!("/concurrency/{name}"), message);
    }
    check_names(&authored, &mut add);
    outside::check(&authored.secrets, &mut faults);
    match tenant {
        Some(tenant) if faults.is_empty() => Ok(Checked {
            tenant,
            roles,
            ethical_gate,
            gates,
            probes,
            ceilings,
            big,
            authored,
        }),
        _ => Err(faults),
    }
}

/// The nodes of the big class, by name.
fn big_nodes(
    authored: &AuthoredDeployment,
    add: &mut impl FnMut(ContractRule, String, String),
) -> BTreeSet<NodeId> {
    let named = authored.operator.iter().flat_map(|operator| &operator.big);
    let mut big = BTreeSet::new();
    for (index, node) in named.enumerate() {
        match NodeId::parse(node) {
            Ok(node) => drop(big.insert(node)),
            Err(error) => add(
                ContractRule::Name,
                format!("/operator/big/{index}"),
                error.to_string(),
            ),
        }
    }
    big
}

/// Longest text of all configuration values together, in bytes.
const CONFIG_BYTES_MAX: usize = 64 * 1024;

fn check_names(authored: &AuthoredDeployment, add: &mut impl FnMut(ContractRule, String, String)) {
    let keys = authored
        .config
        .keys()
        .map(|key| ("/config", ResourceKind::Key, key));
    let folders = authored.folders.keys();
    let folders = folders.map(|name| ("/folders", ResourceKind::Folder, name));
    for (table, kind, name) in keys.chain(folders) {
        if let Err(what) = kind.check(name) {
            let message = format!("`{}` {what}", name.escape_debug());
            add(ContractRule::Name, pointer_to(table, name), message);
        }
    }
    let total: usize = authored.config.values().map(String::len).sum();
    if total > CONFIG_BYTES_MAX {
        let message = "values have at most 65536 bytes together".to_owned();
        add(ContractRule::Limit, "/config".to_owned(), message);
    }
}

/// The deployment file's own folder, and the folder that everything must lie in.
fn find_root(
    located: &Located<'_>,
    authored: &AuthoredDeployment,
) -> Result<(PathBuf, PathBuf), Vec<LoadFault>> {
    let folder = match located.file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let unreadable =
        |path: &Path, error: std::io::Error| vec![source::unreadable(path, &error.to_string())];
    let base = folder.canonicalize().map_err(|e| unreadable(folder, e))?;
    let wanted_root = base.join(authored.root.as_deref().unwrap_or("."));
    let root = wanted_root.canonicalize().map_err(|error| {
        let message = format!("`root` names a folder that can not be read: {error}");
        let help = "lead to this file's folder or one above it, or remove `root`";
        vec![located.fault("AIM-C001", "/root", &message, help)]
    })?;
    if !base.starts_with(&root) {
        let message = "`root` must be this file's folder or one above it";
        let help = "lead upwards only, as in `../..`";
        return Err(vec![located.fault("AIM-C016", "/root", message, help)]);
    }
    Ok((base, root))
}

/// A path of the file, which must lie below the root.
fn find_in(
    (root, base): (&Path, &Path),
    located: &Located<'_>,
    at: &str,
    written: &str,
) -> Result<PathBuf, LoadFault> {
    source::resolve(root, base, written).map_err(|mut fault| {
        let key = key_of(at);
        if fault.code == "AIM-C001" {
            fault.message = format!(
                "`{key}` names `{}`, which {}",
                written.escape_debug(),
                fault.message
            );
            fault.help = format!("put it there, or correct or remove `{key}`");
        } else {
            fault.message = format!("`{}` {}", written.escape_debug(), fault.message);
        }
        fault.file = located.file.to_owned();
        (fault.line, fault.column) = located.places.of_value(at);
        fault
    })
}

/// The key that people write, of a pointer into the file: `gates.codex_keys`, and `contracts` for `/contracts/0`.
fn key_of(pointer: &str) -> String {
    let parts = pointer.split('/').filter(|part| !part.is_empty());
    let names = parts.filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit()));
    names.collect::<Vec<_>>().join(".")
}

fn resolve(located: &Located<'_>, checked: Checked) -> Result<Deployment, Vec<LoadFault>> {
    let authored = &checked.authored;
    let (base, root) = find_root(located, authored)?;
    let mut faults = Vec::new();
    let mut find = |at: String, written: &str| {
        let found = find_in((&root, &base), located, &at, written);
        found.map_err(|fault| faults.push(fault)).ok()
    };
    let mut find_all = |key: &str, written: &[String]| -> Vec<PathBuf> {
        let places = written.iter().enumerate();
        let found = places.map(|(index, path)| find(format!("/{key}/{index}"), path));
        found.flatten().collect()
    };
    let contracts = find_all("contracts", &authored.contracts);
    let components = find_all("components", &authored.components);
    let mut one = |at: &str, written: &Option<String>| {
        let written = written.as_deref();
        written.and_then(|path| find(at.to_owned(), path))
    };
    let codex = one("/codex", &authored.codex);
    let policy = one("/policy", &authored.policy);
    let monitor = one("/monitor", &authored.monitor);
    let approvals = one("/approvals", &authored.approvals);
    let folders = authored
        .folders
        .iter()
        .filter_map(|(name, path)| {
            let found = find(pointer_to("/folders", name), path)?;
            Some((name.clone(), found))
        })
        .collect();
    let written_keys = (authored.gates.as_ref()).and_then(|gates| gates.codex_keys.as_deref());
    let codex_keys = written_keys.and_then(|path| find("/gates/codex_keys".to_owned(), path));
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Deployment {
        file: located.file.to_owned(),
        text: String::new(),
        tenant: checked.tenant,
        root,
        contracts,
        components,
        codex,
        policy,
        approvals,
        monitor,
        roles: checked.roles,
        ethical_gate: checked.ethical_gate,
        gates: DeploymentGates {
            codex_keys,
            ..checked.gates
        },
        probes: checked.probes,
        signing: (authored.operator.as_ref()).map_or_else(Signing::default, |o| o.signing),
        ceilings: checked.ceilings,
        traffic: authored.concurrency.limits(),
        prices: authored.prices.prices(),
        config: authored.config.clone(),
        folders,
        big_ceilings: authored.ceilings.over(Limits::BIG_CEILING),
        big: checked.big,
        outside: outside::resolve(
            &base,
            &authored.http.clone().unwrap_or_default(),
            &authored.secrets,
        ),
    })
}

fn parse(file: &Path, text: &str) -> Result<(Value, Places), LoadError> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let faults = errors
            .iter()
            .map(|error| {
                let at = error.span().map_or(0, |span| span.start);
                let place = place(text, at);
                let message = error.message();
                let code = if message.contains("duplicate") {
                    "AIM-C020"
                } else {
                    "AIM-C003"
                };
                LoadFault::at(code, file, place, message, "correct the TOML")
            })
            .collect();
        return Err(LoadError::new(faults));
    }
    let mut places = Places::default();
    let value = table_value(table.get_ref(), "", text, &mut places).map_err(|(at, message)| {
        LoadFault::at(
            "AIM-C007",
            file,
            place(text, at),
            message,
            "see docs/formats/aim-toml.md",
        )
    })?;
    Ok((value, places))
}

fn table_value(
    table: &DeTable<'_>,
    at: &str,
    text: &str,
    places: &mut Places,
) -> Result<Value, (usize, String)> {
    let mut map = Map::new();
    for (key, value) in table {
        let inner = pointer_to(at, key.get_ref());
        places.key(&inner, place(text, key.span().start));
        map.insert(
            key.get_ref().to_string(),
            into_value(value, &inner, text, places)?,
        );
    }
    Ok(Value::Object(map))
}

fn into_value(
    value: &Spanned<DeValue<'_>>,
    at: &str,
    text: &str,
    places: &mut Places,
) -> Result<Value, (usize, String)> {
    // BOUND: the parser limits nesting.
    let start = value.span().start;
    places.value(at, place(text, start));
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Integer(number) => {
            let digits = number.as_str();
            let parsed = u64::from_str_radix(digits, number.radix()).map(Value::from);
            parsed
                .or_else(|_| i64::from_str_radix(digits, number.radix()).map(Value::from))
                .map_err(|_| (start, "the number is out of range".to_owned()))?
        }
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| (start, "the number is not finite".to_owned()))?,
        DeValue::Datetime(_) => return Err((start, "no key takes a date".to_owned())),
        DeValue::Array(items) => {
            let mut list = Vec::new();
            for (index, item) in items.iter().enumerate() {
                list.push(into_value(item, &format!("{at}/{index}"), text, places)?);
            }
            Value::Array(list)
        }
        DeValue::Table(table) => table_value(table, at, text, places)?,
    })
}

fn place(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (
        u64::try_from(line).unwrap_or(u64::MAX),
        u64::try_from(column).unwrap_or(u64::MAX),
    )
}
