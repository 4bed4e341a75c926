//! Snapshots of folders that a run is given: every regular file below, sorted, or an error; nothing is left out silently.
//!
//! Names are resolved by a capability to the root folder, so neither `..` nor a link leads out, even when somebody swaps
//! links while the snapshot is taken.
//!
//! INVARIANT: what is read was below the root when it was opened, and the limits hold whatever the folder grows to.

use std::{
    fs,
    io::{ErrorKind, Read as _},
};

use aim_ports::{
    PortError, PortFault,
    folder::{Folders, SnapshotFile, SnapshotLimits},
};
use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _},
};

use crate::mounts;

/// Folders inside folders; deeper ones are refused.
const DEPTH_MAX: usize = 64;
/// `O_NONBLOCK` on Linux for every architecture that is built for: a pipe must not hang its reader.
const NONBLOCK: i32 = 0o4000;

/// Reads folders of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct DirFolders;

impl Folders for DirFolders {
    fn snapshot(&self, root: &str, limits: SnapshotLimits) -> Result<Vec<SnapshotFile>, PortError> {
        // Looked at first, so that a pipe in place of a folder is never opened.
        let is_folder = fs::metadata(root)
            .map_err(|error| system(root, "", &error))?
            .is_dir();
        if !is_folder {
            return Err(forbidden(root, "", "not a folder"));
        }
        let dir = Dir::open_ambient_dir(root, ambient_authority())
            .map_err(|error| system(root, "", &error))?;
        snapshot_of(root, dir, limits)
    }
}

/// Reads everything below an open folder.
pub(crate) fn snapshot_of(
    root: &str,
    dir: Dir,
    limits: SnapshotLimits,
) -> Result<Vec<SnapshotFile>, PortError> {
    mounts::check(root, "", &dir)?;
    let about = dir
        .dir_metadata()
        .map_err(|error| system(root, "", &error))?;
    let mut walk = Walk {
        root,
        dir,
        limits,
        files: Vec::new(),
        bytes_left: limits.bytes_max,
        entries_left: limits.files_max.saturating_mul(2).saturating_add(DEPTH_MAX),
        above: vec![identity(&about)],
    };
    walk.folder("")?;
    walk.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk.files)
}

type Identity = (u64, u64);

struct Walk<'a> {
    root: &'a str,
    dir: Dir,
    limits: SnapshotLimits,
    files: Vec<SnapshotFile>,
    bytes_left: u64,
    /// BOUND: entries of any kind, so that folders without files end too.
    entries_left: usize,
    /// The folders on the way here, to notice a link to one of them.
    above: Vec<Identity>,
}

impl Walk<'_> {
    /// BOUND: recursion ends at [`DEPTH_MAX`].
    fn folder(&mut self, path: &str) -> Result<(), PortError> {
        let here = if path.is_empty() { "." } else { path };
        let entries = self
            .dir
            .read_dir(here)
            .map_err(|error| system(self.root, path, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| system(self.root, path, &error))?;
            self.entries_left = self
                .entries_left
                .checked_sub(1)
                .ok_or_else(|| exhausted(self.root, path, "too many entries"))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(forbidden(self.root, path, "a name that is not UTF-8"));
            };
            let child = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}/{name}")
            };
            self.entry(child)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: String) -> Result<(), PortError> {
        // Follows links, but only inside the root.
        let metadata = self
            .dir
            .metadata(&path)
            .map_err(|error| system(self.root, &path, &error))?;
        if metadata.is_file() {
            return self.file(path);
        }
        if !metadata.is_dir() {
            return Err(forbidden(self.root, &path, "neither a file nor a folder"));
        }
        let id = identity(&metadata);
        if self.above.contains(&id) {
            return Err(forbidden(
                self.root,
                &path,
                "a link to a folder that holds it",
            ));
        }
        let is_mounted = self.above.last().is_some_and(|(device, _)| *device != id.0);
        if is_mounted {
            let mounted = self.dir.open_dir(&path);
            let mounted = mounted.map_err(|error| system(self.root, &path, &error))?;
            mounts::check(self.root, &path, &mounted)?;
        }
        if self.above.len() > DEPTH_MAX {
            return Err(exhausted(self.root, &path, "folders are nested too deep"));
        }
        self.above.push(id);
        let walked = self.folder(&path);
        self.above.pop();
        walked
    }

    fn file(&mut self, path: String) -> Result<(), PortError> {
        if self.files.len() >= self.limits.files_max {
            let detail = format!("more than {} files", self.limits.files_max);
            return Err(exhausted(self.root, &path, &detail));
        }
        let file = self
            .dir
            .open_with(&path, OpenOptions::new().read(true).custom_flags(NONBLOCK))
            .map_err(|error| system(self.root, &path, &error))?;
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if !is_file {
            return Err(forbidden(self.root, &path, "changed while it was read"));
        }
        let mut bytes = Vec::new();
        file.take(self.bytes_left.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| system(self.root, &path, &error))?;
        self.bytes_left = self
            .bytes_left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| {
                let detail = format!("more than {} bytes", self.limits.bytes_max);
                exhausted(self.root, &path, &detail)
            })?;
        self.files.push(SnapshotFile { path, bytes });
        Ok(())
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn subject(root: &str, path: &str) -> String {
    if path.is_empty() {
        format!("folder `{root}`")
    } else {
        format!("`{path}` in folder `{root}`")
    }
}

fn forbidden(root: &str, path: &str, detail: &str) -> PortError {
    PortError::new(PortFault::Forbidden, subject(root, path), detail).with_code("AIM-D009")
}

fn exhausted(root: &str, path: &str, detail: &str) -> PortError {
    PortError::new(PortFault::Exhausted, subject(root, path), detail).with_code("AIM-D009")
}

fn system(root: &str, path: &str, error: &std::io::Error) -> PortError {
    match error.kind() {
        ErrorKind::NotFound if path.is_empty() => {
            PortError::new(PortFault::NotFound, subject(root, path), "does not exist")
                .with_code("AIM-D009")
        }
        ErrorKind::NotFound => forbidden(root, path, "a link to nothing, or removed meanwhile"),
        ErrorKind::PermissionDenied => forbidden(
            root,
            path,
            "leads out of the folder, or may not be read by this user",
        ),
        _ => PortError::new(
            PortFault::Unavailable,
            subject(root, path),
            error.to_string(),
        )
        .with_code("AIM-D009"),
    }
}
