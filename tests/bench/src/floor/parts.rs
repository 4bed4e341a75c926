//! Measuring each part.
//!
//! INVARIANT: a part is measured on one thread with nothing else of this program running; the signer's hop adds the CPU
//! time of the signer.

use std::{
    fs::File,
    hint::black_box,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use aim_core::{
    access::{Capability, Mode},
    digest::{Digest, Sha256},
    gate::{GateRequest, Phase},
};
use aim_ports::signer::{Signer, SigningCore as _};
use aim_trust::{
    dsse::{PAYLOAD_TYPE, pae, statement_digest},
    key::{KeyRole, SecretKey},
    tree::{Frontier, hash_record},
};

use super::{Cost, Evidence, Floor, GROUP, Parts, timed, timed_value};
use crate::{
    Result,
    bare::{gate::aim::gate::types as wit_gate, step::aim::types::types as wit},
    fixture::{Fixture, payload, signing_core},
    process::process_cpu,
};

/// How long a part that only computes is repeated.
const SHORT: Duration = Duration::from_millis(60);
/// How long a part that waits for a disk or another process is repeated.
const LONG: Duration = Duration::from_millis(300);

impl Floor {
    /// Measures every part once.
    pub(crate) fn measure(&self, fixture: &Fixture) -> Result<Parts> {
        let folder = fixture.places.temporary()?;
        let envelope = bare_envelope(fixture);
        let mut live = self.bare.live()?;
        let [ingress, egress] = self.ethical.requests.each_ref().map(bare_request);
        if !self.bare.judge(&ingress)? || !self.bare.judge(&egress)? {
            return Err("the bare gate objects to the payload".into());
        }
        let mut signer = fixture.spawn_signer(&folder.path().join("keys"))?;
        let id = signer.id();
        let record = |evidence: &Evidence| record(evidence);
        let more =
            |evidence: &Evidence| Ok::<_, crate::Error>(record(evidence)? + pae_hash(evidence)?);
        Ok(Parts {
            call: timed(SHORT, || self.bare.call(&envelope).map(drop))?,
            call_async: self.call_async(&envelope)?,
            call_live: timed(SHORT, || live.call(&envelope).map(drop))?,
            hashes: payload_hashes()? + pae_hash(&self.built_in)?,
            record: record(&self.built_in)?,
            signature: signature(&self.built_in)?,
            merkle: merkle(&self.built_in)?,
            policy: policy(fixture, &self.built_in)?,
            gates: timed(SHORT, || {
                self.bare.judge(&ingress)?;
                self.bare.judge(&egress).map(drop)
            })?,
            gate_record: more(&self.ethical)?.without(more(&self.built_in)?),
            hop: [
                hop(&self.built_in, &mut signer, id, GROUP)?,
                hop(&self.built_in, &mut signer, id, 1)?,
            ],
            write: writes(folder.path(), &self.built_in)?,
            gate_write: writes(folder.path(), &self.ethical)?,
        })
    }

    fn call_async(&self, envelope: &wit::Envelope) -> Result<Cost> {
        self.runtime.block_on(async {
            let (before, began) = (crate::process::thread_cpu()?, Instant::now());
            let mut turns = 0_usize;
            while began.elapsed() < SHORT {
                black_box(self.bare.call_async(envelope).await?);
                turns += 1;
            }
            let spent = crate::process::thread_cpu()?.saturating_sub(before);
            let cost = Cost {
                cpu_us: spent.as_secs_f64() * 1e6,
                wall_us: began.elapsed().as_secs_f64() * 1e6,
            };
            Ok(cost.each(turns))
        })
    }
}

fn payload_hashes() -> Result<Cost> {
    let (input, output) = (payload(), payload());
    timed_value(SHORT, || {
        let blake3 = (
            Digest::of(black_box(&input)),
            Digest::of(black_box(&output)),
        );
        let sha256 = (
            Sha256::of(black_box(&input)),
            Sha256::of(black_box(&output)),
        );
        (blake3, sha256)
    })
}

fn pae_hash(evidence: &Evidence) -> Result<Cost> {
    timed_value(SHORT, || statement_digest(black_box(&evidence.bytes)))
}

fn record(evidence: &Evidence) -> Result<Cost> {
    timed_value(SHORT, || black_box(&evidence.statement).payload())
}

fn signature(evidence: &Evidence) -> Result<Cost> {
    let key = SecretKey::from_bytes(KeyRole::Step, &[7; 32]);
    timed_value(SHORT, || {
        key.sign(&pae(PAYLOAD_TYPE, black_box(&evidence.bytes)))
    })
}

fn merkle(evidence: &Evidence) -> Result<Cost> {
    let key = SecretKey::from_bytes(KeyRole::Log, &[9; 32]);
    let mut frontier = Frontier::new();
    let group = timed_value(SHORT, || {
        for _ in 0..GROUP {
            frontier.append(hash_record(&black_box(&evidence.leaf).encode(), &[3; 32]));
        }
        key.sign(&frontier.root())
    });
    Ok(group?.each(GROUP))
}

fn policy(fixture: &Fixture, evidence: &Evidence) -> Result<Cost> {
    let [ingress, egress] = &evidence.requests;
    timed_value(SHORT, || {
        let grant = black_box(&fixture.grant);
        let permits =
            [Mode::Read, Mode::Put].map(|mode| grant.permits(Capability::Artifact, Some(mode)));
        (
            permits,
            black_box(ingress).digest(),
            black_box(egress).digest(),
        )
    })
}

/// One message with `count` statements and back, per statement, without the signatures themselves.
fn hop(
    evidence: &Evidence,
    signer: &mut dyn Signer,
    process: Option<u32>,
    count: usize,
) -> Result<Cost> {
    let statements = vec![evidence.bytes.as_slice(); count];
    let before = process_cpu(process)?;
    let mut turns = 0_usize;
    let ours = timed(LONG, || {
        turns += 1;
        black_box(signer.sign_statements(black_box(&statements))?);
        Ok(())
    })?;
    let theirs = process_cpu(process)?.saturating_sub(before);
    let theirs = Cost {
        cpu_us: theirs.as_secs_f64() * 1e6,
        wall_us: 0.0,
    };
    let core = signing_core()?;
    let signatures = timed(SHORT, || {
        black_box(core.sign_statements(black_box(&statements))?);
        Ok(())
    })?;
    Ok((ours + theirs.each(turns)).without(signatures).each(count))
}

fn writes(folder: &Path, evidence: &Evidence) -> Result<[Cost; 2]> {
    Ok([
        write(folder, &evidence.block(GROUP)?)?.each(GROUP),
        write(folder, &evidence.block(1)?)?,
    ])
}

/// The same bytes at the end of a growing file, made durable.
fn write(folder: &Path, block: &[u8]) -> Result<Cost> {
    let mut file = File::create(folder.join("raw"))?;
    timed(LONG, || {
        file.write_all(black_box(block))?;
        Ok(file.sync_data()?)
    })
}

fn bare_envelope(fixture: &Fixture) -> wit::Envelope {
    let envelope = fixture.envelope();
    wit::Envelope {
        id: envelope.id.to_string(),
        operation: envelope.operation,
        media_type: envelope.media_type,
        artifacts: Vec::new(),
        body: envelope.body,
    }
}

/// The same request for a gate on a bare engine.
pub(crate) fn bare_request(request: &GateRequest) -> wit_gate::Request {
    use crate::bare::gate::aim::types::types::Target;
    let item = |item: &aim_core::gate::Item| wit_gate::Item {
        target: match &item.target {
            aim_core::envelope::Target::Node(name) => Target::Node(name.clone()),
            _ => Target::Next,
        },
        action: item.action.clone(),
        media_type: item.media_type.clone(),
        artifacts: Vec::new(),
        payload_digest: item.payload_digest.to_string(),
        payload: item.payload.clone(),
    };
    wit_gate::Request {
        phase: match request.phase {
            Phase::Egress => wit_gate::Phase::Egress,
            _ => wit_gate::Phase::Ingress,
        },
        plan: request.plan.clone(),
        step: request.step.clone(),
        role: request.role.clone(),
        effects: request.effects.clone(),
        items: request.items.iter().map(item).collect(),
        impact: None,
        doubt: None,
        quip: None,
        prior: None,
        context: Vec::new(),
    }
}
