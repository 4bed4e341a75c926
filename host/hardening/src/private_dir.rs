//! A folder that nobody else can change, and files in it that are there whole or not at all.
//!
//! Every access goes through the folder's own handle with links refused at the last step, so that what was checked is
//! what is used even when somebody swaps names meanwhile.
//!
//! INVARIANT: a name in the folder is bound to complete, synced bytes; a crash leaves at most an unused temporary file.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::{
    fs::{self, AtFlags, CWD, FileType, Mode, OFlags, RenameFlags},
    io::Errno,
};

/// Who else may look into the folder. Nobody else may ever change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Nobody: no permission bit for group or others.
    Secret,
    /// Group and others may read, but not write.
    Readable,
}

/// Why a private folder or a file in it could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateDirError {
    /// There is no such folder or file.
    #[error("`{0}` does not exist")]
    Missing(PathBuf),
    /// A link, device or the like stands where a folder or regular file must be.
    #[error("`{0}` is not a plain {1}; links and special files are refused")]
    Kind(PathBuf, &'static str),
    /// Somebody else owns it.
    #[error("`{path}` belongs to user {owner}, not to user {expected} who runs this")]
    Owner {
        /// What was looked at.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who must own it.
        expected: u32,
    },
    /// Permission bits let others in.
    #[error("`{path}` has mode {mode:04o}; others can reach it (remedy: chmod {remedy:o})")]
    Mode {
        /// What was looked at.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The widest mode that is accepted.
        remedy: u32,
    },
    /// A file that is written once is there already.
    #[error("`{0}` exists already")]
    Exists(PathBuf),
    /// A file is larger than its reader accepts.
    #[error("`{0}` is larger than {1} bytes")]
    TooLarge(PathBuf, usize),
    /// The operating system refused.
    #[error("{action} `{path}`: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl PrivateDirError {
    /// True when the disk, a quota or a file size limit was reached.
    #[must_use]
    pub fn is_out_of_space(&self) -> bool {
        matches!(self, Self::System { source, .. } if is_out_of_space(source))
    }

    /// True when owner, mode or kind are not as they must be.
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        matches!(
            self,
            Self::Kind(..) | Self::Owner { .. } | Self::Mode { .. }
        )
    }
}

/// True when the disk, a quota or a file size limit was reached.
#[must_use]
pub fn is_out_of_space(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw_os_error),
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG)
    )
}

/// An open folder whose owner, mode and kind were checked. Clones share the handle.
#[derive(Debug, Clone)]
pub struct PrivateDir {
    handle: Arc<OwnedFd>,
    path: PathBuf,
    privacy: Privacy,
}

impl PrivateDir {
    /// Opens a folder that must be there.
    ///
    /// # Errors
    /// [`PrivateDirError::Missing`], or the check that failed.
    pub fn open(path: &Path, privacy: Privacy) -> Result<Self, PrivateDirError> {
        Self::open_at(CWD, path, path.to_path_buf(), privacy)
    }

    /// Opens a folder and makes it, mode 0700, when it is not there; its parent must be. The entry is durable on return.
    ///
    /// # Errors
    /// The check that failed, or what the operating system says.
    pub fn open_or_create(path: &Path, privacy: Privacy) -> Result<Self, PrivateDirError> {
        if make_dir(CWD, path, path)? {
            let parent = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            fs::open(parent, flags, Mode::empty())
                .and_then(|handle| fs::fsync(&handle))
                .map_err(|errno| system("sync folder", parent, errno))?;
        }
        Self::open(path, privacy)
    }

    /// Opens the folder `name` inside this one and makes it when it is not there.
    ///
    /// # Errors
    /// As [`PrivateDir::open_or_create`].
    pub fn subfolder(&self, name: &str) -> Result<Self, PrivateDirError> {
        let path = self.path.join(name);
        if make_dir(self.handle.as_fd(), Path::new(name), &path)? {
            self.sync()?;
        }
        Self::open_at(self.handle.as_fd(), Path::new(name), path, self.privacy)
    }

    /// Opens the folder `name` inside this one; it must be there.
    ///
    /// # Errors
    /// [`PrivateDirError::Missing`], or the check that failed.
    pub fn existing_subfolder(&self, name: &str) -> Result<Self, PrivateDirError> {
        let path = self.path.join(name);
        Self::open_at(self.handle.as_fd(), Path::new(name), path, self.privacy)
    }

    /// Where the folder was opened, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder's entries durable.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sync(&self) -> Result<(), PrivateDirError> {
        fs::fsync(&self.handle).map_err(|errno| system("sync folder", &self.path, errno))
    }

    /// Opens a regular file for reading, links refused, its owner and mode checked.
    ///
    /// # Errors
    /// [`PrivateDirError::Missing`], or the check that failed.
    pub fn open_file(&self, name: &str) -> Result<File, PrivateDirError> {
        self.open_with(name, OFlags::RDONLY)
    }

    /// Opens a regular file for reading and writing, mode 0600, and makes it empty when it is not there. Its entry is
    /// durable after the next [`PrivateDir::sync`]; a file that only carries a lock needs none.
    ///
    /// # Errors
    /// The check that failed, or what the operating system says.
    pub fn open_or_create_file(&self, name: &str) -> Result<File, PrivateDirError> {
        self.open_with(name, OFlags::RDWR | OFlags::CREATE)
    }

    /// Reads a whole file of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// [`PrivateDirError::Missing`], [`PrivateDirError::TooLarge`], or the check that failed.
    pub fn read(&self, name: &str, bytes_max: usize) -> Result<Vec<u8>, PrivateDirError> {
        let file = self.open_file(name)?;
        let path = || self.path.join(name);
        let size = file.metadata().map_or(0, |data| data.len());
        if size > bytes_max as u64 {
            return Err(PrivateDirError::TooLarge(path(), bytes_max));
        }
        let mut bytes = Vec::new();
        let room = usize::try_from(size).unwrap_or(0);
        if bytes.try_reserve_exact(room).is_err() {
            return Err(system("hold", &path(), Errno::NOMEM));
        }
        // BOUND: one byte more than allowed, so that a file that grows meanwhile is noticed and not followed.
        file.take((bytes_max as u64).saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| PrivateDirError::System {
                action: "read",
                path: path(),
                source,
            })?;
        if bytes.len() > bytes_max {
            return Err(PrivateDirError::TooLarge(path(), bytes_max));
        }
        Ok(bytes)
    }

    /// Writes a file, mode 0600, or replaces it whole; durable on return.
    ///
    /// # Errors
    /// What the operating system says; the old file is then still there.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), PrivateDirError> {
        self.place(name, bytes, RenameFlags::empty())
    }

    /// Writes a file, mode 0600, that must not be there yet; durable on return. Of several writers one wins.
    ///
    /// # Errors
    /// [`PrivateDirError::Exists`], or what the operating system says.
    pub fn create_new(&self, name: &str, bytes: &[u8]) -> Result<(), PrivateDirError> {
        self.place(name, bytes, RenameFlags::NOREPLACE)
    }

    fn place(&self, name: &str, bytes: &[u8], how: RenameFlags) -> Result<(), PrivateDirError> {
        let temporary = temporary_name();
        let placed = self
            .write_synced(&temporary, bytes)
            .and_then(|()| self.rename(&temporary, name, how));
        if placed.is_err() {
            // Only tidying: a left-over temporary file is never read.
            let _ignored = fs::unlinkat(&self.handle, temporary.as_str(), AtFlags::empty());
        }
        placed?;
        self.sync()
    }

    fn write_synced(&self, name: &str, bytes: &[u8]) -> Result<(), PrivateDirError> {
        let mut file = self.open_with(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|source| PrivateDirError::System {
                action: "write",
                path: self.path.join(name),
                source,
            })
    }

    fn rename(&self, from: &str, to: &str, how: RenameFlags) -> Result<(), PrivateDirError> {
        let path = || self.path.join(to);
        fs::renameat_with(&self.handle, from, &self.handle, to, how).map_err(|errno| match errno {
            Errno::EXIST => PrivateDirError::Exists(path()),
            errno => system("put in place", &path(), errno),
        })
    }

    fn open_with(&self, name: &str, flags: OFlags) -> Result<File, PrivateDirError> {
        let path = self.path.join(name);
        // NONBLOCK: a pipe that stands in for the file must not hang its reader before its kind is checked.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let handle = fs::openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| open_error(errno, &path, "file"))?;
        check(handle.as_fd(), &path, FileType::RegularFile, self.privacy)?;
        Ok(File::from(handle))
    }

    fn open_at(
        parent: BorrowedFd<'_>,
        name: &Path,
        path: PathBuf,
        privacy: Privacy,
    ) -> Result<Self, PrivateDirError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = fs::openat(parent, name, flags, Mode::empty())
            .map_err(|errno| open_error(errno, &path, "folder"))?;
        check(handle.as_fd(), &path, FileType::Directory, privacy)?;
        Ok(Self {
            handle: Arc::new(handle),
            path,
            privacy,
        })
    }
}

/// Makes a folder; false when something of that name is there already.
fn make_dir(parent: BorrowedFd<'_>, name: &Path, path: &Path) -> Result<bool, PrivateDirError> {
    match fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(system("make folder", path, errno)),
    }
}

fn check(
    handle: BorrowedFd<'_>,
    path: &Path,
    kind: FileType,
    privacy: Privacy,
) -> Result<(), PrivateDirError> {
    let stat = fs::fstat(handle).map_err(|errno| system("look at", path, errno))?;
    let word = if kind == FileType::Directory {
        "folder"
    } else {
        "file"
    };
    if FileType::from_raw_mode(stat.st_mode) != kind {
        return Err(PrivateDirError::Kind(path.to_path_buf(), word));
    }
    let expected = rustix::process::geteuid().as_raw();
    if stat.st_uid != expected {
        return Err(PrivateDirError::Owner {
            path: path.to_path_buf(),
            owner: stat.st_uid,
            expected,
        });
    }
    let mode = stat.st_mode & 0o7777;
    let (refused, widest) = match privacy {
        Privacy::Secret => (0o077, 0o700),
        Privacy::Readable => (0o022, 0o755),
    };
    if mode & refused != 0 {
        let remedy = widest
            & if kind == FileType::Directory {
                0o777
            } else {
                0o666
            };
        return Err(PrivateDirError::Mode {
            path: path.to_path_buf(),
            mode,
            remedy,
        });
    }
    Ok(())
}

fn open_error(errno: Errno, path: &Path, word: &'static str) -> PrivateDirError {
    match errno {
        Errno::NOENT => PrivateDirError::Missing(path.to_path_buf()),
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO => {
            PrivateDirError::Kind(path.to_path_buf(), word)
        }
        errno => system("open", path, errno),
    }
}

fn system(action: &'static str, path: &Path, errno: Errno) -> PrivateDirError {
    PrivateDirError::System {
        action,
        path: path.to_path_buf(),
        source: errno.into(),
    }
}

/// A name that no other process and no other call uses at the same time.
fn temporary_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let clock = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    format!(".new-{}-{clock}-{number}", std::process::id())
}

#[cfg(test)]
mod tests;
