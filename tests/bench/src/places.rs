//! Where the bench finds what was built, and where it may write.
//!
//! INVARIANT: everything that is written lies in one temporary folder beside what was built, on the same disk.

use std::path::PathBuf;

use crate::Result;

/// Files and folders.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The components that `cargo xtask guests` built.
    pub(crate) guests: PathBuf,
    /// The command line tool, of the same profile as this program.
    pub(crate) aimctl: PathBuf,
    /// The shipped codex.
    pub(crate) codex: PathBuf,
    /// Where temporary folders are made.
    pub(crate) scratch: PathBuf,
}

impl Places {
    /// The folders of the target directory that this program lies in.
    pub(crate) fn beside_this_program() -> Result<Self> {
        let program = std::env::current_exe()?;
        let built = program.parent().ok_or("this program lies in no folder")?;
        let target = built.parent().ok_or("the profile lies in no folder")?;
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        Ok(Self {
            guests: target.join("guests"),
            aimctl: built.join("aimctl"),
            codex: std::fs::canonicalize(root.join("contracts/codex/default.json"))?,
            scratch: target.to_path_buf(),
        })
    }

    /// A folder that goes away when it is dropped.
    pub(crate) fn temporary(&self) -> Result<tempfile::TempDir> {
        Ok(tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(&self.scratch)?)
    }
}
