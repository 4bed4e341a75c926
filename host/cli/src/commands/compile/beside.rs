//! What a compiler may know of the world: the files beside the plan, and the deployment's contracts and policy.
//!
//! INVARIANT: nothing outside the plan's folder is read as an import, and a deployment that can not be read is not
//! guessed at: its nodes are unknown here, and `run` says what is wrong with it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use aim_acl::{NodeFacts, Resolver, SOURCE_BYTES_MAX};
use aim_core::{
    access::{AccessDecision, AccessRequest, Ask, Capability, EffectRow, Resource, grant},
    contract::{Implementation, NodeContract},
    digest::Digest,
    name::{NodeId, StepName},
    plan::{Effect, Import, ImportKind, NODE_PARAM, Plan, ProbeSwitch, Step},
};
use aim_policy_cedar::{CedarPolicy, PolicySource};
use aim_ports::policy::Policy;
use aim_registry_dir::{LoadFault, Registry};
use aim_schema_json::JsonSchemas;

use crate::{error::CliError, files, paths};

/// The folder of a plan and its deployment.
#[derive(Debug)]
pub(crate) struct Beside {
    folder: PathBuf,
    registry: Option<Registry>,
    faults: Vec<LoadFault>,
    policy: Option<CedarPolicy>,
    /// Policies that plans import, by the digest of their bytes.
    imported: RefCell<BTreeMap<Digest, Arc<CedarPolicy>>>,
    /// Components that were read and hashed; many steps may have the same one.
    components: RefCell<BTreeMap<NodeId, Option<Digest>>>,
}

impl Beside {
    /// Reads the deployment beside a plan, where there is one.
    pub(crate) fn of(plan: &Path) -> Self {
        let folder = paths::beside(plan);
        let config = folder.join("aim.toml");
        let loaded = config
            .is_file()
            .then(|| Registry::load(&config, &JsonSchemas));
        let (registry, faults) = match loaded {
            Some(Ok(registry)) => (Some(registry), Vec::new()),
            Some(Err(error)) => (None, error.faults),
            None => (None, Vec::new()),
        };
        let files = registry
            .as_ref()
            .and_then(|registry| registry.read_policy().ok().flatten());
        let policy = files.and_then(|files| {
            let sources = files.into_iter().map(|file| PolicySource {
                name: file.name,
                text: file.text,
            });
            CedarPolicy::compile(&sources.collect::<Vec<_>>()).ok()
        });
        Self {
            folder,
            registry,
            faults,
            policy,
            imported: RefCell::default(),
            components: RefCell::default(),
        }
    }

    /// The deployment with its contracts, where there is one that can be read.
    pub(crate) const fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }

    /// Why the deployment can not be read.
    pub(crate) fn faults(&self) -> &[LoadFault] {
        &self.faults
    }

    /// The digest of a node's component, as it is on disk.
    fn component_of(&self, registry: &Registry, id: &NodeId) -> Option<Digest> {
        let mut known = self.components.borrow_mut();
        *known.entry(id.clone()).or_insert_with(|| {
            let bytes = registry.read_component(id).ok()?;
            Some(Digest::of(&bytes))
        })
    }

    /// The probes that the deployment has on; none where there is no deployment, or none that could run anything.
    pub(crate) fn probes(&self) -> ProbeSwitch {
        let registry = self.registry.as_ref();
        let said = registry.and_then(|registry| registry.deployment().probes.clone());
        said.unwrap_or_default()
    }

    fn node_of(&self, plan: &Plan, step: &Step) -> Option<NodeId> {
        let role = plan.roles().get(&step.role)?;
        let named = role
            .params
            .iter()
            .find(|(param, _)| param.as_str() == NODE_PARAM);
        match named {
            Some((_, node)) => NodeId::parse(node).ok(),
            None => self
                .registry
                .as_ref()?
                .deployment()
                .roles
                .get(&role.kind)
                .cloned(),
        }
    }

    fn granted(
        &self,
        plan: &Plan,
        step: &Step,
        contract: &NodeContract,
        component: Digest,
    ) -> Vec<Ask> {
        let Some(registry) = &self.registry else {
            return Vec::new();
        };
        let asked = |ask: &Ask, mode, resource: &Resource| AccessRequest {
            component,
            node: contract.node_id.clone(),
            plan: plan.name().clone(),
            step: step.name.clone(),
            tenant: registry.deployment().tenant.clone(),
            capability: ask.capability,
            mode,
            resource: resource.clone(),
            autonomy: contract.autonomy,
            facts: Vec::new(),
        };
        let under = |policy: Option<&CedarPolicy>, asks: &[Ask]| {
            let digest = policy.map(|policy| policy.digest());
            let (grant, _) = grant(asks, digest, |ask, mode, resource| {
                // Without a policy `grant` asks nobody.
                let none = AccessDecision::default();
                policy.map_or(none, |policy| policy.decide(&asked(ask, mode, resource)))
            });
            grant.asks
        };
        let mut granted = under(self.policy.as_ref(), &contract.asks);
        // What the plan's own policies take away; one that can not be read takes everything.
        for alias in plan.header().policy.iter().chain(&step.policy) {
            let own = plan
                .imports()
                .get(alias)
                .map(|import| self.own_policy(import));
            granted = match own {
                Some(Ok(own)) => under(Some(&own), &granted),
                _ => Vec::new(),
            };
        }
        granted
    }

    /// Every policy that the plan imports, by alias, as its bytes were when the plan was compiled.
    ///
    /// # Errors
    /// Exit 2 for a file that is another one by now.
    pub(crate) fn own_policies(
        &self,
        plan: &Plan,
    ) -> Result<BTreeMap<StepName, Arc<CedarPolicy>>, CliError> {
        let imports = plan.imports().iter();
        let policies = imports.filter(|(_, import)| import.kind == ImportKind::Policy);
        let read = policies.map(|(alias, import)| {
            let policy = self.own_policy(import).map_err(|why| {
                let message = format!("the plan's policy `{alias}` can not be used: {why}");
                CliError::usage(
                    "AIM-P045",
                    message,
                    "compile the plan anew with the file as it is now",
                )
            })?;
            Ok((alias.clone(), policy))
        });
        read.collect()
    }

    fn own_policy(&self, import: &Import) -> Result<Arc<CedarPolicy>, String> {
        if let Some(known) = self.imported.borrow().get(&import.digest) {
            return Ok(Arc::clone(known));
        }
        let bytes = self.read(&import.path)?;
        if Digest::of(&bytes) != import.digest {
            return Err(format!("`{}` has changed", import.path.escape_debug()));
        }
        let policy = Arc::new(cedar(&import.path, &bytes)?);
        let mut imported = self.imported.borrow_mut();
        Ok(Arc::clone(imported.entry(import.digest).or_insert(policy)))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let folder = fs::canonicalize(&self.folder).map_err(|error| error.to_string())?;
        let file = fs::canonicalize(folder.join(path)).map_err(|error| error.to_string())?;
        if !file.starts_with(&folder) {
            return Err("it lies outside of the plan's folder".into());
        }
        let limit = u64::try_from(SOURCE_BYTES_MAX).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let opened = files::open_found(&file).map_err(|error| error.to_string())?;
        opened
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        if bytes.len() > SOURCE_BYTES_MAX {
            return Err(format!("it is larger than {SOURCE_BYTES_MAX} bytes"));
        }
        Ok(bytes)
    }
}

/// A policy that a plan imports: Cedar under the operator's schema.
fn cedar(path: &str, bytes: &[u8]) -> Result<CedarPolicy, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())?;
    let source = PolicySource {
        name: path.to_owned(),
        text: text.to_owned(),
    };
    CedarPolicy::compile(&[source]).map_err(|error| {
        let faults: Vec<String> = error.faults.iter().map(ToString::to_string).collect();
        faults.join("; ")
    })
}

impl Resolver for Beside {
    fn import(&self, path: &str) -> Result<Vec<u8>, String> {
        let bytes = self.read(path)?;
        if path.ends_with(".aclp") {
            cedar(path, &bytes)?;
        }
        Ok(bytes)
    }

    fn node(&self, plan: &Plan, step: &Step) -> Option<NodeFacts> {
        let id = self.node_of(plan, step)?;
        let registry = self.registry.as_ref()?;
        let contract = &registry.node(&id)?.contract;
        let component = match &contract.implementation {
            Implementation::Component(component) => component
                .digest
                .or_else(|| self.component_of(registry, &id)),
            _ => None,
        };
        let mut asked = effects(&contract.asks);
        asked.extend(of_handler(&contract.implementation));
        let component_or_none = component.unwrap_or_else(|| Digest::of(b""));
        let grant = self.granted(plan, step, contract, component_or_none);
        let mut granted = effects(&grant);
        granted.extend(of_handler(&contract.implementation));
        Some(NodeFacts {
            node: id.as_str().to_owned(),
            component,
            input: contract.input.clone(),
            output: contract.output.clone(),
            asked,
            granted,
            is_deaf: contract.component().is_some()
                && !(contract.asks.iter()).any(|ask| ask.capability == Capability::Context),
            uses: uses(&grant),
        })
    }
}

/// What a node without a component does to the world.
fn of_handler(implementation: &Implementation) -> BTreeSet<Effect> {
    match implementation {
        Implementation::Db(_) => [Effect::DbQuery].into(),
        Implementation::Http(_) => [Effect::NetRead, Effect::NetWrite].into(),
        _ => BTreeSet::new(),
    }
}

/// The effects of asks, by core's table, as plans have them.
fn effects(asks: &[Ask]) -> BTreeSet<Effect> {
    uses(asks).into_keys().collect()
}

/// What asks let a step do, by the effects that it has.
fn uses(asks: &[Ask]) -> BTreeMap<Effect, BTreeSet<String>> {
    let mut uses: BTreeMap<Effect, BTreeSet<String>> = BTreeMap::new();
    for (mode, capability) in asks.iter().flat_map(|ask| {
        let modes = ask.uses().into_iter().map(|(mode, _)| mode);
        modes.map(|mode| (mode, ask.capability))
    }) {
        let words = EffectRow::of(capability, mode).map_or(&[][..], |row| row.effects);
        let known = |word: &str| Effect::ALL.into_iter().find(|effect| effect.word() == word);
        let used = mode.map_or_else(
            || capability.name().to_owned(),
            |mode| format!("{}.{}", capability.name(), mode.word()),
        );
        for effect in words.iter().filter_map(|effect| known(effect.word())) {
            uses.entry(effect).or_default().insert(used.clone());
        }
    }
    uses
}
