//! What the log says, as the host reads it: executions, witnesses and payloads, found by id.
//!
//! A projection: it holds nothing that the log does not, and is rebuilt by reading. It trusts the block chain for integrity
//! and nothing for authenticity; that is the verifier's business. Answers of people are the exception: what lets something
//! go counts only as far as the person has signed it.
//!
//! INVARIANT: reading takes no lock and stops cleanly before a block that is still being written.

use std::collections::{BTreeMap, BTreeSet};

use aim_core::{
    access::{DOWNGRADE_KIND, RecordedApproval, USE_APPROVAL_KIND},
    digest::Digest,
    effect::{EffectIntent, EffectOutcome, Prior},
    event::ExecutionStart,
    frame::{
        BLOCK_HEADER_BYTES, BlobState, Block, ChainPosition, FrameBody, FrameFault,
        FrameFaultReason, WitnessFrame,
    },
    id::{AttemptId, ExecutionId, RunId},
    leaf::{Leaf, LeafKind},
    plan::StepPath,
    quarantine,
    quarantine::Approver,
    question::{self, AnswerPredicate, GivenAnswer, Note, NoteKind, Question},
    staged::Published,
    witness::{AttemptPredicate, DeniedLoadPredicate, EpochPredicate, PlanPredicate, Statement},
};
use aim_ports::{PortError, log::LogReader, signer::PublicKeys};
use aim_trust::{approval, genesis::Genesis, tree::hash_records};

mod events;
mod exported;
mod people;

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file could not be read.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A block is damaged.
    #[error("{0}")]
    Damaged(FrameFault),
    /// A frame is whole but is not what its kind says.
    #[error("frame {sequence} is no {what} that this version reads: {detail}")]
    Unreadable {
        /// The frame.
        sequence: u64,
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
}

impl LedgerError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Port(_) => "AIM-D020",
            Self::Damaged(_) => "AIM-E020",
            Self::Unreadable { .. } => "AIM-E021",
        }
    }
}

/// One statement of the log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The frame's sequence.
    pub sequence: u64,
    /// The leaf.
    pub leaf: Leaf,
    /// Digest of the exact statement bytes: the witness id.
    pub witness: Digest,
    /// The exact statement bytes.
    pub statement: Vec<u8>,
    /// What it states.
    pub body: EntryBody,
}

/// What a statement states.
#[derive(Debug, Clone)]
pub enum EntryBody {
    /// One attempt.
    Attempt(Box<AttemptPredicate>),
    /// One execution.
    Plan(Box<PlanPredicate>),
    /// One refused load.
    DeniedLoad(Box<DeniedLoadPredicate>),
    /// A person's answer to a question.
    Answer(Box<Answered>),
    /// An approver's answer about outputs that are kept aside.
    Approval(Box<quarantine::AnswerPredicate>),
    /// A person's leave for a use or an older version.
    UseApproval(Box<ApprovalRecord>),
    /// The release of outputs that were kept aside.
    Release(Box<quarantine::ReleasePredicate>),
    /// The beginning of the log.
    Epoch(Box<EpochPredicate>),
    /// A kind that this version only carries.
    Other,
}

/// An approval as the log keeps it; what was approved is fields of text.
pub type ApprovalRecord = RecordedApproval<BTreeMap<String, String>>;

/// A person's answer to a question, and what is around it.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What the host states.
    pub predicate: AnswerPredicate,
    /// What the person has signed; `None` when it is not signed by the key that it names, or was given to another log or
    /// execution. Such an answer counts for nothing.
    pub given: Option<GivenAnswer>,
}

impl Answered {
    fn of(predicate: AnswerPredicate) -> Self {
        let given: Option<GivenAnswer> = approval::verify_own(&predicate.approval).ok();
        let given = given.filter(|given| {
            given.execution == predicate.execution && given.origin == predicate.origin
        });
        Self { predicate, given }
    }
}

/// Whose answers count.
#[derive(Debug, Clone, Copy)]
pub enum Askable<'a> {
    /// Whoever has signed: for those who only look.
    Anyone,
    /// These people, exactly as the deployment has them.
    Only(&'a [Approver]),
}

impl Askable<'_> {
    fn includes(self, approver: &Approver) -> bool {
        match self {
            Self::Anyone => true,
            Self::Only(listed) => listed.contains(approver),
        }
    }
}

/// A note, and where it stands.
#[derive(Debug, Clone)]
pub struct Noted {
    /// The frame's sequence.
    pub sequence: u64,
    /// What was written down.
    pub note: Note,
}

/// One execution as the log tells it.
#[derive(Debug, Clone)]
pub struct Execution {
    /// The frame's sequence.
    pub sequence: u64,
    /// How it began.
    pub start: ExecutionStart,
    /// Indices into [`Ledger::entries`] of its attempts, in order.
    pub attempts: Vec<usize>,
    /// Index of its plan witness; absent while it is unfinished.
    pub end: Option<usize>,
    /// What was written down between attempts, in order.
    pub notes: Vec<Noted>,
    /// Indices into [`Ledger::entries`] of answers to its questions, in order.
    pub answers: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct BlobPlace {
    offset_bytes: u64,
    length_bytes: usize,
    state: BlobState,
}

/// What is done with a block.
type TakeBlock<'a> = dyn FnMut(&mut Ledger, &Block<'_>) -> Result<(), LedgerError> + 'a;

/// The log, read.
#[derive(Debug, Clone)]
pub struct Ledger {
    origin: String,
    position: ChainPosition,
    entries: Vec<Entry>,
    executions: Vec<Execution>,
    by_execution: BTreeMap<ExecutionId, usize>,
    blobs: BTreeMap<Digest, BlobPlace>,
    effects: BTreeMap<AttemptId, Vec<Prior>>,
    leaf_hashes: Vec<[u8; 32]>,
    keys: Option<PublicKeys>,
    published: BTreeSet<(String, Digest)>,
    /// Indices of what people and the host said about outputs that were kept aside, by the witness of the attempt.
    about: BTreeMap<Digest, Vec<usize>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            origin: String::new(),
            position: ChainPosition::START,
            entries: Vec::new(),
            executions: Vec::new(),
            by_execution: BTreeMap::new(),
            blobs: BTreeMap::new(),
            effects: BTreeMap::new(),
            leaf_hashes: Vec::new(),
            keys: None,
            published: BTreeSet::new(),
            about: BTreeMap::new(),
        }
    }
}

impl Ledger {
    /// Reads a log from the beginning.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn read(reader: &dyn LogReader) -> Result<Self, LedgerError> {
        let mut ledger = Self::default();
        ledger.refresh(reader)?;
        Ok(ledger)
    }

    /// Reads what is new. Returns how many blocks were.
    ///
    /// # Errors
    /// [`LedgerError`]; what was read before the fault is kept.
    pub fn refresh(&mut self, reader: &dyn LogReader) -> Result<usize, LedgerError> {
        self.each_block(reader, &mut Self::take)
    }

    /// As [`Self::refresh`], and shows every new block to `see` before it counts.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn refresh_seeing(
        &mut self,
        reader: &dyn LogReader,
        see: &mut dyn FnMut(&Block<'_>),
    ) -> Result<usize, LedgerError> {
        self.each_block(reader, &mut |ledger, block| {
            see(block);
            ledger.take(block)
        })
    }

    /// The origin line of the log behind `reader`, from its first block alone; `None` where there is no such block that can be
    /// read.
    ///
    /// # Errors
    /// [`LedgerError::Port`].
    pub(crate) fn read_origin(reader: &dyn LogReader) -> Result<Option<String>, LedgerError> {
        let start = Self::default();
        let bytes = match start.next_block(reader) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(LedgerError::Port(error)) => return Err(error.into()),
            // Whoever reads on finds it again.
            Err(_) => return Ok(None),
        };
        let block = Block::read(&bytes, &start.position).ok();
        let genesis = block.and_then(|block| match block.frames().next()?.body {
            FrameBody::Genesis(json) => Genesis::parse(json).ok(),
            _ => None,
        });
        Ok(genesis.map(|genesis| genesis.origin))
    }

    /// Reads how executions began and nothing else, as far as the log can be read.
    pub(crate) fn read_starts(reader: &dyn LogReader) -> Self {
        let mut ledger = Self::default();
        // Damage is found again, and refused, by whoever opens the log.
        drop(ledger.each_block(reader, &mut Self::take_starts));
        ledger
    }

    fn each_block(
        &mut self,
        reader: &dyn LogReader,
        take: &mut TakeBlock<'_>,
    ) -> Result<usize, LedgerError> {
        let mut blocks = 0;
        // BOUND: every turn moves the position forward by a whole block.
        while let Some(bytes) = self.next_block(reader)? {
            let block = match Block::read(&bytes, &self.position) {
                Ok(block) => block,
                Err(fault) if fault.reason == FrameFaultReason::Incomplete => break,
                Err(fault) => return Err(LedgerError::Damaged(fault)),
            };
            take(self, &block)?;
            self.position = block.next();
            blocks += 1;
        }
        Ok(blocks)
    }

    /// The newest execution whose run or execution id starts with `text`, or of all for `last`. `Err` names the matches
    /// when several different ids start with it.
    ///
    /// # Errors
    /// The ids that match, when there is not exactly one; empty when none does.
    pub fn find_execution(&self, text: &str) -> Result<&Execution, Vec<String>> {
        if text == "last" {
            return self.executions.last().ok_or_else(Vec::new);
        }
        let is_match = |id: &str| id.starts_with(text) && text.len() > 4;
        let by_execution: Vec<&Execution> = self
            .executions
            .iter()
            .filter(|one| is_match(&one.start.execution.to_string()))
            .collect();
        if let [only] = by_execution.as_slice() {
            return Ok(only);
        }
        let mut runs: Vec<String> = self
            .executions
            .iter()
            .map(|one| one.start.run.to_string())
            .collect();
        runs.retain(|run| is_match(run));
        runs.dedup();
        match runs.as_slice() {
            [only] => self
                .executions
                .iter()
                .rev()
                .find(|one| one.start.run.to_string() == *only)
                .ok_or_else(Vec::new),
            _ => {
                let executions = by_execution
                    .iter()
                    .map(|one| one.start.execution.to_string());
                Err(runs.into_iter().chain(executions).collect())
            }
        }
    }

    /// The log's origin line; empty before the first block.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The place behind the last block that was read.
    #[must_use]
    pub const fn position(&self) -> ChainPosition {
        self.position
    }

    /// The keys that the log says it is signed with; absent before the first block.
    #[must_use]
    pub const fn keys(&self) -> Option<PublicKeys> {
        self.keys
    }

    /// Effects of attempts that have no witness: what an interrupted host has left.
    #[must_use]
    pub const fn unwitnessed_effects(&self) -> &BTreeMap<AttemptId, Vec<Prior>> {
        &self.effects
    }

    /// Tree hashes of all leaves, in order.
    #[must_use]
    pub fn leaf_hashes(&self) -> &[[u8; 32]] {
        &self.leaf_hashes
    }

    /// Every statement, in order of the leaves.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every execution, in order of their beginning.
    #[must_use]
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }

    /// The execution with this id.
    #[must_use]
    pub fn execution(&self, id: ExecutionId) -> Option<&Execution> {
        self.executions.get(*self.by_execution.get(&id)?)
    }

    /// The executions of one run, in order.
    pub fn executions_of(&self, run: RunId) -> impl DoubleEndedIterator<Item = &Execution> {
        self.executions
            .iter()
            .filter(move |execution| execution.start.run == run)
    }

    /// The attempts of an execution, in order.
    pub fn attempts_of<'a>(
        &'a self,
        execution: &'a Execution,
    ) -> impl Iterator<Item = (&'a Entry, &'a AttemptPredicate)> {
        execution.attempts.iter().filter_map(|index| {
            let entry = self.entries.get(*index)?;
            match &entry.body {
                EntryBody::Attempt(attempt) => Some((entry, &**attempt)),
                _ => None,
            }
        })
    }

    /// The answers to an execution's questions that people have signed, in order, with the digest of each statement.
    pub fn answers_of<'a>(
        &'a self,
        execution: &'a Execution,
    ) -> impl Iterator<Item = (&'a GivenAnswer, Digest)> {
        execution.answers.iter().filter_map(|index| {
            let entry = self.entries.get(*index)?;
            match &entry.body {
                EntryBody::Answer(answered) => Some((answered.given.as_ref()?, entry.witness)),
                _ => None,
            }
        })
    }

    /// The answers that count to one question of an execution, in order. The first is the answer; nobody takes it back.
    pub fn answers_to<'a>(
        &'a self,
        execution: &'a Execution,
        (path, question): (&'a StepPath, &'a Question),
        askable: Askable<'a>,
    ) -> impl Iterator<Item = (&'a GivenAnswer, Digest)> {
        let id = execution.start.execution;
        self.answers_of(execution).filter(move |(given, _)| {
            askable.includes(&given.approver) && given.fits(id, path, question)
        })
    }

    /// Everything that an execution has asked people, in order.
    pub fn questions_of<'a>(
        &'a self,
        execution: &'a Execution,
    ) -> impl Iterator<Item = (&'a StepPath, &'a Question)> {
        let notes = execution.notes.iter().map(|noted| &noted.note);
        notes.filter_map(|note| match &note.what {
            NoteKind::Asked(question) => Some((&note.path, question)),
            _ => None,
        })
    }

    /// The questions of an execution that nobody of those whose word counts has answered yet, in order.
    #[must_use]
    pub fn open_questions<'a>(
        &'a self,
        execution: &'a Execution,
        askable: Askable<'a>,
    ) -> Vec<(&'a StepPath, &'a Question)> {
        self.questions_of(execution)
            .filter(|asked| self.answers_to(execution, *asked, askable).next().is_none())
            .collect()
    }

    /// Approvals and releases of the outputs that `witness` kept aside, in order; whether they count is for others to say.
    pub fn about(&self, witness: Digest) -> impl Iterator<Item = &Entry> {
        let indices = self.about.get(&witness).map(Vec::as_slice);
        let entries = indices.unwrap_or_default().iter();
        entries.filter_map(|index| self.entries.get(*index))
    }

    /// The plan witness of an execution.
    #[must_use]
    pub fn plan_of(&self, execution: &Execution) -> Option<(&Entry, &PlanPredicate)> {
        let entry = self.entries.get(execution.end?)?;
        match &entry.body {
            EntryBody::Plan(plan) => Some((entry, plan)),
            _ => None,
        }
    }

    /// True when a note says that the changes which `witness` names are in the folder.
    #[must_use]
    pub fn is_published(&self, folder: &str, witness: Digest) -> bool {
        self.published.contains(&(folder.to_owned(), witness))
    }

    /// A payload that lies in the log; `None` when it does not or was erased.
    ///
    /// # Errors
    /// [`LedgerError::Port`].
    pub fn blob(
        &self,
        reader: &dyn LogReader,
        digest: Digest,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(place) = self.blobs.get(&digest) else {
            return Ok(None);
        };
        if place.state == BlobState::Redacted {
            return Ok(None);
        }
        let bytes = reader.read(place.offset_bytes, place.length_bytes)?;
        Ok((Digest::of(&bytes) == digest).then_some(bytes))
    }

    fn next_block(&self, reader: &dyn LogReader) -> Result<Option<Vec<u8>>, LedgerError> {
        let header = reader.read(self.position.offset, BLOCK_HEADER_BYTES)?;
        if header.len() < BLOCK_HEADER_BYTES {
            return Ok(None);
        }
        let header = self
            .position
            .header(&header)
            .map_err(LedgerError::Damaged)?;
        let Some(length) = header.block_bytes() else {
            return Err(LedgerError::Damaged(FrameFault {
                offset: self.position.offset,
                sequence: self.position.next_sequence,
                reason: FrameFaultReason::Size,
            }));
        };
        let bytes = reader.read(self.position.offset, length)?;
        Ok((bytes.len() == length).then_some(bytes))
    }

    fn take_starts(&mut self, block: &Block<'_>) -> Result<(), LedgerError> {
        block.frames().try_for_each(|frame| match frame.body {
            FrameBody::ExecutionStart(json) => self.take_start(frame.sequence, json),
            _ => Ok(()),
        })
    }

    fn take(&mut self, block: &Block<'_>) -> Result<(), LedgerError> {
        self.leaf_hashes.extend(hash_records(block));
        for frame in block.frames() {
            match frame.body {
                FrameBody::Genesis(json) => self.take_genesis(frame.sequence, json)?,
                FrameBody::ExecutionStart(json) => self.take_start(frame.sequence, json)?,
                FrameBody::Witness(witness) => self.take_witness(frame.sequence, &witness)?,
                FrameBody::Blob(blob) => {
                    let place = BlobPlace {
                        offset_bytes: blob.offset,
                        length_bytes: blob.bytes.len(),
                        state: blob.state,
                    };
                    self.blobs.insert(blob.digest, place);
                }
                FrameBody::EventNote(note) => {
                    if let Some(note) = Published::decode(note) {
                        self.published.insert((note.folder, note.witness));
                    } else {
                        self.take_note(frame.sequence, note)?;
                    }
                }
                FrameBody::Intent(json) => self.take_intent(frame.sequence, json)?,
                FrameBody::EffectOutcome(json) => self.take_outcome(frame.sequence, json)?,
                FrameBody::Checkpoint(_) => {}
            }
        }
        Ok(())
    }

    fn take_genesis(&mut self, sequence: u64, json: &[u8]) -> Result<(), LedgerError> {
        let genesis = Genesis::parse(json).map_err(|error| LedgerError::Unreadable {
            sequence,
            what: "genesis",
            detail: error.to_string(),
        })?;
        self.origin = genesis.origin;
        self.keys = Some(genesis.keys);
        Ok(())
    }

    fn take_start(&mut self, sequence: u64, json: &[u8]) -> Result<(), LedgerError> {
        let start: ExecutionStart = read_json(sequence, "execution start", json)?;
        self.begin(sequence, start);
        Ok(())
    }

    fn begin(&mut self, sequence: u64, start: ExecutionStart) {
        self.by_execution
            .insert(start.execution, self.executions.len());
        self.executions.push(Execution {
            sequence,
            start,
            attempts: Vec::new(),
            end: None,
            notes: Vec::new(),
            answers: Vec::new(),
        });
    }

    fn take_note(&mut self, sequence: u64, json: &[u8]) -> Result<(), LedgerError> {
        let note: Note = read_json(sequence, "note", json)?;
        let place = self.by_execution.get(&note.execution);
        if let Some(execution) = place.and_then(|place| self.executions.get_mut(*place)) {
            execution.notes.push(Noted { sequence, note });
        }
        Ok(())
    }

    fn take_intent(&mut self, sequence: u64, json: &[u8]) -> Result<(), LedgerError> {
        let intent: EffectIntent = read_json(sequence, "effect intent", json)?;
        let priors = self.effects.entry(intent.attempt).or_default();
        match priors
            .iter_mut()
            .find(|prior| prior.intent.call == intent.call)
        {
            Some(prior) => {
                prior.tries = prior.tries.saturating_add(1);
                prior.outcome = None;
            }
            None => priors.push(Prior {
                intent,
                outcome: None,
                tries: 1,
            }),
        }
        Ok(())
    }

    fn take_outcome(&mut self, sequence: u64, json: &[u8]) -> Result<(), LedgerError> {
        let outcome: EffectOutcome = read_json(sequence, "effect outcome", json)?;
        let priors = self.effects.get_mut(&outcome.attempt);
        let prior = priors
            .and_then(|priors| priors.iter_mut().find(|p| p.intent.call == outcome.call))
            .ok_or_else(|| LedgerError::Unreadable {
                sequence,
                what: "effect outcome",
                detail: "it has no intent before it".to_owned(),
            })?;
        prior.outcome = Some(outcome);
        Ok(())
    }

    fn take_witness(
        &mut self,
        sequence: u64,
        witness: &WitnessFrame<'_>,
    ) -> Result<(), LedgerError> {
        let body = read_statement(sequence, witness)?;
        let index = self.entries.len();
        if let EntryBody::Attempt(attempt) = &body {
            // From here on the witness tells.
            self.effects.remove(&attempt.attempt);
        }
        let execution = match &body {
            EntryBody::Attempt(attempt) => Some(attempt.execution),
            EntryBody::Plan(plan) => Some(plan.execution),
            EntryBody::Answer(answered) => Some(answered.predicate.execution),
            _ => None,
        };
        let execution = execution
            .and_then(|id| self.by_execution.get(&id))
            .and_then(|place| self.executions.get_mut(*place));
        if let Some(execution) = execution {
            match &body {
                EntryBody::Plan(_) => execution.end = Some(index),
                EntryBody::Answer(_) => execution.answers.push(index),
                _ => execution.attempts.push(index),
            }
        }
        let about = match &body {
            EntryBody::Approval(approval) => Some(approval.witness),
            EntryBody::Release(release) => Some(release.witness),
            _ => None,
        };
        if let Some(about) = about {
            self.about.entry(about).or_default().push(index);
        }
        self.entries.push(Entry {
            sequence,
            leaf: witness.leaf,
            witness: Digest::of(witness.statement),
            statement: witness.statement.to_vec(),
            body,
        });
        Ok(())
    }
}

fn read_statement(sequence: u64, witness: &WitnessFrame<'_>) -> Result<EntryBody, LedgerError> {
    let json = witness.statement;
    Ok(match witness.leaf.kind {
        LeafKind::Attempt => {
            let statement: Statement<AttemptPredicate> =
                read_json(sequence, "attempt statement", json)?;
            EntryBody::Attempt(Box::new(statement.predicate))
        }
        LeafKind::Plan => {
            let statement: Statement<PlanPredicate> = read_json(sequence, "plan statement", json)?;
            EntryBody::Plan(Box::new(statement.predicate))
        }
        LeafKind::DeniedLoad => {
            let statement: Statement<DeniedLoadPredicate> =
                read_json(sequence, "denied-load statement", json)?;
            EntryBody::DeniedLoad(Box::new(statement.predicate))
        }
        LeafKind::Answer => match said_kind(sequence, json)?.as_deref() {
            Some(quarantine::ANSWER_KIND) => {
                let statement: Statement<quarantine::AnswerPredicate> =
                    read_json(sequence, "approval statement", json)?;
                EntryBody::Approval(Box::new(statement.predicate))
            }
            Some(USE_APPROVAL_KIND | DOWNGRADE_KIND) => {
                let statement: Statement<ApprovalRecord> =
                    read_json(sequence, "use approval statement", json)?;
                EntryBody::UseApproval(Box::new(statement.predicate))
            }
            Some(question::ANSWER_KIND) => {
                let statement: Statement<AnswerPredicate> =
                    read_json(sequence, "answer statement", json)?;
                EntryBody::Answer(Box::new(Answered::of(statement.predicate)))
            }
            _ => EntryBody::Other,
        },
        LeafKind::Admin
            if said_kind(sequence, json)?.as_deref() == Some(quarantine::RELEASE_KIND) =>
        {
            let statement: Statement<quarantine::ReleasePredicate> =
                read_json(sequence, "release statement", json)?;
            EntryBody::Release(Box::new(statement.predicate))
        }
        LeafKind::Epoch => {
            let statement: Statement<EpochPredicate> =
                read_json(sequence, "epoch statement", json)?;
            EntryBody::Epoch(Box::new(statement.predicate))
        }
        _ => EntryBody::Other,
    })
}

/// The kind word inside a predicate, where it has one.
#[derive(serde::Deserialize)]
struct SaidKind {
    #[serde(default)]
    kind: Option<String>,
}

fn said_kind(sequence: u64, json: &[u8]) -> Result<Option<String>, LedgerError> {
    let said: Statement<SaidKind> = read_json(sequence, "statement", json)?;
    Ok(said.predicate.kind)
}

fn read_json<T: serde::de::DeserializeOwned>(
    sequence: u64,
    what: &'static str,
    json: &[u8],
) -> Result<T, LedgerError> {
    serde_json::from_slice(json).map_err(|error| LedgerError::Unreadable {
        sequence,
        what,
        detail: error.to_string(),
    })
}
