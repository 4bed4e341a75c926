//! Reading what a run is about: plan, deployment, contracts, components, policy.
//!
//! INVARIANT: component bytes are read here, once.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use aim_clock_system::SystemClock;
use aim_core::{
    access::AcceptedVersions,
    gate::CodexVersion,
    name::{NodeId, StepName, TenantId},
    outcome::Exit,
    plan::{Plan, ProbeSwitch, bindings},
    quarantine::Approver,
};
use aim_engine::EngineProfile;
use aim_policy_cedar::{CedarPolicy, PolicySource};
use aim_ports::{clock::Clock as _, policy::Policy};
use aim_registry_dir::{
    Approvals, Deployment, LoadError, LoadFault, Registry, Signing, SourceFile,
};
use aim_runtime::{
    admission::{Node, Request, SignedCodex},
    judge::GateRules,
};
use aim_schema_json::JsonSchemas;
use aim_trust::{codex::CodexTrust, key::KeySet, use_approval::UseApprovals};

use super::outside::{self, OutsideReady};
use crate::{
    args::RunArgs,
    commands::compile::{Beside, compile_plan, watched},
    error::{CliError, Problem},
    paths,
};

/// Everything that was read.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) data_dir: PathBuf,
    pub(crate) tenant: TenantId,
    pub(crate) probes: ProbeSwitch,
    pub(crate) bindings: BTreeMap<StepName, NodeId>,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) ethical: NodeId,
    pub(crate) also: Vec<NodeId>,
    pub(crate) codex_keys: Option<KeySet>,
    pub(crate) codex_least: Option<CodexVersion>,
    pub(crate) rules: GateRules,
    pub(crate) policy: Option<Arc<CedarPolicy>>,
    pub(crate) monitor: Option<Arc<CedarPolicy>>,
    pub(crate) own_policies: BTreeMap<StepName, Arc<dyn Policy>>,
    pub(crate) approvals: Approvals,
    pub(crate) approvers: Vec<Approver>,
    pub(crate) signing: Signing,
    pub(crate) outside: OutsideReady,
    pub(crate) traffic: aim_core::traffic::TrafficLimits,
    pub(crate) config: Vec<u8>,
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) folders: BTreeMap<String, PathBuf>,
    pub(crate) folder_names: BTreeSet<String>,
}

/// What is read: a plan, and where its deployment is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The plan.
    pub(crate) plan: &'a Path,
    /// The deployment file, when it is not beside the plan.
    pub(crate) config: Option<&'a Path>,
    /// The policy, when it is not the deployment's.
    pub(crate) policy: Option<&'a Path>,
    /// The data directory, when it is not beside the plan.
    pub(crate) data_dir: Option<&'a Path>,
    /// True when the plan may leave no budget unsaid.
    pub(crate) strict: bool,
}

impl<'a> From<&'a RunArgs> for Wanted<'a> {
    fn from(args: &'a RunArgs) -> Self {
        Self {
            plan: &args.plan,
            config: args.config.as_deref(),
            policy: args.policy.as_deref(),
            data_dir: args.data_dir.as_deref(),
            strict: args.strict,
        }
    }
}

impl Prepared {
    /// The question whether, and with what, the plan may run.
    pub(crate) fn request<'a>(
        &'a self,
        profile: EngineProfile,
        accepted: &'a AcceptedVersions,
    ) -> Request<'a> {
        Request {
            accepted,
            approvals: UseApprovals {
                given: &self.approvals.uses,
                downgrades: &self.approvals.downgrades,
                approvers: &self.approvers,
                now: SystemClock::start().now(),
            },
            plan: &self.plan,
            bindings: &self.bindings,
            nodes: &self.nodes,
            ethical: &self.ethical,
            also: &self.also,
            codex_trust: CodexTrust {
                keys: self.codex_keys.as_ref(),
                least: self.codex_least,
            },
            rules: self.rules.clone(),
            policy: self.policy.clone().map(|policy| policy as _),
            monitor: self.monitor.clone().map(|policy| policy as _),
            own_policies: &self.own_policies,
            tenant: &self.tenant,
            probes: &self.probes,
            profile,
            schemas: &JsonSchemas,
            config: &self.values,
            folders: &self.folder_names,
        }
    }
}

/// Reads everything.
pub(crate) fn prepare(wanted: Wanted<'_>) -> Result<Prepared, CliError> {
    let plan = compile_plan(wanted.plan, wanted.strict)?.plan;
    let folder = paths::beside(wanted.plan);
    let config = (wanted.config).map_or_else(|| folder.join("aim.toml"), Path::to_path_buf);
    let registry = Registry::load(&config, &JsonSchemas).map_err(|error| load_error(&error))?;
    let deployment = registry.deployment();
    let probes = deployment.probes.clone().ok_or_else(unwatched)?;
    let plan = watched(plan, &probes)?;
    let own_policies = Beside::of(wanted.plan).own_policies(&plan)?;
    let bindings = bindings(&plan, &deployment.roles).map_err(|unbound| {
        let problem = |one: &aim_core::plan::Unbound| {
            Problem::new(one.code(), one.to_string()).with_help(one.help())
        };
        CliError {
            exit: Exit::Usage,
            problems: unbound.iter().map(problem).collect(),
        }
    })?;
    let ethical = deployment.ethical_gate.clone().ok_or_else(|| {
        let message = "the deployment names no ethical gate, and no step runs without one";
        CliError::usage(
            "AIM-C042",
            message,
            "add `[gates] ethical = \"<node id>\"` to aim.toml",
        )
    })?;
    let gates = std::iter::once(&ethical).chain(&deployment.gates.also);
    let nodes = read_nodes(&registry, &bindings, gates)?;
    Ok(Prepared {
        data_dir: (wanted.data_dir).map_or_else(|| folder.join(paths::DATA_DIR), Path::to_path_buf),
        tenant: deployment.tenant.clone(),
        probes,
        policy: read_policy(wanted.policy, &registry)?.map(Arc::new),
        monitor: read_monitor(&registry)?.map(Arc::new),
        own_policies: (own_policies.into_iter())
            .map(|(alias, policy)| (alias, policy as _))
            .collect(),
        approvals: registry
            .read_approvals()
            .map_err(|error| load_error(&error))?,
        approvers: deployment.gates.approvers.clone(),
        signing: deployment.signing,
        outside: outside::ready(&deployment.outside, nodes.values())?.priced(deployment.prices),
        traffic: deployment.traffic,
        config: deployment.text.clone().into_bytes(),
        values: deployment.config.clone(),
        folders: deployment.folders.clone(),
        folder_names: deployment.folders.keys().cloned().collect(),
        plan,
        bindings,
        nodes,
        ethical,
        also: deployment.gates.also.clone(),
        codex_keys: read_codex_keys(&registry)?,
        codex_least: deployment.gates.codex_least,
        rules: rules(deployment),
    })
}

/// Nobody said who watches, so nobody can say that nobody should.
fn unwatched() -> CliError {
    CliError::usage(
        "AIM-C048",
        "the deployment does not say which node watches its runs",
        "add `[probes] node = \"<node id>\"` to aim.toml, or switch the probes off there by name: `[probes] off = [\"all\"]`",
    )
}

/// What a deployment wants of gates, and after them.
pub(crate) fn rules(deployment: &Deployment) -> GateRules {
    GateRules {
        floors: deployment.gates.floors,
        composite: deployment.gates.composite,
        confidence: deployment.gates.confidence.clone(),
        is_quarantining: deployment.gates.quarantine.is_some(),
    }
}

/// Reads every node that is bound and every gate that one of them passes.
fn read_nodes<'a>(
    registry: &Registry,
    bindings: &BTreeMap<StepName, NodeId>,
    deployed: impl Iterator<Item = &'a NodeId>,
) -> Result<BTreeMap<NodeId, Node>, CliError> {
    let mut wanted: BTreeSet<NodeId> = bindings.values().cloned().collect();
    let gates = wanted.iter().filter_map(|id| registry.node(id));
    let gates: Vec<NodeId> = gates
        .flat_map(|node| node.contract.gates.iter().cloned())
        .collect();
    wanted.extend(gates);
    wanted.extend(deployed.cloned());
    let mut nodes = BTreeMap::new();
    for id in wanted {
        let component = registry
            .read_component(&id)
            .map_err(|error| load_error(&error))?;
        let Some(loaded) = registry.node(&id) else {
            continue;
        };
        let codex = if loaded.contract.is_gate() {
            read_codex(registry, &id)?
        } else {
            None
        };
        let class = registry.deployment().class_of(id.as_str());
        nodes.insert(
            id,
            Node {
                contract: loaded.contract.clone(),
                component,
                codex,
                class,
            },
        );
    }
    Ok(nodes)
}

/// A gate's codex, and the signature beside it.
fn read_codex(registry: &Registry, id: &NodeId) -> Result<Option<SignedCodex>, CliError> {
    let document = registry
        .read_codex(id)
        .map_err(|error| load_error(&error))?;
    let Some(document) = document else {
        return Ok(None);
    };
    let signature = registry.read_codex_signature(id);
    let signature = signature.map_err(|error| load_error(&error))?;
    Ok(Some(SignedCodex {
        document,
        signature,
    }))
}

fn read_codex_keys(registry: &Registry) -> Result<Option<KeySet>, CliError> {
    let text = registry
        .read_codex_keys()
        .map_err(|error| load_error(&error))?;
    let keys = text.map(|text| KeySet::parse(&text)).transpose();
    keys.map_err(|error| {
        let help = "give the file that `aimctl keys new gate` printed, as it is";
        CliError::usage(error.code(), format!("`codex_keys`: {error}"), help)
    })
}

fn read_policy(named: Option<&Path>, registry: &Registry) -> Result<Option<CedarPolicy>, CliError> {
    let files = match named {
        Some(path) => Some(aim_registry_dir::read_policy(path)),
        None => registry.read_policy().transpose(),
    };
    let Some(files) = files.transpose().map_err(|error| load_error(&error))? else {
        return Ok(None);
    };
    compile_policy(files).map(Some)
}

/// The policy on trial. It has to load as any other: a trial that can not be held must not look like one without findings.
fn read_monitor(registry: &Registry) -> Result<Option<CedarPolicy>, CliError> {
    let files = registry
        .read_monitor()
        .map_err(|error| load_error(&error))?;
    files.map(compile_policy).transpose()
}

/// Compiles a policy that was read, or says everything that is wrong with it.
pub(crate) fn compile_policy(files: Vec<SourceFile>) -> Result<CedarPolicy, CliError> {
    let sources: Vec<PolicySource> = files
        .into_iter()
        .map(|SourceFile { name, text, .. }| PolicySource { name, text })
        .collect();
    CedarPolicy::compile(&sources).map_err(|error| CliError {
        exit: Exit::Usage,
        problems: error
            .faults
            .iter()
            .map(|fault| Problem::new(fault.code, fault.to_string()).with_help(fault.help.clone()))
            .collect(),
    })
}

/// A registry's faults, all of them. What is not there exits as not found, when nothing else is wrong.
pub(crate) fn load_error(error: &LoadError) -> CliError {
    let is_missing = error.faults.iter().all(|fault| fault.code == "AIM-C001");
    CliError {
        exit: if is_missing {
            Exit::NotFound
        } else {
            Exit::Usage
        },
        problems: error.faults.iter().map(load_problem).collect(),
    }
}

/// One fault with its place; the code stands before the message already.
fn load_problem(fault: &LoadFault) -> Problem {
    let whole = fault.to_string();
    let code = format!("[{}] ", fault.code);
    let message = whole.strip_prefix(&code).unwrap_or(&whole);
    // With a line, it is there, and what one of its keys names is not.
    let is_named = |name| fault.file.file_name().is_some_and(|file| file == name);
    let is_deployment = fault.line == 0 && is_named("aim.toml");
    let help = if fault.code == "AIM-C001" && is_deployment {
        "the deployment file says who does the steps: write `aim.toml` beside the plan, or name one with `--config` \
         (docs/formats/aim-toml.md)"
    } else {
        &fault.help
    };
    Problem::new(fault.code, message).with_help(help)
}
