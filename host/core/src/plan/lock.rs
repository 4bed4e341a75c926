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

use super::{IR_BYTES_MAX, LanguageVersion, Pins, Plan, ProbePin, SchemaVersion, canonical};
use crate::{
    adapter::Profile,
    admission::Linkage,
    class::Class,
    digest::Digest,
    name::{NodeId, StepName},
};

/// The version of the lock's shape that this host reads and writes.
pub const LOCK_VERSION: u32 = 2;

/// Versions of the WIT packages that a component is linked to, by package; the exact ones that it imports.
pub type WitVersions = BTreeMap<String, BTreeSet<String>>;

/// What a plan was resolved to. All digests are over the exact bytes that were used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// What compiled the plan.
    pub compiler: CompilerPin,
    /// Fingerprint of the engine profile: engine version and every knob that can change a result.
    pub engine_profile: Digest,
    /// The deployment's rules about scores, composite risk and quarantine; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_rules: Option<Digest>,
    /// Gate components by the names that witnesses use.
    pub gates: BTreeMap<NodeId, GatePin>,
    /// Imported documents by alias: BLAKE3 of their exact bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub imports: BTreeMap<StepName, Digest>,
    /// Always [`LOCK_VERSION`].
    pub lock_version: u32,
    /// The plan IR that this lock belongs to.
    pub plan: Digest,
    /// The operator's policy, or the built-in one that grants effect-free interfaces only.
    pub policy: Digest,
    /// Which probes watch the run, and which are switched off.
    pub probes: ProbePin,
    /// One pin for every step of the plan, by step name.
    pub steps: BTreeMap<StepName, StepPin>,
}

/// What compiled a plan, and in which shapes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompilerPin {
    /// The version of the language that the source was written in.
    pub language: LanguageVersion,
    /// The version of the IR's shape.
    pub schema: SchemaVersion,
    /// The compiler's own version.
    pub version: String,
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
    /// The model that the plan asks for; absent where it asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The node.
    pub node: NodeId,
    /// What the plan holds still: exact model, tool, index and seed.
    #[serde(default, skip_serializing_if = "Pins::is_empty")]
    pub pins: Pins,
    /// The tools that the plan asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// The contract's version.
    pub version: String,
    /// What the component is linked to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wit: WitVersions,
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
    /// The node contract's bytes, with the limits that it judges under.
    pub contract: Digest,
    /// The contract's version.
    pub version: String,
    /// What the component is linked to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wit: WitVersions,
}

/// The packages of a linkage's imports, types-only ones among them, with the exact versions in the import strings.
#[must_use]
pub fn wit_versions(linkage: &Linkage) -> WitVersions {
    let mut versions = WitVersions::new();
    for binding in linkage.bindings() {
        let name = binding.import.name.as_str();
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        let package = interface.split_once('/').map_or(interface, |(one, _)| one);
        let known = versions.entry(package.to_owned()).or_default();
        known.insert(version.to_owned());
    }
    versions
}

/// One field in which two locks differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LockDifference {
    /// Where it is: `steps.fetch.component`.
    pub field: String,
    /// What the lock pins; `None` when it pins nothing there.
    pub pinned: Option<String>,
    /// What is there now; `None` when nothing is.
    pub present: Option<String>,
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
    /// What is there is not what the lock pins.
    #[error("{} of the lock's fields are not what is there now", .0.len())]
    Drift(Vec<LockDifference>),
}

impl LockError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Version(_) => "ACL-E042",
            Self::OtherPlan { .. } | Self::Steps(_) => "ACL-E037",
            Self::Drift(_) => "ACL-E060",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Drift(_) => {
                "put back what was pinned, or accept what is there now: `aimctl plan <plan> --lock`"
            }
            _ => "write a fresh lock: `aimctl plan <plan> --lock`",
        }
        .to_owned()
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

    /// Digests of every approval that it took.
    pub fn approvals(&self) -> impl Iterator<Item = Digest> {
        let steps = self.steps.values().flat_map(|pin| &pin.approvals);
        let gates = self.gates.values().flat_map(|pin| &pin.approvals);
        steps.chain(gates).copied()
    }

    /// Returns the content hash: BLAKE3 of the canonical JSON.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json())
    }

    /// Every field in which `present` is not what this lock pins, by the field's name.
    #[must_use]
    pub fn differences(&self, present: &Self) -> Vec<LockDifference> {
        let pinned = leaves(self);
        let mut present = leaves(present);
        let mut differences: Vec<LockDifference> = (pinned.into_iter())
            .filter_map(|(field, pinned)| {
                let now = present.remove(&field);
                (now.as_ref() != Some(&pinned)).then_some(LockDifference {
                    field,
                    pinned: Some(pinned),
                    present: now,
                })
            })
            .collect();
        differences.extend(present.into_iter().map(|(field, now)| LockDifference {
            field,
            pinned: None,
            present: Some(now),
        }));
        differences.sort();
        differences
    }

    /// Holds the lock against what a plan was resolved to now.
    ///
    /// # Errors
    /// [`LockError::Drift`] with every field that differs.
    pub fn check_present(&self, present: &Self) -> Result<(), LockError> {
        let differences = self.differences(present);
        if differences.is_empty() {
            Ok(())
        } else {
            Err(LockError::Drift(differences))
        }
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

/// Every value of a lock that is no object, by its path. For people: what is hashed and stored is [`Lock::to_json`].
fn leaves(lock: &Lock) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Vec<(String, serde_json::Value)> = (serde_json::to_value(lock).ok())
        .map(|value| (String::new(), value))
        .into_iter()
        .collect();
    // BOUND: every value of a finite document is looked at once.
    while let Some((path, value)) = open.pop() {
        let below = |name: &str| match path.as_str() {
            "" => name.to_owned(),
            path => alloc::format!("{path}.{name}"),
        };
        match value {
            serde_json::Value::Object(fields) => {
                open.extend(
                    fields
                        .into_iter()
                        .map(|(name, value)| (below(&name), value)),
                );
            }
            serde_json::Value::String(text) => {
                found.insert(path, text);
            }
            other => {
                found.insert(path, other.to_string());
            }
        }
    }
    found
}
