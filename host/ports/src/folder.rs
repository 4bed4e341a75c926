//! Folders that are given to a run, taken as snapshots.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt::Debug;

use aim_core::staged::PathChangeKind;

use crate::PortError;

/// One regular file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Path inside the folder: `/`-separated, relative, without `.`, `..` and empty parts, valid UTF-8.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// How much a snapshot may hold.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotLimits {
    /// Bytes over all files.
    pub bytes_max: u64,
    /// Number of files.
    pub files_max: usize,
}

/// Reads folders.
pub trait Folders: Debug + Send + Sync {
    /// Reads every regular file below `root`, sorted by path. Symbolic links are followed only inside `root`; anything
    /// that is neither file nor folder is an error, so that nothing is left out silently.
    ///
    /// # Errors
    /// [`crate::PortFault::NotFound`], [`crate::PortFault::Exhausted`] past the limits,
    /// [`crate::PortFault::Forbidden`] for links that lead out and special files, [`crate::PortFault::Unavailable`].
    fn snapshot(&self, root: &str, limits: SnapshotLimits) -> Result<Vec<SnapshotFile>, PortError>;
}

/// One change to a folder. Its path is as in [`SnapshotFile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is done.
    pub kind: PathChangeKind,
    /// Where.
    pub path: String,
    /// The new content of a file; `None` for everything else.
    pub bytes: Option<Arc<[u8]>>,
}

/// One folder of the machine that steps may change. It is opened once; what takes its name later is not it.
pub trait WritableFolder: Debug + Send + Sync {
    /// Reads every regular file, as [`Folders::snapshot`] does.
    ///
    /// # Errors
    /// As [`Folders::snapshot`].
    fn read(&self, limits: SnapshotLimits) -> Result<Vec<SnapshotFile>, PortError>;

    /// Makes the changes durable, in their order; each file appears whole or not at all. What is already as it should be stays
    /// as it is, so that doing it again after a crash is no second effect.
    ///
    /// # Errors
    /// [`crate::PortFault::Exhausted`], [`crate::PortFault::Forbidden`], [`crate::PortFault::Unavailable`]; the changes before
    /// the failing one may have been made.
    fn publish(&self, changes: &[Change]) -> Result<(), PortError>;
}
