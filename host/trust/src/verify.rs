//! The reader who believes nothing: a log and keys in, a report out.
//!
//! One block is in memory at a time. Every block is checked for its place, its hash and its frames; every statement
//! against its leaf, its key, its kind and its log; every checkpoint against the tree. Damage to the structure ends the
//! reading, since nothing behind it can be placed; other faults are collected.
//!
//! A host that opens its own log brings one thing that no other reader has: its signer's memory of the tree. Where the log leads
//! to the remembered root, everything under it is what the signer was given then, and is not judged a second time; see
//! [`LogVerifier::knowing`].
//!
//! What is *not* proven is part of the report: without keys from outside nothing is authentic, without an anchor from
//! outside a whole log may have been replaced by an older one, and how well the keys were kept is the host's own word.
//!
//! INVARIANT: `authenticated` is true only if keys were given, every leaf is vouched for by one of them and there is no fault.

mod blocks;
mod effects;
mod fault;
mod people;
mod report;
mod statement;

use effects::Effects;

pub use blocks::SliceLog;
pub use fault::{EvidenceFault, FaultKind, Place};
pub use report::{Anchored, FAULTS_MAX, KeySource, KeysUsed, PayloadCount, Report};
pub(crate) use statement::{Judge, StatementHead};

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use aim_core::{
    digest::Digest,
    frame::{BlobState, Block, ChainPosition, FrameBody, FrameFaultReason, WitnessFrame},
    id::ExecutionId,
    leaf::{LEAF_BYTES, Leaf, LeafKind, SigningMode},
};
use aim_ports::{PortError, log::LogReader, signer::SignedTree};

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    genesis::Genesis,
    key::{KeyRole, KeySet},
    tree::{Frontier, Hash, hash_record},
};

/// How many roots at block ends are kept, for checkpoints that were logged later.
const ROOTS_MAX: usize = 4096;

/// How many payload digests are kept, to tell which are missing.
const PAYLOADS_MAX: usize = 1 << 18;

/// What the reader brings along.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions<'a> {
    /// Keys from outside of the data. Without them nothing is authenticated.
    pub keys: Option<&'a KeySet>,
    /// The checkpoint that was published beside the log.
    pub checkpoint: Option<&'a [u8]>,
    /// A checkpoint that the reader got earlier or elsewhere.
    pub anchor: Option<&'a [u8]>,
    /// The log may be in use: an unfinished last block is reported, but is no fault by itself.
    pub is_live: bool,
}

/// Verifies a log.
///
/// # Errors
/// What the reader returns when bytes can not be read at all; whatever the bytes are is for the report.
pub fn verify_log(log: &dyn LogReader, options: &VerifyOptions<'_>) -> Result<Report, PortError> {
    let mut verifier = LogVerifier::new(options);
    loop {
        let bytes = match blocks::read_block(log, &verifier.position)? {
            blocks::ReadBlock::End => break,
            blocks::ReadBlock::Bytes(bytes) => bytes,
        };
        match Block::read(&bytes, &verifier.position) {
            Ok(block) => verifier.block(&block),
            Err(fault) if options.is_live && fault.reason == FrameFaultReason::Incomplete => {
                verifier.report.unfinished_tail_at = Some(fault.offset);
                break;
            }
            Err(fault) => {
                verifier.report.add(EvidenceFault::of_frame(&fault));
                break;
            }
        }
    }
    Ok(verifier.end())
}

/// A checkpoint that the tree must pass through.
#[derive(Debug)]
struct Expected {
    checkpoint: Checkpoint,
    place: Place,
    is_met: bool,
}

/// A verification under way: blocks in, in their order, and a report at the end. For whoever reads the log anyway.
#[derive(Debug)]
pub struct LogVerifier<'a> {
    options: VerifyOptions<'a>,
    report: Report,
    /// The place behind the last block.
    position: ChainPosition,
    /// What the reader's own signer remembers of the tree.
    known: Option<SignedTree>,
    /// Leaves below this one stand in blocks that a later known leaf stands for.
    sealed: u64,
    /// The keys that count: the reader's, else those of the genesis.
    keys: Option<KeySet>,
    origin: String,
    tree: Frontier,
    roots: BTreeMap<u64, Hash>,
    expected: Vec<Expected>,
    payloads_seen: BTreeSet<Digest>,
    last_batch_leaf: Option<u64>,
    signatures: u64,
    effects: Effects,
    /// Approvals that counted, by the execution that they counted for.
    approvals: BTreeSet<(ExecutionId, Digest)>,
}

impl<'a> LogVerifier<'a> {
    /// Starts before the first block.
    #[must_use]
    pub fn new(options: &VerifyOptions<'a>) -> Self {
        Self {
            options: *options,
            report: Report::new(),
            position: ChainPosition::START,
            known: None,
            sealed: 0,
            keys: None,
            origin: String::new(),
            tree: Frontier::new(),
            roots: BTreeMap::from([(0, Frontier::new().root())]),
            expected: Vec::new(),
            payloads_seen: BTreeSet::new(),
            last_batch_leaf: None,
            signatures: 0,
            effects: Effects::default(),
            approvals: BTreeSet::new(),
        }
    }

    /// Brings along what the reader's own signer remembers of this log, which nobody else can have written down. The log must
    /// lead to that root; then it is all there, and leaves under it need no signature to be believed.
    ///
    /// A leaf's entry in the tree holds the hash of the block before its own. So the root stands for all blocks before the
    /// last known leaf's as they are, byte for byte but for payloads, which have their digests; in that block, for each
    /// known leaf and the statement that it names.
    #[must_use]
    pub const fn knowing(mut self, tree: SignedTree) -> Self {
        self.known = Some(tree);
        // Statements that are not read say nothing of payloads that are gone.
        self.report.payloads.is_exact = false;
        self
    }

    /// Takes the next block.
    pub fn block(&mut self, block: &Block<'_>) {
        let leaves_before = self.tree.size();
        self.position = block.next();
        if self.known_size() > self.position.next_leaf {
            self.sealed = self.position.next_leaf;
        }
        let mut subjects = Vec::new();
        for frame in block.frames() {
            match frame.body {
                FrameBody::Genesis(json) => self.genesis(json),
                FrameBody::Witness(witness) => {
                    subjects.extend(self.witness(&witness, &block.header().previous));
                }
                FrameBody::Checkpoint(note) => self.logged_checkpoint(frame.sequence, note),
                FrameBody::Blob(blob) => self.payload(blob.digest, blob.state),
                FrameBody::Intent(body) => {
                    let judged = self.effects.intent(body);
                    self.frame(frame.sequence, judged);
                }
                FrameBody::EffectOutcome(body) => {
                    let judged = self.effects.outcome(body);
                    self.frame(frame.sequence, judged);
                }
                FrameBody::ExecutionStart(start) => {
                    let judged = self.start(start);
                    self.frame(frame.sequence, judged);
                }
                FrameBody::EventNote(_) => {}
            }
        }
        let is_missing = |digest: &&Digest| !self.payloads_seen.contains(digest);
        let missing = subjects.iter().filter(is_missing).count();
        self.report.payloads.missing += u64::try_from(missing).unwrap_or(u64::MAX);
        if self.tree.size() != leaves_before {
            self.roots.insert(self.tree.size(), self.tree.root());
        }
        if self.roots.len() > ROOTS_MAX {
            self.roots.pop_first();
        }
    }

    fn genesis(&mut self, json: &[u8]) {
        let genesis = match Genesis::parse(json) {
            Ok(genesis) => genesis,
            Err(error) => {
                let kind = FaultKind::Genesis(alloc::format!("{error}"));
                return self.report.add(EvidenceFault::new(Place::Frame(0), kind));
            }
        };
        self.origin.clone_from(&genesis.origin);
        self.report.origin = Some(genesis.origin);
        let own = KeySet::of(&genesis.keys).ok();
        if let Some(given) = self.options.keys {
            let is_known = given.holds(KeyRole::Step, &genesis.keys.step)
                && given.holds(KeyRole::Log, &genesis.keys.log);
            if !is_known {
                self.report
                    .add(EvidenceFault::new(Place::Frame(0), FaultKind::Key));
            }
        }
        self.keys = self.options.keys.cloned().or(own);
        let published = self
            .options
            .checkpoint
            .map(|note| (note, Place::Checkpoint));
        let anchor = self.options.anchor.map(|note| (note, Place::Anchor));
        if let Some(tree) = self.known {
            let checkpoint = Checkpoint {
                origin: self.origin.clone(),
                size: tree.size,
                root: tree.root,
            };
            self.expect(checkpoint, Place::Anchor);
        }
        for (note, place) in published.into_iter().chain(anchor) {
            match self.read_checkpoint(note) {
                Ok(checkpoint) => self.expect(checkpoint, place),
                Err(kind) => self.report.add(EvidenceFault::new(place, kind)),
            }
        }
    }

    fn read_checkpoint(&self, note: &[u8]) -> Result<Checkpoint, FaultKind> {
        let keys = self.keys.as_ref().ok_or(FaultKind::Key)?;
        let checkpoint = Checkpoint::verify(note, keys).map_err(|error| match error {
            CheckpointError::Untrusted => FaultKind::Key,
            error => FaultKind::Checkpoint(error),
        })?;
        if checkpoint.origin == self.origin {
            Ok(checkpoint)
        } else {
            Err(FaultKind::Origin)
        }
    }

    fn expect(&mut self, checkpoint: Checkpoint, place: Place) {
        self.expected.push(Expected {
            checkpoint,
            place,
            is_met: false,
        });
        self.meet_checkpoints();
    }

    /// Compares the tree with the checkpoints of exactly its size.
    fn meet_checkpoints(&mut self) {
        let size = self.tree.size();
        for expected in &mut self.expected {
            if expected.is_met || expected.checkpoint.size != size {
                continue;
            }
            expected.is_met = true;
            if expected.checkpoint.root == self.tree.root() {
                self.report.leaves_covered = self.report.leaves_covered.max(size);
                self.report.anchored = self.report.anchored.max(expected.place.anchors());
            } else {
                let place = Place::Leaf(self.report.leaves_covered);
                self.report.add(EvidenceFault::new(place, FaultKind::Tree));
            }
        }
    }

    fn witness(&mut self, witness: &WitnessFrame<'_>, previous_block: &Hash) -> Vec<Digest> {
        let leaf = &witness.leaf;
        let place = Place::Leaf(leaf.index);
        let judged = self.judge(leaf, witness.statement);
        if leaf.mode == SigningMode::Batch {
            self.last_batch_leaf = Some(leaf.index);
        }
        // INVARIANT: the block was read, so the leaf has its length; no leaf is ever left out of the tree.
        let leaf_bytes: [u8; LEAF_BYTES] = leaf.encode();
        self.tree.append(hash_record(&leaf_bytes, previous_block));
        self.meet_checkpoints();
        match judged {
            Ok(None) => Vec::new(),
            Ok(Some(head)) => {
                self.report.add_isolation(head.isolation.as_deref());
                self.report.strangers += u64::from(head.is_by_a_stranger);
                self.approvals.extend(head.approval);
                if let Some(attempt) = head.attempt
                    && let Err(kind) = self.effects.witness(attempt, &head.effects)
                {
                    self.report.add(EvidenceFault::new(place, kind));
                }
                head.subjects
            }
            Err(kind) => {
                self.report.add(EvidenceFault::new(place, kind));
                Vec::new()
            }
        }
    }

    /// Judges a statement as far as nothing else vouches for it; `None` when something does and there is nothing in it that
    /// others have to be held against.
    fn judge(&mut self, leaf: &Leaf, statement: &[u8]) -> Result<Option<StatementHead>, FaultKind> {
        let is_listed = leaf.kind == LeafKind::Attempt && !self.effects.is_idle();
        // What people have signed is never taken from memory: it lets outputs go.
        if leaf.index < self.sealed && leaf.kind != LeafKind::Answer && !is_listed {
            return Ok(None);
        }
        let judge = Judge {
            keys: self.keys.as_ref().ok_or(FaultKind::Key)?,
            origin: &self.origin,
        };
        if leaf.index < self.known_size() {
            return judge.judge_known(leaf, statement).map(Some);
        }
        let head = judge.judge(leaf, statement)?;
        self.signatures += u64::from(leaf.mode == SigningMode::Each);
        Ok(Some(head))
    }

    fn known_size(&self) -> u64 {
        self.known.map_or(0, |tree| tree.size)
    }

    fn frame(&mut self, sequence: u64, judged: Result<(), FaultKind>) {
        if let Err(kind) = judged {
            let place = Place::Frame(sequence);
            self.report.add(EvidenceFault::new(place, kind));
        }
    }

    /// What a run was let do by people is in the log before it begins.
    fn start(&self, start: &[u8]) -> Result<(), FaultKind> {
        let needed = people::needed(start)?;
        if needed.iter().all(|one| self.approvals.contains(one)) {
            Ok(())
        } else {
            Err(FaultKind::Answer(
                "the run's lock names an approval that is not in the log before it",
            ))
        }
    }

    fn logged_checkpoint(&mut self, sequence: u64, note: &[u8]) {
        let kind = match self.read_checkpoint(note) {
            Ok(checkpoint) if self.roots.get(&checkpoint.size) == Some(&checkpoint.root) => {
                self.report.leaves_covered = self.report.leaves_covered.max(checkpoint.size);
                self.report.checkpoints += 1;
                return;
            }
            Ok(_) => {
                let place = Place::Leaf(self.report.leaves_covered);
                return self.report.add(EvidenceFault::new(place, FaultKind::Tree));
            }
            Err(kind) => kind,
        };
        self.report
            .add(EvidenceFault::new(Place::Frame(sequence), kind));
    }

    fn payload(&mut self, digest: Digest, state: BlobState) {
        match state {
            BlobState::Present => self.report.payloads.present += 1,
            BlobState::Redacted => self.report.payloads.redacted += 1,
        }
        if self.payloads_seen.len() < PAYLOADS_MAX {
            self.payloads_seen.insert(digest);
        } else {
            self.report.payloads.is_exact = false;
        }
    }

    /// Ends behind the last block that was taken.
    #[must_use]
    pub fn end(mut self) -> Report {
        let leaves = self.tree.size();
        if self.report.origin.is_none() && self.report.faults.is_empty() {
            let kind = FaultKind::Genesis("the log is empty".into());
            self.report.add(EvidenceFault::new(Place::Frame(0), kind));
        }
        let is_readable = !self.report.has_broken_structure();
        let ahead = self
            .expected
            .iter()
            .any(|expected| expected.checkpoint.size > leaves);
        if is_readable && ahead {
            let fault = EvidenceFault::new(Place::Leaf(leaves), FaultKind::Truncated);
            self.report.add(fault);
        }
        let is_batch_covered = self
            .last_batch_leaf
            .is_none_or(|last| last < self.report.leaves_covered);
        let is_backed = self.signatures > 0 || self.report.leaves_covered > 0;
        let has_keys = self.options.keys.is_some();
        self.report.log_bytes = self.position.offset;
        self.report.frames = self.position.next_sequence;
        self.report.witnesses = leaves;
        self.report.size = leaves;
        self.report.root = self.tree.root();
        self.report.authenticated =
            has_keys && is_batch_covered && is_backed && self.report.fault_count == 0;
        self.report.keys = self.keys.as_ref().map(|keys| KeysUsed::of(keys, has_keys));
        self.report
    }
}
