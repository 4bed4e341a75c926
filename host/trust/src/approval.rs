//! Answers of approvers about what is kept in quarantine, each signed with a key of its own.
//!
//! INVARIANT: an answer counts only under the name, role and key that the deployment has for its signer, whatever it says of itself.

use alloc::{string::String, vec};

use aim_core::{
    digest::{Digest, Sha256, decode_hex},
    quarantine::{APPROVAL_PREDICATE, Approval, Approver},
    witness::{STATEMENT_TYPE, Statement, Subject},
};

use crate::{
    dsse::{Envelope, PAYLOAD_TYPE, pae},
    key::{KeyRole, KeySet, PublicKey, SecretKey},
};

/// Why a signed answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// No approver of the deployment, or not as the deployment has them.
    #[error(
        "the approver is not one of this deployment, or goes by another role, actor or key there"
    )]
    Unknown,
    /// The signature does not belong to the approver.
    #[error("the approval is not signed with the approver's key")]
    Signature,
    /// Not an approval.
    #[error("the approval can not be read")]
    Form,
}

impl ApprovalError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "AIM-G028",
            Self::Signature | Self::Form => "AIM-G029",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Unknown => "add `[gates.approvers.<name>]` with role, actor and key to aim.toml",
            Self::Signature | Self::Form => {
                "sign with the key whose public half the deployment has for this approver"
            }
        }
    }
}

/// Signs an answer; returns the text of its envelope.
#[must_use]
pub fn sign(approval: &Approval, key: &SecretKey) -> String {
    let token = approval.token.as_bytes();
    let subject = Subject::new("token", Digest::of(token), Sha256::of(token));
    let payload = Statement::new(APPROVAL_PREDICATE, vec![subject], approval.clone()).payload();
    let signature = key.sign(&pae(PAYLOAD_TYPE, &payload));
    Envelope::signed(payload, key.id(), signature).to_json()
}

/// Checks a signed answer against the approvers of the deployment.
///
/// # Errors
/// [`ApprovalError`]; the answer must be taken for none then.
pub fn verify(envelope: &str, approvers: &[Approver]) -> Result<Approval, ApprovalError> {
    let envelope = Envelope::parse(envelope.as_bytes()).map_err(|_| ApprovalError::Form)?;
    let claimed: Statement<Approval> =
        serde_json::from_slice(envelope.payload_unchecked()).map_err(|_| ApprovalError::Form)?;
    let is_approval =
        claimed.statement_type == STATEMENT_TYPE && claimed.predicate_type == APPROVAL_PREDICATE;
    let approval = claimed.predicate;
    let known = approvers.iter().find(|one| **one == approval.approver);
    let known = known.ok_or(ApprovalError::Unknown)?;
    let bytes = decode_hex(&known.key).ok_or(ApprovalError::Unknown)?;
    let key =
        PublicKey::from_bytes(KeyRole::Approver, &bytes).map_err(|_| ApprovalError::Unknown)?;
    let is_signed = envelope
        .verify(&KeySet::only(key), KeyRole::Approver, 1)
        .is_ok();
    match (is_approval, is_signed) {
        (true, true) => Ok(approval),
        (false, _) => Err(ApprovalError::Form),
        (true, false) => Err(ApprovalError::Signature),
    }
}

/// Checks that an answer is signed with the key that it names itself. Whether that key is one of the deployment's is another
/// question: this is for reading back answers that were held against the deployment before they were written down.
///
/// # Errors
/// [`ApprovalError`]; the answer must be taken for none then.
pub fn verify_own(envelope: &str) -> Result<Approval, ApprovalError> {
    let parsed = Envelope::parse(envelope.as_bytes()).map_err(|_| ApprovalError::Form)?;
    let claimed: Statement<Approval> =
        serde_json::from_slice(parsed.payload_unchecked()).map_err(|_| ApprovalError::Form)?;
    verify(envelope, &[claimed.predicate.approver])
}

#[cfg(test)]
mod tests {
    use super::*;
    use aim_core::{digest::encode_hex, quarantine::Answer, time::Timestamp};
    use alloc::string::ToString;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes(KeyRole::Approver, &[byte; 32])
    }

    fn ann() -> Approver {
        Approver {
            actor: "uid:1".to_string(),
            key: encode_hex(&key(1).public_bytes()),
            name: "ann".to_string(),
            role: "ethics".to_string(),
        }
    }

    fn approval(approver: Approver) -> Approval {
        Approval {
            answer: Answer::Approve,
            approver,
            at: Timestamp::from_millis(0),
            token: Digest::of(b"token"),
        }
    }

    // Negative control: with `is_signed` true for all, the second line fails.
    #[test]
    fn an_answer_counts_only_with_the_approvers_own_signature() {
        let given = approval(ann());
        assert_eq!(verify(&sign(&given, &key(1)), &[ann()]), Ok(given.clone()));
        assert_eq!(
            verify(&sign(&given, &key(2)), &[ann()]),
            Err(ApprovalError::Signature)
        );
        assert_eq!(verify("{}", &[ann()]), Err(ApprovalError::Form));
    }

    // Negative control: with the known approver found by the key alone, this fails.
    #[test]
    fn nobody_answers_under_another_role_actor_or_name_than_the_deployment_has() {
        for change in [
            |one: &mut Approver| one.role = "operations".to_string(),
            |one: &mut Approver| one.actor = "uid:2".to_string(),
            |one: &mut Approver| one.name = "ben".to_string(),
            |one: &mut Approver| one.key = encode_hex(&key(2).public_bytes()),
        ] {
            let mut other = ann();
            change(&mut other);
            let signed = sign(&approval(other), &key(1));
            assert_eq!(verify(&signed, &[ann()]), Err(ApprovalError::Unknown));
        }
    }
}
