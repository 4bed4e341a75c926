//! The commit thread: the one place where evidence becomes durable, and the thread that publishes checkpoints behind it.
//!
//! ```text
//! attempts --> queue --> [ sign | write | sync ] --> answers          the next group starts when the last sync returns
//!                              \--> leaf hashes --> [ sign checkpoint | publish ]      gates nothing but itself
//! ```
//! A group is whatever has queued up while the last one was written: no timer, no minimum.
//!
//! INVARIANT: a [`Position`] is made here and only after the sync that covers it has returned. After a failed sync nothing
//! is written any more.

use std::{
    sync::{Arc, mpsc as thread_channel},
    thread::JoinHandle,
    time::Duration,
};

use aim_core::{
    attempt::Position,
    digest::Digest,
    frame::FrameKind,
    leaf::{KeyId, LeafKind, SigningMode},
};
use aim_ports::{
    PortError, PortFault,
    log::{CheckpointWriter, LogWriter},
    signer::{CheckpointRequest, PublicKeys, Signer},
};
use aim_trust::{
    key::{KeyRole, key_id},
    sequence::{Finished, NewFrame, SequenceError, Sequencer, Signing},
};
use tokio::sync::{mpsc, oneshot};

/// Submissions that wait for the commit thread at most; past that, submitters wait.
const QUEUE_MAX: usize = 4096;
/// Submissions of one group at most.
const GROUP_MAX: usize = 1024;
/// Bytes of one group at most, but for a single larger submission.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Shortest time between two checkpoints while leaves keep coming: each costs the signer its own sync.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(50);

/// Frames that become durable together.
#[derive(Debug)]
pub struct Submission {
    witness: Option<Statement>,
    note: Option<(FrameKind, Vec<u8>)>,
    blobs: Vec<(Digest, Arc<[u8]>)>,
}

/// A statement on its way to its leaf.
#[derive(Debug)]
struct Statement {
    kind: LeafKind,
    bytes: Vec<u8>,
    /// BLAKE3 of the bytes, computed by the submitter: the commit thread is the one that everybody waits for.
    digest: Digest,
}

impl Submission {
    /// A statement that gets a leaf, and payloads beside it.
    #[must_use]
    pub fn witness(kind: LeafKind, statement: Vec<u8>, blobs: Vec<(Digest, Arc<[u8]>)>) -> Self {
        Self {
            witness: Some(Statement {
                kind,
                digest: Digest::of(&statement),
                bytes: statement,
            }),
            note: None,
            blobs,
        }
    }

    /// A frame without a statement, and payloads beside it.
    #[must_use]
    pub const fn frame(kind: FrameKind, body: Vec<u8>, blobs: Vec<(Digest, Arc<[u8]>)>) -> Self {
        Self {
            witness: None,
            note: Some((kind, body)),
            blobs,
        }
    }

    /// The statement that gets a leaf; empty without one.
    #[must_use]
    pub fn statement(&self) -> &[u8] {
        self.witness
            .as_ref()
            .map_or(&[], |statement| statement.bytes.as_slice())
    }

    fn bytes(&self) -> usize {
        let witness = self
            .witness
            .as_ref()
            .map_or(0, |statement| statement.bytes.len());
        let note = self.note.as_ref().map_or(0, |(_, body)| body.len());
        self.blobs
            .iter()
            .map(|(_, bytes)| bytes.len())
            .fold(witness + note, usize::saturating_add)
    }

    /// Payloads first, so that whoever reads the statement has met them.
    fn frames(&self) -> impl Iterator<Item = NewFrame<'_>> {
        let note = self
            .note
            .iter()
            .map(|(kind, body)| NewFrame::Note { kind: *kind, body });
        let blobs = self.blobs.iter().map(|(digest, bytes)| NewFrame::Blob {
            digest: *digest,
            bytes,
        });
        let witness = self.witness.iter().map(|statement| NewFrame::Witness {
            kind: statement.kind,
            statement: &statement.bytes,
        });
        note.chain(blobs).chain(witness)
    }
}

/// Why something was not made durable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// The disk is full: nothing was kept, and the host can go on once there is room.
    #[error("{0}")]
    Full(PortError),
    /// No signature could be had: nothing was written.
    #[error("{0}")]
    Signer(PortError),
    /// A write or sync failed, or did earlier: the host must stop.
    #[error("{0}")]
    FailStop(PortError),
    /// The submission does not fit the log's rules: our bug.
    #[error("{0}")]
    Rule(SequenceError),
    /// The commit thread is gone.
    #[error("the commit thread has ended")]
    Gone,
}

impl CommitError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full(_) => "AIM-W001",
            Self::Signer(_) => "AIM-W002",
            Self::FailStop(_) => "AIM-W003",
            Self::Rule(_) | Self::Gone => "AIM-W004",
        }
    }
}

/// Everything that the commit thread owns.
#[derive(Debug)]
pub struct CommitParts {
    /// Where the next block goes.
    pub sequencer: Sequencer,
    /// The log's origin line.
    pub origin: String,
    /// How witnesses are signed.
    pub mode: SigningMode,
    /// Writes blocks.
    pub writer: Box<dyn LogWriter>,
    /// Publishes checkpoints.
    pub checkpoints: Box<dyn CheckpointWriter>,
    /// Signs statements.
    pub signer: Box<dyn Signer>,
    /// Signs checkpoints.
    pub checkpoint_signer: Box<dyn Signer>,
    /// Leaves that the log holds and no checkpoint covers: index of the first, and their hashes.
    pub unpublished: (u64, Vec<[u8; 32]>),
}

struct Request {
    submission: Submission,
    answer: oneshot::Sender<Result<Committed, CommitError>>,
}

/// What became durable.
#[derive(Debug, Clone, Copy)]
pub struct Committed {
    /// Sequence of the submission's first frame.
    pub sequence: u64,
    /// Where the witness is, if there was one.
    pub position: Option<Position>,
}

/// Hands submissions to the commit thread. Give every handle back before the committer is closed: it waits for them.
#[derive(Debug, Clone)]
pub struct CommitHandle {
    queue: mpsc::Sender<Request>,
}

impl CommitHandle {
    /// Makes a submission durable.
    ///
    /// # Errors
    /// [`CommitError`]; nothing of the submission is in the log then.
    pub async fn commit(&self, submission: Submission) -> Result<Committed, CommitError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { submission, answer };
        self.queue
            .send(request)
            .await
            .map_err(|_| CommitError::Gone)?;
        answered.await.map_err(|_| CommitError::Gone)?
    }
}

/// Owns the commit thread.
#[derive(Debug)]
pub struct Committer {
    queue: CommitHandle,
    threads: Option<Threads>,
}

#[derive(Debug)]
struct Threads {
    committing: JoinHandle<()>,
    publishing: JoinHandle<Result<(), PortError>>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

impl Committer {
    /// Starts the two threads.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub fn spawn(parts: CommitParts) -> Result<Self, std::io::Error> {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let (leaves, new_leaves) = thread_channel::channel();
        let publisher = Publisher {
            origin: parts.origin,
            signer: parts.checkpoint_signer,
            checkpoints: parts.checkpoints,
        };
        let (first_index, hashes) = parts.unpublished;
        let publishing = std::thread::Builder::new()
            .name("aim-checkpoint".to_owned())
            .spawn(move || publisher.run(first_index, hashes, &new_leaves))?;
        let group = Group {
            sequencer: parts.sequencer,
            pen: Pen::new(parts.mode, &parts.signer.public_keys()),
            writer: parts.writer,
            signer: parts.signer,
            leaves,
            stopped: None,
        };
        let committing = std::thread::Builder::new()
            .name("aim-commit".to_owned())
            .spawn(move || group.run(requests))?;
        Ok(Self {
            queue: CommitHandle { queue },
            threads: Some(Threads {
                committing,
                publishing,
            }),
        })
    }

    /// Makes a submission durable.
    ///
    /// # Errors
    /// [`CommitError`]; nothing of the submission is in the log then.
    pub async fn commit(&self, submission: Submission) -> Result<Committed, CommitError> {
        self.queue.commit(submission).await
    }

    /// A handle for a task that outlives the borrow of this one.
    #[must_use]
    pub fn handle(&self) -> CommitHandle {
        self.queue.clone()
    }

    /// Makes a statement durable.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn commit_witness(&self, submission: Submission) -> Result<Position, CommitError> {
        self.commit(submission)
            .await?
            .position
            .ok_or(CommitError::Rule(SequenceError::Kind))
    }

    /// Writes what is queued, publishes the last checkpoint and ends both threads. Blocks.
    ///
    /// # Errors
    /// [`PortError`] when the last checkpoint could not be signed or published; the log itself is durable.
    pub fn close(mut self) -> Result<(), PortError> {
        let Some(Threads {
            committing,
            publishing,
        }) = self.threads.take()
        else {
            return Ok(());
        };
        drop(self);
        let gone = |_| PortError::new(PortFault::FailStop, "commit thread", "it ended by a panic");
        committing.join().map_err(gone)?;
        publishing.join().map_err(gone)?
    }
}

/// The commit thread's state.
struct Group {
    sequencer: Sequencer,
    pen: Pen,
    writer: Box<dyn LogWriter>,
    signer: Box<dyn Signer>,
    leaves: thread_channel::Sender<Vec<[u8; 32]>>,
    stopped: Option<PortError>,
}

impl Group {
    fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut group = Vec::new();
        while let Some(first) = requests.blocking_recv() {
            let mut bytes = first.submission.bytes();
            group.push(first);
            while group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
                let Ok(next) = requests.try_recv() else { break };
                bytes = bytes.saturating_add(next.submission.bytes());
                group.push(next);
            }
            let result = self.commit(&group);
            answer(&mut group, result);
        }
    }

    fn commit(&mut self, group: &[Request]) -> Result<Finished, CommitError> {
        if let Some(error) = &self.stopped {
            return Err(CommitError::FailStop(error.clone()));
        }
        let frames = group
            .iter()
            .flat_map(|request| request.submission.frames())
            .collect();
        let written = self.pen.write(
            &mut self.sequencer,
            frames,
            self.writer.as_mut(),
            self.signer.as_mut(),
        );
        let finished = written.inspect_err(|error| {
            if let CommitError::FailStop(error) = error {
                self.stopped = Some(error.clone());
            }
        })?;
        if !finished.leaf_hashes.is_empty() {
            // A publisher that is gone is reported by `close`; evidence does not wait for it.
            drop(self.leaves.send(finished.leaf_hashes.clone()));
        }
        Ok(finished)
    }
}

/// How blocks are written: signed, appended, and only then believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pen {
    pub(crate) mode: SigningMode,
    pub(crate) step_key: KeyId,
    pub(crate) log_key: KeyId,
}

impl Pen {
    pub(crate) fn new(mode: SigningMode, keys: &PublicKeys) -> Self {
        Self {
            mode,
            step_key: key_id(KeyRole::Step, &keys.step),
            log_key: key_id(KeyRole::Log, &keys.log),
        }
    }

    /// Writes one block durably.
    pub(crate) fn write(
        self,
        sequencer: &mut Sequencer,
        frames: Vec<NewFrame<'_>>,
        writer: &mut dyn LogWriter,
        signer: &mut dyn Signer,
    ) -> Result<Finished, CommitError> {
        let prepared = sequencer.prepare(frames).map_err(CommitError::Rule)?;
        let statements = prepared.statements();
        let signatures = match self.mode {
            SigningMode::Each if !statements.is_empty() => signer
                .sign_statements(&statements)
                .map_err(CommitError::Signer)?,
            _ => Vec::new(),
        };
        let signing = match self.mode {
            SigningMode::Each => Signing::Each {
                key: self.step_key,
                signatures: &signatures,
            },
            SigningMode::Batch => Signing::Batch { key: self.log_key },
        };
        let finished = sequencer
            .finish(&prepared, &signing)
            .map_err(CommitError::Rule)?;
        writer.append(&finished.bytes).map_err(|error| {
            if error.fault == PortFault::Exhausted {
                CommitError::Full(error)
            } else {
                CommitError::FailStop(error)
            }
        })?;
        sequencer.advance(&finished).map_err(CommitError::Rule)?;
        Ok(finished)
    }
}

/// Answers every request of a group. A submitter that no longer listens has lost nothing: its witness is durable.
fn answer(group: &mut Vec<Request>, result: Result<Finished, CommitError>) {
    let finished = match result {
        Ok(finished) => finished,
        Err(error) => {
            for request in group.drain(..) {
                drop(request.answer.send(Err(error.clone())));
            }
            return;
        }
    };
    let mut positions = finished.positions.iter();
    for request in group.drain(..) {
        let frames = request.submission.frames().count();
        let places: Vec<_> = positions.by_ref().take(frames).collect();
        let sequence = places.first().map_or(0, |place| place.sequence);
        let position = request.submission.witness.as_ref().and_then(|statement| {
            let place = places.last()?;
            Some(Position {
                index: place.leaf_index?,
                sequence: place.sequence,
                witness: statement.digest,
            })
        });
        drop(request.answer.send(Ok(Committed { sequence, position })));
    }
}

/// The checkpoint thread's state.
struct Publisher {
    origin: String,
    signer: Box<dyn Signer>,
    checkpoints: Box<dyn CheckpointWriter>,
}

impl Publisher {
    fn run(
        mut self,
        mut first_index: u64,
        mut leaf_hashes: Vec<[u8; 32]>,
        new_leaves: &thread_channel::Receiver<Vec<[u8; 32]>>,
    ) -> Result<(), PortError> {
        let mut is_open = true;
        // BOUND: every turn but the last waits for new leaves; the last is when the commit thread has ended.
        while is_open {
            if leaf_hashes.is_empty() {
                match new_leaves.recv() {
                    Ok(hashes) => leaf_hashes.extend(hashes),
                    Err(_) => return Ok(()),
                }
            }
            is_open = collect(new_leaves, &mut leaf_hashes);
            let count = leaf_hashes.len() as u64;
            let request = CheckpointRequest {
                origin: self.origin.clone(),
                first_index,
                leaf_hashes,
            };
            let checkpoint = self.signer.sign_checkpoint(&request)?;
            self.checkpoints.publish(&checkpoint)?;
            first_index = first_index.saturating_add(count);
            leaf_hashes = Vec::new();
        }
        Ok(())
    }
}

/// Takes what comes within the pause; false when nothing can come any more.
fn collect(
    new_leaves: &thread_channel::Receiver<Vec<[u8; 32]>>,
    leaf_hashes: &mut Vec<[u8; 32]>,
) -> bool {
    let until = std::time::Instant::now() + CHECKPOINT_PAUSE;
    // BOUND: the pause.
    loop {
        let left = until.saturating_duration_since(std::time::Instant::now());
        match new_leaves.recv_timeout(left) {
            Ok(hashes) => leaf_hashes.extend(hashes),
            Err(thread_channel::RecvTimeoutError::Timeout) => return true,
            Err(thread_channel::RecvTimeoutError::Disconnected) => return false,
        }
    }
}
