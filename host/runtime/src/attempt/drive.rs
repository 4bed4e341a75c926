//! From the envelope to the judged end: screened, cleared, run, judged.
//!
//! INVARIANT: the guest is called only behind the gates on the way in, and whatever it answers goes to those on the way out.

use std::sync::Arc;

use aim_core::{
    attempt::{Cleared, Ended, Received, RunEnd},
    digest::Digest,
    envelope::Envelope,
    id::{AttemptId, SpanId},
    outcome::{Failure, Fault, Outcome},
    stateflow::State,
};
use aim_engine::{Cancel, Resources, StepCall, StepContext, StepEnd};
use aim_ports::PortError;

use super::{
    RunFacts, Task, Watch, budget,
    done::{Done, finish},
};
use crate::{
    around::Around, conditions, effects::bases, history::Scope, ingress, judge::ask_all, tokens,
    unit::Unit,
};

/// Moves the envelope out, so that its body is never copied on the way to the guest's door.
pub(crate) fn take_envelope(task: &mut Task) -> Envelope {
    let empty = Envelope {
        id: task.envelope.id,
        correlation: task.envelope.correlation,
        causation: None,
        operation: String::new(),
        media_type: String::new(),
        artifacts: Vec::new(),
        body: Vec::new(),
    };
    std::mem::replace(&mut task.envelope, empty)
}

/// From the envelope to the judged end: the one loop, for attempts that count and for replays of them.
pub(crate) async fn drive(
    around: &Around<'_>,
    unit: &Unit,
    run: &RunFacts,
    task: &Task,
    (attempt, envelope, body): (AttemptId, Envelope, Digest),
    watch: &Watch,
) -> Done {
    if let Some((outcome, fault)) = task.reach.too_deep(&unit.limits) {
        return Done::early(Received::new(envelope).stop(outcome, fault));
    }
    let request = ingress::request(unit, run, &envelope, body, task.is_first_of_plan);
    let digest = request.digest();
    let screened = match ingress::screen(Received::new(envelope), unit, run, digest) {
        Ok(screened) => screened,
        Err(ended) => return Done::early(ended),
    };
    let scope = around.scope(unit, run);
    let accepted = task.accepted.as_ref();
    let conditions = conditions::ingress(unit, screened.envelope(), accepted, digest);
    let (disposition, reroute) = (conditions.disposition(), conditions.reroute());
    let options = conditions.options();
    let mut records = ask_all(&unit.gates, request, digest, &scope).await;
    records.extend(conditions.records);
    if let Some(accepted) = accepted {
        accepted.lift(&mut records);
    }
    let cleared = match screened.clear(records) {
        Ok(cleared) => cleared,
        Err(ended) => {
            let early = Done::early(ended);
            return Done {
                disposition: early.disposition.max(disposition),
                reroute,
                options,
                ..early
            };
        }
    };
    let resources = match around.resources(unit, run).await {
        Ok(resources) => resources,
        Err(error) => return Done::early(unavailable(cleared, &error)),
    };
    let bases = bases(unit, &resources);
    let about = (&cleared, &scope, resources);
    let call = call(around, unit, run, (task, attempt), about, &watch.cancel);
    let mut report = unit.linked.invoke(call).await;
    if let StepEnd::Ended(Outcome::Cancelled, _) = &report.end
        && let Some((outcome, fault)) = watch.late(State::Executing)
    {
        report.end = StepEnd::Ended(outcome, fault);
    }
    let effects = around.close().await;
    let done = finish((unit, task), run, cleared, report, (&scope, &effects)).await;
    Done { bases, ..done }
}

/// What the step needs can not be read now; nothing of it ran.
fn unavailable(cleared: Cleared, error: &PortError) -> Ended {
    let fault = Fault {
        code: "AIM-S004".to_owned(),
        message: error.to_string(),
    };
    let end = RunEnd::Stopped(Outcome::Failed(Failure::Transient), fault);
    cleared.run(end).judge(Vec::new())
}

fn call(
    around: &Around<'_>,
    unit: &Unit,
    run: &RunFacts,
    (task, attempt): (&Task, AttemptId),
    (cleared, scope, resources): (&Cleared, &Scope, Resources),
    cancel: &Cancel,
) -> StepCall {
    let envelope = cleared.envelope().clone();
    let span = SpanId::of(attempt).to_string();
    let short_span = span.get(..16).unwrap_or_default();
    let clock = around.clock();
    StepCall {
        context: Arc::new(StepContext {
            run: run.run.to_string(),
            step: unit.step.name.to_string(),
            role: unit.step.role.to_string(),
            attempt: task.attempt_no,
            tenant: run.tenant.to_string(),
            actor: run.actor.clone(),
            correlation: envelope.correlation.to_string(),
            causation: envelope.causation.map(|id| id.to_string()),
            traceparent: format!("00-{}-{short_span}-01", run.trace),
            labels: task.labels.clone(),
            plan: run.plan,
            component: unit.component,
            seed: run.seed,
            pinned_time: run.pinned_time,
        }),
        envelope,
        grant: Arc::clone(&unit.grant),
        terms: tokens::terms((around.origin(), clock.now()), unit, run, task),
        clock,
        limits: budget::limits(unit, task),
        budget: budget::plan(around, unit, task),
        services: around.services(unit, run, scope),
        folders: Arc::clone(&unit.folders),
        playback: around.playback(),
        resources,
        cancel: cancel.clone(),
    }
}
