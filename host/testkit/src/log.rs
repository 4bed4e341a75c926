//! A log in memory that can be told to fail, to tear and to be opened again.
//!
//! INVARIANT: as in a driver, bytes of an append that returned `Ok` are there after every crash.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aim_ports::{
    PortError, PortFault,
    log::{CheckpointWriter, LogReader, LogWriter},
};

/// What happens to one append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendFault {
    /// No space; nothing is kept and the writer lives on.
    Exhausted,
    /// The sync fails; the first `kept_bytes` bytes are found after the crash, the writer is dead.
    FailStop {
        /// How much of the append the disk kept anyway.
        kept_bytes: usize,
    },
}

/// A log that outlives its writers. Clones are the same log.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    checkpoint: Option<Vec<u8>>,
    appends: u64,
    faults: BTreeMap<u64, AppendFault>,
    is_held: bool,
}

impl MemoryLog {
    /// Lets the append with this number fail; the first append ever is number 0.
    pub fn fail_append(&self, number: u64, fault: AppendFault) {
        self.state().faults.insert(number, fault);
    }

    /// How many appends were asked for so far.
    #[must_use]
    pub fn appends(&self) -> u64 {
        self.state().appends
    }

    /// What is durable.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Replaces what is durable, as a damaged disk or an attacker would.
    pub fn damage(&self, act: impl FnOnce(&mut Vec<u8>)) {
        act(&mut self.state().bytes);
    }

    /// Takes write access.
    ///
    /// # Errors
    /// [`PortFault::Busy`] while another writer lives.
    pub fn writer(&self) -> Result<MemoryLogWriter, PortError> {
        let mut state = self.state();
        if state.is_held {
            let detail = "another writer lives";
            return Err(PortError::new(PortFault::Busy, "open the log", detail));
        }
        state.is_held = true;
        Ok(MemoryLogWriter {
            log: self.clone(),
            is_stopped: false,
        })
    }

    /// Read access.
    #[must_use]
    pub fn reader(&self) -> MemoryLogReader {
        MemoryLogReader(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The only writer of a [`MemoryLog`].
#[derive(Debug)]
pub struct MemoryLogWriter {
    log: MemoryLog,
    is_stopped: bool,
}

impl MemoryLogWriter {
    fn refuse_when_stopped(&self) -> Result<(), PortError> {
        if self.is_stopped {
            return Err(fail_stop("stopped earlier"));
        }
        Ok(())
    }
}

impl Drop for MemoryLogWriter {
    fn drop(&mut self) {
        self.log.state().is_held = false;
    }
}

impl LogWriter for MemoryLogWriter {
    fn append(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.refuse_when_stopped()?;
        let mut state = self.log.state();
        let number = state.appends;
        state.appends += 1;
        match state.faults.remove(&number) {
            None => {
                state.bytes.extend_from_slice(bytes);
                Ok(())
            }
            Some(AppendFault::Exhausted) => Err(PortError::new(
                PortFault::Exhausted,
                "append to the log",
                "told to",
            )),
            Some(AppendFault::FailStop { kept_bytes }) => {
                state.bytes.extend(bytes.iter().take(kept_bytes));
                drop(state);
                self.is_stopped = true;
                Err(fail_stop("told to"))
            }
        }
    }

    fn cut(&mut self, length_bytes: u64) -> Result<(), PortError> {
        self.refuse_when_stopped()?;
        let length = usize::try_from(length_bytes).unwrap_or(usize::MAX);
        let mut state = self.log.state();
        if length > state.bytes.len() {
            drop(state);
            self.is_stopped = true;
            return Err(fail_stop("asked to cut to more than there is"));
        }
        state.bytes.truncate(length);
        Ok(())
    }

    fn publisher(&self) -> Result<Box<dyn CheckpointWriter>, PortError> {
        Ok(Box::new(MemoryCheckpointWriter(self.log.clone())))
    }
}

/// Publishes checkpoints of a [`MemoryLog`].
#[derive(Debug)]
struct MemoryCheckpointWriter(MemoryLog);

impl CheckpointWriter for MemoryCheckpointWriter {
    fn publish(&mut self, checkpoint: &[u8]) -> Result<(), PortError> {
        self.0.state().checkpoint = Some(checkpoint.to_vec());
        Ok(())
    }
}

/// Reads a [`MemoryLog`], also while it is written.
#[derive(Debug, Clone)]
pub struct MemoryLogReader(MemoryLog);

impl LogReader for MemoryLogReader {
    fn read(&self, offset_bytes: u64, length_bytes_max: usize) -> Result<Vec<u8>, PortError> {
        let offset = usize::try_from(offset_bytes).unwrap_or(usize::MAX);
        let state = self.0.state();
        Ok(state
            .bytes
            .iter()
            .skip(offset)
            .take(length_bytes_max)
            .copied()
            .collect())
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, PortError> {
        Ok(self.0.state().checkpoint.clone())
    }
}

fn fail_stop(detail: &str) -> PortError {
    PortError::new(PortFault::FailStop, "append to the log", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    #[test]
    fn behaves_as_the_port_says() {
        let log = MemoryLog::default();
        suite::log(
            || log.writer().map_err(|error| error.to_string()),
            || log.reader(),
        );
    }

    #[test]
    fn a_failed_sync_ends_the_writer_and_may_leave_a_torn_tail() {
        let log = MemoryLog::default();
        log.fail_append(1, AppendFault::FailStop { kept_bytes: 2 });
        let mut writer = log.writer().unwrap();
        writer.append(b"one").unwrap();
        assert_eq!(
            writer.append(b"two").unwrap_err().fault,
            PortFault::FailStop
        );
        assert_eq!(
            writer.append(b"three").unwrap_err().fault,
            PortFault::FailStop
        );
        drop(writer);
        assert_eq!(log.bytes(), b"onetw");
        let mut writer = log.writer().unwrap();
        writer.cut(3).unwrap();
        writer.append(b"two").unwrap();
        assert_eq!(log.bytes(), b"onetwo");
    }

    #[test]
    fn a_full_disk_keeps_nothing_and_the_writer_lives() {
        let log = MemoryLog::default();
        log.fail_append(0, AppendFault::Exhausted);
        let mut writer = log.writer().unwrap();
        assert_eq!(
            writer.append(b"one").unwrap_err().fault,
            PortFault::Exhausted
        );
        writer.append(b"two").unwrap();
        assert_eq!(log.bytes(), b"two");
        assert_eq!(log.appends(), 2);
    }
}
