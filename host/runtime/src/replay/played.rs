//! A step's own calls, answered from the record: effects are judged again and never done again.
//!
//! INVARIANT: there is no way from here to the world; what the record does not answer has no answer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::{
    digest::Digest,
    effect::{EffectEnd, EffectRecord},
    gate::{Decision, GateKind},
    http::HttpResponse,
    transcript::{CallVerdict, Transcript},
    witness::AttemptPredicate,
};
use aim_ports::{
    PortError, PortFault,
    effect::{EffectAnswer, EffectCall, EffectFault, EffectRequest},
    http::{HttpFault, HttpFaultKind, HttpStage},
    services::StepServices,
};
use async_trait::async_trait;

use super::{
    Missing,
    case::{Case, Evidence},
};
use crate::{history::Scope, judge::ask_all, outside, services::Asking, unit::Unit};

/// What one recorded attempt's host calls reach.
#[derive(Debug)]
pub(crate) struct PlayedServices {
    evidence: Evidence,
    asking: Asking,
    is_opaque: bool,
    recorded: BTreeMap<u32, EffectRecord>,
    answers: BTreeMap<u32, HttpResponse>,
    transcript: Arc<Transcript>,
    again: Mutex<BTreeMap<u32, EffectRecord>>,
}

impl PlayedServices {
    pub(super) fn new(
        case: &Case,
        recorded: &AttemptPredicate,
        (unit, scope): (&Unit, &Scope),
        transcript: &Arc<Transcript>,
    ) -> Result<Self, Vec<Missing>> {
        let evidence = case.evidence();
        let mut answers = BTreeMap::new();
        let mut missing = Vec::new();
        for effect in &recorded.effects {
            let Some(digest) = effect.response else {
                continue;
            };
            let bytes = evidence.find(digest);
            match bytes.and_then(|bytes| HttpResponse::decode(&bytes).ok()) {
                Some(answer) => drop(answers.insert(effect.call, answer)),
                None => missing.push(Missing::payload(format!(
                    "{digest}, the answer to call {} ({})",
                    effect.call, effect.action
                ))),
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        Ok(Self {
            evidence: evidence.clone(),
            asking: Asking::new(unit, case.start().plan_name.as_str(), scope),
            is_opaque: unit.contract.is_payload_opaque,
            recorded: (recorded.effects.iter())
                .map(|effect| (effect.call, effect.clone()))
                .collect(),
            answers,
            transcript: Arc::clone(transcript),
            again: Mutex::default(),
        })
    }

    /// The effects that were asked for, with what the gates said this time.
    pub(crate) fn effects(&self) -> Vec<EffectRecord> {
        let again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let mut effects = again.clone();
        // What an interrupted try left and the recorded one did not come to is no call of this attempt.
        for (call, effect) in &self.recorded {
            if effect.gates.is_empty() {
                effects.entry(*call).or_insert_with(|| effect.clone());
            }
        }
        effects.into_values().collect()
    }

    /// What the guest got then.
    fn answer(&self, effect: &EffectRecord) -> Result<EffectAnswer, EffectFault> {
        if let Some(answer) = self.answers.get(&effect.call) {
            return Ok(EffectAnswer::Http(answer.clone()));
        }
        if effect.end == EffectEnd::Denied {
            return Err(EffectFault::Denied(
                effect.fault.clone().unwrap_or_default(),
            ));
        }
        let place = usize::try_from(effect.call).unwrap_or(usize::MAX);
        let Some(record) = self.transcript.records().get(place) else {
            return Err(EffectFault::Indeterminate(effect.call));
        };
        match effect.fault.as_deref() {
            Some(outside::WITHHELD) => Err(EffectFault::Withheld),
            Some(word) => Err(EffectFault::Http(HttpFault {
                kind: HttpFaultKind::of_word(word).unwrap_or(HttpFaultKind::Cut),
                stage: match effect.end {
                    EffectEnd::NotDone => HttpStage::NotSent,
                    EffectEnd::Unknown => HttpStage::Sent,
                    EffectEnd::Done | EffectEnd::Denied => HttpStage::Answered,
                },
            })),
            None if record.verdict == CallVerdict::Error && effect.outcome.is_none() => {
                Err(EffectFault::Unavailable)
            }
            None => Err(EffectFault::Indeterminate(effect.call)),
        }
    }
}

#[async_trait]
impl StepServices for PlayedServices {
    async fn read_artifact(&self, digest: Digest) -> Result<Arc<[u8]>, PortError> {
        let bytes = self.evidence.find(digest);
        bytes.map(Into::into).ok_or_else(|| {
            PortError::new(
                PortFault::NotFound,
                "reading an artifact",
                "it is not in the record",
            )
        })
    }

    async fn consult(
        &self,
        action: String,
        target: String,
        payload: Vec<u8>,
    ) -> Result<Decision, PortError> {
        self.asking.consult(action, target, payload).await
    }

    async fn act(&self, call: EffectCall) -> Result<EffectAnswer, EffectFault> {
        let request = Digest::of(&call.request.encode());
        let recorded = self.recorded.get(&call.call);
        let Some(recorded) = recorded.filter(|one| one.request == request) else {
            return Err(EffectFault::Unavailable);
        };
        let EffectRequest::Http { request: asked, .. } = &call.request else {
            return Err(EffectFault::Unavailable);
        };
        let item = outside::item(asked, call.action, self.is_opaque);
        let about = outside::request_about(&self.asking, item, request);
        let digest = about.digest();
        // What the grant said depends on secrets, which are not in the record; what it said is.
        let by_grant = recorded.gates.iter();
        let mut gates: Vec<_> = by_grant
            .filter(|gate| gate.kind == GateKind::Policy)
            .cloned()
            .collect();
        if recorded.gates.len() > gates.len() {
            gates.extend(ask_all(&self.asking.gates, about, digest, &self.asking.scope).await);
        }
        let effect = EffectRecord {
            gates,
            ..recorded.clone()
        };
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        again.insert(call.call, effect);
        drop(again);
        self.answer(recorded)
    }
}
