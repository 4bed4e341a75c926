//! A writable folder in memory that counts how often it is changed.
//!
//! INVARIANT: as in a driver, what is already as it should be is no change.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::staged::PathChangeKind;
use aim_ports::{
    PortError, PortFault,
    folder::{Change, SnapshotFile, SnapshotLimits, WritableFolder},
};

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    folders: BTreeSet<String>,
    writes: u64,
    failing: u64,
}

/// A folder. Clones share the content.
#[derive(Debug, Clone, Default)]
pub struct MemoryFolder(Arc<Mutex<State>>);

impl MemoryFolder {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a file, as somebody outside would.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        self.with(|state| state.files.insert(path.to_owned(), bytes.to_vec()));
    }

    /// What a file holds.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.with(|state| state.files.get(path).cloned())
    }

    /// Files that were written by publishing, each time counted.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.with(|state| state.writes)
    }

    /// Lets the next `count` publications fail, as if the host had died before them.
    pub fn fail_next(&self, count: u64) {
        self.with(|state| state.failing = count);
    }
}

impl WritableFolder for MemoryFolder {
    fn read(&self, limits: SnapshotLimits) -> Result<Vec<SnapshotFile>, PortError> {
        self.with(|state| {
            let bytes: u64 = state.files.values().map(|bytes| bytes.len() as u64).sum();
            if bytes > limits.bytes_max || state.files.len() > limits.files_max {
                return Err(PortError::new(PortFault::Exhausted, "folder", "too large"));
            }
            let file = |(path, bytes): (&String, &Vec<u8>)| SnapshotFile {
                path: path.clone(),
                bytes: bytes.clone(),
            };
            Ok(state.files.iter().map(file).collect())
        })
    }

    fn publish(&self, changes: &[Change]) -> Result<(), PortError> {
        self.with(|state| {
            if state.failing > 0 {
                state.failing -= 1;
                return Err(PortError::new(
                    PortFault::Unavailable,
                    "folder",
                    "told to fail",
                ));
            }
            for change in changes {
                let path = change.path.clone();
                match change.kind {
                    PathChangeKind::RemoveFile => drop(state.files.remove(&path)),
                    PathChangeKind::RemoveFolder => drop(state.folders.remove(&path)),
                    PathChangeKind::Folder => drop(state.folders.insert(path)),
                    PathChangeKind::File => {
                        let bytes = change.bytes.as_deref().unwrap_or_default().to_vec();
                        if state.files.get(&path) != Some(&bytes) {
                            state.writes += 1;
                            state.files.insert(path, bytes);
                        }
                    }
                }
            }
            Ok(())
        })
    }
}
