//! Older versions of a plan's nodes than the log has accepted, for a person to let back in.
//!
//! INVARIANT: what is listed is what admission would refuse with `AIM-A060`, with the digest of the component's real bytes.

use std::{collections::BTreeSet, path::Path};

use aim_core::{
    access::{AcceptedVersions, Candidate, Downgrade, UseApprovalError},
    digest::Digest,
    name::{NodeId, TenantId},
    plan::bindings,
    time::Timestamp,
};
use aim_registry_dir::Registry;
use aim_trust::use_approval::UseApprovals;

use crate::{
    args::AskedArgs,
    commands::{compile::compile_plan, run::load_error},
    error::CliError,
    evidence,
};

/// One version that waits.
pub(super) struct Older {
    tenant: TenantId,
    pub(super) node: NodeId,
    pub(super) version: String,
    pub(super) component: Digest,
    /// What was accepted instead.
    pub(super) highest: String,
    /// Why no approval lets it.
    pub(super) why: UseApprovalError,
}

impl Older {
    /// Leave for exactly this version with these bytes.
    pub(super) fn leave(&self, approver: &str, expires: Timestamp) -> Downgrade {
        let candidate = Candidate {
            tenant: &self.tenant,
            node: &self.node,
            version: &self.version,
            component: self.component,
        };
        Downgrade::of(&candidate, approver, expires)
    }
}

/// Every older version that nobody's approval lets run now.
pub(super) fn waiting(
    registry: &Registry,
    args: &AskedArgs,
    data_dir: &Path,
    approvals: &UseApprovals<'_>,
) -> Result<Vec<Older>, CliError> {
    let accepted = evidence::accepted(data_dir)?;
    let mut waiting = Vec::new();
    for id in nodes(registry, args)? {
        waiting.extend(older(registry, &accepted, approvals, id)?);
    }
    Ok(waiting)
}

fn older(
    registry: &Registry,
    accepted: &AcceptedVersions,
    approvals: &UseApprovals<'_>,
    id: NodeId,
) -> Result<Option<Older>, CliError> {
    let Some(node) = registry.node(&id) else {
        return Ok(None);
    };
    if node.contract.component().is_none() {
        return Ok(None);
    }
    let bytes = registry.read_component(&id);
    let component = Digest::of(&bytes.map_err(|error| load_error(&error))?);
    let tenant = &registry.deployment().tenant;
    let candidate = Candidate {
        tenant,
        node: &id,
        version: &node.contract.version,
        component,
    };
    let Some(highest) = accepted.above(&candidate) else {
        return Ok(None);
    };
    let found = approvals.find_downgrade(&candidate);
    Ok(found.err().map(|why| Older {
        tenant: tenant.clone(),
        version: node.contract.version.clone(),
        node: id,
        component,
        highest,
        why,
    }))
}

/// The nodes of a plan's steps, and every gate in front of them.
fn nodes(registry: &Registry, args: &AskedArgs) -> Result<BTreeSet<NodeId>, CliError> {
    let plan = compile_plan(&args.plan, false)?.plan;
    let deployment = registry.deployment();
    // What is bound to nothing is said by whoever asks for the plan's uses.
    let bound = bindings(&plan, &deployment.roles).unwrap_or_default();
    let mut nodes: BTreeSet<NodeId> = bound.into_values().collect();
    let of_contracts = nodes.iter().filter_map(|id| registry.node(id));
    let gates: Vec<NodeId> = of_contracts
        .flat_map(|node| node.contract.gates.iter().cloned())
        .collect();
    nodes.extend(gates);
    nodes.extend(deployment.ethical_gate.iter().cloned());
    nodes.extend(deployment.gates.also.iter().cloned());
    Ok(nodes)
}
