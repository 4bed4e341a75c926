//! A person's approval of one use, for rules of the policy that permit nothing without one.
//!
//! INVARIANT: an approval is about one use of one node's step for one tenant until a moment; it fits nothing else, and it is
//! asked for only where the policy permits the use once a person agrees, so it never lifts a `forbid`.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{AccessRequest, Capability, Mode};
use crate::{
    digest::Digest,
    id::ExecutionId,
    name::{NodeId, TenantId},
    time::Timestamp,
};

/// The kind word of a recorded approval of a use.
pub const USE_APPROVAL_KIND: &str = "use-approval";

/// What was approved, for whom and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseApproval {
    /// The approver's name in the deployment.
    pub approver: String,
    /// The capability.
    pub capability: Capability,
    /// The only component that it is for; any of the node's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Digest>,
    /// The last moment at which it counts.
    pub expires: Timestamp,
    /// The way of using it; absent for capabilities without modes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The node that may.
    pub node: NodeId,
    /// What it is used on; absent where that is the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The tenant of the run.
    pub tenant: TenantId,
}

/// An approval with its signature, as files hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedUseApproval {
    /// The approver's Ed25519 signature, 128 hex digits; absent for what nobody has signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// What is approved.
    pub approval: UseApproval,
}

/// What is stated in the log about an approval, of a use or of an older version: all that it takes to check it alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedApproval<A> {
    /// The account that wrote it down: the approver's when it was given, the runner's when it counted.
    pub actor: String,
    /// When it was written down; the host's claim.
    pub answered_at: Timestamp,
    /// What the approver has signed.
    pub approval: A,
    /// Its name in locks.
    pub digest: Digest,
    /// The execution that it counted for; absent when it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// The approver's public key, 64 hex digits: the one that the deployment had for them.
    pub key: String,
    /// [`USE_APPROVAL_KIND`] or [`super::DOWNGRADE_KIND`].
    pub kind: String,
    /// The log this statement belongs to.
    pub origin: String,
    /// The approver's Ed25519 signature, 128 hex digits.
    pub signature: String,
}

/// Why a use that waits for a person is not granted; in the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum UseApprovalError {
    /// There is none.
    #[error("it waits for a person's approval, and there is none")]
    Waits,
    /// It is for another way of using it, or something else to use it on.
    #[error("the approval is for another mode or scope")]
    Scope,
    /// It is for another tenant.
    #[error("the approval is for another tenant")]
    Tenant,
    /// It is for other bytes.
    #[error("the approval is for another component")]
    Component,
    /// Nobody signed it.
    #[error("the approval is not signed")]
    Unsigned,
    /// Its signature is not that of the approver whom the deployment has under that name.
    #[error("the approval is not signed by an approver of this deployment")]
    Signature,
    /// Its time is over.
    #[error("the approval has expired")]
    Expired,
}

impl UseApprovalError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waits => "AIM-P030",
            Self::Unsigned => "AIM-P031",
            Self::Signature => "AIM-P032",
            Self::Expired => "AIM-P033",
            Self::Scope => "AIM-P034",
            Self::Component => "AIM-P035",
            Self::Tenant => "AIM-P036",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Signature => {
                "name the approver with the public key under `[gates.approvers.<name>]`, or approve again: `aimctl policy approve`"
            }
            _ => "approve it: `aimctl policy approve --plan <plan> --as <name> --key-dir <folder>`",
        }
    }
}

impl UseApproval {
    /// The approval of exactly what is asked, for these bytes only.
    #[must_use]
    pub fn of(asked: &AccessRequest, approver: &str, expires: Timestamp) -> Self {
        let resource = &asked.resource;
        Self {
            approver: approver.into(),
            capability: asked.capability,
            component: Some(asked.component),
            expires,
            mode: asked.mode,
            node: asked.node.clone(),
            scope: resource.kind.is_scoped().then(|| resource.name.clone()),
            tenant: asked.tenant.clone(),
        }
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // Plain data in sorted fields: serialisation has no failure to report.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Its name in evidence.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::derive("use-approval", &[&self.bytes()])
    }

    /// Whether it is about what is asked; signature and time are not looked at.
    ///
    /// # Errors
    /// The first thing that differs.
    pub fn fits(&self, asked: &AccessRequest) -> Result<(), UseApprovalError> {
        if self.node != asked.node || self.capability != asked.capability {
            return Err(UseApprovalError::Waits);
        }
        let is_scoped = asked.resource.kind.is_scoped();
        let wanted = is_scoped.then_some(asked.resource.name.as_str());
        if self.mode != asked.mode || self.scope.as_deref() != wanted {
            return Err(UseApprovalError::Scope);
        }
        if self.tenant != asked.tenant {
            return Err(UseApprovalError::Tenant);
        }
        match self.component {
            Some(component) if component != asked.component => Err(UseApprovalError::Component),
            _ => Ok(()),
        }
    }
}
