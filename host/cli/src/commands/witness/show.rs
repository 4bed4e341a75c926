//! `witness show`: one statement for people, or its exact bytes.
//!
//! INVARIANT: nothing is shown that is not in the statement or its leaf.

use aim_core::{
    claims::GuestClaims,
    gate::GateRecord,
    leaf::SigningMode,
    outcome::{Exit, Fault, Outcome},
    quarantine::ReleasePredicate,
    witness::{AttemptPredicate, DeniedLoadPredicate, EpochPredicate, HostRecord, PlanPredicate},
};
use aim_runtime::ledger::{Answered, ApprovalRecord, Entry, EntryBody};

use crate::{
    args::{Cli, Output, WitnessShowArgs},
    error::CliError,
    evidence,
    render::{
        lines::{Lines, word},
        out,
    },
};

/// `aimctl witness show`.
pub(crate) fn show(cli: &Cli, args: &WitnessShowArgs) -> Result<Exit, CliError> {
    let (_, ledger) = evidence::read(&args.data.data_dir)?;
    let entry = evidence::entry(&ledger, &args.witness)?;
    match cli.output {
        Output::Json => out::signed_json(&entry.statement)?,
        Output::Text => out::text(&text(entry))?,
    }
    Ok(Exit::Ok)
}

fn text(entry: &Entry) -> String {
    let mut lines = Lines::new(9);
    lines.add("witness", entry.witness.to_string());
    let signed = match entry.leaf.mode {
        SigningMode::Each => format!("signed by key {}", entry.leaf.key),
        SigningMode::Batch => "signed for by the checkpoint over it".to_owned(),
    };
    let leaf = &entry.leaf;
    lines.add(
        "leaf",
        format!("{} · {} · {signed}", leaf.index, leaf.kind.name()),
    );
    match &entry.body {
        EntryBody::Attempt(attempt) => self::attempt(&mut lines, attempt),
        EntryBody::Plan(plan) => self::plan(&mut lines, plan),
        EntryBody::DeniedLoad(denied) => denied_load(&mut lines, denied),
        EntryBody::Epoch(epoch) => self::epoch(&mut lines, epoch),
        EntryBody::Answer(answer) => self::answer(&mut lines, answer),
        EntryBody::Approval(approval) => {
            lines.add("log", &approval.origin);
            lines.add("about", approval.witness.to_string());
            lines.add("approval", &approval.approval);
        }
        EntryBody::Release(release) => self::release(&mut lines, release),
        EntryBody::UseApproval(approval) => approved(&mut lines, approval),
        EntryBody::Other => {
            lines.add(
                "body",
                "of a kind that this version only carries; see -o json",
            );
        }
    }
    lines.into_text()
}

/// An approval of a use, or of an older version.
fn approved(lines: &mut Lines, answer: &ApprovalRecord) {
    lines.add("log", &answer.origin);
    lines.add("answer", format!("{} · {}", answer.kind, answer.digest));
    lines.add(
        "given by",
        format!("{} · {}", answer.actor, answer.answered_at),
    );
    for (name, value) in &answer.approval {
        lines.add("approves", format!("{name} {value}"));
    }
    if let Some(execution) = answer.execution {
        lines.add("counted for", execution.to_string());
    }
    lines.add("key", &answer.key);
    lines.add("signed", &answer.signature);
}

fn release(lines: &mut Lines, release: &ReleasePredicate) {
    lines.add("log", &release.origin);
    lines.add("released", release.witness.to_string());
    for output in &release.outputs {
        lines.add("output", output.to_string());
    }
    for one in &release.approvers {
        lines.add("by", format!("{} · {} · {}", one.name, one.role, one.actor));
    }
    lines.add("at", release.released_at.to_string());
}

fn answer(lines: &mut Lines, answered: &Answered) {
    let around = &answered.predicate;
    lines.add("log", &around.origin);
    lines.add("execution", around.execution.to_string());
    let Some(given) = &answered.given else {
        lines.add(
            "answer",
            "counts for nothing: nobody has signed it, or it was given to something else (AIM-E016)",
        );
        return;
    };
    lines.add("run", given.run.to_string());
    lines.add(
        "question",
        format!("{} · of {}", given.question, given.path),
    );
    lines.add("answer", given.answer.word());
    let by = &given.approver;
    lines.add(
        "given by",
        format!("{} · {} · {}", by.name, by.role, given.at),
    );
    lines.add("signed", format!("with the key {}", by.key));
    lines.add("from", &around.actor);
}

fn attempt(lines: &mut Lines, attempt: &AttemptPredicate) {
    lines.add("log", &attempt.origin);
    lines.add("run", attempt.run.to_string());
    lines.add("execution", attempt.execution.to_string());
    lines.add(
        "attempt",
        format!("{} · number {}", attempt.attempt, attempt.attempt_no),
    );
    let step = (&attempt.step, &attempt.role, &attempt.node);
    lines.add(
        "step",
        format!("{} · role {} · node {}", step.0, step.1, step.2),
    );
    lines.add(
        "asked by",
        format!("{} · tenant {}", attempt.actor, attempt.tenant),
    );
    let times = (attempt.started_at, attempt.ended_at);
    lines.add(
        "time",
        format!("{} to {} (the host's claim)", times.0, times.1),
    );
    let released = if attempt.released {
        "released"
    } else {
        "nothing released"
    };
    let outcome = outcome_text(&attempt.outcome);
    lines.add(
        "outcome",
        format!(
            "{outcome} · verdict {} · {released}",
            attempt.verdict.word()
        ),
    );
    attempt
        .fault
        .iter()
        .for_each(|fault| lines.add("fault", fault_text(fault)));
    if let Some(kappa) = &attempt.kappa {
        let claimed = kappa
            .confidence_ppm
            .map_or("none".to_owned(), |ppm| ppm.to_string());
        let (band, threshold) = (word(&kappa.band), kappa.threshold_ppm);
        lines.add(
            "kappa",
            format!("claimed {claimed} of {threshold} ppm needed · band {band}"),
        );
    }
    pins(lines, attempt);
    input_and_gates(lines, attempt);
    outputs(lines, attempt);
    if let Some(claims) = &attempt.guest_claims {
        lines.title("claims of the guest; the host checked none of them:");
        self::claims(lines, claims);
    }
}

fn pins(lines: &mut Lines, attempt: &AttemptPredicate) {
    lines.add("component", attempt.component.to_string());
    lines.add("contract", attempt.contract.to_string());
    lines.add("plan", attempt.plan.to_string());
    lines.add("config", attempt.config.to_string());
    lines.add(
        "engine",
        format!("{} · {}", attempt.engine.allocator, attempt.engine.profile),
    );
    host(lines, &attempt.host);
}

fn host(lines: &mut Lines, host: &HostRecord) {
    let HostRecord { isolation, version } = host;
    lines.add(
        "host",
        format!("{version} · signing keys apart by {isolation} (the host's word)"),
    );
}

fn input_and_gates(lines: &mut Lines, attempt: &AttemptPredicate) {
    let envelope = &attempt.envelope;
    let what = (
        &envelope.operation,
        &envelope.media_type,
        envelope.body_bytes,
        envelope.body,
    );
    lines.add("envelope", envelope.id.to_string());
    lines.add(
        "",
        format!("{} · {} · {} bytes · {}", what.0, what.1, what.2, what.3),
    );
    for artifact in &envelope.artifacts {
        lines.add(
            "",
            format!("artifact {} · {}", artifact.digest, artifact.media_type),
        );
    }
    for (name, digest) in &attempt.folders {
        lines.add("folders", format!("{name} · {digest}"));
    }
    attempt.gates.iter().for_each(|record| gate(lines, record));
    let none = attempt.grant.asks.is_empty().then(|| "nothing".to_owned());
    let asks = attempt.grant.asks.iter().map(ToString::to_string);
    none.into_iter()
        .chain(asks)
        .for_each(|ask| lines.add("grant", ask));
    if let Some(policy) = attempt.grant.policy {
        lines.add("", format!("by policy {policy}"));
    }
    for budget in &attempt.budgets {
        lines.add(
            "used",
            format!("{:<24} {} of {}", budget.name, budget.used, budget.cap),
        );
    }
}

fn gate(lines: &mut Lines, record: &GateRecord) {
    let (phase, kind) = (word(&record.phase), word(&record.kind));
    let verdict = record.verdict.word();
    lines.add(
        "gates",
        format!("{verdict:<7} {phase:<7} {} ({kind})", record.gate),
    );
    for reason in &record.reasons {
        lines.add("", format!("        {reason}"));
    }
}

fn outputs(lines: &mut Lines, attempt: &AttemptPredicate) {
    for output in &attempt.outputs {
        let what = (
            &output.operation,
            &output.media_type,
            output.body_bytes,
            output.body,
        );
        lines.add(
            "outputs",
            format!("{} · {} · {} bytes · {}", what.0, what.1, what.2, what.3),
        );
        for artifact in &output.artifacts {
            lines.add(
                "",
                format!("  artifact {} · {}", artifact.digest, artifact.media_type),
            );
        }
    }
    let calls = &attempt.host_calls;
    lines.add(
        "calls",
        format!("{} · transcript {}", calls.calls, calls.transcript),
    );
    for (function, count) in &calls.adapters {
        lines.add("", format!("{count} × {function} answered by an adapter"));
    }
    effects(lines, attempt);
    for denial in &calls.denials {
        let (action, target, rule) = (&denial.action, &denial.target, &denial.rule);
        lines.add(
            "denied",
            format!("call {}: {action} {target} by {rule}", denial.call),
        );
    }
    if calls.log_bytes_dropped > 0 {
        lines.add(
            "",
            format!(
                "{} log bytes over the budget were dropped",
                calls.log_bytes_dropped
            ),
        );
    }
}

/// What the world noticed, with the key that tells a repetition.
fn effects(lines: &mut Lines, attempt: &AttemptPredicate) {
    for effect in &attempt.effects {
        let why = effect.fault.as_deref().unwrap_or_default();
        lines.add(
            "effect",
            format!(
                "call {}: {} · {} {why}",
                effect.call,
                effect.target,
                effect.end.word()
            ),
        );
        lines.add(
            "",
            format!("  key {} · begun {} ×", effect.key, effect.tries),
        );
    }
}

fn claims(lines: &mut Lines, claims: &GuestClaims) {
    if let Some(confidence) = &claims.confidence {
        lines.add(
            "  sure",
            format!("{} ppm by {}", confidence.score, confidence.method),
        );
    }
    if let Some(doubt) = &claims.doubt {
        lines.add("  doubts", word(doubt));
    }
    for citation in &claims.citations {
        let source = &citation.source;
        let relation = word(&citation.relation);
        lines.add(
            "  cites",
            format!("{relation} {} · {}", source.digest, source.media_type),
        );
    }
    for claim in &claims.claims {
        lines.add("  says", format!("{} {}", claim.kind, claim.body));
    }
    claims
        .impact
        .iter()
        .for_each(|impact| lines.add("  impact", impact));
    claims
        .quip
        .iter()
        .for_each(|quip| lines.add("  quip", quip));
}

fn plan(lines: &mut Lines, plan: &PlanPredicate) {
    lines.add("log", &plan.origin);
    lines.add("run", plan.run.to_string());
    lines.add("execution", plan.execution.to_string());
    lines.add("plan", format!("{} · {}", plan.plan_name, plan.plan));
    lines.add("lock", plan.lock.to_string());
    lines.add(
        "asked by",
        format!("{} · tenant {}", plan.actor, plan.tenant),
    );
    lines.add(
        "time",
        format!(
            "{} to {} (the host's claim)",
            plan.started_at, plan.ended_at
        ),
    );
    lines.add("exit", plan.exit_code.to_string());
    host(lines, &plan.host);
    for (name, digest) in &plan.inputs {
        lines.add("inputs", format!("{name} · {digest}"));
    }
    for step in &plan.steps {
        let outcome = step
            .outcome
            .as_ref()
            .map_or("never ran".to_owned(), outcome_text);
        let state = word(&step.state);
        let optional = if step.is_required { "" } else { " · optional" };
        lines.add(
            "steps",
            format!("{:<10} {} · {outcome}{optional}", state, step.step),
        );
        for witness in &step.attempts {
            lines.add("", format!("           {witness}"));
        }
    }
}

fn denied_load(lines: &mut Lines, denied: &DeniedLoadPredicate) {
    lines.add("log", &denied.origin);
    let wanted_by = denied.step.as_ref().map_or("a gate", |step| step.as_str());
    lines.add("step", format!("{wanted_by} · node {}", denied.node));
    lines.add(
        "asked by",
        format!("{} · tenant {}", denied.actor, denied.tenant),
    );
    lines.add("time", format!("{} (the host's claim)", denied.refused_at));
    if let Some(component) = denied.component {
        lines.add("component", component.to_string());
    }
    host(lines, &denied.host);
    for refused in &denied.refused_asks {
        let rules = if refused.rules.is_empty() {
            "no rule permits it".to_owned()
        } else {
            refused.rules.join(", ")
        };
        lines.add("refused", format!("{} · {rules}", refused.ask));
    }
    denied
        .reasons
        .iter()
        .for_each(|reason| lines.add("reasons", fault_text(reason)));
}

fn epoch(lines: &mut Lines, epoch: &EpochPredicate) {
    lines.add("log", &epoch.origin);
    lines.add("time", format!("{} (the host's claim)", epoch.created_at));
    host(lines, &epoch.host);
    for (role, key) in &epoch.keys {
        lines.add("keys", format!("{role} {key}"));
    }
}

fn fault_text(fault: &Fault) -> String {
    format!("{}: {}", fault.code, fault.message)
}

fn outcome_text(outcome: &Outcome) -> String {
    let detail = serde_json::to_value(outcome)
        .ok()
        .and_then(|value| match value.get("of") {
            Some(serde_json::Value::String(word)) => Some(word.clone()),
            Some(other) => Some(other.to_string()),
            None => None,
        });
    detail.map_or_else(
        || outcome.word().to_owned(),
        |detail| format!("{} ({detail})", outcome.word()),
    )
}
