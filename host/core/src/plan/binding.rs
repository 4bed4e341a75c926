//! Which node does which step: the role names it, or the deployment maps the role's kind.
//!
//! INVARIANT: a step without a node is never guessed one; all unbound steps are named at once.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::Plan;
use crate::name::{NameError, NodeId, StepName};

/// The role parameter that names a node.
pub const NODE_PARAM: &str = "node";

/// A step that no node does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step `{step}`, role `{role}`: {reason}")]
pub struct Unbound {
    /// The step.
    pub step: StepName,
    /// Its role.
    pub role: StepName,
    /// Its role's kind.
    pub kind: StepName,
    /// Why.
    pub reason: UnboundReason,
}

/// Why a step has no node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnboundReason {
    /// The role's `node` parameter is no node id.
    #[error("{0}")]
    NotANodeId(NameError),
    /// The role names no node and the deployment maps no node to its kind.
    #[error("no node is named and the kind is not mapped")]
    NotMapped,
}

impl Unbound {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "ACL-E041"
    }

    /// What to write where.
    #[must_use]
    pub fn help(&self) -> String {
        let Self { role, kind, .. } = self;
        format!(
            "write `ROLE {role}: {kind}(node=\"<node id>\")` in the plan, or map the kind in aim.toml: `[roles.{kind}] node = \"<node id>\"`"
        )
    }
}

/// Finds the node of every step: the role's `node` parameter, else what `kinds` maps the role's kind to.
///
/// # Errors
/// Every step that has no node.
pub fn bindings(
    plan: &Plan,
    kinds: &BTreeMap<StepName, NodeId>,
) -> Result<BTreeMap<StepName, NodeId>, Vec<Unbound>> {
    let mut bound = BTreeMap::new();
    let mut unbound = Vec::new();
    for step in plan.steps() {
        // A checked plan has every role that it names.
        let Some(role) = plan.roles().get(&step.role) else {
            continue;
        };
        let named = role
            .params
            .iter()
            .find(|(param, _)| param.as_str() == NODE_PARAM);
        let node = match named {
            Some((_, node)) => NodeId::parse(node).map_err(UnboundReason::NotANodeId),
            None => kinds
                .get(&role.kind)
                .cloned()
                .ok_or(UnboundReason::NotMapped),
        };
        match node {
            Ok(node) => {
                bound.insert(step.name.clone(), node);
            }
            Err(reason) => unbound.push(Unbound {
                step: step.name.clone(),
                role: step.role.clone(),
                kind: role.kind.clone(),
                reason,
            }),
        }
    }
    if unbound.is_empty() {
        Ok(bound)
    } else {
        Err(unbound)
    }
}
