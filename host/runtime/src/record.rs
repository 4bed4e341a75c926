//! Writing an attempt down: the statement that is signed and the payloads that lie beside it.
//!
//! INVARIANT: of an attempt that releases nothing, no payload of the guest's is ever stored, unless it is kept in quarantine;
//! digests always are, and so is what the host answered, because nothing can be replayed without.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    access::TokenRecord,
    attempt::Ended,
    claims::GuestClaims,
    digest::{Digest, Sha256},
    effect::EffectRecord,
    id::{AttemptId, EnvelopeId, SpanId},
    kappa::composite::CompositeRecord,
    leaf::LeafKind,
    name::StepName,
    plan::{INTEGER_MAX, SoftBudget, StepPath},
    pool::Amount,
    time::Timestamp,
    transcript::{CallRecord, CallVerdict, Fields, Transcript},
    verdict::Disposition,
    witness::{
        ATTEMPT_PREDICATE, AttemptPredicate, BudgetUse, DeniedCall, EngineRecord, EnvelopeRecord,
        HostCallRecord, KappaRecord, MonitorRecord, OutputRecord, Statement, Subject, WouldDeny,
    },
};
use aim_engine::{LogLine, StagedEffects, StepReport};

use crate::{
    attempt::{Done, RunFacts, Task},
    commit::Submission,
    effects::{Base, Document},
    host::HostFacts,
    unit::Unit,
};

/// Payloads up to this size lie in the log; larger ones in the artifact store.
pub(crate) const LOG_BLOB_BYTES_MAX: usize = 64 * 1024;

/// Characters of a denial's words that a witness keeps.
const DENIAL_CHARS_MAX: usize = 512;

/// Everything a statement is made from.
pub(crate) struct Facts<'a> {
    /// What it staged, written down.
    pub(crate) documents: &'a [Document],
    pub(crate) host: &'a HostFacts,
    pub(crate) unit: &'a Unit,
    pub(crate) run: &'a RunFacts,
    pub(crate) task: &'a Task,
    pub(crate) attempt: AttemptId,
    pub(crate) ended: &'a Ended,
    pub(crate) body: Digest,
    /// BLAKE3 of each emission's body, in order.
    pub(crate) bodies: &'a [Digest],
    /// Absent when the guest never ran.
    pub(crate) report: Option<&'a StepReport>,
    pub(crate) kappa: Option<KappaRecord>,
    pub(crate) composite: Option<CompositeRecord>,
    pub(crate) disposition: Disposition,
    pub(crate) effects: &'a [EffectRecord],
    /// What the policy on trial would have refused when addresses were known.
    pub(crate) would_deny: &'a [WouldDeny],
    pub(crate) reroute: Option<StepName>,
    pub(crate) options: BTreeMap<StepName, String>,
    /// What the writable folders held that the step could read.
    pub(crate) bases: &'a [Base],
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
}

/// What is committed for an attempt: its statement, and the payloads that lie in the log.
pub(crate) fn submission(facts: &Facts<'_>) -> Submission {
    let logs = facts
        .report
        .map(|report| log_bytes(&report.logs))
        .unwrap_or_default();
    let transcript = facts
        .report
        .map_or_else(Vec::new, |report| report.transcript.encode());
    let transcript_digest = Digest::of(&transcript);
    let statement = statement(facts, &logs, transcript_digest);
    let mut blobs: Vec<(Digest, Arc<[u8]>)> = Vec::new();
    if !logs.is_empty() {
        blobs.push((Digest::of(&logs), logs.into()));
    }
    let has_calls = |report: &StepReport| !report.transcript.records().is_empty();
    if facts.report.is_some_and(has_calls) {
        blobs.push((transcript_digest, transcript.into()));
    }
    let answered = answers(facts.report, facts.effects, facts.bases);
    let small = |bytes: &[u8]| bytes.len() <= LOG_BLOB_BYTES_MAX;
    let mut kept: Vec<(Digest, Arc<[u8]>)> = answered.filter(|(_, bytes)| small(bytes)).collect();
    if facts.ended.is_releasable() || facts.disposition == Disposition::Quarantine {
        kept.extend(small_outputs(facts));
    }
    kept.sort_by_key(|(digest, _)| *digest);
    kept.dedup_by_key(|(digest, _)| *digest);
    blobs.extend(kept);
    Submission::witness(LeafKind::Attempt, statement.payload(), blobs)
}

/// What the host has told the guest and what lies nowhere else: answers to its calls, contents that it read, and what was in
/// the folders that it may write to.
fn answers<'a>(
    report: Option<&'a StepReport>,
    effects: &'a [EffectRecord],
    bases: &'a [Base],
) -> impl Iterator<Item = (Digest, Arc<[u8]>)> + 'a {
    let reports = report.into_iter();
    let told = reports.clone().flat_map(|report| {
        let records = report.transcript.records().iter();
        let payloads = report.transcript.payloads();
        records.filter_map(|record| payloads.get_key_value(&record.response.digest))
    });
    // What an effect answered lies beside its outcome already.
    let told = told.filter(|(digest, _)| {
        let mut effects = effects.iter();
        effects.all(|effect| effect.response != Some(**digest))
    });
    let told = told.map(|(digest, bytes)| (*digest, Arc::from(bytes.as_slice())));
    let read = reports.flat_map(|report| &report.effects.kept);
    let read = read.map(|(digest, bytes)| (*digest, Arc::clone(bytes)));
    let bases = bases
        .iter()
        .map(|base| (base.digest, Arc::clone(&base.manifest)));
    told.chain(read).chain(bases)
}

/// Outputs and requests of host calls that are small enough for the log.
fn small_outputs(facts: &Facts<'_>) -> Vec<(Digest, Arc<[u8]>)> {
    let bodies = (facts.ended.emissions().iter().zip(facts.bodies))
        .map(|(emission, digest)| (*digest, Arc::from(emission.body.as_slice())));
    let staged = facts.report.into_iter().flat_map(|report| &report.staged);
    let artifacts = staged.map(|staged| (staged.reference.digest, Arc::clone(&staged.bytes)));
    let calls = facts.report.into_iter().flat_map(|report| {
        let payloads = report.transcript.payloads();
        let records = report.transcript.records().iter();
        records.filter_map(|record| payloads.get_key_value(&record.request.digest))
    });
    let calls = calls.map(|(digest, bytes)| (*digest, Arc::from(bytes.as_slice())));
    let contents = facts.documents.iter().flat_map(|one| one.contents.clone());
    let mut blobs: Vec<(Digest, Arc<[u8]>)> = bodies
        .chain(artifacts)
        .chain(calls)
        .chain(contents)
        .filter(|(_, bytes): &(Digest, Arc<[u8]>)| bytes.len() <= LOG_BLOB_BYTES_MAX)
        .collect();
    // The documents themselves lie in the log whatever their size: they are what state is made again from.
    let documents = facts.documents.iter();
    blobs.extend(documents.map(|one| (one.record.document, Arc::from(one.bytes.as_slice()))));
    blobs
}

/// Contents that go to the artifact store before the commit that names them.
pub(crate) fn large_contents(done: &Done) -> Vec<Vec<u8>> {
    let answered = answers(done.report.as_ref(), &done.effects, &done.bases);
    let is_large = |bytes: &[u8]| bytes.len() > LOG_BLOB_BYTES_MAX;
    let answered = answered.filter(|(_, bytes)| is_large(bytes));
    let mut large: Vec<Vec<u8>> = answered.map(|(_, bytes)| bytes.to_vec()).collect();
    if !done.is_kept() {
        return large;
    }
    let bodies = done.ended.emissions().iter();
    let reports = || done.report.iter();
    let artifacts = reports().flat_map(|report| &report.staged);
    let effects = reports().flat_map(|report| contents_of(&report.effects));
    let outputs = (bodies.map(|emission| emission.body.as_slice()))
        .chain(artifacts.map(|staged| &*staged.bytes))
        .chain(effects)
        .filter(|bytes| is_large(bytes));
    large.extend(outputs.map(<[u8]>::to_vec));
    large
}

/// Everything that staged changes hold.
fn contents_of(effects: &StagedEffects) -> impl Iterator<Item = &[u8]> {
    let values = effects.buckets.iter().flat_map(|one| one.changes.values());
    let files = effects.folders.iter().flat_map(|one| &one.changes);
    let files = files.filter_map(|change| change.bytes.as_ref());
    values.flatten().chain(files).map(|bytes| &**bytes)
}

/// The engine of the step's class: the allocator differs between classes.
fn engine(facts: &Facts<'_>) -> EngineRecord {
    EngineRecord {
        allocator: facts.unit.linked.allocator().word().to_owned(),
        ..facts.host.engine.clone()
    }
}

/// The envelope, without its payload.
fn envelope_record(facts: &Facts<'_>) -> EnvelopeRecord {
    let envelope = facts.ended.envelope();
    EnvelopeRecord {
        artifacts: envelope.artifacts.clone(),
        body: facts.body,
        body_bytes: envelope.body.len() as u64,
        causation: envelope.causation,
        id: envelope.id,
        media_type: envelope.media_type.clone(),
        operation: envelope.operation.clone(),
    }
}

/// Where the node stands, unless the step's name says it already.
fn path(facts: &Facts<'_>) -> Option<StepPath> {
    let path = &facts.task.path;
    (path.as_str() != facts.unit.step.name.as_str()).then(|| path.clone())
}

/// The statement, as it would be signed.
pub(crate) fn stated(facts: &Facts<'_>) -> Statement<AttemptPredicate> {
    let logs = facts.report.map(|report| log_bytes(&report.logs));
    let transcript = facts.report.map(|report| report.transcript.encode());
    let transcript = Digest::of(&transcript.unwrap_or_default());
    statement(facts, &logs.unwrap_or_default(), transcript)
}

fn statement(facts: &Facts<'_>, logs: &[u8], transcript: Digest) -> Statement<AttemptPredicate> {
    let Facts {
        host,
        unit,
        run,
        task,
        ended,
        ..
    } = facts;
    let envelope = ended.envelope();
    let claims = facts
        .report
        .map(|report| &report.claims)
        .filter(|claims| **claims != GuestClaims::default());
    let predicate = AttemptPredicate {
        actor: run.actor.clone(),
        attempt: facts.attempt,
        attempt_no: task.attempt_no,
        bases: (facts.bases.iter())
            .map(|base| (base.folder.clone(), base.digest))
            .collect(),
        budgets: budgets(facts),
        component: unit.component,
        composite: facts.composite.clone(),
        config: host.config,
        contract: unit.contract_digest,
        correlation: envelope.correlation,
        disposition: facts.disposition,
        effects: facts.effects.to_vec(),
        ended_at: facts.ended_at,
        engine: engine(facts),
        envelope: envelope_record(facts),
        execution: run.execution,
        fault: ended.fault().cloned(),
        folders: unit.folder_digests.clone(),
        gates: ended.gates().to_vec(),
        grant: (*unit.grant).clone(),
        guest_claims: claims.cloned(),
        host: host.host.clone(),
        host_calls: host_calls(facts.report, logs, transcript),
        kappa: facts.kappa.clone(),
        monitor: monitor(unit, facts.report, facts.would_deny),
        node: unit.contract.node_id.clone(),
        options: facts.options.clone(),
        origin: host.origin.clone(),
        outcome: ended.outcome().clone(),
        outputs: outputs(facts),
        parent_span: task.parent_span,
        path: path(facts),
        plan: run.plan,
        released: ended.is_releasable(),
        reroute: facts.reroute.clone(),
        role: unit.step.role.to_string(),
        run: run.run,
        span: SpanId::of(facts.attempt),
        staged: facts
            .documents
            .iter()
            .map(|one| one.record.clone())
            .collect(),
        started_at: facts.started_at,
        step: unit.step.name.clone(),
        tenant: run.tenant.clone(),
        tokens: tokens(facts.report),
        trace: run.trace,
        verdict: ended.verdict(),
    };
    Statement::new(ATTEMPT_PREDICATE, subjects(facts), predicate)
}

fn subjects(facts: &Facts<'_>) -> Vec<Subject> {
    let input = Subject::new(
        "input",
        facts.body,
        Sha256::of(&facts.ended.envelope().body),
    );
    let outputs = (facts.ended.emissions().iter().zip(facts.bodies).enumerate()).map(
        |(index, (emission, digest))| {
            Subject::new(
                format!("output/{index}"),
                *digest,
                Sha256::of(&emission.body),
            )
        },
    );
    let staged = facts
        .report
        .into_iter()
        .flat_map(|report| &report.staged)
        .enumerate();
    let artifacts = staged.map(|(index, staged)| {
        let sha256 = Sha256::of(&staged.bytes);
        Subject::new(format!("artifact/{index}"), staged.reference.digest, sha256)
    });
    std::iter::once(input)
        .chain(outputs)
        .chain(artifacts)
        .collect()
}

fn outputs(facts: &Facts<'_>) -> Vec<OutputRecord> {
    (0..)
        .zip(facts.ended.emissions().iter().zip(facts.bodies))
        .map(|(index, (emission, body))| OutputRecord {
            artifacts: emission.artifacts.clone(),
            body: *body,
            body_bytes: emission.body.len() as u64,
            envelope: EnvelopeId::emitted(facts.run.run, facts.task.path.as_str(), index),
            media_type: emission.media_type.clone(),
            operation: emission.operation.clone(),
            target: emission.target.clone(),
        })
        .collect()
}

/// The plan's soft mark below a budget, by the budget's name.
fn soft_mark(marks: SoftBudget, name: &str) -> Option<u64> {
    match name {
        "cost_micros" => marks.cost_micros,
        "time_ms" => marks.time_ms,
        "tokens" => marks.tokens,
        "tools" => marks.tools,
        _ => None,
    }
}

fn budgets(facts: &Facts<'_>) -> Vec<BudgetUse> {
    let limits = &facts.unit.limits;
    let marks = facts.unit.step.budget.soft;
    let used = |name: &str, used: u64, cap: u64| BudgetUse {
        cap,
        name: name.to_owned(),
        soft: marks.and_then(|marks| soft_mark(marks, name)),
        used,
    };
    let report = facts.report;
    let calls = report.map_or(0, |report| report.transcript.records().len() as u64);
    let spent = report.map_or_else(Amount::default, |report| report.spent);
    let budget = &facts.unit.step.budget;
    let mut budgets = Vec::with_capacity(9);
    // Cost has no cap of its own; it is told where there is one, or where something had a price.
    if let Some(cap) = budget.cost_micros {
        budgets.push(used("cost_micros", spent.cost_micros, cap));
    } else if spent.cost_micros > 0 {
        budgets.push(used("cost_micros", spent.cost_micros, INTEGER_MAX));
    }
    budgets.extend([
        used(
            "effect_bytes",
            report.map_or(0, |report| report.immediate_bytes),
            limits.effect_bytes_max,
        ),
        used(
            "effects",
            report.map_or(0, |report| u64::from(report.immediate)),
            u64::from(limits.effects_max),
        ),
        used(
            "fuel",
            report.map_or(0, |report| report.fuel_used),
            limits.fuel_max,
        ),
        used("host_calls", calls, u64::from(limits.host_calls_max)),
        used(
            "memory_bytes",
            report.map_or(0, |r| r.memory_peak_bytes),
            limits.memory_bytes_max,
        ),
        used(
            "time_ms",
            report.map_or(0, |report| report.wall_ms),
            limits.deadline_ms_max,
        ),
        used("tokens", spent.tokens, budget.tokens),
        used("tools", spent.tools, budget.tools),
    ]);
    budgets
}

fn host_calls(report: Option<&StepReport>, logs: &[u8], transcript: Digest) -> HostCallRecord {
    let Some(report) = report else {
        return HostCallRecord {
            adapters: BTreeMap::new(),
            calls: 0,
            denials: Vec::new(),
            log_bytes_dropped: 0,
            logs: None,
            transcript,
        };
    };
    let denied = report.transcript.records().iter();
    let denied = denied
        .filter(|record| record.verdict == CallVerdict::Denied)
        .take(64);
    HostCallRecord {
        adapters: report.adapter_calls().clone(),
        calls: report.transcript.records().len() as u64,
        denials: denied
            .map(|record| denied_call(&report.transcript, record))
            .collect(),
        log_bytes_dropped: report.log_dropped_bytes,
        logs: (!logs.is_empty()).then(|| Digest::of(logs)),
        transcript,
    }
}

fn tokens(report: Option<&StepReport>) -> Vec<TokenRecord> {
    report.map_or_else(Vec::new, |report| report.tokens.clone())
}

/// A denial as the guest got it; where its words are gone, the digests that are left.
fn denied_call(transcript: &Transcript, record: &CallRecord) -> DeniedCall {
    let payload = transcript.payloads().get(&record.response.digest);
    let fields = payload.and_then(|bytes| Fields::read(bytes));
    let text = |index: usize| {
        let field = fields.as_ref()?.get(index)?;
        Some(
            std::str::from_utf8(field)
                .ok()?
                .chars()
                .take(DENIAL_CHARS_MAX)
                .collect(),
        )
    };
    DeniedCall {
        action: record.function.to_string(),
        call: record.index,
        rule: text(1).unwrap_or_else(|| "grant".to_owned()),
        target: text(3).unwrap_or_else(|| record.request.digest.to_string()),
    }
}

/// What the policy on trial would have refused of what this attempt was granted, with the calls that it made.
fn monitor(
    unit: &Unit,
    report: Option<&StepReport>,
    dialled: &[WouldDeny],
) -> Option<MonitorRecord> {
    let mut record = unit.monitor.clone()?;
    let tokens = report
        .map(|report| report.tokens.as_slice())
        .unwrap_or_default();
    for one in &mut record.would_deny {
        let same = tokens
            .iter()
            .filter(|token| token.claims.act == one.action && token.claims.res == one.resource);
        one.calls = same.map(|token| u64::from(token.used.calls)).sum();
    }
    record.would_deny.extend(dialled.iter().cloned());
    Some(record)
}

/// Log lines as JSON lines; empty for none.
fn log_bytes(lines: &[LogLine]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        let fields: Vec<[&str; 2]> = line
            .fields
            .iter()
            .map(|(key, value)| [key.as_str(), value.as_str()])
            .collect();
        let line = serde_json::json!({
            "fields": fields,
            "level": line.level.word(),
            "message": line.message,
            "source": line.source,
        });
        out.extend_from_slice(line.to_string().as_bytes());
        out.push(b'\n');
    }
    out
}
