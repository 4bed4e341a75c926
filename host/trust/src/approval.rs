//! Answers of people: about what is kept in quarantine, and to the questions of runs. Each is signed with its giver's own key.
//!
//! INVARIANT: an answer counts only under the name, role and key that the deployment has for its signer, whatever it says of itself.

use alloc::{string::String, vec};

use aim_core::{
    digest::{Digest, Sha256, decode_hex},
    quarantine::{APPROVAL_PREDICATE, Approval, Approver},
    question::{GIVEN_PREDICATE, GivenAnswer},
    witness::{STATEMENT_TYPE, Statement, Subject},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    dsse::{Envelope, PAYLOAD_TYPE, pae},
    key::{KeyRole, KeySet, PublicKey, SecretKey},
};

/// What a person can sign.
pub trait Signable: Clone + Serialize + DeserializeOwned {
    /// The predicate type of the signed statement: a signature under one type is none under another.
    const PREDICATE: &'static str;

    /// Who signs it.
    fn approver(&self) -> &Approver;

    /// What it is about: a name, and the bytes behind the statement's subject.
    fn about(&self) -> (&'static str, &[u8]);
}

impl Signable for Approval {
    const PREDICATE: &'static str = APPROVAL_PREDICATE;

    fn approver(&self) -> &Approver {
        &self.approver
    }

    fn about(&self) -> (&'static str, &[u8]) {
        ("token", self.token.as_bytes())
    }
}

impl Signable for GivenAnswer {
    const PREDICATE: &'static str = GIVEN_PREDICATE;

    fn approver(&self) -> &Approver {
        &self.approver
    }

    fn about(&self) -> (&'static str, &[u8]) {
        ("question", self.asked.as_bytes())
    }
}

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
pub fn sign<A: Signable>(answer: &A, key: &SecretKey) -> String {
    let (name, bytes) = answer.about();
    let subject = Subject::new(name, Digest::of(bytes), Sha256::of(bytes));
    let payload = Statement::new(A::PREDICATE, vec![subject], answer.clone()).payload();
    let signature = key.sign(&pae(PAYLOAD_TYPE, &payload));
    Envelope::signed(payload, key.id(), signature).to_json()
}

/// Checks a signed answer against the approvers of the deployment.
///
/// # Errors
/// [`ApprovalError`]; the answer must be taken for none then.
pub fn verify<A: Signable>(envelope: &str, approvers: &[Approver]) -> Result<A, ApprovalError> {
    let envelope = Envelope::parse(envelope.as_bytes()).map_err(|_| ApprovalError::Form)?;
    let claimed: Statement<A> =
        serde_json::from_slice(envelope.payload_unchecked()).map_err(|_| ApprovalError::Form)?;
    let is_of_type =
        claimed.statement_type == STATEMENT_TYPE && claimed.predicate_type == A::PREDICATE;
    let answer = claimed.predicate;
    let known = approvers.iter().find(|one| *one == answer.approver());
    let key = public_key(known.ok_or(ApprovalError::Unknown)?)?;
    let is_signed = envelope
        .verify(&KeySet::only(key), KeyRole::Approver, 1)
        .is_ok();
    match (is_of_type, is_signed) {
        (true, true) => Ok(answer),
        (false, _) => Err(ApprovalError::Form),
        (true, false) => Err(ApprovalError::Signature),
    }
}

/// Checks that an answer is signed with the key that it names itself. Whether that key is one of the deployment's is another
/// question: this is for reading back answers that were held against the deployment before they were written down.
///
/// # Errors
/// [`ApprovalError`]; the answer must be taken for none then.
pub fn verify_own<A: Signable>(envelope: &str) -> Result<A, ApprovalError> {
    let parsed = Envelope::parse(envelope.as_bytes()).map_err(|_| ApprovalError::Form)?;
    let claimed: Statement<A> =
        serde_json::from_slice(parsed.payload_unchecked()).map_err(|_| ApprovalError::Form)?;
    verify(
        envelope,
        core::slice::from_ref(claimed.predicate.approver()),
    )
}

/// The key that the deployment has for an approver.
///
/// # Errors
/// [`ApprovalError::Unknown`] when what is written there is no usable key.
pub fn public_key(approver: &Approver) -> Result<PublicKey, ApprovalError> {
    let bytes = decode_hex(&approver.key).ok_or(ApprovalError::Unknown)?;
    PublicKey::from_bytes(KeyRole::Approver, &bytes).map_err(|_| ApprovalError::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aim_core::{
        digest::encode_hex,
        id::{ExecutionId, RunId, RunPins},
        plan::StepPath,
        quarantine::Answer,
        question::Answer as Choice,
        time::Timestamp,
    };
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
            verify::<Approval>(&sign(&given, &key(2)), &[ann()]),
            Err(ApprovalError::Signature)
        );
        assert_eq!(verify::<Approval>("{}", &[ann()]), Err(ApprovalError::Form));
    }

    fn given(answer: Choice) -> GivenAnswer {
        let run = RunId::of(&RunPins {
            plan: Digest::of(b"p"),
            lock: Digest::of(b"l"),
            inputs: Digest::of(b"i"),
            tenant: "global",
            seed: 0,
        });
        GivenAnswer {
            answer,
            approver: ann(),
            asked: Digest::of(b"asked"),
            at: Timestamp::from_millis(0),
            execution: ExecutionId::of("log", run, 1),
            origin: "log".to_string(),
            path: StepPath::parse("a").unwrap(),
            question: "q_0123456789abcdef".to_string(),
            run,
        }
    }

    /// Negative control: with `is_signed` true for all, the changed choice counts and this fails (seen).
    #[test]
    fn an_answer_to_a_question_counts_as_it_was_signed_and_as_nothing_else() {
        let no = given(Choice::No);
        let signed = sign(&no, &key(1));
        assert_eq!(verify(&signed, &[ann()]), Ok(no.clone()));
        assert_eq!(verify_own(&signed), Ok(no));
        let payload = |answer| {
            let signed = sign(&given(answer), &key(1));
            let envelope = Envelope::parse(signed.as_bytes()).unwrap();
            (envelope.payload_unchecked().to_vec(), signed)
        };
        // The choice is changed, and the signature kept.
        let (of_yes, _) = payload(Choice::Yes);
        let message = pae(PAYLOAD_TYPE, &payload(Choice::No).0);
        let changed = Envelope::signed(of_yes, key(1).id(), key(1).sign(&message)).to_json();
        assert_eq!(
            verify_own::<GivenAnswer>(&changed),
            Err(ApprovalError::Signature)
        );
        let foreign = sign(&given(Choice::Yes), &key(2));
        assert_eq!(
            verify::<GivenAnswer>(&foreign, &[ann()]),
            Err(ApprovalError::Signature)
        );
        assert_eq!(
            verify::<GivenAnswer>(&signed, &[]),
            Err(ApprovalError::Unknown)
        );
        assert_eq!(verify_own::<Approval>(&signed), Err(ApprovalError::Form));
        let of_case = sign(&approval(ann()), &key(1));
        assert_eq!(
            verify_own::<GivenAnswer>(&of_case),
            Err(ApprovalError::Form)
        );
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
            assert_eq!(
                verify::<Approval>(&signed, &[ann()]),
                Err(ApprovalError::Unknown)
            );
        }
    }
}
