//! Payloads that lie beside the log, in the artifact store: there, gone, or changed.
//!
//! INVARIANT: what counts as there was read whole and has the digest that a statement names.

use std::{collections::BTreeSet, path::Path};

use aim_core::digest::Digest;
use aim_log_file::FileLogReader;
use aim_ports::{PortFault, artifact::ArtifactStore as _};
use aim_runtime::ledger::Ledger;
use aim_store_dir::DirArtifactStore;
use serde::Serialize;

use crate::evidence;

/// What was found beside the log, each payload counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Artifacts {
    /// There, with the right digest.
    pub(super) present: u64,
    /// Neither in the log nor in the store: erased, kept elsewhere or lost.
    pub(super) missing: u64,
    /// There, with other bytes.
    pub(super) damaged: Vec<Digest>,
}

/// Looks for every payload that statements are about and the log does not hold. `None` when the log can not be read so
/// far; the report about the log says why.
pub(super) fn check(data_dir: &Path, reader: &FileLogReader) -> Option<Artifacts> {
    let ledger = Ledger::read(reader).ok()?;
    let store = DirArtifactStore::new(data_dir);
    let named: BTreeSet<Digest> = ledger
        .entries()
        .iter()
        .flat_map(evidence::subjects)
        .collect();
    let mut found = Artifacts::default();
    for digest in named {
        if matches!(ledger.blob(reader, digest), Ok(Some(_))) {
            continue;
        }
        match store.read(digest) {
            Ok(_) => found.present += 1,
            Err(error) if error.fault == PortFault::Corrupt => found.damaged.push(digest),
            Err(_) => found.missing += 1,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_can_not_be_read_gives_no_count() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        std::fs::write(folder.path().join("log/evidence.log"), [7; 500]).unwrap();
        let reader = FileLogReader::open(folder.path()).unwrap();
        assert_eq!(check(folder.path(), &reader), None);
    }
}
