//! A log of any size, as a host that ran one plan after another would have left it.
//!
//! INVARIANT: every statement is one that the product made, with other ids; each commit is a block of its own; only the syncs
//! are fewer than the commits.

use std::path::Path;

use aim_core::{
    digest::{Digest, Sha256},
    event::ExecutionStart,
    frame::FrameKind,
    id::{AttemptId, ExecutionId, RunId, RunPins, SpanId, TraceId},
    leaf::LeafKind,
    witness::{
        AttemptPredicate, PLAN_PREDICATE, PlanPredicate, Statement, StepState, StepSummary, Subject,
    },
};
use aim_log_file::{FileLogReader, FileLogWriter};
use aim_ports::{
    log::LogWriter as _,
    signer::{CheckpointRequest, Signer as _},
};
use aim_runtime::ledger::Ledger;
use aim_signer_process::SignerProcess;
use aim_trust::{
    key::{KeyRole, key_id},
    sequence::{NewFrame, Sequencer, Signing},
};

use super::{open, spawn_signer};
use crate::{
    Result,
    case::Gates,
    fixture::{Fixture, PLAN, payload},
    floor::Evidence,
};

/// Attempts of one execution.
const ATTEMPTS: u32 = 4;
/// Blocks that are appended at once.
const BLOCKS_AT_ONCE: usize = 2_500;

/// The frames of one commit.
struct Commit {
    start: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    statement: Option<(LeafKind, Vec<u8>)>,
}

/// What is the same in every execution.
struct Template {
    attempt: AttemptPredicate,
    plan: Vec<u8>,
    origin: String,
}

/// Writes a log of `leaves` leaves below `folder`, with keys of its own, and closes it in order.
pub(super) fn write(fixture: &Fixture, folder: &Path, leaves: u64) -> Result<()> {
    let keys = folder.join("keys");
    let (host, _) = open_new(folder, &keys)?;
    host.committer.close()?;
    let reader = FileLogReader::open(&folder.join("data"))?;
    let ledger = Ledger::read(&reader)?;
    let plan = aim_acl::compile(PLAN, aim_acl::Profile::Strict)
        .map_err(|faults| format!("the plan does not compile: {faults:?}"))?
        .plan;
    let template = Template {
        attempt: Evidence::of(fixture, Gates::Ethical)?.statement.predicate,
        plan: plan.to_json(),
        origin: ledger.origin().to_owned(),
    };
    let mut pen = Pen {
        sequencer: Sequencer::resume(ledger.position()),
        writer: FileLogWriter::open(&folder.join("data"), "aim-bench")?,
        signer: spawn_signer(&keys)?,
        waiting: Vec::new(),
        leaves: ledger.leaf_hashes().to_vec(),
    };
    let mut number = 0;
    // BOUND: each turn adds leaves.
    while pen.leaf_count() < leaves {
        number += 1;
        for commit in template.execution(number)? {
            pen.push(commit)?;
        }
    }
    pen.close(&template.origin)
}

fn open_new(folder: &Path, keys: &Path) -> Result<(aim_runtime::host::Host, Ledger)> {
    // The writer makes the folder that the reader wants.
    drop(FileLogWriter::open(&folder.join("data"), "aim-bench")?);
    open(folder, spawn_signer(keys)?)
}

impl Template {
    /// The commits of one execution: its start, its attempts with a payload each, its end.
    fn execution(&self, number: u64) -> Result<Vec<Commit>> {
        let base = &self.attempt;
        let run = RunId::of(&RunPins {
            plan: base.plan,
            lock: Digest::of(b"lock"),
            inputs: Digest::of(b"inputs"),
            tenant: base.tenant.as_str(),
            seed: number,
        });
        let execution = ExecutionId::of(&self.origin, run, 1);
        let start = ExecutionStart {
            actor: base.actor.clone(),
            execution,
            inputs: std::collections::BTreeMap::new(),
            lock: r#"{"gates":{},"steps":{}}"#.to_owned(),
            number: 1,
            plan: String::from_utf8(self.plan.clone())?,
            plan_name: aim_core::name::StepName::parse("bench")?,
            run,
            seed: number,
            started_at: base.started_at,
            tenant: base.tenant.clone(),
            trace: TraceId::of(execution),
        };
        let mut commits = vec![Commit {
            start: Some(serde_json::to_vec(&start)?),
            payload: None,
            statement: None,
        }];
        let mut witnesses = Vec::new();
        for attempt_no in 1..=ATTEMPTS {
            let (payload, statement) = self.attempt(&start, attempt_no);
            witnesses.push(Digest::of(&statement));
            commits.push(Commit {
                start: None,
                payload: Some(payload),
                statement: Some((LeafKind::Attempt, statement)),
            });
        }
        commits.push(Commit {
            start: None,
            payload: None,
            statement: Some((LeafKind::Plan, self.end(&start, witnesses))),
        });
        Ok(commits)
    }

    fn attempt(&self, start: &ExecutionStart, attempt_no: u32) -> (Vec<u8>, Vec<u8>) {
        let mut body = payload();
        body.extend_from_slice(format!(" {} {attempt_no}", start.seed).as_bytes());
        let digest = Digest::of(&body);
        let attempt = AttemptId::of(start.execution, "echo", attempt_no);
        let mut predicate = AttemptPredicate {
            attempt,
            attempt_no,
            execution: start.execution,
            origin: self.origin.clone(),
            run: start.run,
            span: SpanId::of(attempt),
            trace: start.trace,
            ..self.attempt.clone()
        };
        if let Some(output) = predicate.outputs.first_mut() {
            output.body = digest;
            output.body_bytes = body.len() as u64;
        }
        let subject = Subject::new("output/0", digest, Sha256::of(&body));
        let statement = Statement::new(
            aim_core::witness::ATTEMPT_PREDICATE,
            vec![subject],
            predicate,
        );
        (body, statement.payload())
    }

    fn end(&self, start: &ExecutionStart, attempts: Vec<Digest>) -> Vec<u8> {
        let base = &self.attempt;
        let step = StepSummary {
            answered_by: None,
            attempts,
            is_required: true,
            outcome: Some(base.outcome.clone()),
            path: None,
            released_by: None,
            state: StepState::Completed,
            step: base.step.clone(),
        };
        let predicate = PlanPredicate {
            actor: start.actor.clone(),
            ended_at: base.ended_at,
            execution: start.execution,
            exit_code: 0,
            host: base.host.clone(),
            inputs: std::collections::BTreeMap::new(),
            lock: Digest::of(b"lock"),
            origin: self.origin.clone(),
            plan: base.plan,
            plan_name: start.plan_name.clone(),
            run: start.run,
            started_at: start.started_at,
            steps: vec![step],
            tenant: start.tenant.clone(),
            trace: start.trace,
        };
        let subject = Subject::new("plan", base.plan, Sha256::of(&self.plan));
        Statement::new(PLAN_PREDICATE, vec![subject], predicate).payload()
    }
}

/// Writes commits as blocks, many at once.
struct Pen {
    sequencer: Sequencer,
    writer: FileLogWriter,
    signer: SignerProcess,
    waiting: Vec<Commit>,
    leaves: Vec<[u8; 32]>,
}

impl Pen {
    fn leaf_count(&self) -> u64 {
        let waiting = self.waiting.iter().filter(|one| one.statement.is_some());
        (self.leaves.len() + waiting.count()) as u64
    }

    fn push(&mut self, commit: Commit) -> Result<()> {
        self.waiting.push(commit);
        if self.waiting.len() >= BLOCKS_AT_ONCE {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let commits = std::mem::take(&mut self.waiting);
        let statements: Vec<&[u8]> = commits
            .iter()
            .filter_map(|commit| Some(commit.statement.as_ref()?.1.as_slice()))
            .collect();
        let mut signatures = self.signer.sign_statements(&statements)?.into_iter();
        let key = key_id(KeyRole::Step, &self.signer.public_keys().step);
        let mut bytes = Vec::new();
        for commit in &commits {
            let signed: Vec<[u8; 64]> = match commit.statement {
                Some(_) => signatures.by_ref().take(1).collect(),
                None => Vec::new(),
            };
            let prepared = self.sequencer.prepare(commit.frames())?;
            let signing = Signing::Each {
                key,
                signatures: &signed,
            };
            let finished = self.sequencer.finish(&prepared, &signing)?;
            bytes.extend_from_slice(&finished.bytes);
            self.leaves.extend_from_slice(&finished.leaf_hashes);
            self.sequencer.advance(&finished)?;
        }
        Ok(self.writer.append(&bytes)?)
    }

    fn close(mut self, origin: &str) -> Result<()> {
        self.write()?;
        let note = self.signer.sign_checkpoint(&CheckpointRequest {
            origin: origin.to_owned(),
            first_index: 0,
            leaf_hashes: self.leaves,
        })?;
        Ok(self.writer.publisher()?.publish(&note)?)
    }
}

impl Commit {
    fn frames(&self) -> Vec<NewFrame<'_>> {
        let start = self.start.iter().map(|body| NewFrame::Note {
            kind: FrameKind::ExecutionStart,
            body,
        });
        let payload = self.payload.iter().map(|bytes| NewFrame::Blob {
            digest: Digest::of(bytes),
            bytes,
        });
        let statement = self
            .statement
            .iter()
            .map(|(kind, statement)| NewFrame::Witness {
                kind: *kind,
                statement,
            });
        start.chain(payload).chain(statement).collect()
    }
}
