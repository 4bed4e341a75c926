//! Holding a replay against its record: what differs, field by field, in the order in which an attempt goes.
//!
//! Both sides are statements about the same attempt: one was signed when it happened, the other was made from running it again.
//! Times, the host and its configuration take no part; everything that the attempt decided or said does.
//!
//! INVARIANT: two statements without a difference here say the same about what went in, what was asked, what was answered and
//! what came out.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::{
    access::TokenRecord,
    digest::Digest,
    gate::GateRecord,
    id::{AttemptId, ExecutionId, RunId, TraceId},
    name::{StepName, TenantId},
    outcome::{LimitKind, Outcome},
    plan::StepPath,
    time::Timestamp,
    transcript::Transcript,
    witness::{AttemptPredicate, EngineRecord, HostRecord, Statement, Subject},
};

mod calls;

/// Predicate type of a diagnostic witness.
pub const DIAGNOSTIC_PREDICATE: &str = "urn:aim:predicate:diagnostic:v1";
/// The code of a replay that differs from its record.
pub const DIVERGED: &str = "ACL-D301";
/// The code of another component that would have behaved otherwise.
pub const BEHAVES_OTHERWISE: &str = "ACL-D302";
/// The fault of an attempt that its plan's budget ended.
const OVER_BUDGET: &str = "ACL-R101";
/// The fault of an attempt that stayed in a state for too long.
const LATE: &str = "AIM-R073";
/// Differences that are kept of one attempt.
pub const DIFFERENCES_MAX: usize = 64;
/// Characters that are kept of each side of a difference.
const SIDE_CHARS_MAX: usize = 256;
/// What stands for a side that has nothing there.
const NOTHING: &str = "nothing";

/// One field in which a replay differs from its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Which: `call 3 response`, `output 0 body`.
    pub field: String,
    /// What the record says, cut at 256 characters.
    pub recorded: String,
    /// What the replay came to, cut likewise.
    pub replayed: String,
}

/// A statement with the host calls behind it.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What is stated.
    pub statement: &'a Statement<AttemptPredicate>,
    /// Every host call.
    pub transcript: &'a Transcript,
}

/// What of two runs can be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    /// The same component ran, so it also took the same fuel and memory and failed in the same words.
    pub is_same_component: bool,
    /// The recorded run was ended by time or by a person: it tells how far it came, not how it would have ended.
    pub is_cut: bool,
}

impl Likeness {
    /// For a replay of `recorded` by its own component, or by another one.
    #[must_use]
    pub fn of(recorded: &AttemptPredicate, is_same_component: bool) -> Self {
        Self {
            is_same_component,
            is_cut: is_cut(recorded),
        }
    }
}

/// True for ends that come from outside of the attempt: a person, the clock, the host, or a plan's budget, which depends on
/// what other steps have used and on prices that no witness tells.
#[must_use]
pub fn is_cut(recorded: &AttemptPredicate) -> bool {
    let code = recorded.fault.as_ref().map(|fault| fault.code.as_str());
    matches!(
        recorded.outcome,
        Outcome::Cancelled
            | Outcome::Bug
            | Outcome::Indeterminate(_)
            | Outcome::Limit(LimitKind::Deadline | LimitKind::Concurrency)
    ) || matches!(code, Some(OVER_BUDGET | LATE))
}

/// Everything in which `replayed` differs from `recorded`; empty when nothing does. At most [`DIFFERENCES_MAX`], the first ones.
#[must_use]
pub fn differences(recorded: Told<'_>, replayed: Told<'_>, likeness: Likeness) -> Vec<Difference> {
    let mut found = Found::default();
    let (one, other) = (&recorded.statement.predicate, &replayed.statement.predicate);
    found.same("envelope body", &one.envelope.body, &other.envelope.body);
    found.same("envelope id", &one.envelope.id, &other.envelope.id);
    let cut = likeness.is_cut;
    let shown = if cut {
        other.gates.len().min(one.gates.len())
    } else {
        usize::MAX
    };
    gates(&mut found, "gate", (&one.gates, &other.gates), shown);
    calls::compare(&mut found, (recorded.transcript, replayed.transcript), cut);
    effects(&mut found, one, other, cut);
    if !cut {
        ends(&mut found, one, other, likeness);
        subjects(
            &mut found,
            &recorded.statement.subject,
            &replayed.statement.subject,
        );
    }
    found.0.truncate(DIFFERENCES_MAX);
    found.0
}

/// What differs so far.
#[derive(Debug, Default)]
struct Found(Vec<Difference>);

impl Found {
    fn same<T: PartialEq + Serialize>(&mut self, field: &str, recorded: &T, replayed: &T) {
        if recorded != replayed {
            self.add(field, &shown(recorded), &shown(replayed));
        }
    }

    fn add(&mut self, field: &str, recorded: &str, replayed: &str) {
        let cut = |side: &str| side.chars().take(SIDE_CHARS_MAX).collect();
        self.0.push(Difference {
            field: field.to_owned(),
            recorded: cut(recorded),
            replayed: cut(replayed),
        });
    }
}

/// A value as a person reads it: text without quotes, the rest as JSON.
fn shown<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    if json == "null" {
        return NOTHING.to_owned();
    }
    let inner = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.map_or_else(|| json.clone(), ToOwned::to_owned)
}

fn gates(
    found: &mut Found,
    what: &str,
    (recorded, replayed): (&[GateRecord], &[GateRecord]),
    most: usize,
) {
    for (one, other) in recorded.iter().zip(replayed).take(most) {
        let name = format!("{what} {} {}", one.gate, shown(&one.phase));
        found.same(&name, &one.gate, &other.gate);
        found.same(
            &format!("{name} component"),
            &one.component,
            &other.component,
        );
        found.same(&format!("{name} codex"), &one.codex, &other.codex);
        found.same(&format!("{name} request"), &one.request, &other.request);
        found.same(&format!("{name} verdict"), &one.verdict, &other.verdict);
        found.same(&format!("{name} reasons"), &one.reasons, &other.reasons);
        found.same(&format!("{name} decision"), &one.decision, &other.decision);
    }
    if most == usize::MAX {
        found.same(&format!("{what}s asked"), &recorded.len(), &replayed.len());
    }
}

fn effects(found: &mut Found, one: &AttemptPredicate, other: &AttemptPredicate, is_cut: bool) {
    for recorded in &one.effects {
        let name = format!("effect of call {}", recorded.call);
        let same = other
            .effects
            .iter()
            .find(|effect| effect.call == recorded.call);
        let Some(replayed) = same else {
            if !is_cut {
                found.add(&name, &recorded.target, NOTHING);
            }
            continue;
        };
        found.same(
            &format!("{name} request"),
            &recorded.request,
            &replayed.request,
        );
        // Decisions about what an interrupted try left were not kept.
        if !recorded.gates.is_empty() {
            let both = (recorded.gates.as_slice(), replayed.gates.as_slice());
            gates(found, &format!("{name} gate"), both, usize::MAX);
        }
    }
}

fn ends(found: &mut Found, one: &AttemptPredicate, other: &AttemptPredicate, likeness: Likeness) {
    found.same("outcome", &one.outcome, &other.outcome);
    let code = |side: &AttemptPredicate| side.fault.as_ref().map(|fault| fault.code.clone());
    found.same("fault", &code(one), &code(other));
    let words = |side: &AttemptPredicate| side.fault.as_ref().map(|fault| fault.message.clone());
    if likeness.is_same_component && code(one) == code(other) {
        found.same("fault message", &words(one), &words(other));
    }
    found.same("verdict", &one.verdict, &other.verdict);
    found.same("released", &one.released, &other.released);
    found.same("disposition", &one.disposition, &other.disposition);
    found.same("reroute", &one.reroute, &other.reroute);
    outputs(found, one, other);
    staged(found, one, other);
    claims(found, one, other);
    found.same("kappa", &one.kappa, &other.kappa);
    if likeness.is_same_component {
        found.same("composite", &one.composite, &other.composite);
        for name in ["fuel", "memory_bytes"] {
            let used = |side: &AttemptPredicate| {
                let mut budgets = side.budgets.iter();
                budgets.find(|one| one.name == name).map(|one| one.used)
            };
            found.same(name, &used(one), &used(other));
        }
    } else {
        let outcome = |side: &AttemptPredicate| side.composite.as_ref().map(|one| one.outcome);
        found.same("composite outcome", &outcome(one), &outcome(other));
    }
    found.same("logs", &one.host_calls.logs, &other.host_calls.logs);
    let dropped = |side: &AttemptPredicate| side.host_calls.log_bytes_dropped;
    found.same("log bytes dropped", &dropped(one), &dropped(other));
    found.same("tokens", &spent(&one.tokens), &spent(&other.tokens));
}

fn outputs(found: &mut Found, one: &AttemptPredicate, other: &AttemptPredicate) {
    found.same("outputs", &one.outputs.len(), &other.outputs.len());
    for (index, (recorded, replayed)) in one.outputs.iter().zip(&other.outputs).enumerate() {
        let name = |part: &str| format!("output {index} {part}");
        found.same(&name("body"), &recorded.body, &replayed.body);
        found.same(
            &name("media type"),
            &recorded.media_type,
            &replayed.media_type,
        );
        found.same(&name("operation"), &recorded.operation, &replayed.operation);
        found.same(&name("target"), &recorded.target, &replayed.target);
        found.same(&name("artifacts"), &recorded.artifacts, &replayed.artifacts);
        found.same(&name("envelope"), &recorded.envelope, &replayed.envelope);
    }
}

fn staged(found: &mut Found, one: &AttemptPredicate, other: &AttemptPredicate) {
    found.same("staged changes", &one.staged.len(), &other.staged.len());
    for (recorded, replayed) in one.staged.iter().zip(&other.staged) {
        let name = format!("staged in {}", recorded.name);
        found.same(&name, recorded, replayed);
    }
}

fn claims(found: &mut Found, one: &AttemptPredicate, other: &AttemptPredicate) {
    if one.guest_claims == other.guest_claims {
        return;
    }
    let recorded = one.guest_claims.clone().unwrap_or_default();
    let replayed = other.guest_claims.clone().unwrap_or_default();
    found.same("claims", &recorded.claims, &replayed.claims);
    found.same("citations", &recorded.citations, &replayed.citations);
    found.same("confidence", &recorded.confidence, &replayed.confidence);
    found.same("doubt", &recorded.doubt, &replayed.doubt);
    found.same("impact", &recorded.impact, &replayed.impact);
    found.same("quip", &recorded.quip, &replayed.quip);
}

/// What was spent, without the moment at which it would have expired.
fn spent(tokens: &[TokenRecord]) -> Vec<TokenRecord> {
    let mut tokens = tokens.to_vec();
    for token in &mut tokens {
        token.claims.exp = Timestamp::from_millis(0);
    }
    tokens
}

fn subjects(found: &mut Found, recorded: &[Subject], replayed: &[Subject]) {
    // Outputs are named above; artifacts are named nowhere else.
    let artifacts = |subjects: &[Subject]| {
        let artifacts = subjects
            .iter()
            .filter(|one| one.name.starts_with("artifact/"));
        artifacts
            .map(|one| one.digest.blake3.to_string())
            .collect::<Vec<_>>()
    };
    found.same("artifacts", &artifacts(recorded), &artifacts(replayed));
}

/// What is stated about a replay that differs from its record. It stands beside the record and changes nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiagnosticPredicate {
    /// Who asked for the replay.
    pub actor: String,
    /// The attempt that was replayed.
    pub attempt: AttemptId,
    /// Always [`DIVERGED`].
    pub code: String,
    /// The component that ran.
    pub component: Digest,
    /// What differs, in the order in which an attempt goes.
    pub differences: Vec<Difference>,
    /// The engine of the replay.
    pub engine: EngineRecord,
    /// The execution.
    pub execution: ExecutionId,
    /// The host of the replay.
    pub host: HostRecord,
    /// The log this statement belongs to.
    pub origin: String,
    /// Where the node stands, where the step's name does not say it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<StepPath>,
    /// Host's claim.
    pub replayed_at: Timestamp,
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepName,
    /// Whose run it was.
    pub tenant: TenantId,
    /// The execution's trace.
    pub trace: TraceId,
    /// The witness that the replay was held against.
    pub witness: Digest,
}

#[cfg(test)]
mod tests;
