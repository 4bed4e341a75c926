//! Files that are named on the command line or lie where data says: read whole and bounded, written whole or not at all.
//!
//! INVARIANT: nothing that can not be read completely is used in part, and no file is left half-written.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use aim_core::outcome::Exit;
use rustix::fs::OFlags;

use crate::error::{CliError, Problem};

/// Reads a file of at most `bytes_max` bytes; `what` names it in messages. Whoever names a pipe waits for its writer.
///
/// # Errors
/// Exit 6 when it is not there, 2 when it can not be read or is too large.
pub(crate) fn read_bytes(path: &Path, what: &str, bytes_max: usize) -> Result<Vec<u8>, CliError> {
    read_opened(File::open(path), path, what, bytes_max)
}

/// Reads a file as [`read_bytes`], at a path that other data led to and nobody has typed: a pipe or a device there keeps
/// nobody waiting.
///
/// # Errors
/// As [`read_bytes`]; exit 2 when it is no regular file.
pub(crate) fn read_found(path: &Path, what: &str, bytes_max: usize) -> Result<Vec<u8>, CliError> {
    read_opened(open_found(path), path, what, bytes_max)
}

/// Opens a regular file for reading and waits for nobody.
///
/// # Errors
/// What the operating system says, also for anything but a regular file.
pub(crate) fn open_found(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is no regular file"))
}

fn read_opened(
    opened: io::Result<File>,
    path: &Path,
    what: &str,
    bytes_max: usize,
) -> Result<Vec<u8>, CliError> {
    let shown = path.display();
    let unreadable = |why: String, help: &str| {
        CliError::usage(
            "AIM-C045",
            format!("{what} `{shown}` can not be read: {why}"),
            help,
        )
    };
    let failed = |error: &io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => CliError::not_found(
            "AIM-C041",
            format!("{what} `{shown}` does not exist"),
            "check the path; it is relative to the current folder",
        ),
        _ => unreadable(error.to_string(), "check what it is and who may read it"),
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    opened
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| failed(&error))?;
    if bytes.len() > bytes_max {
        let why = format!("it is larger than {bytes_max} bytes");
        return Err(unreadable(why, "check that it is the file you mean"));
    }
    Ok(bytes)
}

/// Reads a text file, as [`read_bytes`]; it must be UTF-8.
///
/// # Errors
/// As [`read_bytes`]; exit 2 when it is no UTF-8.
pub(crate) fn read_text(path: &Path, what: &str, bytes_max: usize) -> Result<String, CliError> {
    String::from_utf8(read_bytes(path, what, bytes_max)?).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let shown = path.display();
        CliError::usage(
            "AIM-C045",
            format!("{what} `{shown}` can not be read: it is not UTF-8 at byte {offset}"),
            "save it as UTF-8, or check that it is the file you mean",
        )
    })
}

/// Puts `bytes` at `path` in one move, readable by everybody (mode 0644 less the umask). What was there before stays until
/// everything is on stable storage.
///
/// # Errors
/// Exit 6 when the folder is not there, 2 when it can not be written, 70 when the disk fails or is full.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let beside = neighbour(path)?;
    let written = write_new(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        let _ignored = fs::remove_file(&beside);
        write_error(path, &error)
    })
}

fn neighbour(path: &Path) -> Result<PathBuf, CliError> {
    let name = path.file_name().filter(|_| !path.is_dir()).ok_or_else(|| {
        let message = format!("`{}` can not be written: it is no file", path.display());
        CliError::usage("AIM-D023", message, "name a file")
    })?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.new", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn write_error(path: &Path, error: &io::Error) -> CliError {
    let exit = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Exit::NotFound,
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::AlreadyExists
        | ErrorKind::IsADirectory => Exit::Usage,
        _ => Exit::Bug,
    };
    let message = format!("`{}` can not be written: {error}", path.display());
    let help = "check folder, permissions and room; nothing was left behind";
    CliError::new(exit, Problem::new("AIM-D023", message).with_help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_whole(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let inside = folder.path().join("no/b.json");
        assert_eq!(write_whole(&inside, b"x").unwrap_err().exit, Exit::NotFound);
        assert_eq!(
            write_whole(folder.path(), b"x").unwrap_err().exit,
            Exit::Usage
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
