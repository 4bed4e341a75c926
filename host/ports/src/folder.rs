//! Folders that are given to a run, taken as snapshots.

use alloc::{string::String, vec::Vec};
use core::fmt::Debug;

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
