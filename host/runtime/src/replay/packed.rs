//! What of a log it takes to replay one execution elsewhere: which witnesses, and which payloads.
//!
//! Everything that is taken is named by the host, in a statement, a transcript or a document of its own. What a guest names (a
//! citation, a digest in a text) is not followed, or an output could pull somebody else's bytes into an export.
//!
//! INVARIANT: what is taken was given to, or made by, an attempt of the execution, or was in a bucket that one could read.

use std::collections::{BTreeMap, BTreeSet};

use aim_core::{
    access::Capability,
    digest::{Digest, decode_hex},
    join::FOLDER_MEDIA_TYPE,
    name::StepName,
    staged::{BucketChanges, StagedKind},
    transcript::Transcript,
    witness::{AttemptPredicate, Statement, Subject},
};

use super::{case::Evidence, recorded::is_needed, state::was_opened};
use crate::{
    effects::Namespace,
    inputs::listed,
    ledger::{Entry, EntryBody, Execution, Ledger},
};

/// What an export of one execution holds.
#[derive(Debug, Default)]
pub struct Packed {
    /// Places in [`Ledger::entries`], ascending.
    pub entries: BTreeSet<usize>,
    /// Payloads by digest.
    pub payloads: BTreeMap<Digest, Vec<u8>>,
    /// What a replay will miss: erased, or lost.
    pub missing: BTreeSet<Digest>,
}

/// Collects what a replay of `execution` looks at.
#[must_use]
pub fn pack(evidence: &Evidence, execution: &Execution) -> Packed {
    let ledger = &evidence.ledger;
    let mut packing = Packing {
        evidence,
        packed: Packed {
            entries: entries(ledger, execution),
            ..Packed::default()
        },
    };
    packing.inputs(execution);
    let entries: Vec<&Entry> = (packing.packed.entries.iter())
        .filter_map(|place| ledger.entries().get(*place))
        .collect();
    for entry in entries {
        if let EntryBody::Attempt(attempt) = &entry.body {
            packing.staged(attempt);
            if attempt.execution == execution.start.execution {
                packing.attempt(attempt, entry);
            }
        }
    }
    packing.packed
}

/// The statements of the execution, what people said about them, and what earlier attempts had put into the buckets that its
/// attempts could read.
fn entries(ledger: &Ledger, execution: &Execution) -> BTreeSet<usize> {
    let own = execution.attempts.iter().chain(&execution.end);
    let mut places: BTreeSet<usize> = own.copied().collect();
    places.append(&mut ledger.said_about(execution));
    let plan = &execution.start.plan_name;
    let attempts = || ledger.attempts_of(execution);
    let buckets: BTreeSet<Namespace> = attempts()
        .flat_map(|(_, one)| readable(one, plan))
        .collect();
    let last = attempts().map(|(entry, _)| entry.sequence).max();
    for (place, entry) in ledger.entries().iter().enumerate() {
        let is_wanted = match &entry.body {
            EntryBody::Attempt(attempt) => {
                let earlier = ledger.execution(attempt.execution);
                let earlier = earlier
                    .filter(|_| attempt.released && Some(entry.sequence) < last)
                    .filter(|one| {
                        changed(attempt, &one.start.plan_name)
                            .any(|bucket| buckets.contains(&bucket))
                    });
                // Its end vouches for the plan that it was of.
                places.extend(earlier.and_then(|one| one.end));
                earlier.is_some()
            }
            _ => false,
        };
        if is_wanted {
            places.insert(place);
        }
    }
    places
}

fn readable(attempt: &AttemptPredicate, plan: &StepName) -> impl Iterator<Item = Namespace> {
    let buckets = attempt.grant.scope_of(Capability::Keyvalue);
    buckets.map(move |bucket| Namespace::told(attempt, plan, bucket))
}

fn changed(attempt: &AttemptPredicate, plan: &StepName) -> impl Iterator<Item = Namespace> {
    let staged = attempt.staged.iter();
    let staged = staged.filter(|record| record.kind == StagedKind::Bucket);
    staged.map(move |record| Namespace::told(attempt, plan, &record.name))
}

struct Packing<'a> {
    evidence: &'a Evidence,
    packed: Packed,
}

impl Packing<'_> {
    /// Takes a payload that a replay needs.
    fn need(&mut self, digest: Digest) -> Option<&[u8]> {
        if !self.take(digest) {
            self.packed.missing.insert(digest);
        }
        self.packed.payloads.get(&digest).map(Vec::as_slice)
    }

    /// Takes a payload if it is there.
    fn take(&mut self, digest: Digest) -> bool {
        if self.packed.payloads.contains_key(&digest) {
            return true;
        }
        let found = self.evidence.find(digest);
        let is_found = found.is_some();
        (self.packed.payloads).extend(found.map(|bytes| (digest, bytes)));
        is_found
    }

    fn inputs(&mut self, execution: &Execution) {
        for artifact in execution.start.inputs.values() {
            let bytes = self.need(artifact.digest);
            if artifact.media_type != FOLDER_MEDIA_TYPE {
                continue;
            }
            for (_, digest, _) in bytes.and_then(listed).unwrap_or_default() {
                self.need(digest);
            }
        }
    }

    /// What an attempt was given, what it was answered, and what it released.
    fn attempt(&mut self, attempt: &AttemptPredicate, entry: &Entry) {
        for artifact in &attempt.envelope.artifacts {
            self.take(artifact.digest);
        }
        for effect in &attempt.effects {
            if let Some(digest) = effect.response {
                self.need(digest);
            }
        }
        for subject in subjects(entry) {
            self.take(subject);
        }
        if attempt.released {
            for output in &attempt.outputs {
                self.need(output.body);
            }
        }
        if let Some(digest) = attempt.host_calls.logs {
            self.take(digest);
        }
        let transcript = self.transcript(attempt);
        for manifest in attempt.bases.values() {
            let files = self.need(*manifest).and_then(listed).unwrap_or_default();
            for (_, digest, _) in files {
                if was_opened(&transcript, digest) {
                    self.need(digest);
                }
            }
        }
    }

    /// Host calls with their requests and answers.
    fn transcript(&mut self, attempt: &AttemptPredicate) -> Transcript {
        let calls = &attempt.host_calls;
        if calls.calls == 0 {
            return Transcript::default();
        }
        let read = self.need(calls.transcript).map(Transcript::decode);
        let transcript = read.and_then(Result::ok).unwrap_or_default();
        for record in transcript.records() {
            if record.request.len_bytes > 0 {
                self.take(record.request.digest);
            }
            if record.response.len_bytes == 0 {
                continue;
            }
            if is_needed(&record.function, record.verdict) {
                self.need(record.response.digest);
            } else {
                self.take(record.response.digest);
            }
        }
        transcript
    }

    /// Buckets are made again from the documents of what changed them.
    fn staged(&mut self, attempt: &AttemptPredicate) {
        for record in &attempt.staged {
            if record.kind != StagedKind::Bucket || !attempt.released {
                self.take(record.document);
                continue;
            }
            let changes = self.need(record.document).and_then(BucketChanges::decode);
            let changes = changes.into_iter().flat_map(|document| document.changes);
            for content in changes.filter_map(|change| change.value) {
                self.take(content.digest);
            }
        }
    }
}

/// Digests of what the host says that a statement is about.
fn subjects(entry: &Entry) -> Vec<Digest> {
    let statement: Result<Statement<serde::de::IgnoredAny>, _> =
        serde_json::from_slice(&entry.statement);
    let subjects: Vec<Subject> = statement.map(|read| read.subject).unwrap_or_default();
    let digests = subjects.iter();
    let digests = digests.filter_map(|subject| decode_hex(&subject.digest.blake3));
    digests.map(Digest::from_bytes).collect()
}
