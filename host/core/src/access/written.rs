//! A request as people write it in test cases and on the command line, in words instead of types.
//!
//! INVARIANT: what is missing or unknown makes no request, and whoever asks with it gets a denial; nothing is guessed but
//! the one resource of capabilities that have no other.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ADDRESS, AccessRequest, Capability, Fact, Resource, ResourceKind};
use crate::{
    contract::Autonomy,
    digest::Digest,
    name::{NodeId, StepName, TenantId},
};

/// A request in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenRequest {
    /// `artifact.put`, `log`.
    pub action: Option<String>,
    /// The address that is about to be dialled; absent at admission, where nobody knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `RO` (the default), `REC` or `PROP`.
    pub autonomy: Option<String>,
    /// `blake3:` and 64 hex digits.
    pub component: Option<String>,
    /// The kind of the resource, as its entity is called: `Folder`. The action's own kind when absent.
    pub kind: Option<String>,
    /// The node id of the contract.
    pub node: Option<String>,
    /// The plan's name.
    pub plan: Option<String>,
    /// The resource's name; may be absent for actions on the host as a whole.
    pub resource: Option<String>,
    /// The step's name.
    pub step: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
}

/// Why words make no request. Whoever decides about it denies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownRequestError {
    /// A field that every request has is missing.
    #[error("the request has no `{0}`; give it one")]
    Missing(&'static str),
    /// A field is no value that a request could have.
    #[error("the request's `{field}` is `{value}`, which no request of this host can be")]
    Unknown {
        /// The field.
        field: &'static str,
        /// What is written there, escaped.
        value: String,
    },
}

impl UnknownRequestError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-P012"
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        let kinds: Vec<&str> = ResourceKind::ALL.iter().map(|kind| kind.entity()).collect();
        match self {
            Self::Missing(_) => {
                "name action, plan, step, node, component and tenant, and the resource where the action has one".to_string()
            }
            Self::Unknown { field: "kind", .. } => format!("use one of {}", kinds.join(", ")),
            Self::Unknown { .. } => {
                "see docs/formats/policy.md for actions and resources; names are compared byte for byte".to_string()
            }
        }
    }
}

impl WrittenRequest {
    /// Reads `name=value` pairs.
    ///
    /// # Errors
    /// The name that is no field, or is given twice.
    pub fn from_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut written = Self::default();
        let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
        for (name, value) in pairs {
            let slot = match name {
                "action" => &mut written.action,
                "address" => &mut written.address,
                "autonomy" => &mut written.autonomy,
                "component" => &mut written.component,
                "kind" => &mut written.kind,
                "node" => &mut written.node,
                "plan" => &mut written.plan,
                "resource" => &mut written.resource,
                "step" => &mut written.step,
                "tenant" => &mut written.tenant,
                other => return Err(other.to_string()),
            };
            if seen.insert(name, ()).is_some() {
                return Err(name.to_string());
            }
            *slot = Some(value.to_string());
        }
        Ok(written)
    }

    /// The request in types.
    ///
    /// # Errors
    /// [`UnknownRequestError`]; a denial follows from it.
    pub fn request(&self) -> Result<AccessRequest, UnknownRequestError> {
        let (capability, mode) = self.typed("action", self.action.as_deref(), parse_action)?;
        let autonomy = match &self.autonomy {
            None => Autonomy::default(),
            Some(_) => self.typed("autonomy", self.autonomy.as_deref(), parse_autonomy)?,
        };
        Ok(AccessRequest {
            component: self.typed("component", self.component.as_deref(), |text| {
                text.parse::<Digest>().ok()
            })?,
            node: self.typed("node", self.node.as_deref(), |text| {
                NodeId::parse(text).ok()
            })?,
            plan: self.typed("plan", self.plan.as_deref(), |text| {
                StepName::parse(text).ok()
            })?,
            step: self.typed("step", self.step.as_deref(), |text| {
                StepName::parse(text).ok()
            })?,
            tenant: self.typed("tenant", self.tenant.as_deref(), |text| {
                TenantId::parse(text).ok()
            })?,
            capability,
            mode,
            resource: self.named(capability)?,
            autonomy,
            facts: self.facts()?,
        })
    }

    fn facts(&self) -> Result<Vec<(&'static str, Fact)>, UnknownRequestError> {
        let Some(text) = self.address.as_deref() else {
            return Ok(Vec::new());
        };
        let address = self.typed(ADDRESS, Some(text), |text| text.parse::<IpAddr>().ok())?;
        Ok(alloc::vec![(ADDRESS, Fact::address(address))])
    }

    fn named(&self, capability: Capability) -> Result<Resource, UnknownRequestError> {
        let kind = match &self.kind {
            None => capability.resource_kind(),
            Some(_) => self.typed("kind", self.kind.as_deref(), parse_kind)?,
        };
        match (&self.resource, kind) {
            (None, ResourceKind::Host) => Ok(Resource::host()),
            (None, _) => Err(UnknownRequestError::Missing("resource")),
            (Some(name), kind) => Ok(Resource::new(kind, name.clone())),
        }
    }

    fn typed<T>(
        &self,
        field: &'static str,
        value: Option<&str>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, UnknownRequestError> {
        let value = value.ok_or(UnknownRequestError::Missing(field))?;
        parse(value).ok_or_else(|| UnknownRequestError::Unknown {
            field,
            value: value.escape_default().take(200).collect(),
        })
    }
}

impl From<&AccessRequest> for WrittenRequest {
    fn from(request: &AccessRequest) -> Self {
        Self {
            action: Some(request.action()),
            address: request.facts.iter().find_map(|(name, fact)| match fact {
                Fact::Address(address) if *name == ADDRESS => Some(address.to_string()),
                _ => None,
            }),
            autonomy: Some(request.autonomy.word().to_string()),
            component: Some(request.component.to_string()),
            kind: Some(request.resource.kind.entity().to_string()),
            node: Some(request.node.to_string()),
            plan: Some(request.plan.to_string()),
            resource: Some(request.resource.name.clone()),
            step: Some(request.step.to_string()),
            tenant: Some(request.tenant.to_string()),
        }
    }
}

fn parse_action(text: &str) -> Option<(Capability, Option<super::Mode>)> {
    let (name, mode) = match text.split_once('.') {
        None => (text, None),
        Some((name, mode)) => (name, Some(mode)),
    };
    let capability = Capability::parse(name)?;
    let Some(word) = mode else {
        return Some((capability, None));
    };
    let known = capability.modes().iter().copied();
    let mode = known.into_iter().find(|mode| mode.word() == word)?;
    Some((capability, Some(mode)))
}

fn parse_autonomy(text: &str) -> Option<Autonomy> {
    let all = [Autonomy::ReadOnly, Autonomy::Recommend, Autonomy::Propose];
    all.into_iter().find(|level| level.word() == text)
}

fn parse_kind(text: &str) -> Option<ResourceKind> {
    let all = ResourceKind::ALL.into_iter();
    all.into_iter().find(|kind| kind.entity() == text)
}
