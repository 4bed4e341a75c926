//! Real evidence to measure with: the statement, the requests and the block that the governed step itself makes.
//!
//! INVARIANT: every byte that a part hashes, signs or writes was made by the product, not made up for the bench.

use aim_core::{
    digest::Digest,
    envelope::Target,
    frame::{ChainPosition, FrameBody, scan},
    gate::{GateRequest, Item, Phase},
    leaf::{KeyId, Leaf, LeafKind, SigningMode},
    witness::{AttemptPredicate, Statement},
};
use aim_engine::Cancel;
use aim_runtime::attempt::{Task, run_attempt};
use aim_trust::sequence::{NewFrame, Sequencer, Signing};

use crate::{
    Result,
    case::{Case, Gates, Storage},
    fixture::{Fixture, payload},
    memory::MemoryLog,
};

/// What one attempt left behind.
pub(crate) struct Evidence {
    /// The statement's exact bytes.
    pub(crate) bytes: Vec<u8>,
    /// The same, parsed.
    pub(crate) statement: Statement<AttemptPredicate>,
    /// Its leaf.
    pub(crate) leaf: Leaf,
    /// Requests as the gates get them: on the way in, and on the way out.
    pub(crate) requests: [GateRequest; 2],
}

impl Evidence {
    /// Runs one attempt and reads its log.
    pub(crate) fn of(fixture: &Fixture, gates: Gates) -> Result<Self> {
        let case = Case {
            storage: Storage::Memory,
            signing: SigningMode::Each,
            gates,
            in_flight: 1,
            workers: 1,
        };
        let log = MemoryLog::default();
        let opened = fixture.open_in_memory(case, &log)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let unit = fixture.unit(gates);
        let task = Task::first(&unit, fixture.envelope());
        let contents = std::sync::Arc::default();
        let cancel = Cancel::new();
        let attempt = run_attempt(&opened.host, &unit, &fixture.run, &contents, task, &cancel);
        let concluded = runtime.block_on(attempt)?;
        opened.close()?;
        let summary = concluded.summary;
        if concluded.release.is_err() {
            return Err(format!("the gates object: {:?}", summary.remarks).into());
        }
        let (leaf, bytes) = last_witness(&log.bytes())?;
        let statement: Statement<AttemptPredicate> = serde_json::from_slice(&bytes)?;
        if statement.payload() != bytes {
            return Err("the statement does not serialise to its own bytes".into());
        }
        Ok(Self {
            requests: requests(fixture, &statement),
            bytes,
            statement,
            leaf,
        })
    }

    /// A block of `count` such attempts, as the log has it.
    pub(crate) fn block(&self, count: usize) -> Result<Vec<u8>> {
        let body = payload();
        let digest = Digest::of(&body);
        let mut frames = Vec::new();
        for _ in 0..count {
            frames.push(NewFrame::Blob {
                digest,
                bytes: &body,
            });
            frames.push(NewFrame::Witness {
                kind: LeafKind::Attempt,
                statement: &self.bytes,
            });
        }
        // Any place but the first, where a genesis would be expected.
        let place = ChainPosition {
            next_sequence: 1,
            ..ChainPosition::START
        };
        let sequencer = Sequencer::resume(place);
        let prepared = sequencer.prepare(frames)?;
        let key = KeyId::from_bytes([1; 8]);
        Ok(sequencer.finish(&prepared, &Signing::Batch { key })?.bytes)
    }
}

fn last_witness(log: &[u8]) -> Result<(Leaf, Vec<u8>)> {
    let mut found = None;
    for block in scan(log, ChainPosition::START) {
        for frame in block?.frames() {
            if let FrameBody::Witness(witness) = frame.body {
                found = Some((witness.leaf, witness.statement.to_vec()));
            }
        }
    }
    Ok(found.ok_or("the log has no witness")?)
}

fn requests(fixture: &Fixture, statement: &Statement<AttemptPredicate>) -> [GateRequest; 2] {
    let predicate = &statement.predicate;
    let body = payload();
    let request = |phase, target| GateRequest {
        phase,
        plan: fixture.run.plan_name.to_string(),
        step: predicate.step.to_string(),
        role: predicate.role.clone(),
        effects: Vec::new(),
        items: vec![Item {
            target,
            action: predicate.envelope.operation.clone(),
            media_type: predicate.envelope.media_type.clone(),
            artifacts: Vec::new(),
            payload_digest: Digest::of(&body),
            payload: Some(body.clone()),
        }],
        impact: None,
        doubt: None,
        quip: None,
        prior: None,
        context: Vec::new(),
    };
    [
        request(Phase::Ingress, Target::Node(predicate.node.to_string())),
        request(Phase::Egress, Target::Next),
    ]
}
