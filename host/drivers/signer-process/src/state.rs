//! What the signer remembers about each log, durable before it shows.
//!
//! INVARIANT: between reading a state and storing its successor no other signer of the same key folder can do either, so
//! that two hosts with a copy of one log can not get two roots for one size.

use std::{fs::File, io};

use aim_core::digest::Digest;
use aim_hardening::private_dir::{PrivateDir, PrivateDirError};
use aim_ports::{PortError, PortFault};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// No state is larger: a tree of any size has at most 64 open subtrees.
const STATE_BYTES_MAX: usize = 64 * 1024;

/// States by log, in the key folder's `state`.
#[derive(Debug)]
pub(crate) struct StateStore {
    folder: PrivateDir,
    /// The lock file that was used last; a host has one log.
    lock: Option<(String, File)>,
}

impl StateStore {
    pub(crate) const fn new(folder: PrivateDir) -> Self {
        Self { folder, lock: None }
    }

    /// The state of `origin`; `None` for a log that is not known.
    pub(crate) fn load(&self, origin: &str) -> Result<Option<Vec<u8>>, PortError> {
        match self.folder.read(&file_name(origin), STATE_BYTES_MAX) {
            Ok(state) => Ok(Some(state)),
            Err(PrivateDirError::Missing(_)) => Ok(None),
            Err(error) => Err(fail(&error)),
        }
    }

    /// Lets `act` turn the state of `origin` into an answer and the next state, which is durable when this returns.
    pub(crate) fn advance(
        &mut self,
        origin: &str,
        act: impl FnOnce(Option<&[u8]>) -> Result<(Vec<u8>, Vec<u8>), PortError>,
    ) -> Result<Vec<u8>, PortError> {
        self.lock(origin)?;
        let advanced = self.load(origin).and_then(|state| {
            let (answer, next) = act(state.as_deref())?;
            self.folder
                .replace(&file_name(origin), &next)
                .map_err(|error| fail(&error))?;
            Ok(answer)
        });
        self.unlock()?;
        advanced
    }

    fn lock(&mut self, origin: &str) -> Result<(), PortError> {
        let name = format!("{}.lock", file_name(origin));
        if self.lock.as_ref().is_none_or(|(held, _)| *held != name) {
            let file = self
                .folder
                .open_or_create_file(&name)
                .map_err(|error| fail(&error))?;
            self.lock = Some((name, file));
        }
        self.flock(FlockOperation::LockExclusive)
    }

    fn unlock(&self) -> Result<(), PortError> {
        self.flock(FlockOperation::Unlock)
    }

    fn flock(&self, operation: FlockOperation) -> Result<(), PortError> {
        let Some((_, file)) = &self.lock else {
            return Ok(());
        };
        // BOUND: only a signal makes this turn again.
        loop {
            match flock(file, operation) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => {
                    let detail = io::Error::from(errno).to_string();
                    return Err(unavailable(detail));
                }
            }
        }
    }
}

/// A name without anything of the origin's own spelling in it.
fn file_name(origin: &str) -> String {
    Digest::derive("signer-state", &[origin.as_bytes()]).hex()
}

fn fail(error: &PrivateDirError) -> PortError {
    unavailable(error.to_string())
}

fn unavailable(detail: String) -> PortError {
    PortError::new(PortFault::Unavailable, "keep the signer's state", detail).with_code("AIM-K006")
}
