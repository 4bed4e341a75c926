//! Reading a log while somebody writes it, or long after.
//!
//! INVARIANT: a reader takes no lock and changes nothing, so it works on a copy, on a read-only disk and beside a writer.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use aim_hardening::private_dir::PrivateDirError;
use aim_ports::{PortError, PortFault, log::LogReader};
use rustix::fs::OFlags;

use crate::{CHECKPOINT, CHECKPOINT_BYTES_MAX, EVIDENCE, FOLDER, OpenLogError};

/// Reads one data directory's log. Who owns the folder does not matter: what is read is verified, not believed.
#[derive(Debug)]
pub struct FileLogReader {
    evidence: File,
    checkpoint: PathBuf,
}

impl FileLogReader {
    /// Opens the log below `data_dir`.
    ///
    /// # Errors
    /// [`OpenLogError::Missing`] when there is none, [`OpenLogError::System`].
    pub fn open(data_dir: &Path) -> Result<Self, OpenLogError> {
        let folder = data_dir.join(FOLDER);
        let path = folder.join(EVIDENCE);
        let evidence = open(&path)
            .and_then(|file| Ok((file.metadata()?.is_file(), file)))
            .map_err(|source| match source.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => {
                    OpenLogError::Missing(data_dir.to_path_buf())
                }
                _ => OpenLogError::System(PrivateDirError::System {
                    action: "open",
                    path: path.clone(),
                    source,
                }),
            })?;
        match evidence {
            (true, evidence) => Ok(Self {
                evidence,
                checkpoint: folder.join(CHECKPOINT),
            }),
            (false, _) => Err(OpenLogError::Untrusted(PrivateDirError::Kind(path, "file"))),
        }
    }
}

/// A pipe that stands in for the file must not hang whoever looks at a folder from elsewhere: what is read from it is nothing.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags).open(path)
}

impl LogReader for FileLogReader {
    fn read(&self, offset_bytes: u64, length_bytes_max: usize) -> Result<Vec<u8>, PortError> {
        let fail = |detail: String| {
            PortError::new(PortFault::Unavailable, "read the evidence log", detail)
                .with_code("AIM-D001")
        };
        let length = self
            .evidence
            .metadata()
            .map_err(|e| fail(e.to_string()))?
            .len();
        let there = usize::try_from(length.saturating_sub(offset_bytes)).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        let room = there.min(length_bytes_max);
        bytes
            .try_reserve_exact(room)
            .map_err(|e| fail(e.to_string()))?;
        bytes.resize(room, 0);
        let mut filled = 0;
        // BOUND: each turn fills at least one byte or ends the loop.
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self
                .evidence
                .read_at(rest, offset_bytes.saturating_add(filled as u64))
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(fail(error.to_string())),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, PortError> {
        let fail = |detail: String| {
            PortError::new(PortFault::Unavailable, "read the checkpoint", detail)
                .with_code("AIM-D001")
        };
        let file = match open(&self.checkpoint) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error.to_string())),
        };
        let mut bytes = Vec::new();
        file.take(CHECKPOINT_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| fail(error.to_string()))?;
        if bytes.len() > CHECKPOINT_BYTES_MAX {
            return Err(fail(format!("larger than {CHECKPOINT_BYTES_MAX} bytes")));
        }
        Ok(Some(bytes))
    }
}
