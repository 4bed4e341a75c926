//! A folder of this machine that steps may change: read as a snapshot, changed by publishing what was committed.
//!
//! The root is opened once and held; every path is resolved from that handle and never out of it. A file is written under a
//! name of the host's own beside its target, synced, and then takes the target's name, so nobody sees half of it.
//!
//! INVARIANT: publishing twice leaves what publishing once leaves, and no change reaches a path outside of the root.

use std::io::{ErrorKind, Write as _};

use aim_core::{digest::Digest, staged::PathChangeKind};
use aim_ports::{
    PortError, PortFault,
    folder::{Change, SnapshotFile, SnapshotLimits, WritableFolder},
};
use cap_std::{
    ambient_authority,
    fs::{Dir, OpenOptions},
};

use crate::{folders::snapshot_of, mounts};

/// What the host's own names begin with; no step can make one.
const TEMPORARY_PREFIX: &str = ".aim-";

/// One writable folder.
#[derive(Debug)]
pub struct DirFolder {
    root: String,
    dir: Dir,
}

impl DirFolder {
    /// Opens the folder at `root`; whatever takes that name later is another folder.
    ///
    /// # Errors
    /// [`PortFault::NotFound`]; [`PortFault::Forbidden`] for anything but a folder of a real file system.
    pub fn open(root: &str) -> Result<Self, PortError> {
        let dir = Dir::open_ambient_dir(root, ambient_authority())
            .map_err(|error| fault(root, "", &error))?;
        mounts::check(root, "", &dir)?;
        Ok(Self {
            root: root.to_owned(),
            dir,
        })
    }

    fn make(&self, change: &Change) -> Result<(), PortError> {
        let path = change.path.as_str();
        if !is_plain(path) {
            let subject = format!("`{path}` in folder `{}`", self.root);
            return Err(PortError::new(
                PortFault::Forbidden,
                subject,
                "no path of a step",
            ));
        }
        let made = match change.kind {
            PathChangeKind::RemoveFile => gone(self.dir.remove_file(path)),
            PathChangeKind::RemoveFolder => gone(self.dir.remove_dir(path)),
            PathChangeKind::Folder => self.folder(path),
            PathChangeKind::File => self.file(path, change.bytes.as_deref().unwrap_or_default()),
        };
        made.map_err(|error| fault(&self.root, path, &error))
    }

    fn folder(&self, path: &str) -> std::io::Result<()> {
        match self.dir.create_dir(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if self.dir.symlink_metadata(path)?.is_dir() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            made => made,
        }
    }

    fn file(&self, path: &str, bytes: &[u8]) -> std::io::Result<()> {
        if self.holds(path, bytes) {
            return Ok(());
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let parent = self.dir.open_dir(parent)?;
        let marker = Digest::of(path.as_bytes()).hex();
        let temporary = format!("{TEMPORARY_PREFIX}{}", marker.get(..32).unwrap_or(&marker));
        // What a crash left under this name is ours.
        gone(parent.remove_file(&temporary))?;
        let mut file =
            parent.open_with(&temporary, OpenOptions::new().write(true).create_new(true))?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| parent.rename(&temporary, &parent, name));
        if written.is_err() {
            drop(parent.remove_file(&temporary));
        }
        written
    }

    /// True when exactly this file is there already.
    fn holds(&self, path: &str, bytes: &[u8]) -> bool {
        let is_same_size = self
            .dir
            .symlink_metadata(path)
            .is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64);
        is_same_size && self.dir.read(path).is_ok_and(|found| found == bytes)
    }

    /// Makes the names durable, the deepest folder first.
    fn sync(&self, changes: &[Change]) -> std::io::Result<()> {
        let parents = changes.iter().map(|change| {
            let parent = change.path.rsplit_once('/');
            parent.map_or(".", |(parent, _)| parent)
        });
        let mut parents: Vec<&str> = parents.collect();
        parents.sort_unstable();
        parents.dedup();
        for parent in parents.into_iter().rev() {
            // As a file: a handle that only stands for a path can not be synced.
            match self.dir.open(parent) {
                Ok(dir) => dir.sync_all()?,
                // Removed with its content.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl WritableFolder for DirFolder {
    fn read(&self, limits: SnapshotLimits) -> Result<Vec<SnapshotFile>, PortError> {
        let dir = self.dir.try_clone();
        let dir = dir.map_err(|error| fault(&self.root, "", &error))?;
        let mut files = snapshot_of(&self.root, dir, limits)?;
        files.retain(|file| !has_own_name(&file.path));
        Ok(files)
    }

    fn publish(&self, changes: &[Change]) -> Result<(), PortError> {
        changes.iter().try_for_each(|change| self.make(change))?;
        self.sync(changes)
            .map_err(|error| fault(&self.root, "", &error))
    }
}

/// True when some part of the path is a name of the host's own.
fn has_own_name(path: &str) -> bool {
    path.split('/')
        .any(|part| part.starts_with(TEMPORARY_PREFIX))
}

/// True for a relative path without parts that lead anywhere else.
fn is_plain(path: &str) -> bool {
    let is_name = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(is_name) && !path.contains('\0') && !has_own_name(path)
}

/// Something that is not there, or that another change has put something else in place of, is gone.
fn gone(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if is_gone(&error) => Ok(()),
        other => other,
    }
}

fn is_gone(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

fn fault(root: &str, path: &str, error: &std::io::Error) -> PortError {
    let subject = if path.is_empty() {
        format!("folder `{root}`")
    } else {
        format!("`{path}` in folder `{root}`")
    };
    let fault = match error.kind() {
        ErrorKind::NotFound if path.is_empty() => PortFault::NotFound,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => PortFault::Exhausted,
        ErrorKind::PermissionDenied | ErrorKind::NotADirectory => PortFault::Forbidden,
        _ => PortFault::Unavailable,
    };
    PortError::new(fault, subject, error.to_string()).with_code("AIM-S005")
}
