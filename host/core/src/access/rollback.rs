//! Which version of a node was accepted before, and a person's leave to go back behind it.
//!
//! An old version may be one whose fault is known by now, so whoever can put it back in place gets that fault back as well.
//! What was accepted follows from the log alone: every execution begins with a lock, and the lock names the version of each
//! node. Histories are per tenant, so that no tenant can keep another one from a version.
//!
//! INVARIANT: a version below the highest that the tenant's history holds is refused, whatever names it, unless its component
//! is byte for byte that of the highest version (nothing is rolled back then) or a live approval is for exactly these bytes.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};

use semver::Version;
use serde::{Deserialize, Serialize};

use super::UseApprovalError;
use crate::{
    digest::Digest,
    name::{NodeId, TenantId},
    time::Timestamp,
};

/// The highest version of a node, and the bytes that it was accepted with.
#[derive(Debug, Clone)]
struct Highest {
    version: Version,
    components: BTreeSet<Digest>,
}

/// The highest versions that were accepted, by tenant and node.
#[derive(Debug, Clone, Default)]
pub struct AcceptedVersions {
    highest: BTreeMap<(TenantId, NodeId), Highest>,
}

/// One version of a node that is to be accepted.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Whose run it is for.
    pub tenant: &'a TenantId,
    /// The node.
    pub node: &'a NodeId,
    /// The contract's version.
    pub version: &'a str,
    /// The component's bytes.
    pub component: Digest,
}

/// A version below one that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{node}` {version} is older than {highest}, which this log has accepted: {why}")]
pub struct RollbackError {
    /// The node.
    pub node: NodeId,
    /// What is to be accepted.
    pub version: String,
    /// What was.
    pub highest: String,
    /// Why no approval lets it.
    pub why: UseApprovalError,
}

impl RollbackError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-A060"
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        "install the newer version, or let an approver allow the older one: `aimctl policy approve --plan <plan> --as <name> --key-dir <folder>`"
    }
}

impl AcceptedVersions {
    /// Remembers what was accepted. A text that is no version, which no contract has, changes nothing.
    pub fn note(&mut self, accepted: Candidate<'_>) {
        let Ok(version) = Version::parse(accepted.version) else {
            return;
        };
        let key = (accepted.tenant.clone(), accepted.node.clone());
        let known = self.highest.entry(key).or_insert_with(|| Highest {
            version: version.clone(),
            components: BTreeSet::new(),
        });
        if version.cmp_precedence(&known.version).is_gt() {
            known.version = version;
            known.components.clear();
        } else if version.cmp_precedence(&known.version).is_lt() {
            return;
        }
        known.components.insert(accepted.component);
    }

    /// The version that the candidate would go back behind; `None` when it would not.
    #[must_use]
    pub fn above(&self, candidate: &Candidate<'_>) -> Option<String> {
        let key = (candidate.tenant.clone(), candidate.node.clone());
        let known = self.highest.get(&key)?;
        let is_same = known.components.contains(&candidate.component);
        // What is no version is older than every version.
        let is_below = Version::parse(candidate.version).map_or(true, |version| {
            version.cmp_precedence(&known.version).is_lt()
        });
        (is_below && !is_same).then(|| known.version.to_string())
    }
}

/// The kind word of a recorded leave to run an older version.
pub const DOWNGRADE_KIND: &str = "downgrade";

/// A person's leave to run an older version of a node again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Downgrade {
    /// The approver's name in the deployment.
    pub approver: String,
    /// The only bytes that it is for.
    pub component: Digest,
    /// The last moment at which it counts.
    pub expires: Timestamp,
    /// The node that may.
    pub node: NodeId,
    /// The tenant of the run.
    pub tenant: TenantId,
    /// The version to go back to.
    pub version: String,
}

/// A downgrade with its signature, as files hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedDowngrade {
    /// The approver's Ed25519 signature, 128 hex digits; absent for what nobody has signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// What is approved.
    pub approval: Downgrade,
}

impl Downgrade {
    /// The leave for exactly this candidate.
    #[must_use]
    pub fn of(candidate: &Candidate<'_>, approver: &str, expires: Timestamp) -> Self {
        Self {
            approver: approver.into(),
            component: candidate.component,
            expires,
            node: candidate.node.clone(),
            tenant: candidate.tenant.clone(),
            version: candidate.version.into(),
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
        Digest::derive("downgrade", &[&self.bytes()])
    }

    /// Whether it is about the candidate; signature and time are not looked at.
    ///
    /// # Errors
    /// The first thing that differs.
    pub fn fits(&self, candidate: &Candidate<'_>) -> Result<(), UseApprovalError> {
        if self.node != *candidate.node || self.version != candidate.version {
            return Err(UseApprovalError::Waits);
        }
        if self.tenant != *candidate.tenant {
            return Err(UseApprovalError::Tenant);
        }
        if self.component != candidate.component {
            return Err(UseApprovalError::Component);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn node() -> NodeId {
        NodeId::parse("triage.rate").unwrap()
    }

    fn above(known: &[(&str, &str)], version: &str, component: &str) -> Option<String> {
        let (tenant, node) = (tenant("global"), node());
        let first = Candidate {
            tenant: &tenant,
            node: &node,
            version,
            component: Digest::of(component.as_bytes()),
        };
        let mut accepted = AcceptedVersions::default();
        for (version, component) in known {
            let component = Digest::of(component.as_bytes());
            accepted.note(Candidate {
                version,
                component,
                ..first
            });
        }
        accepted.above(&first)
    }

    /// Negative control: compared as text, `1.10.0` is below `1.9.0` and this fails.
    #[test]
    fn versions_are_held_against_the_highest_by_precedence_in_whatever_order_they_came() {
        let known = [("1.9.0", "a"), ("1.10.0", "b"), ("1.2.0", "c")];
        let highest = Some("1.10.0".to_string());
        for below in ["1.9.0", "1.2.0", "0.99.99", "1.10.0-rc.1", "nonsense"] {
            assert_eq!(above(&known, below, "x"), highest, "{below}");
        }
        for other in ["1.10.0", "1.10.0+build", "1.11.0-alpha", "2.0.0"] {
            assert_eq!(above(&known, other, "x"), None, "{other}");
        }
        assert_eq!(above(&[], "0.0.1", "x"), None, "nothing was accepted yet");
    }

    #[test]
    fn the_same_bytes_under_a_lower_version_roll_nothing_back() {
        let known = [("1.0.0", "old"), ("1.1.0", "new"), ("1.1.0", "also new")];
        for same in ["new", "also new"] {
            assert_eq!(above(&known, "1.0.0", same), None);
        }
        assert!(above(&known, "1.0.0", "old").is_some());
    }

    #[test]
    fn each_tenant_and_each_node_has_a_history_of_its_own() {
        let (ours, theirs) = (tenant("ours"), tenant("theirs"));
        let (node, other) = (node(), NodeId::parse("triage.report").unwrap());
        let component = Digest::of(b"x");
        let mut accepted = AcceptedVersions::default();
        accepted.note(Candidate {
            tenant: &theirs,
            node: &node,
            version: "9.0.0",
            component: Digest::of(b"nine"),
        });
        let is_below = |tenant, node| {
            let version = "1.0.0";
            let candidate = Candidate {
                tenant,
                node,
                version,
                component,
            };
            accepted.above(&candidate).is_some()
        };
        assert!(is_below(&theirs, &node));
        assert!(!is_below(&ours, &node) && !is_below(&theirs, &other));
    }
}
