//! What an attempt staged, as documents that lie beside its witness.
//!
//! INVARIANT: the same changes give the same bytes.

use std::sync::Arc;

use aim_core::{
    digest::Digest,
    staged::{
        BUCKET_DOCUMENT, BucketChanges, ContentRef, FOLDER_DOCUMENT, FolderChanges, KeyChange,
        PathChange, StagedKind, StagedRecord,
    },
};
use aim_engine::{StagedBucket, StagedEffects, StagedFolder};

/// One set of changes, written down.
#[derive(Debug)]
pub(crate) struct Document {
    /// As the witness names it.
    pub(crate) record: StagedRecord,
    /// The document.
    pub(crate) bytes: Vec<u8>,
    /// What it names by digest.
    pub(crate) contents: Vec<(Digest, Arc<[u8]>)>,
}

/// Writes down everything that is staged.
pub(crate) fn documents(staged: &StagedEffects) -> Vec<Document> {
    let buckets = staged.buckets.iter().map(of_bucket);
    buckets
        .chain(staged.folders.iter().map(of_folder))
        .collect()
}

fn of_bucket(staged: &StagedBucket) -> Document {
    let contents = contents(staged.changes.values().flatten());
    let document = BucketChanges {
        document: BUCKET_DOCUMENT.to_owned(),
        bucket: staged.bucket.clone(),
        changes: (staged.changes.iter())
            .map(|(key, value)| KeyChange {
                key: key.clone(),
                value: value.as_ref().map(|value| ContentRef::of(value)),
            })
            .collect(),
    };
    let count = staged.changes.len();
    finish(
        StagedKind::Bucket,
        &staged.bucket,
        document.encode(),
        (count, contents),
    )
}

fn of_folder(staged: &StagedFolder) -> Document {
    let contents = contents(
        staged
            .changes
            .iter()
            .filter_map(|change| change.bytes.as_ref()),
    );
    let document = FolderChanges {
        document: FOLDER_DOCUMENT.to_owned(),
        changes: (staged.changes.iter())
            .map(|change| PathChange {
                content: change.bytes.as_ref().map(|bytes| ContentRef::of(bytes)),
                kind: change.kind,
                path: change.path.clone(),
            })
            .collect(),
        folder: staged.folder.clone(),
    };
    let count = staged.changes.len();
    finish(
        StagedKind::Folder,
        &staged.folder,
        document.encode(),
        (count, contents),
    )
}

type Contents = Vec<(Digest, Arc<[u8]>)>;

fn contents<'a>(bytes: impl Iterator<Item = &'a Arc<[u8]>>) -> Contents {
    bytes
        .map(|bytes| (Digest::of(bytes), Arc::clone(bytes)))
        .collect()
}

fn finish(
    kind: StagedKind,
    name: &str,
    bytes: Vec<u8>,
    (count, contents): (usize, Contents),
) -> Document {
    Document {
        record: StagedRecord {
            bytes: contents.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
            changes: count as u64,
            document: Digest::of(&bytes),
            kind,
            name: name.to_owned(),
        },
        bytes,
        contents,
    }
}
