//! Judging one statement: leaf, key, signature, kind and log, in this order.
//!
//! Only the few fields that verification needs are read from a statement, and only after its signature was checked.
//!
//! INVARIANT: nothing is parsed before it is known that the leaf stands for exactly these bytes.

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use aim_core::{
    digest::{Digest, decode_hex},
    id::{AttemptId, ExecutionId},
    leaf::{Leaf, LeafKind, SigningMode},
    witness::STATEMENT_TYPE,
};
use serde::Deserialize;

use super::{FaultKind, effects::ListedEffect, people};
use crate::{
    dsse::{PAYLOAD_TYPE, pae, statement_digest},
    key::{KeyRole, KeySet},
};

/// What verification needs to know about a statement.
#[derive(Debug)]
pub(crate) struct StatementHead {
    /// What the host says about its keys.
    pub(crate) isolation: Option<String>,
    /// Digests of the contents that the statement is about.
    pub(crate) subjects: Vec<Digest>,
    /// The attempt, for the witness of one.
    pub(crate) attempt: Option<AttemptId>,
    /// Its effects, as it lists them.
    pub(crate) effects: Vec<ListedEffect>,
    /// The approval that counted, and for which execution.
    pub(crate) approval: Option<(ExecutionId, Digest)>,
    /// True for a person's answer that is signed, with a key that no key of the reader's vouches for.
    pub(crate) is_by_a_stranger: bool,
}

/// Whose word counts, and for which log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) keys: &'a KeySet,
    pub(crate) origin: &'a str,
}

impl Judge<'_> {
    /// Judges a statement. In mode `batch` only the key's name is checked here; the checkpoint decides.
    pub(crate) fn judge(&self, leaf: &Leaf, statement: &[u8]) -> Result<StatementHead, FaultKind> {
        Self::check_digest(leaf, statement)?;
        let role = match leaf.mode {
            SigningMode::Each => KeyRole::Step,
            SigningMode::Batch => KeyRole::Log,
        };
        let key = self.keys.find(role, leaf.key).ok_or(FaultKind::Key)?;
        if leaf.mode == SigningMode::Each {
            key.verify(&pae(PAYLOAD_TYPE, statement), &leaf.signature)
                .map_err(|_| FaultKind::Signature)?;
        }
        self.judge_content(leaf, statement)
    }

    /// Judges a statement whose leaf is vouched for by the whole tree: what is left is that the leaf stands for exactly these
    /// bytes, and what they say.
    pub(crate) fn judge_known(
        &self,
        leaf: &Leaf,
        statement: &[u8],
    ) -> Result<StatementHead, FaultKind> {
        Self::check_digest(leaf, statement)?;
        self.judge_content(leaf, statement)
    }

    fn check_digest(leaf: &Leaf, statement: &[u8]) -> Result<(), FaultKind> {
        if statement_digest(statement) == leaf.statement {
            Ok(())
        } else {
            Err(FaultKind::Digest)
        }
    }

    fn judge_content(&self, leaf: &Leaf, statement: &[u8]) -> Result<StatementHead, FaultKind> {
        let read: WrittenStatement<'_> = serde_json::from_slice(statement)
            .map_err(|error| FaultKind::Statement(format!("{error}")))?;
        if read.statement_type != STATEMENT_TYPE {
            return Err(FaultKind::Statement(
                "it is not an in-toto statement".into(),
            ));
        }
        if read.predicate_type != leaf.kind.predicate_type() {
            return Err(FaultKind::Kind);
        }
        if read.predicate.origin != self.origin {
            return Err(FaultKind::Origin);
        }
        let subject = |subject: &WrittenSubject<'_>| {
            decode_hex(subject.digest.blake3.as_deref()?).map(Digest::from_bytes)
        };
        let person = (leaf.kind == LeafKind::Answer)
            .then(|| people::judge(statement, self.keys, self.origin))
            .transpose()?;
        let giver = person.as_ref().map(|person| person.giver);
        let host = read.predicate.host.and_then(|host| host.isolation);
        Ok(StatementHead {
            isolation: host.map(Cow::into_owned),
            subjects: read.subject.iter().filter_map(subject).collect(),
            attempt: (leaf.kind == LeafKind::Attempt)
                .then_some(read.predicate.attempt)
                .flatten(),
            effects: read.predicate.effects,
            is_by_a_stranger: giver == Some(people::Giver::Stranger),
            approval: person.and_then(|person| person.approval),
        })
    }
}

// Fields that are not needed here are skipped, not judged: the statement's schema is the writer's business.
#[derive(Deserialize)]
struct WrittenStatement<'a> {
    #[serde(rename = "_type", borrow)]
    statement_type: Cow<'a, str>,
    #[serde(rename = "predicateType", borrow)]
    predicate_type: Cow<'a, str>,
    #[serde(borrow)]
    predicate: WrittenPredicate<'a>,
    #[serde(borrow)]
    subject: Vec<WrittenSubject<'a>>,
}

#[derive(Deserialize)]
struct WrittenPredicate<'a> {
    #[serde(borrow)]
    origin: Cow<'a, str>,
    #[serde(borrow, default)]
    host: Option<WrittenHost<'a>>,
    #[serde(default)]
    attempt: Option<AttemptId>,
    #[serde(default)]
    effects: Vec<ListedEffect>,
}

#[derive(Deserialize)]
struct WrittenHost<'a> {
    #[serde(borrow, default)]
    isolation: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct WrittenSubject<'a> {
    #[serde(borrow)]
    digest: WrittenDigests<'a>,
}

#[derive(Deserialize)]
struct WrittenDigests<'a> {
    #[serde(borrow, default)]
    blake3: Option<Cow<'a, str>>,
}
