//! Appending to the log so that it is durable, and stopping for good when that is in doubt.
//!
//! ```text
//! append: reserve blocks -> write at the end -> fdatasync -> length grows
//!            | no space        | no space         | any error
//!            v                 v                  v
//!         Exhausted    cut back, synced       FailStop, for ever
//!                              | that fails: FailStop, for ever
//!                              v
//!                          Exhausted
//! ```
//!
//! Blocks are reserved ahead without changing the file's size, so that a full disk shows before anything is written and
//! recovery never sees bytes that nobody wrote.
//!
//! INVARIANT: `length` is the number of bytes known to be durable; the file holds exactly those after every return but
//! a fail-stop.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

use aim_hardening::private_dir::{Privacy, PrivateDir, PrivateDirError, is_out_of_space};
use aim_ports::{
    PortError, PortFault,
    log::{CheckpointWriter, LogWriter},
};
use rustix::{
    fs::{FallocateFlags, fallocate, fdatasync},
    io::Errno,
};

use crate::{CHECKPOINT, EVIDENCE, FOLDER, OpenLogError, lock::WriterLock};

/// Blocks are reserved in pieces of this size.
const RESERVE_BYTES: u64 = 4 * 1024 * 1024;

/// The only writer of one data directory's log.
#[derive(Debug)]
pub struct FileLogWriter {
    evidence: File,
    folder: PrivateDir,
    length: u64,
    reserve: Reserve,
    stopped: Option<String>,
    _lock: WriterLock,
}

/// How far blocks are reserved.
#[derive(Debug)]
enum Reserve {
    UpTo(u64),
    /// The file system can not; a full disk then shows on writing.
    Unsupported,
}

impl FileLogWriter {
    /// Opens the log below `data_dir` for writing and makes both when they are not there. `command` is what a second
    /// process is told about this one.
    ///
    /// # Errors
    /// [`OpenLogError::Held`] when another process writes to it; the folder checks; [`OpenLogError::System`].
    pub fn open(data_dir: &Path, command: &str) -> Result<Self, OpenLogError> {
        let data = PrivateDir::open_or_create(data_dir, Privacy::Readable)?;
        let lock = WriterLock::take(&data, command)?;
        let folder = data.subfolder(FOLDER)?;
        let evidence = folder.open_or_create_file(EVIDENCE)?;
        let system = |source: io::Error| {
            OpenLogError::System(PrivateDirError::System {
                action: "open",
                path: folder.path().join(EVIDENCE),
                source,
            })
        };
        // What an earlier process wrote may still be on its way to the disk: make it durable before building on it.
        evidence.sync_all().map_err(system)?;
        let length = evidence.metadata().map_err(system)?.len();
        if length == 0 {
            // Whoever made the file may have died before its entry was durable. A log with content was past that.
            folder.sync()?;
            data.sync()?;
        }
        Ok(Self {
            evidence,
            folder,
            length,
            reserve: Reserve::UpTo(length),
            stopped: None,
            _lock: lock,
        })
    }

    /// Bytes in the log now.
    #[must_use]
    pub const fn length_bytes(&self) -> u64 {
        self.length
    }

    fn refuse_when_stopped(&self) -> Result<(), PortError> {
        match &self.stopped {
            None => Ok(()),
            Some(why) => Err(fail_stop(format!("stopped earlier: {why}"))),
        }
    }

    fn stop(&mut self, why: String) -> PortError {
        self.stopped = Some(why.clone());
        fail_stop(why)
    }

    /// Reserves blocks up to `end`; a big piece when there is room for one.
    fn reserve(&mut self, end: u64) -> io::Result<()> {
        let Reserve::UpTo(reserved) = self.reserve else {
            return Ok(());
        };
        if end <= reserved {
            return Ok(());
        }
        let needed = end - reserved;
        let generous = needed.max(RESERVE_BYTES);
        for size in [generous, needed] {
            match fallocate(&self.evidence, FallocateFlags::KEEP_SIZE, reserved, size) {
                Ok(()) => {
                    self.reserve = Reserve::UpTo(reserved.saturating_add(size));
                    return Ok(());
                }
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.reserve = Reserve::Unsupported;
                    return Ok(());
                }
                Err(errno) if size == needed => return Err(errno.into()),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Cuts what a failed write left behind.
    fn cut_back(&mut self, why: &io::Error) -> PortError {
        let cut = self
            .evidence
            .set_len(self.length)
            .and_then(|()| self.evidence.sync_all());
        if let Reserve::UpTo(_) = self.reserve {
            self.reserve = Reserve::UpTo(self.length);
        }
        match cut {
            Ok(()) => exhausted("append to the evidence log", &why.to_string()),
            Err(error) => self.stop(format!("could not undo a failed write: {error}")),
        }
    }
}

impl LogWriter for FileLogWriter {
    fn append(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.refuse_when_stopped()?;
        let end = self.length.saturating_add(bytes.len() as u64);
        let written = self
            .reserve(end)
            .and_then(|()| self.evidence.write_all_at(bytes, self.length));
        match written {
            Ok(()) => {}
            Err(error) if is_out_of_space(&error) => return Err(self.cut_back(&error)),
            Err(error) => return Err(self.stop(format!("write failed: {error}"))),
        }
        if let Err(errno) = fdatasync(&self.evidence) {
            return Err(self.stop(format!("sync failed: {}", io::Error::from(errno))));
        }
        self.length = end;
        Ok(())
    }

    fn cut(&mut self, length_bytes: u64) -> Result<(), PortError> {
        self.refuse_when_stopped()?;
        if length_bytes > self.length {
            return Err(self.stop(format!(
                "asked to cut {} bytes to {length_bytes}",
                self.length
            )));
        }
        let cut = self
            .evidence
            .set_len(length_bytes)
            .and_then(|()| self.evidence.sync_all());
        if let Err(error) = cut {
            return Err(self.stop(format!("cut failed: {error}")));
        }
        self.length = length_bytes;
        if let Reserve::UpTo(_) = self.reserve {
            self.reserve = Reserve::UpTo(length_bytes);
        }
        Ok(())
    }

    fn publisher(&self) -> Result<Box<dyn CheckpointWriter>, PortError> {
        Ok(Box::new(FileCheckpointWriter {
            folder: self.folder.clone(),
        }))
    }
}

/// Replaces the checkpoint beside the log.
#[derive(Debug)]
struct FileCheckpointWriter {
    folder: PrivateDir,
}

impl CheckpointWriter for FileCheckpointWriter {
    fn publish(&mut self, checkpoint: &[u8]) -> Result<(), PortError> {
        self.folder
            .replace(CHECKPOINT, checkpoint)
            .map_err(|error| {
                if error.is_out_of_space() {
                    return exhausted("publish the checkpoint", &error.to_string());
                }
                PortError::new(
                    PortFault::Unavailable,
                    "publish the checkpoint",
                    error.to_string(),
                )
                .with_code("AIM-D001")
            })
    }
}

fn fail_stop(why: String) -> PortError {
    PortError::new(PortFault::FailStop, "append to the evidence log", why).with_code("AIM-D006")
}

fn exhausted(subject: &str, why: &str) -> PortError {
    PortError::new(
        PortFault::Exhausted,
        subject,
        format!("{why}; nothing was kept, make room and try again"),
    )
    .with_code("AIM-D005")
}

#[cfg(test)]
mod tests;
