//! A writable folder as one attempt sees it: a snapshot below, its own changes above, nothing of the machine.
//!
//! Everything is in memory and under quotas that count what a file *says* it holds, so a sparse file costs its size. What
//! changed is found at the end by comparing with the snapshot; there is no journal that could disagree.
//!
//! INVARIANT: no path leads out of the folder, links can't be made, and no quota is passed by any way of writing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aim_core::{digest::Digest, limits::Limits, staged::PathChangeKind};
use aim_ports::folder::Change;

use crate::folder::{Child, PathFault, Snapshot, child};

/// Longest name in a path, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Longest path, in bytes.
const PATH_BYTES_MAX: usize = 4_096;
/// Deepest nesting of folders.
const DEPTH_MAX: usize = 64;
/// Names that the host uses while it publishes.
const RESERVED_PREFIX: &str = ".aim-";

/// Why something can't be done in a writable folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StageFault {
    /// The path leads nowhere.
    Path(PathFault),
    /// Something is there already.
    Exists,
    /// A folder, where a file is wanted.
    IsFolder,
    /// The folder holds something.
    NotEmpty,
    /// The name is too long, or the path is.
    NameTooLong,
    /// The name can't be a name.
    Name,
    /// A quota.
    Quota,
    /// It would be moved into itself.
    Invalid,
    /// The folder itself can't be removed or moved.
    Root,
}

impl From<PathFault> for StageFault {
    fn from(fault: PathFault) -> Self {
        Self::Path(fault)
    }
}

type Staged<T> = Result<T, StageFault>;

/// What a file holds: the snapshot's bytes until it is written to.
#[derive(Debug)]
struct Body {
    base: Option<(Arc<[u8]>, Digest)>,
    own: Vec<u8>,
}

impl Body {
    fn bytes(&self) -> &[u8] {
        self.base.as_ref().map_or(&self.own, |(bytes, _)| bytes)
    }

    fn own(&mut self) -> &mut Vec<u8> {
        if let Some((bytes, _)) = self.base.take() {
            self.own = bytes.to_vec();
        }
        &mut self.own
    }
}

#[derive(Debug)]
struct File {
    body: Body,
    /// Descriptors and streams that hold it.
    holders: usize,
    is_linked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Folder,
    File(u64),
}

#[derive(Debug)]
struct Stage {
    base: Snapshot,
    tree: BTreeMap<String, Entry>,
    files: BTreeMap<u64, File>,
    next_file: u64,
    used_bytes: u64,
    files_max: usize,
    file_bytes_max: u64,
    folder_bytes_max: u64,
}

/// A writable folder that descriptors and streams share.
#[derive(Debug, Clone)]
pub(crate) struct SharedStage(Arc<Mutex<Stage>>);

/// An open file; it lives as long as somebody holds it, linked or not.
#[derive(Debug)]
pub(crate) struct FileHandle {
    stage: SharedStage,
    file: u64,
}

/// How a path is opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct How {
    pub(crate) creates: bool,
    pub(crate) is_exclusive: bool,
    pub(crate) truncates: bool,
    pub(crate) wants_folder: bool,
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Opened {
    /// A folder.
    Folder,
    /// A file.
    File(FileHandle),
}

/// What is known about a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) is_folder: bool,
    pub(crate) size_bytes: u64,
}

impl SharedStage {
    /// A folder with the content of `base`.
    pub(crate) fn new(base: Snapshot, limits: &Limits) -> Self {
        let mut stage = Stage {
            tree: BTreeMap::new(),
            files: BTreeMap::new(),
            next_file: 0,
            used_bytes: 0,
            files_max: usize::try_from(limits.files_max).unwrap_or(usize::MAX),
            file_bytes_max: limits.file_bytes_max,
            folder_bytes_max: limits.folder_bytes_max,
            base: base.clone(),
        };
        for (path, file) in base.files() {
            for folder in ancestors(path) {
                stage.tree.insert(folder.to_owned(), Entry::Folder);
            }
            let body = Body {
                base: Some((Arc::clone(&file.bytes), file.digest)),
                own: Vec::new(),
            };
            stage.add_file(path.clone(), body);
        }
        Self(Arc::new(Mutex::new(stage)))
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Digest of the snapshot below.
    pub(crate) fn base_digest(&self) -> Digest {
        self.lock().base.digest()
    }

    /// Opens `path` from the folder `from`; both relative to the root. Gives the whole path.
    pub(crate) fn open(&self, from: &str, path: &str, how: How) -> Staged<(String, Opened)> {
        let mut stage = self.lock();
        let (whole, opened) = stage.open(from, path, how)?;
        Ok((
            whole,
            opened.map_or(Opened::Folder, |file| self.hold(&mut stage, file)),
        ))
    }

    fn hold(&self, stage: &mut Stage, file: u64) -> Opened {
        if let Some(found) = stage.files.get_mut(&file) {
            found.holders += 1;
        }
        Opened::File(FileHandle {
            stage: self.clone(),
            file,
        })
    }

    /// What is at `path`.
    pub(crate) fn about(&self, from: &str, path: &str) -> Staged<(String, About)> {
        let stage = self.lock();
        let (whole, entry, _) = stage.find(from, path)?;
        let entry = entry.ok_or(PathFault::Missing)?;
        Ok((whole, stage.about(entry)))
    }

    /// What is in the folder `whole`, at `from` or behind it, as it is now; an error when there is no such folder.
    pub(crate) fn child(&self, whole: &str, from: &str) -> Staged<Option<Child>> {
        let stage = self.lock();
        if stage.entry(whole) != Some(Entry::Folder) {
            return Err(PathFault::Missing.into());
        }
        let is_folder = |entry: &Entry| *entry == Entry::Folder;
        Ok(child(&stage.tree, whole, from, is_folder))
    }

    /// Bytes of the file that opening `path` so would cut off.
    pub(crate) fn cut(&self, from: &str, path: &str, how: How) -> u64 {
        let stage = self.lock();
        match stage.find(from, path) {
            Ok((_, Some(Entry::File(file)), _)) if how.truncates => stage.size(file),
            _ => 0,
        }
    }

    /// Makes a folder.
    pub(crate) fn create_folder(&self, from: &str, path: &str) -> Staged<()> {
        let mut stage = self.lock();
        let (whole, entry, _) = stage.find(from, path)?;
        if entry.is_some() {
            return Err(StageFault::Exists);
        }
        stage.room_for_entry()?;
        check_new(&whole)?;
        stage.tree.insert(whole, Entry::Folder);
        Ok(())
    }

    /// Removes an empty folder.
    pub(crate) fn remove_folder(&self, from: &str, path: &str) -> Staged<()> {
        let mut stage = self.lock();
        let (whole, entry, _) = stage.find(from, path)?;
        match entry.ok_or(PathFault::Missing)? {
            Entry::File(_) => Err(PathFault::NotFolder.into()),
            Entry::Folder if whole.is_empty() => Err(StageFault::Root),
            Entry::Folder if stage.below(&whole).next().is_some() => Err(StageFault::NotEmpty),
            Entry::Folder => {
                stage.tree.remove(&whole);
                Ok(())
            }
        }
    }

    /// Removes a file.
    pub(crate) fn remove_file(&self, from: &str, path: &str) -> Staged<()> {
        let mut stage = self.lock();
        let (whole, entry, wants_folder) = stage.find(from, path)?;
        match entry.ok_or(PathFault::Missing)? {
            Entry::Folder => Err(StageFault::IsFolder),
            Entry::File(_) if wants_folder => Err(PathFault::NotFolder.into()),
            Entry::File(file) => {
                stage.tree.remove(&whole);
                stage.unlink(file);
                Ok(())
            }
        }
    }

    /// Moves a file or a folder inside this folder.
    pub(crate) fn rename(&self, old: (&str, &str), new: (&str, &str)) -> Staged<()> {
        let mut stage = self.lock();
        let (from, entry, old_wants_folder) = stage.find(old.0, old.1)?;
        let entry = entry.ok_or(PathFault::Missing)?;
        let (to, there, new_wants_folder) = stage.find(new.0, new.1)?;
        if from.is_empty() || to.is_empty() {
            return Err(StageFault::Root);
        }
        if matches!(entry, Entry::File(_)) && (old_wants_folder || new_wants_folder) {
            return Err(PathFault::NotFolder.into());
        }
        if from == to {
            return Ok(());
        }
        if entry == Entry::Folder && to.starts_with(&format!("{from}/")) {
            return Err(StageFault::Invalid);
        }
        check_new(&to)?;
        stage.replace(entry, there, &to)?;
        stage.move_tree(&from, &to)
    }

    /// What is different from the snapshot, in the order in which it is made.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.lock().changes()
    }
}

impl Stage {
    fn add_file(&mut self, whole: String, body: Body) -> u64 {
        let file = self.next_file;
        self.next_file += 1;
        self.used_bytes = self.used_bytes.saturating_add(body.bytes().len() as u64);
        self.files.insert(
            file,
            File {
                body,
                holders: 0,
                is_linked: true,
            },
        );
        self.tree.insert(whole, Entry::File(file));
        file
    }

    fn entry(&self, whole: &str) -> Option<Entry> {
        if whole.is_empty() {
            return Some(Entry::Folder);
        }
        self.tree.get(whole).copied()
    }

    fn below<'a>(&'a self, whole: &str) -> impl Iterator<Item = (&'a String, &'a Entry)> + use<'a> {
        let prefix = if whole.is_empty() {
            String::new()
        } else {
            format!("{whole}/")
        };
        let range = self.tree.range(prefix.clone()..);
        range.take_while(move |(path, _)| path.starts_with(&prefix))
    }

    /// Resolves a path: the whole of it, what is there, and whether it is written as a folder's. All but the last part must
    /// be folders.
    fn find(&self, from: &str, path: &str) -> Staged<(String, Option<Entry>, bool)> {
        if path.len() > PATH_BYTES_MAX {
            return Err(StageFault::NameTooLong);
        }
        if path.starts_with('/') {
            return Err(PathFault::Outside.into());
        }
        if path.is_empty() {
            return Err(PathFault::Missing.into());
        }
        let mut parts: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
        for part in path.split('/') {
            if part.is_empty() || part == "." {
                continue;
            }
            match self.entry(&parts.join("/")) {
                None => return Err(PathFault::Missing.into()),
                Some(Entry::File(_)) => return Err(PathFault::NotFolder.into()),
                Some(Entry::Folder) => {}
            }
            if part == ".." {
                parts.pop().ok_or(PathFault::Outside)?;
            } else if part.len() > NAME_BYTES_MAX {
                return Err(StageFault::NameTooLong);
            } else {
                parts.push(part);
            }
        }
        let whole = parts.join("/");
        let entry = self.entry(&whole);
        let wants_folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
        Ok((whole, entry, wants_folder))
    }

    fn about(&self, entry: Entry) -> About {
        match entry {
            Entry::Folder => About {
                is_folder: true,
                size_bytes: 0,
            },
            Entry::File(file) => About {
                is_folder: false,
                size_bytes: self.size(file),
            },
        }
    }

    fn size(&self, file: u64) -> u64 {
        let file = self.files.get(&file);
        file.map_or(0, |file| file.body.bytes().len() as u64)
    }

    fn room_for_entry(&self) -> Staged<()> {
        let unlinked = self.files.values().filter(|file| !file.is_linked).count();
        if self.tree.len() + unlinked >= self.files_max {
            return Err(StageFault::Quota);
        }
        Ok(())
    }

    fn open(&mut self, from: &str, path: &str, how: How) -> Staged<(String, Option<u64>)> {
        let (whole, entry, wants_folder) = self.find(from, path)?;
        let wants_folder = wants_folder || how.wants_folder;
        match entry {
            Some(_) if how.creates && how.is_exclusive => Err(StageFault::Exists),
            Some(Entry::Folder) if how.truncates => Err(StageFault::IsFolder),
            Some(Entry::Folder) => Ok((whole, None)),
            Some(Entry::File(_)) if wants_folder => Err(PathFault::NotFolder.into()),
            Some(Entry::File(file)) => {
                if how.truncates {
                    self.resize(file, 0)?;
                }
                Ok((whole, Some(file)))
            }
            None if !how.creates => Err(PathFault::Missing.into()),
            // A file's name never ends as a folder's does.
            None if wants_folder => Err(StageFault::IsFolder),
            None => {
                self.room_for_entry()?;
                check_new(&whole)?;
                let body = Body {
                    base: None,
                    own: Vec::new(),
                };
                let file = self.add_file(whole.clone(), body);
                Ok((whole, Some(file)))
            }
        }
    }

    fn resize(&mut self, file: u64, size: u64) -> Staged<()> {
        let old = self.size(file);
        let grown = size.saturating_sub(old);
        if size > self.file_bytes_max
            || self.used_bytes.saturating_add(grown) > self.folder_bytes_max
        {
            return Err(StageFault::Quota);
        }
        let length = usize::try_from(size).map_err(|_| StageFault::Quota)?;
        let Some(found) = self.files.get_mut(&file) else {
            return Err(PathFault::Missing.into());
        };
        if size != old {
            found.body.own().resize(length, 0);
        }
        self.used_bytes = (self.used_bytes - old.min(self.used_bytes)).saturating_add(size);
        Ok(())
    }

    fn write(&mut self, file: u64, offset: Option<u64>, bytes: &[u8]) -> Staged<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let size = self.size(file);
        let offset = offset.unwrap_or(size);
        let end = offset.checked_add(bytes.len() as u64);
        let end = end.ok_or(StageFault::Quota)?;
        if end > size {
            self.resize(file, end)?;
        }
        let start = usize::try_from(offset).map_err(|_| StageFault::Quota)?;
        let found = self.files.get_mut(&file).ok_or(PathFault::Missing)?;
        let to = found.body.own().get_mut(start..start + bytes.len());
        to.ok_or(StageFault::Quota)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Takes a file's name away; its bytes count as long as somebody holds it.
    fn unlink(&mut self, file: u64) {
        if let Some(found) = self.files.get_mut(&file) {
            found.is_linked = false;
        }
        self.forget_unheld(file);
    }

    fn forget_unheld(&mut self, file: u64) {
        let is_gone = self
            .files
            .get(&file)
            .is_some_and(|found| !found.is_linked && found.holders == 0);
        if is_gone {
            self.used_bytes = self.used_bytes.saturating_sub(self.size(file));
            self.files.remove(&file);
        }
    }

    /// Makes the target of a move free.
    fn replace(&mut self, moved: Entry, there: Option<Entry>, to: &str) -> Staged<()> {
        match (moved, there) {
            (_, None) => Ok(()),
            (Entry::File(_), Some(Entry::Folder)) => Err(StageFault::IsFolder),
            (Entry::Folder, Some(Entry::File(_))) => Err(PathFault::NotFolder.into()),
            (Entry::File(_), Some(Entry::File(file))) => {
                self.tree.remove(to);
                self.unlink(file);
                Ok(())
            }
            (Entry::Folder, Some(Entry::Folder)) if self.below(to).next().is_some() => {
                Err(StageFault::NotEmpty)
            }
            (Entry::Folder, Some(Entry::Folder)) => {
                self.tree.remove(to);
                Ok(())
            }
        }
    }

    fn move_tree(&mut self, from: &str, to: &str) -> Staged<()> {
        let inner: Vec<String> = self.below(from).map(|(path, _)| path.clone()).collect();
        let longest = inner.iter().map(String::len).max().unwrap_or(0);
        if longest + to.len() > PATH_BYTES_MAX {
            return Err(StageFault::NameTooLong);
        }
        for path in inner {
            let rest = path.get(from.len()..).unwrap_or_default();
            if let Some(entry) = self.tree.remove(&path) {
                self.tree.insert(format!("{to}{rest}"), entry);
            }
        }
        if let Some(entry) = self.tree.remove(from) {
            self.tree.insert(to.to_owned(), entry);
        }
        Ok(())
    }

    fn changes(&self) -> Vec<Change> {
        let change = |kind, path: &str, bytes| Change {
            kind,
            path: path.to_owned(),
            bytes,
        };
        let mut base_folders: Vec<&str> = self
            .base
            .files()
            .keys()
            .flat_map(|p| ancestors(p))
            .collect();
        base_folders.sort_unstable();
        base_folders.dedup();
        let is_file = |path: &str| matches!(self.entry(path), Some(Entry::File(_)));
        let gone_files = self.base.files().keys().filter(|path| !is_file(path));
        let mut changes: Vec<Change> = gone_files
            .map(|path| change(PathChangeKind::RemoveFile, path, None))
            .collect();
        let is_folder = |path: &str| self.entry(path) == Some(Entry::Folder);
        let gone_folders = base_folders.iter().rev().filter(|path| !is_folder(path));
        changes.extend(gone_folders.map(|path| change(PathChangeKind::RemoveFolder, path, None)));
        let folders = self
            .tree
            .iter()
            .filter(|(_, entry)| **entry == Entry::Folder);
        let new_folders =
            folders.filter(|(path, _)| base_folders.binary_search(&path.as_str()).is_err());
        changes.extend(new_folders.map(|(path, _)| change(PathChangeKind::Folder, path, None)));
        for (path, entry) in &self.tree {
            let Entry::File(file) = entry else { continue };
            let Some(file) = self.files.get(file) else {
                continue;
            };
            let base = self.base.files().get(path);
            if base.is_none_or(|base| *base.bytes != *file.body.bytes()) {
                let bytes = Arc::from(file.body.bytes());
                changes.push(change(PathChangeKind::File, path, Some(bytes)));
            }
        }
        changes
    }
}

impl FileHandle {
    /// How many bytes it holds.
    pub(crate) fn size(&self) -> u64 {
        self.stage.lock().size(self.file)
    }

    /// Digest of what it held in the snapshot; `None` once it is the attempt's own.
    pub(crate) fn base(&self) -> Option<(Digest, Arc<[u8]>)> {
        let stage = self.stage.lock();
        let (bytes, digest) = stage.files.get(&self.file)?.body.base.as_ref()?;
        Some((*digest, Arc::clone(bytes)))
    }

    /// Bytes from `offset`, at most `length`.
    pub(crate) fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let stage = self.stage.lock();
        let Some(file) = stage.files.get(&self.file) else {
            return Vec::new();
        };
        let bytes = file.body.bytes();
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        bytes.get(start..end).unwrap_or_default().to_vec()
    }

    /// Puts bytes at `offset`, or at the end without one.
    pub(crate) fn write(&self, offset: Option<u64>, bytes: &[u8]) -> Staged<()> {
        self.stage.lock().write(self.file, offset, bytes)
    }

    /// Makes it exactly `size` bytes long.
    pub(crate) fn resize(&self, size: u64) -> Staged<()> {
        self.stage.lock().resize(self.file, size)
    }

    /// Bytes between the end of the file and a write of `length` bytes at `offset`, which the host fills with zeroes. Nothing
    /// for a write that no quota would let pass.
    pub(crate) fn gap(&self, offset: u64, length: u64) -> u64 {
        let stage = self.stage.lock();
        match offset.checked_add(length) {
            Some(end) if end <= stage.file_bytes_max => {
                offset.saturating_sub(stage.size(self.file))
            }
            _ => 0,
        }
    }

    /// Bytes by which a file that is to have `size` bytes grows or shrinks. Nothing for a size that no quota would let pass.
    pub(crate) fn distance(&self, size: u64) -> u64 {
        let stage = self.stage.lock();
        if size > stage.file_bytes_max {
            return 0;
        }
        size.abs_diff(stage.size(self.file))
    }

    /// Another holder of the same file.
    pub(crate) fn another(&self) -> Self {
        if let Some(found) = self.stage.lock().files.get_mut(&self.file) {
            found.holders += 1;
        }
        Self {
            stage: self.stage.clone(),
            file: self.file,
        }
    }

    /// True when both are the same file.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.stage.0, &other.stage.0) && self.file == other.file
    }

    /// What tells this file from others of its folder.
    pub(crate) const fn number(&self) -> u64 {
        self.file
    }
}

impl Drop for FileHandle {
    fn drop(&mut self) {
        let mut stage = self.stage.lock();
        if let Some(found) = stage.files.get_mut(&self.file) {
            found.holders = found.holders.saturating_sub(1);
        }
        stage.forget_unheld(self.file);
    }
}

/// Every folder above `path`, the root not among them.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

/// A name that comes into being must be one that every file system takes and the host does not use itself.
fn check_new(whole: &str) -> Staged<()> {
    if whole.len() > PATH_BYTES_MAX || whole.split('/').count() > DEPTH_MAX {
        return Err(StageFault::NameTooLong);
    }
    let last = whole.rsplit('/').next().unwrap_or_default();
    if last.contains('\0') || last.starts_with(RESERVED_PREFIX) {
        return Err(StageFault::Name);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
