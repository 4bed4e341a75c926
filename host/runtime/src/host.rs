//! The open host: a log that was recovered or begun, and the thread that writes to it.
//!
//! INVARIANT: a log is written to only after everything in it was read and held against this machine's own keys, its tail was
//! found whole or safely cut, and the signer agrees about how much of it there must be.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::{
    digest::{Digest, Sha256, encode_hex},
    frame::{ChainPosition, FrameFault, FrameKind},
    leaf::{LeafKind, SigningMode},
    staged::Published,
    time::Timestamp,
    traffic::TrafficLimits,
    witness::{EPOCH_PREDICATE, EngineRecord, EpochPredicate, HostRecord, Statement, Subject},
};
use aim_ports::{
    PortError,
    artifact::ArtifactStore,
    clock::Clock,
    entropy::Entropy,
    log::{LogReader, LogWriter},
    signer::{CheckpointRequest, PublicKeys, SignedTree, Signer},
};
use aim_trust::{
    genesis::Genesis,
    sequence::{NewFrame, Sequencer},
};

mod reading;

use self::reading::{check_vouched, read_and_recover, unsigned};
use crate::{
    commit::{CommitError, CommitParts, Committer, Pen},
    effects::{Effects, WritableFolders, pending, publication, rebuild},
    history::GateHistory,
    ledger::{Ledger, LedgerError},
    outside::{Outside, Unwitnessed},
    resume::Payloads,
    traffic::Door,
    turnstile::Turnstile,
};

/// What every statement says about the host.
#[derive(Debug, Clone)]
pub struct HostFacts {
    /// The log's origin line.
    pub origin: String,
    /// Version and isolation.
    pub host: HostRecord,
    /// The engine.
    pub engine: EngineRecord,
    /// Digest of the effective configuration.
    pub config: Digest,
}

/// A host that may run.
#[derive(Debug)]
pub struct Host {
    /// What statements say about it.
    pub facts: HostFacts,
    /// Makes evidence durable.
    pub committer: Committer,
    /// Large payloads.
    pub store: Arc<dyn ArtifactStore>,
    /// Time, as the host claims it.
    pub clock: Arc<dyn Clock>,
    /// What it can do outside of itself.
    pub outside: Outside,
    /// Effects that an interrupted host has left without a witness.
    pub(crate) unwitnessed: Unwitnessed,
    /// Where attempts wait for a place.
    pub door: Door,
    /// Random bytes, for steps that are granted real ones.
    pub entropy: Arc<dyn Entropy>,
    /// What steps have changed in buckets and folders.
    pub effects: Arc<Effects>,
    /// What gates said before, as the log has it.
    pub history: Arc<GateHistory>,
    /// The queue in front of the gates.
    pub turnstile: Turnstile,
}

/// What a host is opened with.
#[derive(Debug)]
pub struct HostParts {
    /// Reads the log.
    pub reader: Arc<dyn LogReader>,
    /// Writes the log.
    pub writer: Box<dyn LogWriter>,
    /// Signs.
    pub signer: Box<dyn Signer>,
    /// Large payloads.
    pub store: Arc<dyn ArtifactStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How many attempts may run and wait.
    pub traffic: TrafficLimits,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The folders that steps may change, by name.
    pub folders: WritableFolders,
    /// What the host can do outside of itself.
    pub outside: Outside,
    /// How witnesses are signed.
    pub mode: SigningMode,
    /// Origin line of a log that has to be begun; must not have been used before.
    pub new_origin: String,
    /// Version and isolation.
    pub host: HostRecord,
    /// The engine.
    pub engine: EngineRecord,
    /// Digest of the effective configuration.
    pub config: Digest,
}

/// Why a host could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log can not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Something that was durable is damaged.
    #[error("the evidence log is damaged: {0}")]
    Damaged(FrameFault),
    /// Leaves that were published or signed for are not in the log.
    #[error(
        "the evidence log ends at leaf {found}, and {known} leaves are known to have been in it"
    )]
    Cut {
        /// Leaves in the log.
        found: u64,
        /// Leaves that are known to have been there.
        known: u64,
    },
    /// The log belongs to other keys.
    #[error("the evidence log is signed with other keys than this machine's")]
    Keys,
    /// The log is whole, and not everything in it was signed by this machine's keys.
    #[error("the evidence log holds what this machine's keys have not vouched for: {0}")]
    Unvouched(String),
    /// The beginning could not be written, or the checkpoint could not be read.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The beginning could not be committed.
    #[error("beginning the log: {0}")]
    Commit(#[from] CommitError),
    /// Changes that are committed can not be brought to their folder.
    #[error("publishing what a step has committed to folder `{folder}`: {detail}")]
    Publish {
        /// The folder.
        folder: String,
        /// What is in the way.
        detail: String,
    },
    /// The system gives no thread.
    #[error("starting the commit thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl OpenError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.code(),
            Self::Damaged(_) => "AIM-E022",
            Self::Cut { .. } => "AIM-E023",
            Self::Keys => "AIM-E024",
            Self::Unvouched(_) => "AIM-E025",
            Self::Port(error) => error.code.unwrap_or("AIM-D020"),
            Self::Commit(error) => error.code(),
            Self::Publish { .. } => "AIM-S001",
            Self::Thread(_) => "AIM-D021",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Ledger(_) | Self::Damaged(_) => {
                "run `aimctl verify` to see what is damaged; nothing was changed"
            }
            Self::Cut { .. } => "restore the log from a copy; this one was cut or rolled back",
            Self::Keys => {
                "use the key folder that the log was begun with, or another data directory"
            }
            Self::Unvouched(_) => {
                "run `aimctl verify` with this machine's public keys to see what it is; use another data directory"
            }
            Self::Publish { .. } => {
                "make room in the folder or give it back its permissions, then run again"
            }
            Self::Port(_) | Self::Commit(_) | Self::Thread(_) => {
                "see the cause above; nothing was released"
            }
        }
        .to_owned()
    }
}

impl Host {
    /// Opens a host: reads the whole log once, cuts an unfinished last block, begins a log where there is none. What the log
    /// says is returned beside it.
    ///
    /// # Errors
    /// [`OpenError`]; the log is unchanged but for the cut of bytes that were never durable.
    pub fn open(mut parts: HostParts) -> Result<(Self, Ledger), OpenError> {
        let reader = Arc::clone(&parts.reader);
        let mut reading = read_and_recover(&mut parts)?;
        if reading.ledger.position() == ChainPosition::START {
            begin(&mut parts)?;
            reading = read_and_recover(&mut parts)?;
        }
        if reading.ledger.keys() != Some(parts.signer.public_keys()) {
            return Err(OpenError::Keys);
        }
        let (mut ledger, signed) = check_vouched(&mut parts, reading)?;
        finish_publications(&mut parts, &mut ledger)?;
        let unwitnessed = unwitnessed(&ledger, &parts)?;
        let effects = Arc::new(Effects::new(
            rebuild(
                Payloads {
                    ledger: &ledger,
                    reader: &*reader,
                    store: &*parts.store,
                },
                u64::MAX,
            ),
            parts.folders,
            Arc::clone(&parts.store),
        ));
        let origin = ledger.origin().to_owned();
        let unsigned = unsigned(&ledger, signed);
        let signer = SharedSigner(Arc::new(Mutex::new(parts.signer)));
        let committer = Committer::spawn(CommitParts {
            sequencer: Sequencer::resume(ledger.position()),
            origin: origin.clone(),
            mode: parts.mode,
            checkpoints: parts.writer.publisher()?,
            writer: parts.writer,
            checkpoint_signer: Box::new(signer.clone()),
            signer: Box::new(signer),
            unpublished: (signed, unsigned),
        })?;
        let facts = HostFacts {
            origin,
            host: parts.host,
            engine: parts.engine,
            config: parts.config,
        };
        Ok((
            Self {
                facts,
                committer,
                store: parts.store,
                clock: parts.clock,
                outside: parts.outside,
                unwitnessed,
                door: Door::new(parts.traffic),
                entropy: parts.entropy,
                effects,
                history: Arc::new(GateHistory::of(&ledger)),
                turnstile: Turnstile::default(),
            },
            ledger,
        ))
    }
}

/// Has the signer sign for leaves, and publishes the checkpoint.
fn publish(
    parts: &mut HostParts,
    origin: String,
    first_index: u64,
    leaf_hashes: Vec<[u8; 32]>,
) -> Result<(), PortError> {
    let request = CheckpointRequest {
        origin,
        first_index,
        leaf_hashes,
    };
    let note = parts.signer.sign_checkpoint(&request)?;
    parts.writer.publisher()?.publish(&note)
}

/// Brings what a crash left between commit and folder to its folder, and notes it, before anything runs.
fn finish_publications(parts: &mut HostParts, ledger: &mut Ledger) -> Result<(), OpenError> {
    let keys = parts.signer.public_keys();
    let pen = Pen::new(parts.mode, &keys);
    let reader = Arc::clone(&parts.reader);
    for pending in pending(ledger) {
        // A folder that is not configured any more keeps waiting; whoever configures it again gets what was committed.
        let Some(folder) = parts.folders.get(&pending.folder) else {
            continue;
        };
        let payloads = Payloads {
            ledger,
            reader: &*reader,
            store: &*parts.store,
        };
        let fault = |detail: String| OpenError::Publish {
            folder: pending.folder.clone(),
            detail,
        };
        let changes = publication(payloads, &pending).map_err(fault)?;
        folder
            .publish(&changes)
            .map_err(|error| fault(error.to_string()))?;
        let note = Published::new(&pending.folder, pending.witness).encode();
        let frames = vec![NewFrame::Note {
            kind: FrameKind::EventNote,
            body: &note,
        }];
        let mut sequencer = Sequencer::resume(ledger.position());
        let (writer, signer) = (parts.writer.as_mut(), parts.signer.as_mut());
        pen.write(&mut sequencer, frames, writer, signer)?;
        ledger.refresh(&*reader)?;
    }
    Ok(())
}

/// What an interrupted host has left, with the answers that were kept. An answer that is gone stays away: whoever needs it
/// can not go on.
fn unwitnessed(ledger: &Ledger, parts: &HostParts) -> Result<Unwitnessed, OpenError> {
    let priors = ledger.unwitnessed_effects().clone();
    let mut answers = BTreeMap::new();
    let outcomes = priors.values().flatten();
    let outcomes = outcomes.filter_map(|prior| prior.outcome.as_ref());
    for digest in outcomes.filter_map(|outcome| outcome.response) {
        let kept = match ledger.blob(&*parts.reader, digest)? {
            Some(bytes) => Some(bytes),
            None => parts.store.read(digest).ok(),
        };
        answers.extend(kept.map(|bytes| (digest, bytes)));
    }
    Ok(Unwitnessed { priors, answers })
}

/// Writes the first block: the genesis, and the signed statement that opens the log.
fn begin(parts: &mut HostParts) -> Result<(), OpenError> {
    let keys = parts.signer.public_keys();
    let created_at = parts.clock.now();
    let genesis = Genesis {
        origin: parts.new_origin.clone(),
        keys,
        created_at: created_at.to_string(),
        host_version: parts.host.version.clone(),
    };
    let genesis = genesis.to_json();
    let epoch = epoch(parts, &keys, created_at);
    let frames = vec![
        NewFrame::Note {
            kind: FrameKind::Genesis,
            body: &genesis,
        },
        NewFrame::Witness {
            kind: LeafKind::Epoch,
            statement: &epoch,
        },
    ];
    let mut sequencer = Sequencer::start();
    let pen = Pen::new(parts.mode, &keys);
    let written = pen.write(
        &mut sequencer,
        frames,
        parts.writer.as_mut(),
        parts.signer.as_mut(),
    )?;
    match parts.mode {
        SigningMode::Each => Ok(()),
        // Where only checkpoints vouch for leaves, the signer knows a log of its own before anything else is in it.
        SigningMode::Batch => Ok(publish(
            parts,
            parts.new_origin.clone(),
            0,
            written.leaf_hashes,
        )?),
    }
}

fn epoch(parts: &HostParts, keys: &PublicKeys, created_at: Timestamp) -> Vec<u8> {
    let origin = parts.new_origin.clone();
    let bytes = origin.as_bytes();
    let subject = Subject::new("log", Digest::of(bytes), Sha256::of(bytes));
    let predicate = EpochPredicate {
        created_at,
        host: parts.host.clone(),
        keys: [("log", keys.log), ("step", keys.step)]
            .map(|(role, key)| (role.to_owned(), encode_hex(&key)))
            .into(),
        origin,
    };
    Statement::new(EPOCH_PREDICATE, vec![subject], predicate).payload()
}

/// One signer for two threads. The checkpoint thread holds it for one request at a time, at most every 50 ms.
#[derive(Debug, Clone)]
struct SharedSigner(Arc<Mutex<Box<dyn Signer>>>);

impl SharedSigner {
    fn with<T>(&self, ask: impl FnOnce(&mut dyn Signer) -> T) -> T {
        let mut signer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ask(signer.as_mut())
    }
}

impl Signer for SharedSigner {
    fn public_keys(&self) -> PublicKeys {
        self.with(|signer| signer.public_keys())
    }

    fn sign_statements(&mut self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError> {
        self.with(|signer| signer.sign_statements(payloads))
    }

    fn sign_checkpoint(&mut self, request: &CheckpointRequest) -> Result<Vec<u8>, PortError> {
        self.with(|signer| signer.sign_checkpoint(request))
    }

    fn signed_tree(&mut self, origin: &str) -> Result<Option<SignedTree>, PortError> {
        self.with(|signer| signer.signed_tree(origin))
    }
}
