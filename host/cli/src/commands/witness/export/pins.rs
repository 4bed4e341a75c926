//! What a run was pinned to, collected for an export that is to be replayed.
//!
//! INVARIANT: everything is taken by the digest that the lock names; what is not there is named, and then nothing is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use aim_core::{
    digest::Digest, event::ExecutionStart, gate::GateRules, name::NodeId, outcome::Exit,
    plan::Lock, time::Timestamp,
};
use aim_ports::policy::Policy as _;
use aim_registry_dir::Registry;
use aim_runtime::{
    ledger::{Execution, Ledger},
    replay::{self, Evidence, Packed, pack as pack_payloads},
};
use aim_schema_json::JsonSchemas;
use aim_trust::export::{PolicyTexts, ReplayPart};

use super::Found;
use crate::{
    args::WitnessExportArgs,
    commands::{
        replay::library,
        run::{
            load_error,
            prepare::{compile_policy, rules},
            start,
        },
    },
    error::{CliError, Problem},
    evidence,
    render::out,
};

/// Everything that goes into the export besides proofs.
pub(super) struct Ready {
    /// Places of the statements in the ledger, ascending.
    pub(super) entries: BTreeSet<usize>,
    part: ReplayPart,
    found: Found,
}

impl Ready {
    /// What the export carries beside its witnesses, and the payloads.
    pub(super) fn into_parts(self) -> (ReplayPart, Found) {
        (self.part, self.found)
    }
}

/// Collects everything that a replay of `execution` needs.
///
/// # Errors
/// `AIM-R086`, naming each pin that is not there.
pub(super) fn pack(
    args: &WitnessExportArgs,
    ledger: &Ledger,
    execution: &Execution,
) -> Result<Ready, CliError> {
    let data_dir = &args.data.data_dir;
    let evidence = Evidence {
        ledger: Arc::new(ledger.clone()),
        reader: Arc::new(evidence::open(data_dir)?),
        store: Arc::new(start::store(data_dir)),
    };
    let lock = Lock::from_json(execution.start.lock.as_bytes()).map_err(|error| {
        let problem = Problem::new(error.code(), error.to_string());
        CliError::new(Exit::Evidence, problem)
    })?;
    let mut pins = Pins::read(args)?;
    let part = ReplayPart {
        contracts: pins.contracts(&lock),
        policy: pins.policy(&lock),
        rules: pins.rules(&lock),
        start: ExecutionStart {
            started_at: first(ledger, execution).unwrap_or(execution.start.started_at),
            ..execution.start.clone()
        },
    };
    let contents = pins.contents(&lock, !args.without_components);
    if !pins.missing.is_empty() {
        return Err(missing(&pins.missing));
    }
    let Packed {
        entries,
        mut payloads,
        missing,
    } = pack_payloads(&evidence, execution);
    payloads.extend(contents);
    Ok(Ready {
        entries,
        part,
        found: Found {
            payloads,
            missing: missing.len(),
        },
    })
}

/// When the first attempt of the execution began, as its witness says: nothing vouches for the frame's own time.
fn first(ledger: &Ledger, execution: &Execution) -> Option<Timestamp> {
    let (_, attempt) = ledger.attempts_of(execution).next()?;
    Some(attempt.started_at)
}

/// What the deployment and the folder of components have.
#[derive(Default)]
struct Pins {
    contracts: BTreeMap<Digest, String>,
    contents: BTreeMap<Digest, Vec<u8>>,
    policy: Option<(Digest, PolicyTexts)>,
    rules: GateRules,
    missing: BTreeSet<String>,
}

impl Pins {
    fn read(args: &WitnessExportArgs) -> Result<Self, CliError> {
        let mut pins = Self::default();
        let config = library::beside(args.config.as_deref(), &args.data.data_dir);
        // Without a deployment everything of it is missing, and is named.
        if args.config.is_some() || config.exists() {
            pins.deployed(&config)?;
        }
        if let Some(folder) = &args.components {
            for path in library::components(folder)? {
                pins.keep(library::bytes(&path)?);
            }
        }
        Ok(pins)
    }

    fn deployed(&mut self, config: &Path) -> Result<(), CliError> {
        let registry = Registry::load(config, &JsonSchemas).map_err(|error| load_error(&error))?;
        self.rules = rules(registry.deployment());
        for node in registry.nodes() {
            let contract = &node.contract;
            let text = String::from_utf8(contract.canonical()).unwrap_or_default();
            self.contracts.insert(contract.digest(), text);
            let id = &contract.node_id;
            // What can not be read is missing, if it is pinned at all.
            let codex = contract.is_gate().then(|| registry.read_codex(id));
            let codex = codex.and_then(Result::ok).flatten();
            let component = registry.read_component(id).ok();
            component
                .into_iter()
                .chain(codex)
                .for_each(|bytes| self.keep(bytes));
        }
        if let Some(files) = registry.read_policy().map_err(|error| load_error(&error))? {
            let texts = files
                .iter()
                .map(|file| (file.name.clone(), file.text.clone()));
            let texts: PolicyTexts = texts.collect();
            self.policy = Some((compile_policy(files)?.digest(), texts));
        }
        Ok(())
    }

    fn keep(&mut self, bytes: Vec<u8>) {
        self.contents.insert(Digest::of(&bytes), bytes);
    }

    fn contracts(&mut self, lock: &Lock) -> Vec<String> {
        let steps = lock.steps.values().map(|pin| (pin.contract, &pin.node));
        let gates = lock.gates.iter().map(|(node, pin)| (pin.contract, node));
        let pinned: BTreeMap<Digest, &NodeId> = steps.chain(gates).collect();
        let mut texts = Vec::new();
        for (digest, node) in pinned {
            match self.contracts.get(&digest) {
                Some(text) => texts.push(text.clone()),
                None => drop(
                    self.missing
                        .insert(format!("contract {digest} of `{node}`")),
                ),
            }
        }
        texts
    }

    /// Codexes, and components where they are wanted.
    fn contents(&mut self, lock: &Lock, has_components: bool) -> BTreeMap<Digest, Vec<u8>> {
        let codexes = lock.gates.values().filter_map(|pin| pin.codex);
        let codexes = codexes.map(|digest| ("codex", digest));
        let components = replay::components(lock).filter(|_| has_components);
        let components = components.map(|digest| ("component", digest));
        let mut taken = BTreeMap::new();
        for (what, digest) in codexes.chain(components) {
            match self.contents.get(&digest) {
                Some(bytes) => drop(taken.insert(digest, bytes.clone())),
                None => drop(self.missing.insert(format!("{what} {digest}"))),
            }
        }
        taken
    }

    fn rules(&mut self, lock: &Lock) -> GateRules {
        if self.rules.digest() != lock.gate_rules {
            let what = "the deployment's rules about gates, as they were";
            self.missing.insert(what.to_owned());
        }
        self.rules.clone()
    }

    /// A replay asks no policy; another one than that of the run is left out.
    fn policy(&mut self, lock: &Lock) -> PolicyTexts {
        match self.policy.take() {
            Some((digest, texts)) if digest == lock.policy => texts,
            Some(_) => {
                out::talk(
                    "the policy has changed since the run and is left out; a replay does not need it\n",
                );
                PolicyTexts::new()
            }
            None => PolicyTexts::new(),
        }
    }
}

fn missing(missing: &BTreeSet<String>) -> CliError {
    let help = "name the deployment of that time with --config, or a folder of components with --components; \
                --without-components leaves those out";
    let problem = |what: &String| {
        let message = format!("the run was pinned to something that is not here: {what}");
        Problem::new("AIM-R086", message).with_help(help)
    };
    CliError {
        exit: Exit::NotFound,
        problems: missing.iter().map(problem).collect(),
    }
}
