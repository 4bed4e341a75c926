//! One writer at a time: the kernel's lock decides, the text in the file only names the holder.
//!
//! INVARIANT: a left-over lock file means nothing; whoever gets the flock is the writer, and a dead process holds none.

use std::{fs::File, io::Read as _, os::unix::fs::FileExt as _};

use aim_hardening::private_dir::{PrivateDir, PrivateDirError};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::OpenLogError;

/// The lock file's name in the data directory.
const LOCK: &str = "lock";
/// What is shown of the holder's own description.
const HOLDER_BYTES_MAX: u64 = 512;

/// The held lock; dropping it lets the next writer in.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock or names the holder; never waits.
    pub(crate) fn take(data_dir: &PrivateDir, command: &str) -> Result<Self, OpenLogError> {
        let file = data_dir.open_or_create_file(LOCK)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(OpenLogError::Held {
                    path: data_dir.path().to_path_buf(),
                    holder: holder(file),
                });
            }
            Err(errno) => return Err(OpenLogError::System(system(data_dir, errno.into()))),
        }
        let text = format!("process {} ({})\n", std::process::id(), command);
        file.set_len(0)
            .and_then(|()| file.write_all_at(text.as_bytes(), 0))
            .map_err(|source| OpenLogError::System(system(data_dir, source)))?;
        Ok(Self { _file: file })
    }
}

/// Reads who wrote the lock file, made safe for a terminal. The text is a courtesy: it decides nothing.
fn holder(file: File) -> String {
    let mut bytes = Vec::new();
    if file.take(HOLDER_BYTES_MAX).read_to_end(&mut bytes).is_err() || bytes.is_empty() {
        return "another process".to_owned();
    }
    String::from_utf8_lossy(&bytes)
        .trim_end()
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn system(data_dir: &PrivateDir, source: std::io::Error) -> PrivateDirError {
    PrivateDirError::System {
        action: "lock",
        path: data_dir.path().join(LOCK),
        source,
    }
}
