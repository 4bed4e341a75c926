//! The file of approvals: what people agreed to where the policy wants a person.
//!
//! INVARIANT: a file that can not be read whole gives no approval at all; signatures are checked by whoever asks.

use std::path::Path;

use aim_core::access::SignedUseApproval;
use serde::Deserialize;

use crate::{fault::LoadFault, source};

/// Most approvals in one file.
const APPROVALS_MAX: usize = 4_096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    approved: Vec<SignedUseApproval>,
}

/// Reads every approval of a file.
///
/// # Errors
/// A file that can not be read, or is not one of approvals (`AIM-P038`).
pub(crate) fn read(path: &Path) -> Result<Vec<SignedUseApproval>, LoadFault> {
    let text = source::read_text(path)?;
    let help = "write approvals with `aimctl policy approve`";
    let fault = |message: String| LoadFault::of_file("AIM-P038", path, message, help);
    let written: Written =
        toml::from_str(&text).map_err(|error| fault(error.message().to_owned()))?;
    if written.approved.len() > APPROVALS_MAX {
        return Err(fault(format!("holds more than {APPROVALS_MAX} approvals")));
    }
    Ok(written.approved)
}

/// An approval as a part of such a file.
#[must_use]
pub fn approval_text(signed: &SignedUseApproval) -> String {
    let approval = &signed.approval;
    let mut text = String::from("\n[[approved]]\n");
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            // A JSON string of names, numbers and hex digits is a TOML string.
            let value = serde_json::Value::from(value);
            text.push_str(&format!("{name} = {value}\n"));
        }
    };
    line("signature", signed.signature.as_deref());
    line("approval.approver", Some(&approval.approver));
    line("approval.capability", Some(approval.capability.name()));
    let component = approval.component.map(|component| component.to_string());
    line("approval.component", component.as_deref());
    line("approval.expires", Some(&approval.expires.to_string()));
    line("approval.mode", approval.mode.map(|mode| mode.word()));
    line("approval.node", Some(approval.node.as_str()));
    line("approval.scope", approval.scope.as_deref());
    line("approval.tenant", Some(approval.tenant.as_str()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use aim_core::{
        access::{Capability, Mode, UseApproval},
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
        let text = approval_text(&signed);
        std::fs::write(&path, format!("{text}{text}")).unwrap();
        assert_eq!(read(&path).unwrap(), [signed.clone(), signed]);
        std::fs::write(&path, "").unwrap();
        assert!(read(&path).unwrap().is_empty());
        for bad in ["approved = 1", "[[approved]]\n", "other = 1", "["] {
            std::fs::write(&path, bad).unwrap();
            assert_eq!(read(&path).unwrap_err().code, "AIM-P038", "{bad}");
        }
    }
}
