//! What gates said before, and which codex they judged by, as the log has it.
//!
//! A *scope* is one run, one step, one gate, one phase. The last verdict in a scope is what the same gate is told the next
//! time it judges there: at a retry, at a resumed or repeated execution. It follows from the log alone, so it is the same
//! after a restart.
//!
//! INVARIANT: only what is durable is remembered, and a codex is never older than one that has judged in this log.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::{
    gate::{CodexVersion, GateKind, GateRecord, Phase},
    id::RunId,
    kappa::composite::KappaOutcome,
    name::StepName,
    verdict::Verdict,
    witness::AttemptPredicate,
};

use crate::{
    ledger::{EntryBody, Ledger},
    turnstile::Turnstile,
};

/// Verdicts and codex versions of one log.
#[derive(Debug, Default)]
pub struct GateHistory(Mutex<Known>);

/// The last verdict of each gate in each phase.
type Said = Vec<(String, Phase, Verdict)>;

#[derive(Debug, Default)]
struct Known {
    verdicts: BTreeMap<(RunId, StepName), Said>,
    outcomes: BTreeMap<(RunId, StepName), KappaOutcome>,
    codexes: BTreeMap<String, CodexVersion>,
}

impl GateHistory {
    /// What `ledger` says.
    #[must_use]
    pub fn of(ledger: &Ledger) -> Self {
        let history = Self::default();
        for entry in ledger.entries() {
            if let EntryBody::Attempt(attempt) = &entry.body {
                let outcome = attempt.composite.as_ref().map(|record| record.outcome);
                history.note(attempt.run, &attempt.step, &attempt.gates, outcome);
            }
        }
        history
    }

    /// What the gates of `attempt` were told about their past.
    #[must_use]
    pub fn as_told(attempt: &AttemptPredicate) -> Self {
        let told = attempt.gates.iter().filter_map(|record| {
            let prior = record.prior?;
            Some((record.gate.clone(), record.phase, prior))
        });
        let key = (attempt.run, attempt.step.clone());
        let outcome = attempt.composite.as_ref().and_then(|record| record.prior);
        Self(Mutex::new(Known {
            verdicts: BTreeMap::from([(key.clone(), told.collect())]),
            outcomes: outcome.map(|outcome| (key, outcome)).into_iter().collect(),
            codexes: BTreeMap::new(),
        }))
    }

    /// Remembers what the gates of an attempt said, once its witness is durable.
    pub fn note(
        &self,
        run: RunId,
        step: &StepName,
        gates: &[GateRecord],
        outcome: Option<KappaOutcome>,
    ) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (run, step.clone());
        if let Some(outcome) = outcome {
            known.outcomes.insert(key.clone(), outcome);
        }
        for record in gates.iter().filter(|one| one.kind == GateKind::Component) {
            if let Some(version) = record.codex_version {
                let newest = known.codexes.entry(record.gate.clone()).or_insert(version);
                *newest = version.max(*newest);
            }
            // A gate that was not asked or gave no answer has said nothing.
            if record.decision.is_none() {
                continue;
            }
            let said = known.verdicts.entry(key.clone()).or_default();
            said.retain(|(gate, phase, _)| *gate != record.gate || *phase != record.phase);
            said.push((record.gate.clone(), record.phase, record.verdict));
        }
    }

    /// The last verdict of `gate` in a scope.
    #[must_use]
    pub fn prior(&self, run: RunId, step: &StepName, gate: &str, phase: Phase) -> Option<Verdict> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = known.verdicts.get(&(run, step.clone()))?;
        let of_gate = said.iter().find(|(id, at, _)| id == gate && *at == phase);
        of_gate.map(|(_, _, verdict)| *verdict)
    }

    /// The last composite outcome of a step.
    #[must_use]
    pub fn prior_outcome(&self, run: RunId, step: &StepName) -> Option<KappaOutcome> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.outcomes.get(&(run, step.clone())).copied()
    }

    /// The newest version that `gate` has judged by.
    #[must_use]
    pub fn newest_codex(&self, gate: &str) -> Option<CodexVersion> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.codexes.get(gate).copied()
    }
}

/// Where gates are asked: whose history counts, and which queue they wait in.
#[derive(Debug, Clone)]
pub struct Scope {
    /// What was said before.
    pub history: Arc<GateHistory>,
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepName,
    /// The queue of the host's gates.
    pub turnstile: Turnstile,
}

impl Scope {
    pub(crate) fn prior(&self, gate: &str, phase: Phase) -> Option<Verdict> {
        self.history.prior(self.run, &self.step, gate, phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aim_core::{
        digest::Digest,
        gate::{Decision, Doubt},
        id::RunPins,
        verdict::Severity,
    };

    fn run(seed: u64) -> RunId {
        let digest = Digest::of(b"x");
        RunId::of(&RunPins {
            plan: digest,
            lock: digest,
            inputs: digest,
            tenant: "t",
            seed,
        })
    }

    fn step(name: &str) -> StepName {
        StepName::parse(name).unwrap()
    }

    fn record(gate: &str, phase: Phase, verdict: Verdict, version: &str) -> GateRecord {
        GateRecord {
            codex: None,
            codex_version: CodexVersion::parse(version).ok(),
            component: None,
            decision: Some(Decision {
                axioms_hit: vec![],
                codex_digest: String::new(),
                codex_version: String::new(),
                doubt: Doubt::default(),
                ethical_score: 0,
                facts: vec![],
                futures: vec![],
                quip: None,
                reasons: vec![],
                verdict,
            }),
            gate: gate.to_owned(),
            kind: GateKind::Component,
            phase,
            prior: None,
            reasons: vec![],
            request: Digest::of(b"request"),
            severity: Severity::Block,
            verdict,
        }
    }

    #[test]
    fn a_scope_is_one_run_one_step_one_gate_and_one_phase() {
        let history = GateHistory::default();
        history.note(
            run(1),
            &step("a"),
            &[record("g", Phase::Egress, Verdict::Abstain, "1.0.0")],
            None,
        );
        let prior =
            |seed, name: &str, gate, phase| history.prior(run(seed), &step(name), gate, phase);
        assert_eq!(prior(1, "a", "g", Phase::Egress), Some(Verdict::Abstain));
        assert_eq!(prior(2, "a", "g", Phase::Egress), None);
        assert_eq!(prior(1, "b", "g", Phase::Egress), None);
        assert_eq!(prior(1, "a", "h", Phase::Egress), None);
        assert_eq!(prior(1, "a", "g", Phase::Ingress), None);
        history.note(
            run(1),
            &step("a"),
            &[record("g", Phase::Egress, Verdict::Pass, "1.0.0")],
            None,
        );
        assert_eq!(
            prior(1, "a", "g", Phase::Egress),
            Some(Verdict::Pass),
            "the last one counts"
        );
    }

    #[test]
    fn a_gate_without_an_answer_has_said_nothing() {
        let history = GateHistory::default();
        let mut absent = record("g", Phase::Egress, Verdict::Error, "1.0.0");
        absent.decision = None;
        history.note(run(1), &step("a"), &[absent], None);
        assert_eq!(history.prior(run(1), &step("a"), "g", Phase::Egress), None);
    }

    #[test]
    fn the_newest_codex_of_a_gate_is_remembered_in_any_order() {
        let history = GateHistory::default();
        for version in ["1.2.0", "1.10.0", "1.9.0"] {
            history.note(
                run(1),
                &step("a"),
                &[record("g", Phase::Egress, Verdict::Pass, version)],
                None,
            );
        }
        assert_eq!(
            history.newest_codex("g"),
            CodexVersion::parse("1.10.0").ok()
        );
        assert_eq!(history.newest_codex("h"), None);
    }
}
