//! Files, read once: regular, not writable by everybody, not longer than expected, below the root.
//!
//! INVARIANT: what was checked is what was read. Checks are made on the open file, not on its name, and the caller gets the
//! one buffer that everything after it works on.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, Mode, OFlags};

use crate::fault::{LoadError, LoadFault};

/// Bytes of a component at most, whatever its class.
pub const COMPONENT_BYTES_MAX: u64 = aim_core::class::COMPONENT_BYTES_MAX;
/// Bytes of a contract, a deployment, a policy file or a codex at most.
pub(crate) const TEXT_BYTES_MAX: u64 = 1024 * 1024;
/// Entries of one folder at most.
const ENTRIES_MAX: usize = 10_000;

/// A text and the name it goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The file's name inside its folder.
    pub name: String,
    /// Where it was read.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// Reads a component's bytes, once. The caller hashes, inspects and compiles this same buffer.
///
/// # Errors
/// One fault: `AIM-C001` when it can not be read, `AIM-C002` when it is no regular file or everybody can write it,
/// `AIM-C018` past [`COMPONENT_BYTES_MAX`].
pub fn read_component(path: &Path) -> Result<Vec<u8>, LoadError> {
    Ok(read(path, COMPONENT_BYTES_MAX)?)
}

/// Reads a policy: one `.cedar` file, or every `.cedar` file of a folder that does not start with `_`, by name.
///
/// # Errors
/// Every file that can not be taken.
pub fn read_policy(path: &Path) -> Result<Vec<SourceFile>, LoadError> {
    let files = if path.is_dir() {
        list(path, &["cedar"])?
    } else {
        vec![path.to_owned()]
    };
    let mut sources = Vec::new();
    let mut faults = Vec::new();
    for file in files {
        match read_text(&file) {
            Ok(text) => sources.push(SourceFile {
                name: file_name(&file),
                path: file,
                text,
            }),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        return Ok(sources);
    }
    Err(LoadError::new(faults))
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Reads a file of text.
pub(crate) fn read_text(path: &Path) -> Result<String, LoadFault> {
    let bytes = read(path, TEXT_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|error| {
        let place = format!("byte {}", error.utf8_error().valid_up_to());
        LoadFault::of_file(
            "AIM-C003",
            path,
            format!("not UTF-8 from {place} on"),
            "save the file as UTF-8",
        )
    })
}

/// Reads a regular file of at most `bytes_max` bytes.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, LoadFault> {
    // NONBLOCK: opening a FIFO that nobody writes to must not hang. NOFOLLOW: a link is not the file it names.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::LOOP => not_regular(path, "a symbolic link"),
        rustix::io::Errno::NXIO => not_regular(path, "a socket or device"),
        error => unreadable(path, &error.to_string()),
    })?;
    let file = File::from(opened);
    let stat = rustix::fs::fstat(&file).map_err(|error| unreadable(path, &error.to_string()))?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::RegularFile {
        return Err(not_regular(path, kind_word(kind)));
    }
    if Mode::from_raw_mode(stat.st_mode).contains(Mode::WOTH) {
        return Err(writable_by_all(path));
    }
    let mut bytes = Vec::new();
    // BOUND: one byte past the limit tells that there is more.
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max) {
        return Ok(bytes);
    }
    Err(LoadFault::of_file(
        "AIM-C018",
        path,
        format!("more than {bytes_max} bytes"),
        "make the file smaller; the limit is fixed",
    ))
}

/// The files of a folder with one of `extensions`, by name, without those that start with `_` or `.`.
pub(crate) fn list(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, LoadFault> {
    let unreadable = |error: std::io::Error| unreadable(folder, &error.to_string());
    let stat = rustix::fs::stat(folder).map_err(|error| unreadable(error.into()))?;
    if Mode::from_raw_mode(stat.st_mode).contains(Mode::WOTH) {
        return Err(writable_by_all(folder));
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = file_name(&path);
        let is_wanted = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| extensions.contains(&extension));
        if is_wanted && !name.starts_with(['_', '.']) {
            files.push(path);
        }
        if files.len() > ENTRIES_MAX {
            return Err(LoadFault::of_file(
                "AIM-C018",
                folder,
                format!("more than {ENTRIES_MAX} files"),
                "split the folder",
            ));
        }
    }
    files.sort();
    Ok(files)
}

/// Resolves `written`, relative to `base`, to an existing path below `root`, which is resolved already.
pub(crate) fn resolve(root: &Path, base: &Path, written: &str) -> Result<PathBuf, LoadFault> {
    let joined = base.join(written);
    let found = joined
        .canonicalize()
        .map_err(|error| unreadable(&joined, &error.to_string()))?;
    if !found.starts_with(root) {
        return Err(LoadFault::of_file(
            "AIM-C016",
            &joined,
            format!(
                "`{written}` leads out of the project's root `{}`",
                root.display()
            ),
            "move the file below the root, or widen `root` in aim.toml",
        ));
    }
    // A link as the last part is refused where the file is opened; here it would already be followed.
    let is_link = std::fs::symlink_metadata(&joined).is_ok_and(|meta| meta.is_symlink());
    if is_link {
        return Err(not_regular(&joined, "a symbolic link"));
    }
    Ok(found)
}

fn kind_word(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a folder",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    }
}

pub(crate) fn unreadable(path: &Path, why: &str) -> LoadFault {
    LoadFault::of_file(
        "AIM-C001",
        path,
        format!("can not be read: {why}"),
        "check the path and the permissions",
    )
}

fn not_regular(path: &Path, what: &str) -> LoadFault {
    LoadFault::of_file(
        "AIM-C002",
        path,
        format!("{what}, where a regular file must be"),
        "put the file itself there",
    )
}

fn writable_by_all(path: &Path) -> LoadFault {
    LoadFault::of_file(
        "AIM-C019",
        path,
        "everybody on this machine can change it",
        "take the permission away: chmod o-w",
    )
}

#[cfg(test)]
mod tests;
