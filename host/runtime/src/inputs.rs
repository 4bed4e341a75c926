//! The named inputs of a run: values and folders, read once, pinned by digest.
//!
//! INVARIANT: equal bytes under equal names are equal inputs, wherever they came from.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use aim_core::{
    digest::Digest,
    envelope::ArtifactRef,
    join::{FOLDER_MEDIA_TYPE, INLINE_BYTES_MAX, Input},
    name::StepName,
    plan::{GivenInput, InputFault, Plan},
};
use aim_engine::Snapshot;
use aim_ports::folder::SnapshotFile;
use serde::{Deserialize, Serialize};

/// One input as it was given.
#[derive(Debug, Clone)]
pub enum Given {
    /// Text or a file's bytes.
    Value(Vec<u8>),
    /// A folder's files, sorted by path.
    Folder(Vec<SnapshotFile>),
}

impl Given {
    fn shown(&self) -> GivenInput<'_> {
        match self {
            Self::Value(bytes) => GivenInput::Bytes(bytes),
            Self::Folder(_) => GivenInput::Folder,
        }
    }
}

/// All inputs of a run.
#[derive(Debug, Default)]
pub struct Inputs {
    inputs: BTreeMap<StepName, Input>,
    folders: BTreeMap<String, Snapshot>,
    contents: BTreeMap<Digest, Arc<[u8]>>,
}

/// `$type` of a folder's manifest.
const MANIFEST: &str = "aim.folder/v1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest<'a> {
    #[serde(rename = "$type", borrow)]
    document: Cow<'a, str>,
    #[serde(borrow)]
    files: Vec<ManifestFile<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFile<'a> {
    digest: Digest,
    #[serde(borrow)]
    path: Cow<'a, str>,
    size_bytes: usize,
}

/// What a folder holds: every file by path, digest and size.
pub(crate) fn manifest(snapshot: &Snapshot) -> Vec<u8> {
    let files = snapshot.files().iter();
    let manifest = Manifest {
        document: MANIFEST.into(),
        files: files
            .map(|(path, file)| ManifestFile {
                digest: file.digest,
                path: path.into(),
                size_bytes: file.bytes.len(),
            })
            .collect(),
    };
    // Plain data with string keys only: serialisation has no failure to report.
    serde_json::to_vec(&manifest).unwrap_or_default()
}

/// A file as a manifest lists it: path, digest, size in bytes.
pub(crate) type ListedFile = (String, Digest, usize);

/// Reads a manifest; `None` for anything that is none.
pub(crate) fn listed(manifest: &[u8]) -> Option<Vec<ListedFile>> {
    let read: Manifest<'_> = serde_json::from_slice(manifest).ok()?;
    let files = read.files.into_iter();
    (read.document == MANIFEST).then(|| {
        files
            .map(|file| (file.path.into_owned(), file.digest, file.size_bytes))
            .collect()
    })
}

impl Inputs {
    /// Pins what was given to a plan.
    ///
    /// # Errors
    /// Every way in which it is not what the plan declares, or less than its steps name.
    pub fn new(plan: &Plan, given: BTreeMap<StepName, Given>) -> Result<Self, Vec<InputFault>> {
        let shown = given.iter().map(|(name, given)| (name, given.shown()));
        let faults = plan.input_faults(&shown.collect());
        if faults.is_empty() {
            Ok(Self::pinned(given))
        } else {
            Err(faults)
        }
    }

    fn pinned(given: BTreeMap<StepName, Given>) -> Self {
        let mut inputs = Self::default();
        for (name, given) in given {
            match given {
                Given::Value(bytes) => inputs.add_value(name, bytes),
                Given::Folder(files) => inputs.add_folder(name, files),
            }
        }
        inputs
    }

    /// The inputs by name, as the root envelope shows them.
    #[must_use]
    pub const fn by_name(&self) -> &BTreeMap<StepName, Input> {
        &self.inputs
    }

    /// The folders by name.
    #[must_use]
    pub const fn folders(&self) -> &BTreeMap<String, Snapshot> {
        &self.folders
    }

    /// Every content by digest: values, manifests, files.
    #[must_use]
    pub const fn contents(&self) -> &BTreeMap<Digest, Arc<[u8]>> {
        &self.contents
    }

    fn add_value(&mut self, name: StepName, bytes: Vec<u8>) {
        let media_type = media_type_of(&bytes);
        let is_inline = bytes.len() <= INLINE_BYTES_MAX;
        let inline = is_inline
            .then(|| String::from_utf8(bytes.clone()).ok())
            .flatten();
        let artifact = self.keep(media_type, bytes);
        self.inputs.insert(name, Input { artifact, inline });
    }

    fn add_folder(&mut self, name: StepName, files: Vec<SnapshotFile>) {
        let snapshot = Snapshot::new(files.into_iter().map(|file| (file.path, file.bytes)));
        let manifest = manifest(&snapshot);
        for file in snapshot.files().values() {
            self.contents.insert(file.digest, Arc::clone(&file.bytes));
        }
        let artifact = self.keep(FOLDER_MEDIA_TYPE, manifest);
        self.folders.insert(name.to_string(), snapshot);
        self.inputs.insert(
            name,
            Input {
                artifact,
                inline: None,
            },
        );
    }

    fn keep(&mut self, media_type: &str, bytes: Vec<u8>) -> ArtifactRef {
        let digest = Digest::of(&bytes);
        let size_bytes = bytes.len() as u64;
        self.contents.insert(digest, bytes.into());
        ArtifactRef {
            digest,
            media_type: media_type.to_owned(),
            size_bytes,
        }
    }
}

/// JSON when it parses as an object or array, else text when it is UTF-8, else bytes. A function of the bytes alone.
fn media_type_of(bytes: &[u8]) -> &'static str {
    let looks_like_json = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    if looks_like_json && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
        return "application/json";
    }
    if std::str::from_utf8(bytes).is_ok() {
        return "text/plain; charset=utf-8";
    }
    "application/octet-stream"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(given: Given) -> Inputs {
        let given = BTreeMap::from([(StepName::parse("x").unwrap(), given)]);
        Inputs::pinned(given)
    }

    fn media_type(bytes: &[u8]) -> String {
        let inputs = one(Given::Value(bytes.to_vec()));
        inputs
            .by_name()
            .values()
            .next()
            .unwrap()
            .artifact
            .media_type
            .clone()
    }

    #[test]
    fn the_media_type_follows_from_the_bytes() {
        assert_eq!(media_type(b"{\"a\":1}"), "application/json");
        assert_eq!(media_type(b"{\"a\":"), "text/plain; charset=utf-8");
        assert_eq!(media_type(b"42"), "text/plain; charset=utf-8");
        assert_eq!(media_type(&[0xff, 0]), "application/octet-stream");
    }

    #[test]
    fn one_changed_byte_in_a_folder_changes_the_input() {
        let folder = |text: &[u8]| {
            let file = SnapshotFile {
                path: "a/b".to_owned(),
                bytes: text.to_vec(),
            };
            aim_core::join::inputs_digest(one(Given::Folder(vec![file])).by_name())
        };
        assert_eq!(folder(b"1"), folder(b"1"));
        assert_ne!(folder(b"1"), folder(b"2"));
    }

    #[test]
    fn large_inputs_are_given_by_reference_only() {
        let inputs = one(Given::Value(vec![b'a'; INLINE_BYTES_MAX + 1]));
        assert_eq!(inputs.by_name().values().next().unwrap().inline, None);
    }
}
