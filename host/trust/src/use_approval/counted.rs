//! An approval that counted, as the log keeps it: with the approver's signature and the key that it verifies under.
//!
//! INVARIANT: a recorded approval is checked with nothing but its own statement; whose key that is, the reader's keys decide.

use aim_core::{
    access::{DOWNGRADE_KIND, Downgrade, RecordedApproval, USE_APPROVAL_KIND, UseApproval},
    digest::{Digest, Sha256, decode_hex, encode_hex},
    id::ExecutionId,
    leaf::LeafKind,
    time::Timestamp,
    witness::{Statement, Subject},
};
use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{DOWNGRADE_TYPE, USE_APPROVAL_TYPE};
use crate::{
    approval::ApprovalError,
    dsse::pae,
    key::{KeyRole, PublicKey},
};

/// What an approver agrees to by signing it.
pub trait Consent: Serialize + DeserializeOwned {
    /// The kind word of its record.
    const KIND: &'static str;
    /// The type that is signed along.
    const SIGNED_TYPE: &'static str;

    /// The approver's name in the deployment.
    fn approver(&self) -> &str;

    /// The last moment at which it counts.
    fn expires(&self) -> Timestamp;

    /// The bytes that are signed.
    fn signed_bytes(&self) -> Vec<u8>;

    /// Its name in locks.
    fn digest(&self) -> Digest;

    /// As one of both.
    fn said(&self) -> Said;
}

/// What was agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Said {
    /// That a step uses something.
    Use(UseApproval),
    /// That an older version runs.
    Older(Downgrade),
}

/// Both are consented to alike; only what they are differs.
macro_rules! consent {
    ($what:ident, $kind:ident, $signed_type:ident, $said:ident) => {
        impl Consent for $what {
            const KIND: &'static str = $kind;
            const SIGNED_TYPE: &'static str = $signed_type;

            fn approver(&self) -> &str {
                &self.approver
            }

            fn expires(&self) -> Timestamp {
                self.expires
            }

            fn signed_bytes(&self) -> Vec<u8> {
                self.bytes()
            }

            fn digest(&self) -> Digest {
                Self::digest(self)
            }

            fn said(&self) -> Said {
                Said::$said(self.clone())
            }
        }
    };
}

consent!(UseApproval, USE_APPROVAL_KIND, USE_APPROVAL_TYPE, Use);
consent!(Downgrade, DOWNGRADE_KIND, DOWNGRADE_TYPE, Older);

/// Where and when an approval is written down.
#[derive(Debug, Clone, Copy)]
pub struct Noted<'a> {
    /// The account.
    pub actor: &'a str,
    /// The host's claim.
    pub at: Timestamp,
    /// What it counted for; absent when it is given.
    pub execution: Option<ExecutionId>,
    /// The log.
    pub origin: &'a str,
}

/// An approval with all that it takes to check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    digest: Digest,
    kind: &'static str,
    said: Said,
    key: String,
    signature: String,
}

impl Counted {
    /// An approval, with the key of who has signed it and their signature in hex digits.
    #[must_use]
    pub fn of<C: Consent>(said: &C, key: &PublicKey, signature: &str) -> Self {
        Self {
            digest: said.digest(),
            kind: C::KIND,
            said: said.said(),
            key: encode_hex(key.as_bytes()),
            signature: signature.to_string(),
        }
    }

    /// The name of the approval in locks.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The statement that the log keeps.
    #[must_use]
    pub fn statement(&self, noted: &Noted<'_>) -> Vec<u8> {
        let subject = Subject::new("approval", self.digest, Sha256::of(self.digest.as_bytes()));
        let predicate = RecordedApproval {
            actor: noted.actor.to_string(),
            answered_at: noted.at,
            approval: &self.said,
            digest: self.digest,
            execution: noted.execution,
            key: self.key.clone(),
            kind: self.kind.to_string(),
            origin: noted.origin.to_string(),
            signature: self.signature.clone(),
        };
        Statement::new(LeafKind::Answer.predicate_type(), vec![subject], predicate).payload()
    }
}

/// A record that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The name of the approval in locks.
    pub digest: Digest,
    /// What it counted for; absent when it was given.
    pub execution: Option<ExecutionId>,
    /// The key that has signed it.
    pub key: PublicKey,
}

/// Holds the record of an approval against the key that it names. `None` for a statement of another kind than these two.
///
/// # Errors
/// [`ApprovalError`]; nobody has approved it then.
#[must_use]
pub fn recorded(kind: &str, statement: &[u8]) -> Option<Result<Recorded, ApprovalError>> {
    match kind {
        USE_APPROVAL_KIND => Some(check::<UseApproval>(statement)),
        DOWNGRADE_KIND => Some(check::<Downgrade>(statement)),
        _ => None,
    }
}

fn check<C: Consent>(statement: &[u8]) -> Result<Recorded, ApprovalError> {
    let read: Statement<RecordedApproval<C>> =
        serde_json::from_slice(statement).map_err(|_| ApprovalError::Form)?;
    let read = read.predicate;
    let bytes = decode_hex(&read.key).ok_or(ApprovalError::Unknown)?;
    let key = PublicKey::from_bytes(KeyRole::Approver, &bytes);
    let key = key.map_err(|_| ApprovalError::Unknown)?;
    verify(&read.approval, &key, &read.signature).ok_or(ApprovalError::Signature)?;
    if read.digest != read.approval.digest() {
        return Err(ApprovalError::Signature);
    }
    Ok(Recorded {
        digest: read.digest,
        execution: read.execution,
        key,
    })
}

/// `Some` when the key has signed it.
pub(super) fn verify<C: Consent>(said: &C, key: &PublicKey, written: &str) -> Option<()> {
    let signature = decode_hex(written)?;
    let message = pae(C::SIGNED_TYPE, &said.signed_bytes());
    key.verify(&message, &signature).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::SecretKey, use_approval::sign_downgrade};
    use aim_core::name::{NodeId, TenantId};

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes(KeyRole::Approver, &[byte; 32])
    }

    fn statement() -> String {
        let leave = Downgrade {
            approver: "ann".to_string(),
            component: Digest::of(b"old"),
            expires: Timestamp::from_millis(2_000),
            node: NodeId::parse("triage.rate").unwrap(),
            tenant: TenantId::parse("global").unwrap(),
            version: "1.0.0".to_string(),
        };
        let signed = sign_downgrade(leave, &key(1));
        let public = PublicKey::from_bytes(KeyRole::Approver, &key(1).public_bytes()).unwrap();
        let counted = Counted::of(&signed.approval, &public, &signed.signature.unwrap());
        let noted = Noted {
            actor: "uid:1",
            at: Timestamp::from_millis(1_000),
            execution: None,
            origin: "log",
        };
        String::from_utf8(counted.statement(&noted)).unwrap()
    }

    fn read(statement: &str) -> Result<Recorded, ApprovalError> {
        recorded(DOWNGRADE_KIND, statement.as_bytes()).unwrap()
    }

    /// Each row changes one thing about a record that holds.
    #[test]
    fn a_record_holds_as_it_was_written_and_in_no_other_way() {
        let good = statement();
        assert_eq!(read(&good).unwrap().key.as_bytes(), &key(1).public_bytes());
        let other = encode_hex(&key(2).public_bytes());
        let own = encode_hex(&key(1).public_bytes());
        let digest = read(&good).unwrap().digest.hex();
        let changes = [
            ("\"1.0.0\"", "\"1.0.1\"", ApprovalError::Signature),
            (own.as_str(), other.as_str(), ApprovalError::Signature),
            (own.as_str(), "nothing", ApprovalError::Unknown),
            ("\"ann\"", "\"ben\"", ApprovalError::Signature),
            ("\"kind\"", "\"sort\"", ApprovalError::Form),
        ];
        for (from, to, why) in changes {
            let changed = good.replace(from, to);
            assert_ne!(changed, good);
            assert_eq!(read(&changed), Err(why), "{from} -> {to}");
        }
        // Another name for the same approval: a lock would find it under what it is not.
        let renamed = good.replace(&digest, &Digest::of(b"other").hex());
        assert_eq!(read(&renamed), Err(ApprovalError::Signature));
        let as_use = recorded(USE_APPROVAL_KIND, good.as_bytes()).unwrap();
        assert_eq!(as_use, Err(ApprovalError::Form));
        assert_eq!(recorded("question-answer", good.as_bytes()), None);
    }
}
