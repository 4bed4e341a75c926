//! A granted folder as the guest sees it: the bytes that were read before the run, by path, pinned by digest.
//!
//! INVARIANT: no path of the host is in here; resolving a guest's path can only find what the snapshot holds.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::digest::Digest;

/// One file.
#[derive(Debug, Clone)]
pub struct SnapshotFile {
    /// The content.
    pub bytes: Arc<[u8]>,
    /// BLAKE3 of the content.
    pub digest: Digest,
}

/// An immutable folder.
#[derive(Debug, Clone)]
pub struct Snapshot(Arc<SnapshotState>);

#[derive(Debug)]
struct SnapshotState {
    files: BTreeMap<String, SnapshotFile>,
    digest: Digest,
}

/// What a path leads to.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// A file.
    File(SnapshotFile),
    /// A folder, by its path; empty for the root.
    Folder,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathFault {
    /// Nothing is there.
    Missing,
    /// A part on the way is a file.
    NotFolder,
    /// It is absolute or leaves the folder.
    Outside,
}

impl Snapshot {
    /// Takes files by relative path, `/`-separated.
    pub fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files: BTreeMap<String, SnapshotFile> = files
            .into_iter()
            .map(|(path, bytes)| {
                let digest = Digest::of(&bytes);
                let bytes = bytes.into();
                (path, SnapshotFile { bytes, digest })
            })
            .collect();
        Self::of_files(files)
    }

    /// Takes files with their digests.
    #[must_use]
    pub fn of_files(files: BTreeMap<String, SnapshotFile>) -> Self {
        let mut listing = Vec::new();
        for (path, file) in &files {
            listing.extend_from_slice(&(path.len() as u64).to_le_bytes());
            listing.extend_from_slice(path.as_bytes());
            listing.extend_from_slice(file.digest.as_bytes());
        }
        let digest = Digest::derive("folder", &[&listing]);
        Self(Arc::new(SnapshotState { files, digest }))
    }

    /// Digest over all paths and contents.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The files by path.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, SnapshotFile> {
        &self.0.files
    }

    /// Resolves `path` from the folder `base` (both relative to the root). Gives the whole path and what is there.
    pub(crate) fn resolve(&self, base: &str, path: &str) -> Result<(String, Found), PathFault> {
        if path.starts_with('/') {
            return Err(PathFault::Outside);
        }
        if path.is_empty() {
            return Err(PathFault::Missing);
        }
        let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    self.enter(&parts)?;
                    parts.pop().ok_or(PathFault::Outside)?;
                }
                name => {
                    self.enter(&parts)?;
                    parts.push(name);
                }
            }
        }
        let whole = parts.join("/");
        let found = self.lookup(&whole).ok_or(PathFault::Missing)?;
        let wants_folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
        match found {
            Found::File(_) if wants_folder => Err(PathFault::NotFolder),
            found => Ok((whole, found)),
        }
    }

    fn enter(&self, parts: &[&str]) -> Result<(), PathFault> {
        match self.lookup(&parts.join("/")) {
            None => Err(PathFault::Missing),
            Some(Found::File(_)) => Err(PathFault::NotFolder),
            Some(Found::Folder) => Ok(()),
        }
    }

    fn lookup(&self, whole: &str) -> Option<Found> {
        if whole.is_empty() {
            return Some(Found::Folder);
        }
        if let Some(file) = self.0.files.get(whole) {
            return Some(Found::File(file.clone()));
        }
        let prefix = format!("{whole}/");
        let next = self.0.files.range(prefix.clone()..).next();
        next.filter(|(path, _)| path.starts_with(&prefix))
            .map(|_| Found::Folder)
    }

    /// What is in the folder `whole`, at `from` or behind it.
    pub(crate) fn child(&self, whole: &str, from: &str) -> Option<Child> {
        child(&self.0.files, whole, from, |_| false)
    }
}

/// What is right below a folder, at one place of its listing.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its name.
    pub(crate) name: String,
    /// True for a folder.
    pub(crate) is_folder: bool,
    /// Where the listing goes on.
    pub(crate) next: String,
}

/// The path at which a listing of the folder `whole` starts.
pub(crate) fn first_path(whole: &str) -> String {
    if whole.is_empty() {
        String::new()
    } else {
        format!("{whole}/")
    }
}

/// What is right below the folder `whole` of a tree by path, at `from` or behind it. It looks at nothing that lies deeper, so a
/// listing costs what it shows.
pub(crate) fn child<T>(
    tree: &BTreeMap<String, T>,
    whole: &str,
    from: &str,
    is_folder: impl Fn(&T) -> bool,
) -> Option<Child> {
    let prefix = first_path(whole);
    let mut from = from.to_owned();
    // BOUND: every turn goes past one path at least.
    loop {
        let (path, entry) = tree.range(from..).next()?;
        let rest = path.strip_prefix(&prefix)?;
        let Some((name, _)) = rest.split_once('/') else {
            return Some(Child {
                name: rest.to_owned(),
                is_folder: is_folder(entry),
                next: format!("{path}\0"),
            });
        };
        // The character after the slash: behind everything that lies in that folder.
        let next = format!("{prefix}{name}0");
        // A folder with an entry of its own has been seen before what is in it.
        if !tree.contains_key(&format!("{prefix}{name}")) {
            return Some(Child {
                name: name.to_owned(),
                is_folder: true,
                next,
            });
        }
        from = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let file = |path: &str| (path.to_owned(), path.as_bytes().to_vec());
        Snapshot::new([
            file("a.txt"),
            file("logs/x/1"),
            file("logs/y"),
            file("logs-old"),
        ])
    }

    fn fault(base: &str, path: &str) -> PathFault {
        snapshot().resolve(base, path).unwrap_err()
    }

    #[test]
    fn resolves_only_what_the_snapshot_holds() {
        let snapshot = snapshot();
        for (base, path, whole) in [
            ("", "a.txt", "a.txt"),
            ("", "./logs//x/../y", "logs/y"),
            ("logs", "../a.txt", "a.txt"),
            ("logs/x", "..", "logs"),
            ("", ".", ""),
            ("", "logs/", "logs"),
        ] {
            assert_eq!(
                snapshot.resolve(base, path).unwrap().0,
                whole,
                "{base} {path}"
            );
        }
    }

    #[test]
    fn paths_out_of_the_folder_lead_nowhere() {
        for path in ["/etc/passwd", "..", "../x", "logs/../../x", "/"] {
            assert_eq!(fault("", path), PathFault::Outside, "{path}");
        }
        assert_eq!(fault("", "a.txt/"), PathFault::NotFolder);
        assert_eq!(fault("", "a.txt/b"), PathFault::NotFolder);
        assert_eq!(fault("", "a.txt/.."), PathFault::NotFolder);
        assert_eq!(fault("", "none/../a.txt"), PathFault::Missing);
        for path in ["", "logs/z", "log", "A.txt", "a.txt\0"] {
            assert_eq!(fault("", path), PathFault::Missing, "{path:?}");
        }
    }

    #[test]
    fn lists_each_name_once_in_order() {
        let names = |whole: &str| {
            let snapshot = snapshot();
            let mut from = first_path(whole);
            let mut names = Vec::new();
            while let Some(child) = snapshot.child(whole, &from) {
                from = child.next;
                names.push((child.name, child.is_folder));
            }
            names
        };
        let entry = |name: &str, is_folder| (name.to_owned(), is_folder);
        assert_eq!(
            names(""),
            [
                entry("a.txt", false),
                entry("logs-old", false),
                entry("logs", true)
            ]
        );
        assert_eq!(names("logs"), [entry("x", true), entry("y", false)]);
    }

    #[test]
    fn the_digest_follows_names_and_contents() {
        let of = |path: &str, body: &str| {
            Snapshot::new([(path.to_owned(), body.as_bytes().to_vec())]).digest()
        };
        assert_ne!(of("a", "b"), of("b", "b"));
        assert_ne!(of("a", "b"), of("a", "c"));
        assert_eq!(of("a", "b"), of("a", "b"));
    }
}
