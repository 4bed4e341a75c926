//! The host's side: one message a call, one answer, and never a wait without end.
//!
//! INVARIANT: after a signer was slow, gone or talked nonsense it is killed and every later call is refused; a late answer
//! can not be taken for the answer to another question.

use std::time::Duration;

use aim_hardening::{
    channel::ChannelError,
    side_process::{SideCommand, SideProcess},
};
use aim_ports::{
    PortError, PortFault,
    signer::{CheckpointRequest, PublicKeys, SignedTree, Signer},
};

use crate::{
    MESSAGE_BYTES_MAX,
    wire::{Answer, write_checkpoint, write_statements, write_tree},
};

/// How long the signer may take for one call: thousands of times what it needs, so that a machine that stands still for a while
/// does not cost a run.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to start, from a cold disk as well.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// Room for the fields around the payloads of a message.
const MARGIN_BYTES: usize = 4096;
/// What one statement may have at most, so that a message holds at least a handful.
const STATEMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Leaves of one message.
const LEAVES_MAX: usize = 256 * 1024;

/// A running signer. Dropping it ends the process.
#[derive(Debug)]
pub struct SignerProcess {
    process: Option<SideProcess>,
    keys: PublicKeys,
    patience: Duration,
}

impl SignerProcess {
    /// Starts the signer, a program that calls [`crate::serve`], and waits until it has its keys. Start it before the
    /// host confines itself.
    ///
    /// # Errors
    /// [`PortFault::Unavailable`] when it does not start; what it says about its keys otherwise (`AIM-K…`).
    pub fn spawn(command: &SideCommand) -> Result<Self, PortError> {
        Self::spawn_with_patience(command, PATIENCE)
    }

    /// As [`SignerProcess::spawn`], with another bound for each call. The start has its own.
    ///
    /// # Errors
    /// As there.
    pub fn spawn_with_patience(
        command: &SideCommand,
        patience: Duration,
    ) -> Result<Self, PortError> {
        let mut process = SideProcess::start(command, MESSAGE_BYTES_MAX).map_err(|error| {
            unavailable(format!(
                "`{}` does not start: {error}",
                command.program.display()
            ))
        })?;
        match converse(&mut process, None, START_PATIENCE)? {
            Answer::Hello(keys) => Ok(Self {
                process: Some(process),
                keys,
                patience,
            }),
            Answer::Error(error) => Err(error),
            _ => Err(nonsense()),
        }
    }

    /// The signer's process id; `None` once it is gone.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(SideProcess::id)
    }

    fn ask(&mut self, request: &[u8]) -> Result<Answer, PortError> {
        let process = self
            .process
            .as_mut()
            .ok_or_else(|| unavailable("it failed before; start the host again".to_owned()))?;
        match converse(process, Some(request), self.patience) {
            Ok(Answer::Error(error)) => Err(error),
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.end();
                Err(error)
            }
        }
    }

    /// Kills a signer that can not be trusted to answer in step any more.
    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    fn end_for_nonsense(&mut self) -> PortError {
        self.end();
        nonsense()
    }
}

impl Signer for SignerProcess {
    fn public_keys(&self) -> PublicKeys {
        self.keys
    }

    fn sign_statements(&mut self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError> {
        let mut signatures = Vec::with_capacity(payloads.len());
        // BOUND: each turn takes at least one payload.
        let mut rest = payloads;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest)?);
            rest = later;
            match self.ask(&write_statements(now))? {
                Answer::Signatures(new) if new.len() == now.len() => signatures.extend(new),
                _ => return Err(self.end_for_nonsense()),
            }
        }
        Ok(signatures)
    }

    fn sign_checkpoint(&mut self, request: &CheckpointRequest) -> Result<Vec<u8>, PortError> {
        let mut first = request.first_index;
        let mut rest = request.leaf_hashes.as_slice();
        // BOUND: each turn takes leaves or is the last. More than one message is needed only to catch up with an old log.
        loop {
            let (now, later) = rest.split_at(rest.len().min(LEAVES_MAX));
            let message = write_checkpoint(&request.origin, first, now);
            let Answer::Note(note) = self.ask(&message)? else {
                return Err(self.end_for_nonsense());
            };
            if later.is_empty() {
                return Ok(note);
            }
            first = first.saturating_add(now.len() as u64);
            rest = later;
        }
    }

    fn signed_tree(&mut self, origin: &str) -> Result<Option<SignedTree>, PortError> {
        match self.ask(&write_tree(origin))? {
            Answer::Tree(tree) => Ok(tree),
            _ => Err(self.end_for_nonsense()),
        }
    }
}

/// How many payloads go into the next message; at least one.
fn fitting(payloads: &[&[u8]]) -> Result<usize, PortError> {
    let mut room = MESSAGE_BYTES_MAX - MARGIN_BYTES;
    let mut count = 0;
    for payload in payloads {
        if payload.len() > STATEMENT_BYTES_MAX {
            let detail = format!(
                "{} bytes, the limit is {STATEMENT_BYTES_MAX}",
                payload.len()
            );
            return Err(PortError::new(
                PortFault::Exhausted,
                "sign a statement",
                detail,
            ));
        }
        match room.checked_sub(payload.len() + 8) {
            Some(left) => room = left,
            None => break,
        }
        count += 1;
    }
    Ok(count)
}

fn converse(
    process: &mut SideProcess,
    request: Option<&[u8]>,
    patience: Duration,
) -> Result<Answer, PortError> {
    let gone = || unavailable(ChannelError::Closed.to_string());
    let channel = process.channel().ok_or_else(gone)?;
    let exchanged = request
        .map_or(Ok(()), |request| channel.send(request, Some(patience)))
        .and_then(|()| channel.receive(Some(patience)))
        .map_err(|error| unavailable(error.to_string()))?;
    Answer::read(&exchanged).ok_or_else(nonsense)
}

fn nonsense() -> PortError {
    unavailable("it answered nonsense".to_owned())
}

fn unavailable(detail: String) -> PortError {
    PortError::new(PortFault::Unavailable, "ask the signer", detail).with_code("AIM-K005")
}
