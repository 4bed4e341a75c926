//! The judged end of an attempt, before it is written down: what the gates on the way out say, and what the host does with it.
//!
//! INVARIANT: what a plan's budget has ended says so, and nothing that gates hold is released by what the host disposes.

use std::collections::BTreeMap;

use aim_core::{
    attempt::{Cleared, Ended, RunEnd},
    digest::Digest,
    effect::{EffectRecord, settle},
    gate::asks_for_a_person,
    kappa::composite::CompositeRecord,
    name::StepName,
    quarantine::may_be_released_by_people,
    stateflow::State,
    verdict::Disposition,
    witness::KappaRecord,
};
use aim_engine::{StepEnd, StepReport};

use super::{RunFacts, Task, budget, lasts};
use crate::{
    effects::Base,
    egress::{self, Outgoing},
    history::Scope,
    unit::Unit,
};

/// The judged end of an attempt, before it is written down.
pub(crate) struct Done {
    pub(crate) ended: Ended,
    pub(crate) report: Option<StepReport>,
    pub(crate) bodies: Vec<Digest>,
    pub(crate) kappa: Option<KappaRecord>,
    pub(crate) composite: Option<CompositeRecord>,
    pub(crate) disposition: Disposition,
    pub(crate) effects: Vec<EffectRecord>,
    pub(crate) reroute: Option<StepName>,
    pub(crate) options: BTreeMap<StepName, String>,
    /// What the writable folders held that it could read.
    pub(crate) bases: Vec<Base>,
}

impl Done {
    /// True when outputs are stored: they will be released, or people may still release them.
    pub(crate) fn is_kept(&self) -> bool {
        self.ended.is_releasable() || self.disposition == Disposition::Quarantine
    }

    pub(super) fn early(ended: Ended) -> Self {
        let disposition = if asks_for_a_person(ended.gates()) {
            Disposition::Escalate
        } else {
            Disposition::Release
        };
        Self {
            ended,
            report: None,
            bodies: Vec::new(),
            kappa: None,
            composite: None,
            disposition,
            effects: Vec::new(),
            reroute: None,
            bases: Vec::new(),
            options: BTreeMap::new(),
        }
    }
}

pub(super) async fn finish(
    (unit, task): (&Unit, &Task),
    run: &RunFacts,
    cleared: Cleared,
    mut report: StepReport,
    (scope, effects): (&Scope, &[EffectRecord]),
) -> Done {
    let end = std::mem::replace(&mut report.end, StepEnd::Answered(Vec::new()));
    let end = match budget::of_budget(unit, task, end).into_run_end() {
        RunEnd::Stopped(outcome, fault) => {
            let settled = settle(&outcome, effects, unit.is_idempotent);
            let (outcome, fault) = settled.unwrap_or((outcome, fault));
            RunEnd::Stopped(outcome, fault)
        }
        answered @ RunEnd::Answered(_) => answered,
    };
    let ran = cleared.run(task.reach.limited(end, &unit.limits));
    let bodies: Vec<Digest> = ran
        .emissions()
        .unwrap_or_default()
        .iter()
        .map(|emission| Digest::of(&emission.body))
        .collect();
    let judged = match ran.emissions() {
        Some(emissions) => {
            let outgoing = Outgoing {
                emissions,
                bodies: &bodies,
                staged: &report.staged,
                effects: &report.effects,
                claims: &report.claims,
                budget_ppm: egress::budget_ppm(unit, &report),
            };
            let about = (ran.envelope(), &outgoing);
            let most = lasts(State::Evaluating, unit);
            tokio::select! {
                biased;
                judged = egress::judge(unit, run, about, (scope, task.accepted.as_ref())) => judged,
                () = task.timer.lasts(State::Evaluating, most) => egress::Judged::late(unit, run, &outgoing),
            }
        }
        None => egress::Judged::nothing(),
    };
    let ended = ran.judge(judged.records);
    let disposition = match may_be_kept_aside(&ended, &report) {
        true if unit.is_quarantining && judged.disposition != Disposition::Abort => {
            Disposition::Quarantine
        }
        // What people may not release is not kept for them, whatever the plan says.
        false if judged.disposition == Disposition::Quarantine => Disposition::Release,
        _ if asks_for_a_person(ended.gates()) => judged.disposition.max(Disposition::Escalate),
        _ => judged.disposition,
    };
    Done {
        disposition,
        ended,
        report: Some(report),
        bodies,
        kappa: judged.kappa,
        composite: judged.composite,
        effects: Vec::new(),
        reroute: judged.reroute,
        bases: Vec::new(),
        options: judged.options,
    }
}

/// True when people may release all that the attempt would let go. What it has staged in buckets and folders can't be handed
/// on later: others may have changed them by then.
fn may_be_kept_aside(ended: &Ended, report: &StepReport) -> bool {
    !ended.is_releasable()
        && !ended.emissions().is_empty()
        && report.effects.buckets.is_empty()
        && report.effects.folders.is_empty()
        && may_be_released_by_people(ended.gates())
}
