//! The lock: every digest that a plan's result depends on besides its inputs.
//!
//! INVARIANT: equal locks have equal bytes, and a lock fits exactly the plan that it names.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use super::{IR_BYTES_MAX, Plan, canonical};
use crate::{
    adapter::Profile,
    class::Class,
    digest::Digest,
    name::{NodeId, StepName},
};

/// The version of the lock's shape that this host reads and writes.
pub const LOCK_VERSION: u32 = 1;

/// What a plan was resolved to. All digests are over the exact bytes that were used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Fingerprint of the engine profile: engine version and every knob that can change a result.
    pub engine_profile: Digest,
    /// The deployment's rules about scores, composite risk and quarantine; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_rules: Option<Digest>,
    /// Gate components by the names that witnesses use.
    pub gates: BTreeMap<NodeId, GatePin>,
    /// Always [`LOCK_VERSION`].
    pub lock_version: u32,
    /// The plan IR that this lock belongs to.
    pub plan: Digest,
    /// The operator's policy, or the built-in one that grants effect-free interfaces only.
    pub policy: Digest,
    /// One pin for every step of the plan, by step name.
    pub steps: BTreeMap<StepName, StepPin>,
}

/// What does a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepPin {
    /// The toolchain profile whose imports are answered by adapters; absent where nothing is adapted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapt: Option<Profile>,
    /// The approvals by which it was granted what policy permits only once a person agrees, or may be an older version.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approvals: BTreeSet<Digest>,
    /// How large the component may be; absent for the standard class.
    #[serde(default, skip_serializing_if = "Class::is_standard")]
    pub class: Class,
    /// The component's bytes.
    pub component: Digest,
    /// The configuration values that the deployment gives it; absent when it gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Digest>,
    /// The node contract's bytes.
    pub contract: Digest,
    /// The node.
    pub node: NodeId,
    /// The contract's version; absent in locks that were written before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What judges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatePin {
    /// The toolchain profile whose imports are answered by adapters; absent where nothing is adapted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapt: Option<Profile>,
    /// The approval by which it may be older than one that was accepted; empty where it is not.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approvals: BTreeSet<Digest>,
    /// The codex that it judges by; absent for a gate without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codex: Option<Digest>,
    /// The gate component's bytes.
    pub component: Digest,
    /// The contract's version; absent in locks that were written before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Why a lock was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Not JSON of a lock's shape, or not in canonical form.
    #[error("the lock is not a canonical lock document: {0}")]
    Malformed(String),
    /// Another version.
    #[error("lock version {0} is not {LOCK_VERSION}, the one this host reads")]
    Version(u32),
    /// The lock belongs to another plan.
    #[error("the lock is for plan {locked}, not {plan}")]
    OtherPlan {
        /// What the lock names.
        locked: Digest,
        /// What was given.
        plan: Digest,
    },
    /// The steps differ from the plan's.
    #[error("the lock does not pin exactly the plan's steps; first difference: `{0}`")]
    Steps(StepName),
}

impl LockError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Version(_) => "ACL-E042",
            Self::OtherPlan { .. } | Self::Steps(_) => "ACL-E037",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        "compile the plan again to write a fresh lock".to_owned()
    }
}

impl Lock {
    /// Reads canonical JSON. White space after the document is ignored.
    ///
    /// # Errors
    /// [`LockError`] when the bytes are no lock, one of another version, or one in another spelling.
    pub fn from_json(bytes: &[u8]) -> Result<Self, LockError> {
        let bytes = bytes.trim_ascii_end();
        let malformed = |text: &str| LockError::Malformed(text.to_owned());
        if bytes.len() > IR_BYTES_MAX {
            return Err(malformed("too large"));
        }
        let lock: Self = serde_json::from_slice(bytes)
            .map_err(|error| LockError::Malformed(super::check::escaped(&error.to_string())))?;
        if lock.lock_version != LOCK_VERSION {
            return Err(LockError::Version(lock.lock_version));
        }
        if lock.to_json() == bytes {
            Ok(lock)
        } else {
            Err(malformed("another spelling than the one aimctl writes"))
        }
    }

    /// Returns the canonical JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        canonical(self)
    }

    /// Returns the content hash: BLAKE3 of the canonical JSON.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json())
    }

    /// Holds the lock against a plan.
    ///
    /// # Errors
    /// [`LockError`] when it names another plan or pins other steps.
    pub fn check_fits(&self, plan: &Plan) -> Result<(), LockError> {
        let digest = plan.digest();
        if self.plan != digest {
            return Err(LockError::OtherPlan {
                locked: self.plan,
                plan: digest,
            });
        }
        let mut names: BTreeSet<&StepName> = plan.steps().iter().map(|step| &step.name).collect();
        let stray = self.steps.keys().find(|name| !names.remove(name));
        match stray.or_else(|| names.into_iter().next()) {
            None => Ok(()),
            Some(name) => Err(LockError::Steps(name.clone())),
        }
    }
}
