//! What an attempt changes and nobody sees before its witness: documents that lie beside the witness in the log.
//!
//! The witness names each document by digest, the document names contents by digest, and contents lie in the same block or,
//! when they are large, in the artifact store. Everything that serves the committed state is made again from these.
//!
//! INVARIANT: one set of changes has one encoding; applying it twice leaves what applying it once leaves.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// `$type` of the changes of a bucket.
pub const BUCKET_DOCUMENT: &str = "aim.staged.bucket/v1";
/// `$type` of the changes of a folder.
pub const FOLDER_DOCUMENT: &str = "aim.staged.folder/v1";
/// `$type` of the note that says that a folder's changes were published.
pub const PUBLISHED_DOCUMENT: &str = "aim.published/v1";

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StagedKind {
    /// A bucket of the witness's tenant, step and node.
    Bucket,
    /// A folder of the deployment.
    Folder,
}

/// One set of changes, as the witness names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StagedRecord {
    /// Bytes of all new contents.
    pub bytes: u64,
    /// How many changes there are.
    pub changes: u64,
    /// BLAKE3 of the document.
    pub document: Digest,
    /// What is changed.
    pub kind: StagedKind,
    /// The bucket's or the folder's name.
    pub name: String,
}

/// A content by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContentRef {
    /// BLAKE3 of the bytes.
    pub digest: Digest,
    /// How many there are.
    pub size_bytes: u64,
}

impl ContentRef {
    /// Names `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            digest: Digest::of(bytes),
            size_bytes: bytes.len() as u64,
        }
    }
}

/// The changes of a bucket, sorted by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketChanges {
    /// Always [`BUCKET_DOCUMENT`].
    #[serde(rename = "$type")]
    pub document: String,
    /// The bucket.
    pub bucket: String,
    /// One for each key.
    pub changes: Vec<KeyChange>,
}

/// What becomes of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    /// The key.
    pub key: String,
    /// Its new value; absent when the key is deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<ContentRef>,
}

/// The changes of a folder, in the order in which they are made: what goes, children first; folders, parents first; files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderChanges {
    /// Always [`FOLDER_DOCUMENT`].
    #[serde(rename = "$type")]
    pub document: String,
    /// One for each path and kind.
    pub changes: Vec<PathChange>,
    /// The folder.
    pub folder: String,
}

/// What becomes of one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathChange {
    /// The new content of a file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content: Option<ContentRef>,
    /// What is done.
    pub kind: PathChangeKind,
    /// The path inside the folder.
    pub path: String,
}

/// What is done to a path. Each is nothing when it was done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathChangeKind {
    /// The file goes; nothing when a folder is there.
    RemoveFile,
    /// The empty folder goes; nothing when a file is there.
    RemoveFolder,
    /// A folder is there.
    Folder,
    /// A file is there, with the content.
    File,
}

/// The note that a folder's changes are where they belong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Always [`PUBLISHED_DOCUMENT`].
    #[serde(rename = "$type")]
    pub document: String,
    /// The folder.
    pub folder: String,
    /// The witness whose changes were published.
    pub witness: Digest,
}

fn written(document: &impl Serialize) -> Vec<u8> {
    // Plain data with string keys only: serialisation has no failure to report.
    serde_json::to_vec(document).unwrap_or_default()
}

/// What the bytes say, where they are the one way to say it.
fn in_one_spelling<'a, T: Serialize + Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let read: T = serde_json::from_slice(bytes).ok()?;
    (written(&read) == bytes).then_some(read)
}

impl BucketChanges {
    /// The document's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        written(self)
    }

    /// Reads a document; `None` for anything that is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        in_one_spelling(bytes).filter(|read: &Self| read.document == BUCKET_DOCUMENT)
    }
}

impl FolderChanges {
    /// The document's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        written(self)
    }

    /// Reads a document; `None` for anything that is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        in_one_spelling(bytes).filter(|read: &Self| read.document == FOLDER_DOCUMENT)
    }
}

impl Published {
    /// The note for `folder` after `witness`.
    #[must_use]
    pub fn new(folder: &str, witness: Digest) -> Self {
        Self {
            document: PUBLISHED_DOCUMENT.into(),
            folder: folder.into(),
            witness,
        }
    }

    /// The note's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        written(self)
    }

    /// Reads a note; `None` for any other note.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(bytes).ok()?;
        (read.document == PUBLISHED_DOCUMENT).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_document_reads_back_and_another_spelling_is_none() {
        let changes = BucketChanges {
            document: BUCKET_DOCUMENT.into(),
            bucket: "state".into(),
            changes: vec![
                KeyChange {
                    key: "a".into(),
                    value: Some(ContentRef::of(b"1")),
                },
                KeyChange {
                    key: "b".into(),
                    value: None,
                },
            ],
        };
        let bytes = changes.encode();
        assert_eq!(BucketChanges::decode(&bytes), Some(changes));
        assert_eq!(FolderChanges::decode(&bytes), None);
        let mut spaced = bytes;
        spaced.push(b' ');
        assert_eq!(BucketChanges::decode(&spaced), None);
    }
}
