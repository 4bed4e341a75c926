//! Approvals of uses: signed by a person's key, looked up when the policy wants one.
//!
//! INVARIANT: an approval counts only under the key that the deployment has for the approver it names, until it expires, and
//! for exactly the use that is asked about.

use aim_core::{
    access::{AccessRequest, SignedUseApproval, UseApproval, UseApprovalError},
    digest::{Digest, decode_hex, encode_hex},
    quarantine::Approver,
    time::Timestamp,
};

use crate::{
    dsse::pae,
    key::{KeyRole, PublicKey, SecretKey},
};

/// The type that is signed along with an approval; no signature for anything else fits.
pub const USE_APPROVAL_TYPE: &str = "application/vnd.aim.use-approval.v1+json";

/// What approvals there are, who may give them, and what time it is.
#[derive(Debug, Clone, Copy)]
pub struct UseApprovals<'a> {
    /// The approvals as they were read.
    pub given: &'a [SignedUseApproval],
    /// Who may give them.
    pub approvers: &'a [Approver],
    /// The moment of the question.
    pub now: Timestamp,
}

impl UseApprovals<'_> {
    /// No approvals at all.
    pub const NONE: UseApprovals<'static> = UseApprovals {
        given: &[],
        approvers: &[],
        now: Timestamp::from_millis(0),
    };

    /// The digest of an approval that counts for what is asked.
    ///
    /// # Errors
    /// Why the one that comes nearest does not count.
    pub fn find(&self, asked: &AccessRequest) -> Result<Digest, UseApprovalError> {
        let mut nearest = UseApprovalError::Waits;
        for signed in self.given {
            match self.check(signed, asked) {
                Ok(()) => return Ok(signed.approval.digest()),
                Err(error) => nearest = nearest.max(error),
            }
        }
        Err(nearest)
    }

    fn check(
        &self,
        signed: &SignedUseApproval,
        asked: &AccessRequest,
    ) -> Result<(), UseApprovalError> {
        let approval = &signed.approval;
        approval.fits(asked)?;
        let written = signed.signature.as_deref();
        let written = written.ok_or(UseApprovalError::Unsigned)?;
        let key = key_of(self.approvers, &approval.approver).ok_or(UseApprovalError::Signature)?;
        let signature = decode_hex(written).ok_or(UseApprovalError::Signature)?;
        let message = pae(USE_APPROVAL_TYPE, &approval.bytes());
        key.verify(&message, &signature)
            .map_err(|_| UseApprovalError::Signature)?;
        if self.now > approval.expires {
            return Err(UseApprovalError::Expired);
        }
        Ok(())
    }
}

fn key_of(approvers: &[Approver], name: &str) -> Option<PublicKey> {
    let known = approvers.iter().find(|one| one.name == name)?;
    PublicKey::from_bytes(KeyRole::Approver, &decode_hex(&known.key)?).ok()
}

/// Signs an approval with the approver's key.
#[must_use]
pub fn sign(approval: UseApproval, key: &SecretKey) -> SignedUseApproval {
    let signature = key.sign(&pae(USE_APPROVAL_TYPE, &approval.bytes()));
    SignedUseApproval {
        signature: Some(encode_hex(&signature)),
        approval,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aim_core::{
        access::{Capability, Mode, Resource, ResourceKind},
        contract::Autonomy,
        name::{NodeId, StepName, TenantId},
    };
    use alloc::string::ToString;

    const LATER: Timestamp = Timestamp::from_millis(2_000);

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes(KeyRole::Approver, &[byte; 32])
    }

    fn approvers() -> [Approver; 1] {
        [Approver {
            actor: "uid:1".to_string(),
            key: encode_hex(&key(1).public_bytes()),
            name: "ann".to_string(),
            role: "operations".to_string(),
        }]
    }

    fn asked() -> AccessRequest {
        AccessRequest {
            component: Digest::of(b"component"),
            node: NodeId::parse("triage.report").unwrap(),
            plan: StepName::parse("triage").unwrap(),
            step: StepName::parse("report").unwrap(),
            tenant: TenantId::parse("global").unwrap(),
            capability: Capability::Keyvalue,
            mode: Some(Mode::Write),
            resource: Resource::new(ResourceKind::Bucket, "state"),
            autonomy: Autonomy::default(),
            facts: alloc::vec::Vec::new(),
        }
    }

    fn found(given: SignedUseApproval, now: u64) -> Result<Digest, UseApprovalError> {
        let approvals = UseApprovals {
            given: &[given],
            approvers: &approvers(),
            now: Timestamp::from_millis(now),
        };
        approvals.find(&asked())
    }

    #[test]
    fn an_approval_of_exactly_the_use_counts_until_it_expires() {
        let approval = UseApproval::of(&asked(), "ann", LATER);
        let digest = approval.digest();
        let signed = sign(approval, &key(1));
        assert_eq!(found(signed.clone(), 2_000), Ok(digest));
        assert_eq!(found(signed, 2_001), Err(UseApprovalError::Expired));
        assert_eq!(
            UseApprovals::NONE.find(&asked()),
            Err(UseApprovalError::Waits)
        );
    }

    #[test]
    fn unsigned_and_foreign_signatures_do_not_count() {
        let approval = UseApproval::of(&asked(), "ann", LATER);
        let unsigned = SignedUseApproval {
            signature: None,
            approval: approval.clone(),
        };
        assert_eq!(found(unsigned, 0), Err(UseApprovalError::Unsigned));
        let foreign = sign(approval.clone(), &key(2));
        assert_eq!(found(foreign, 0), Err(UseApprovalError::Signature));
        let mut changed = sign(approval, &key(1));
        changed.approval.expires = Timestamp::from_millis(9_000);
        assert_eq!(found(changed, 0), Err(UseApprovalError::Signature));
        let nobody = UseApproval::of(&asked(), "ben", LATER);
        assert_eq!(
            found(sign(nobody, &key(1)), 0),
            Err(UseApprovalError::Signature)
        );
    }

    #[test]
    fn an_approval_of_anything_else_does_not_count() {
        type Change = fn(&mut UseApproval);
        let changes: [(Change, UseApprovalError); 7] = [
            (
                |one| one.scope = Some("other".to_string()),
                UseApprovalError::Scope,
            ),
            (|one| one.scope = None, UseApprovalError::Scope),
            (|one| one.mode = Some(Mode::Read), UseApprovalError::Scope),
            (
                |one| one.tenant = TenantId::parse("other").unwrap(),
                UseApprovalError::Tenant,
            ),
            (
                |one| one.component = Some(Digest::of(b"other")),
                UseApprovalError::Component,
            ),
            (
                |one| one.node = NodeId::parse("triage.rate").unwrap(),
                UseApprovalError::Waits,
            ),
            (
                |one| one.capability = Capability::Config,
                UseApprovalError::Waits,
            ),
        ];
        for (change, expected) in changes {
            let mut approval = UseApproval::of(&asked(), "ann", LATER);
            change(&mut approval);
            assert_eq!(found(sign(approval, &key(1)), 0), Err(expected));
        }
        let mut any = UseApproval::of(&asked(), "ann", LATER);
        any.component = None;
        assert!(found(sign(any, &key(1)), 0).is_ok());
    }
}
