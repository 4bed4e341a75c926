//! The committed state, read back from the log.
//!
//! INVARIANT: only attempts whose outputs were released count, in the order of the log; a document that can't be read makes its
//! bucket unreadable, never empty.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{
    digest::Digest,
    staged::{BucketChanges, ContentRef, FolderChanges, StagedKind, StagedRecord},
    witness::AttemptPredicate,
};
use aim_ports::folder::Change;

use super::{
    Namespace,
    view::{BucketState, Value},
};
use crate::{
    ledger::{EntryBody, Ledger},
    record::LOG_BLOB_BYTES_MAX,
    resume::Payloads,
};

/// Changes of a folder that the log holds and no note says to be published.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// The folder.
    pub(crate) folder: String,
    /// The document of the changes.
    pub(crate) document: Digest,
    /// The witness that names it.
    pub(crate) witness: Digest,
}

fn committed(
    ledger: &Ledger,
    before: u64,
) -> impl Iterator<Item = (Digest, &AttemptPredicate, &StagedRecord)> {
    let attempts = ledger
        .entries()
        .iter()
        .take_while(move |entry| entry.sequence < before)
        .filter_map(|entry| match &entry.body {
            EntryBody::Attempt(attempt) if attempt.released => Some((entry.witness, &**attempt)),
            _ => None,
        });
    attempts.flat_map(|(witness, attempt)| {
        let staged = attempt.staged.iter();
        staged.map(move |record| (witness, attempt, record))
    })
}

/// Every bucket as the log leaves it before the frame `before`.
pub(crate) fn rebuild(
    payloads: Payloads<'_>,
    before: u64,
) -> BTreeMap<Namespace, Arc<BucketState>> {
    let mut found: BTreeMap<Namespace, BTreeMap<String, ContentRef>> = BTreeMap::new();
    let mut lost = BTreeSet::new();
    for (_, attempt, record) in committed(payloads.ledger, before) {
        if record.kind != StagedKind::Bucket {
            continue;
        }
        // An attempt lies behind the start of its execution; without one nobody could say whose bucket it is.
        let Some(execution) = payloads.ledger.execution(attempt.execution) else {
            continue;
        };
        let namespace = Namespace::told(attempt, &execution.start.plan_name, &record.name);
        let document = payloads.find(record.document).ok();
        let keys = found.entry(namespace.clone()).or_default();
        let Some(changes) = document.as_deref().and_then(BucketChanges::decode) else {
            lost.insert(namespace);
            continue;
        };
        for change in changes.changes {
            match change.value {
                Some(value) => keys.insert(change.key, value),
                None => keys.remove(&change.key),
            };
        }
    }
    let state = |(namespace, keys): (Namespace, BTreeMap<String, ContentRef>)| {
        let mut state = BucketState::default();
        state.is_lost = lost.contains(&namespace);
        for (key, content) in keys {
            state.set(&key, Some(value(payloads, content)));
        }
        (namespace, Arc::new(state))
    };
    found.into_iter().map(state).collect()
}

fn value(payloads: Payloads<'_>, content: ContentRef) -> Value {
    if content.size_bytes > LOG_BLOB_BYTES_MAX as u64 {
        return Value::Stored(content);
    }
    match payloads.find(content.digest) {
        Ok(bytes) => Value::Held(bytes.into()),
        Err(_) => Value::Erased(content.size_bytes),
    }
}

/// Everything that is to be published, oldest first.
pub(crate) fn pending(ledger: &Ledger) -> Vec<Pending> {
    let folders = committed(ledger, u64::MAX);
    let folders = folders.filter(|(_, _, record)| record.kind == StagedKind::Folder);
    let folders =
        folders.filter(|(witness, _, record)| !ledger.is_published(&record.name, *witness));
    folders
        .map(|(witness, _, record)| Pending {
            folder: record.name.clone(),
            document: record.document,
            witness,
        })
        .collect()
}

/// The changes behind a document.
///
/// # Errors
/// A sentence saying what can't be read.
pub(crate) fn publication(
    payloads: Payloads<'_>,
    pending: &Pending,
) -> Result<Vec<Change>, String> {
    let bytes = payloads.find(pending.document)?;
    let document = FolderChanges::decode(&bytes)
        .ok_or_else(|| format!("{} is no document of changes", pending.document))?;
    let change = |change: aim_core::staged::PathChange| {
        let bytes = match change.content {
            Some(content) => Some(payloads.find(content.digest)?.into()),
            None => None,
        };
        Ok(Change {
            kind: change.kind,
            path: change.path,
            bytes,
        })
    };
    document.changes.into_iter().map(change).collect()
}
