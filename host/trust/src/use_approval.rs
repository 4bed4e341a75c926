//! Approvals of uses and of older versions: signed by a person's key, looked up when one is wanted.
//!
//! What counted is written down whole ([`counted`]), so that a reader of the log checks it without the deployment.
//!
//! INVARIANT: an approval counts only under the key that the deployment has for the approver it names, until it expires, and
//! for exactly what is asked about.

mod counted;

use aim_core::{
    access::{
        AccessRequest, Candidate, Downgrade, SignedDowngrade, SignedUseApproval, UseApproval,
        UseApprovalError,
    },
    digest::{Digest, decode_hex, encode_hex},
    quarantine::Approver,
    time::Timestamp,
};

use alloc::{collections::BTreeSet, vec::Vec};

pub use counted::{Consent, Counted, Noted, Recorded, Said, recorded};

use crate::{
    dsse::pae,
    key::{KeyRole, PublicKey, SecretKey},
};

/// The type that is signed along with an approval; no signature for anything else fits.
pub const USE_APPROVAL_TYPE: &str = "application/vnd.aim.use-approval.v1+json";

/// The type that is signed along with a downgrade.
pub const DOWNGRADE_TYPE: &str = "application/vnd.aim.downgrade.v1+json";

/// What approvals there are, who may give them, and what time it is.
#[derive(Debug, Clone, Copy)]
pub struct UseApprovals<'a> {
    /// The approvals as they were read.
    pub given: &'a [SignedUseApproval],
    /// What may go back to an older version, as it was read.
    pub downgrades: &'a [SignedDowngrade],
    /// Who may give them.
    pub approvers: &'a [Approver],
    /// The moment of the question.
    pub now: Timestamp,
}

impl UseApprovals<'_> {
    /// No approvals at all.
    pub const NONE: UseApprovals<'static> = UseApprovals {
        given: &[],
        downgrades: &[],
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
        signed.approval.fits(asked)?;
        self.vouched(&signed.approval, signed.signature.as_deref())
            .map(drop)
    }

    /// The digest of an approval by which this older version counts.
    ///
    /// # Errors
    /// Why the one that comes nearest does not count.
    pub fn find_downgrade(&self, candidate: &Candidate<'_>) -> Result<Digest, UseApprovalError> {
        let mut nearest = UseApprovalError::Waits;
        for signed in self.downgrades {
            match self.check_downgrade(signed, candidate) {
                Ok(()) => return Ok(signed.approval.digest()),
                Err(error) => nearest = nearest.max(error),
            }
        }
        Err(nearest)
    }

    fn check_downgrade(
        &self,
        signed: &SignedDowngrade,
        candidate: &Candidate<'_>,
    ) -> Result<(), UseApprovalError> {
        signed.approval.fits(candidate)?;
        self.vouched(&signed.approval, signed.signature.as_deref())
            .map(drop)
    }

    /// Those of the approvals that count now, among these digests; each once, with the key that it counts under.
    #[must_use]
    pub fn counted(&self, wanted: &BTreeSet<Digest>) -> Vec<Counted> {
        let mut left = wanted.clone();
        let mut counted = Vec::new();
        for signed in self.given {
            let (said, written) = (&signed.approval, signed.signature.as_deref());
            counted.extend(self.take(said, written, &mut left));
        }
        for signed in self.downgrades {
            let (said, written) = (&signed.approval, signed.signature.as_deref());
            counted.extend(self.take(said, written, &mut left));
        }
        counted
    }

    fn take<C: Consent>(
        &self,
        said: &C,
        written: Option<&str>,
        left: &mut BTreeSet<Digest>,
    ) -> Option<Counted> {
        let digest = said.digest();
        if !left.contains(&digest) {
            return None;
        }
        let key = self.vouched(said, written).ok()?;
        left.remove(&digest);
        Some(Counted::of(said, &key, written.unwrap_or_default()))
    }

    /// The key of the approver of the deployment who said it and still means it.
    fn vouched<C: Consent>(
        &self,
        said: &C,
        written: Option<&str>,
    ) -> Result<PublicKey, UseApprovalError> {
        let written = written.ok_or(UseApprovalError::Unsigned)?;
        let key = key_of(self.approvers, said.approver()).ok_or(UseApprovalError::Signature)?;
        counted::verify(said, &key, written).ok_or(UseApprovalError::Signature)?;
        if self.now > said.expires() {
            return Err(UseApprovalError::Expired);
        }
        Ok(key)
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

/// Signs leave to go back to an older version.
#[must_use]
pub fn sign_downgrade(approval: Downgrade, key: &SecretKey) -> SignedDowngrade {
    let signature = key.sign(&pae(DOWNGRADE_TYPE, &approval.bytes()));
    SignedDowngrade {
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
            facts: Vec::new(),
        }
    }

    fn found(given: SignedUseApproval, now: u64) -> Result<Digest, UseApprovalError> {
        let approvals = UseApprovals {
            given: &[given],
            downgrades: &[],
            approvers: &approvers(),
            now: Timestamp::from_millis(now),
        };
        approvals.find(&asked())
    }

    // Negative control: with the look at `expires` taken out of `vouched`, the second line fails.
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

    // Negative control: with the signature not verified, or its absence taken for one, this fails.
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

    // Negative control: with mode and scope, the tenant or the component left out of `fits`, one at a time, this fails.
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

    /// Each line but the first changes one thing about an approval that counts.
    #[test]
    fn an_older_version_counts_only_for_exactly_these_bytes_until_it_expires() {
        let (tenant, node) = (asked().tenant, asked().node);
        let candidate = Candidate {
            tenant: &tenant,
            node: &node,
            version: "1.0.0",
            component: Digest::of(b"old"),
        };
        let found = |given: SignedDowngrade, candidate: &Candidate<'_>, now| {
            let approvals = UseApprovals {
                downgrades: &[given],
                approvers: &approvers(),
                now: Timestamp::from_millis(now),
                ..UseApprovals::NONE
            };
            approvals.find_downgrade(candidate)
        };
        let leave = Downgrade::of(&candidate, "ann", LATER);
        let good = sign_downgrade(leave.clone(), &key(1));
        assert_eq!(found(good.clone(), &candidate, 2_000), Ok(leave.digest()));
        assert_eq!(
            found(good.clone(), &candidate, 2_001),
            Err(UseApprovalError::Expired)
        );
        let unsigned = SignedDowngrade {
            signature: None,
            ..good.clone()
        };
        assert_eq!(
            found(unsigned, &candidate, 0),
            Err(UseApprovalError::Unsigned)
        );
        let foreign = sign_downgrade(leave, &key(2));
        assert_eq!(
            found(foreign, &candidate, 0),
            Err(UseApprovalError::Signature)
        );
        let mut changed = good.clone();
        changed.approval.expires = Timestamp::from_millis(9_000);
        assert_eq!(
            found(changed, &candidate, 0),
            Err(UseApprovalError::Signature)
        );
        let others = [
            (
                Candidate {
                    version: "1.0.1",
                    ..candidate
                },
                UseApprovalError::Waits,
            ),
            (
                Candidate {
                    component: Digest::of(b"other"),
                    ..candidate
                },
                UseApprovalError::Component,
            ),
            (
                Candidate {
                    tenant: &TenantId::parse("other").unwrap(),
                    ..candidate
                },
                UseApprovalError::Tenant,
            ),
        ];
        for (other, why) in others {
            assert_eq!(found(good.clone(), &other, 0), Err(why));
        }
    }
}
