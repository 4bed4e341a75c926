//! The file of approvals: what people agreed to where the policy wants a person.
//!
//! INVARIANT: a file that can not be read whole gives no approval at all; signatures are checked by whoever asks.

use std::path::Path;

use aim_core::access::{SignedDowngrade, SignedUseApproval};
use serde::Deserialize;

use crate::{fault::LoadFault, source};

/// Most approvals in one file.
const APPROVALS_MAX: usize = 4_096;

/// What people agreed to, as it was read: nothing is verified yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvals {
    /// Uses that policy permits only once a person agrees.
    pub uses: Vec<SignedUseApproval>,
    /// Older versions that may run again.
    pub downgrades: Vec<SignedDowngrade>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    approved: Vec<SignedUseApproval>,
    #[serde(default)]
    downgraded: Vec<SignedDowngrade>,
}

/// Reads every approval of a file.
///
/// # Errors
/// A file that can not be read, or is not one of approvals (`AIM-P038`).
pub(crate) fn read(path: &Path) -> Result<Approvals, LoadFault> {
    let text = source::read_text(path)?;
    let help = "write approvals with `aimctl policy approve`";
    let fault = |message: String| LoadFault::of_file("AIM-P038", path, message, help);
    let written: Written =
        toml::from_str(&text).map_err(|error| fault(error.message().to_owned()))?;
    let count = written
        .approved
        .len()
        .saturating_add(written.downgraded.len());
    if count > APPROVALS_MAX {
        return Err(fault(format!("holds more than {APPROVALS_MAX} approvals")));
    }
    Ok(Approvals {
        uses: written.approved,
        downgrades: written.downgraded,
    })
}

/// An approval as a part of such a file.
#[must_use]
pub fn approval_text(signed: &SignedUseApproval) -> String {
    let approval = &signed.approval;
    let component = approval.component.map(|component| component.to_string());
    let expires = approval.expires.to_string();
    entry(
        "approved",
        &[
            ("signature", signed.signature.as_deref()),
            ("approval.approver", Some(&approval.approver)),
            ("approval.capability", Some(approval.capability.name())),
            ("approval.component", component.as_deref()),
            ("approval.expires", Some(&expires)),
            ("approval.mode", approval.mode.map(|mode| mode.word())),
            ("approval.node", Some(approval.node.as_str())),
            ("approval.scope", approval.scope.as_deref()),
            ("approval.tenant", Some(approval.tenant.as_str())),
        ],
    )
}

/// Leave to run an older version as a part of such a file.
#[must_use]
pub fn downgrade_text(signed: &SignedDowngrade) -> String {
    let approval = &signed.approval;
    entry(
        "downgraded",
        &[
            ("signature", signed.signature.as_deref()),
            ("approval.approver", Some(&approval.approver)),
            ("approval.component", Some(&approval.component.to_string())),
            ("approval.expires", Some(&approval.expires.to_string())),
            ("approval.node", Some(approval.node.as_str())),
            ("approval.tenant", Some(approval.tenant.as_str())),
            ("approval.version", Some(&approval.version)),
        ],
    )
}

fn entry(table: &str, lines: &[(&str, Option<&str>)]) -> String {
    let mut text = format!("\n[[{table}]]\n");
    for (name, value) in lines {
        if let Some(value) = value {
            // A JSON string of names, numbers and hex digits is a TOML string.
            let value = serde_json::Value::from(*value);
            text.push_str(&format!("{name} = {value}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use aim_core::{
        access::{Capability, Downgrade, Mode, UseApproval},
        digest::Digest,
        name::{NodeId, TenantId},
        time::Timestamp,
    };

    #[test]
    fn what_is_written_reads_back_and_anything_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("approvals.toml");
        let signed = SignedUseApproval {
            signature: Some("ab".repeat(64)),
            approval: UseApproval {
                approver: "ann".to_owned(),
                capability: Capability::Keyvalue,
                component: Some(Digest::of(b"x")),
                expires: Timestamp::from_millis(1_000),
                mode: Some(Mode::Write),
                node: NodeId::parse("a.b").unwrap(),
                scope: Some("st\"a\\te".to_owned()),
                tenant: TenantId::parse("global").unwrap(),
            },
        };
        let older = SignedDowngrade {
            signature: None,
            approval: Downgrade {
                approver: "ann".to_owned(),
                component: Digest::of(b"x"),
                expires: Timestamp::from_millis(1_000),
                node: NodeId::parse("a.b").unwrap(),
                tenant: TenantId::parse("global").unwrap(),
                version: "1.0.0-rc.1+b".to_owned(),
            },
        };
        let (text, leave) = (approval_text(&signed), downgrade_text(&older));
        std::fs::write(&path, format!("{text}{leave}{text}")).unwrap();
        let expected = Approvals {
            uses: vec![signed.clone(), signed],
            downgrades: vec![older],
        };
        assert_eq!(read(&path).unwrap(), expected);
        std::fs::write(&path, "").unwrap();
        assert_eq!(read(&path).unwrap(), Approvals::default());
        for bad in [
            "approved = 1",
            "[[approved]]\n",
            "[[downgraded]]\n",
            "other = 1",
            "[",
        ] {
            std::fs::write(&path, bad).unwrap();
            assert_eq!(read(&path).unwrap_err().code, "AIM-P038", "{bad}");
        }
    }
}
