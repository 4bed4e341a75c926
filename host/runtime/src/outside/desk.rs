//! One attempt's effects, one after the other: what is done about each call, and what the witness lists.
//!
//! INVARIANT: every frame of the attempt is in the list that [`EffectDesk::close`] gives, and after it no frame is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::{
    digest::Digest,
    effect::{Course, EffectEnd, EffectIntent, EffectOutcome, EffectRecord, Prior, course},
    frame::FrameKind,
    gate::{GateKind, GateRecord, GateRequest, Item, Phase},
    http::HttpResponse,
    id::{AttemptId, EffectKey, ExecutionId},
    verdict::{Severity, Verdict},
    witness::WouldDeny,
};
use aim_ports::{
    artifact::ArtifactStore,
    effect::{EffectAnswer, EffectCall, EffectFault, EffectRequest},
    http::{HttpFault, HttpFaultKind, HttpStage},
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::{
    Addresses, Outside,
    addresses::{DialJudge, WouldDenied},
    http::{self, Did, Sendable},
};
use crate::{
    commit::{CommitHandle, Submission},
    judge::ask_all,
    record::LOG_BLOB_BYTES_MAX,
    services::Asking,
};

/// What a desk is made of.
#[derive(Debug)]
pub(crate) struct DeskParts {
    pub(crate) execution: ExecutionId,
    pub(crate) attempt: AttemptId,
    pub(crate) outside: Outside,
    pub(crate) addresses: Option<Arc<Addresses>>,
    pub(crate) commit: CommitHandle,
    pub(crate) store: Arc<dyn ArtifactStore>,
    pub(crate) asking: Asking,
    pub(crate) is_idempotent: bool,
    pub(crate) is_opaque: bool,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) priors: Vec<Prior>,
    pub(crate) answers: BTreeMap<Digest, Vec<u8>>,
}

/// Serves one attempt.
#[derive(Debug)]
pub(crate) struct EffectDesk {
    inner: Arc<Inner>,
    stop: watch::Sender<bool>,
    running: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Inner {
    parts: DeskParts,
    records: Mutex<BTreeMap<u32, EffectRecord>>,
    would_deny: Mutex<WouldDenied>,
}

impl EffectDesk {
    pub(crate) fn new(parts: DeskParts) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                records: Mutex::new(BTreeMap::new()),
                would_deny: Mutex::default(),
            }),
            stop: watch::Sender::new(false),
            running: Mutex::new(Vec::new()),
        }
    }

    /// The first call that the attempt must not run into again.
    pub(crate) fn stuck(&self) -> Option<u32> {
        let parts = &self.inner.parts;
        aim_core::effect::stuck(&parts.priors, parts.is_idempotent)
    }

    /// Judges, does and writes down one effect, in a task that outlives whoever waits here.
    pub(crate) async fn act(&self, call: EffectCall) -> Result<EffectAnswer, EffectFault> {
        let (answer, answered) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        let stop = self.stop.subscribe();
        let task = tokio::spawn(async move {
            drop(answer.send(inner.act(call, stop).await));
        });
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(task);
        answered.await.unwrap_or(Err(EffectFault::Unavailable))
    }

    /// Stops what is on its way, waits until its outcome is written, and lists every effect.
    pub(crate) async fn close(&self) -> Vec<EffectRecord> {
        self.stop.send_replace(true);
        let running =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for task in running {
            // A task that panicked has written what it has written; the priors of the next try tell.
            drop(task.await);
        }
        let mut records = self.inner.lock().clone();
        for prior in &self.inner.parts.priors {
            // What an interrupted try left and this one did not come to.
            let left = || self.inner.of_prior(prior);
            records.entry(prior.intent.call).or_insert_with(left);
        }
        records.into_values().collect()
    }

    /// What the policy on trial would have refused of this attempt's requests.
    pub(crate) fn would_deny(&self) -> Vec<WouldDeny> {
        let counted = &self.inner.would_deny;
        let counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.listed()
    }
}

/// What is known about an effect before it is begun.
struct Begun {
    intent: EffectIntent,
    gates: Vec<GateRecord>,
    tries: u32,
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, EffectRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prior(&self, call: u32) -> Option<&Prior> {
        let mut priors = self.parts.priors.iter();
        priors.find(|prior| prior.intent.call == call)
    }

    fn of_prior(&self, prior: &Prior) -> EffectRecord {
        let begun = Begun {
            intent: prior.intent.clone(),
            gates: Vec::new(),
            tries: prior.tries,
        };
        record(&begun, prior.outcome.as_ref())
    }

    async fn act(
        &self,
        call: EffectCall,
        mut stop: watch::Receiver<bool>,
    ) -> Result<EffectAnswer, EffectFault> {
        let EffectRequest::Http {
            request,
            scope,
            caps,
        } = call.request.clone()
        else {
            return Err(EffectFault::Unavailable);
        };
        let intent = self.intent(&call, http::shown(&request));
        let filled = self
            .parts
            .outside
            .secrets
            .fill(&request, &self.parts.secrets);
        let item = http::item(&request, call.action, self.parts.is_opaque);
        let gates = tokio::select! {
            biased;
            gates = self.judge(item, &intent, filled.as_ref().err().copied()) => gates,
            _ = stop.wait_for(|stop| *stop) => return Err(stopped()),
        };
        let verdict = Verdict::worst(gates.iter().map(|gate| gate.verdict));
        if !verdict.releases() {
            return Err(self.deny(&intent, gates));
        }
        let Ok(headers) = filled else {
            return Err(self.deny(&intent, gates));
        };
        let prior = self.prior(call.call);
        let tries = match course(prior, intent.request, self.parts.is_idempotent) {
            Course::Begin => 1,
            Course::Repeat { tries } => tries.saturating_add(1),
            Course::Recall(outcome) => {
                let begun = Begun {
                    gates,
                    tries: prior.map_or(1, |prior| prior.tries),
                    intent,
                };
                return self.recall(&begun, outcome);
            }
            Course::Stop => return Err(EffectFault::Indeterminate(call.call)),
        };
        let begun = Begun {
            intent,
            gates,
            tries,
        };
        let sendable = Sendable {
            request,
            headers,
            judge: (self.parts.addresses.as_ref()).map(|addresses| addresses.judge(&scope)),
            networks: scope.networks,
            caps,
        };
        self.begin(begun, sendable, stop).await
    }

    fn intent(&self, call: &EffectCall, target: String) -> EffectIntent {
        let parts = &self.parts;
        EffectIntent {
            action: call.action.to_owned(),
            attempt: parts.attempt,
            call: call.call,
            execution: parts.execution,
            key: EffectKey::of(parts.attempt, call.call),
            kind: call.request.kind(),
            request: Digest::of(&call.request.encode()),
            target,
        }
    }

    /// The grant's own decision, and those of the gates about one request in phase `effect`.
    async fn judge(
        &self,
        item: Item,
        intent: &EffectIntent,
        refused: Option<&'static str>,
    ) -> Vec<GateRecord> {
        let parts = &self.parts;
        let request = request_about(&parts.asking, item, intent.request);
        let digest = request.digest();
        let grant = GateRecord {
            codex: None,
            codex_version: None,
            component: None,
            decision: None,
            gate: "grant".to_owned(),
            kind: GateKind::Policy,
            phase: Phase::Effect,
            prior: None,
            reasons: refused.map(str::to_owned).into_iter().collect(),
            request: digest,
            severity: Severity::Block,
            verdict: refused.map_or(Verdict::Pass, |_| Verdict::Fail),
        };
        let mut records = vec![grant];
        // What the grant refuses is not shown to anybody.
        if refused.is_none() {
            if parts.asking.gates.is_empty() {
                records.clear();
            }
            let asking = &parts.asking;
            records.extend(ask_all(&asking.gates, request, digest, &asking.scope).await);
        }
        records
    }

    fn deny(&self, intent: &EffectIntent, gates: Vec<GateRecord>) -> EffectFault {
        let worst = Verdict::worst(gates.iter().map(|gate| gate.verdict));
        let rule = gates
            .iter()
            .find(|gate| gate.verdict == worst)
            .map_or_else(|| "gate".to_owned(), denied_by);
        let begun = Begun {
            intent: intent.clone(),
            gates,
            tries: 0,
        };
        let mut denied = record(&begun, None);
        denied.end = EffectEnd::Denied;
        denied.intent = None;
        denied.fault = Some(rule.clone());
        // What an earlier try did stays what the witness says about the call.
        if self.prior(intent.call).is_none() {
            self.lock().insert(intent.call, denied);
        }
        EffectFault::Denied(rule)
    }

    /// Answers what was answered before the host was interrupted.
    fn recall(&self, begun: &Begun, outcome: &EffectOutcome) -> Result<EffectAnswer, EffectFault> {
        let call = begun.intent.call;
        self.lock().insert(call, record(begun, Some(outcome)));
        let Some(digest) = outcome.response else {
            return Err(match outcome.fault.as_deref() {
                Some(http::WITHHELD) => EffectFault::Withheld,
                word => EffectFault::Http(HttpFault {
                    kind: word
                        .and_then(HttpFaultKind::of_word)
                        .unwrap_or(HttpFaultKind::Cut),
                    stage: HttpStage::Answered,
                }),
            });
        };
        let kept = self.parts.answers.get(&digest);
        let answer = kept.and_then(|bytes| HttpResponse::decode(bytes).ok());
        // It was done, and what was answered is gone: the guest can not go on as it did.
        answer
            .map(EffectAnswer::Http)
            .ok_or(EffectFault::Indeterminate(call))
    }

    async fn begin(
        &self,
        mut begun: Begun,
        sendable: Sendable,
        mut stop: watch::Receiver<bool>,
    ) -> Result<EffectAnswer, EffectFault> {
        let outside = &self.parts.outside;
        let turn = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Err(stopped()),
            turn = Arc::clone(&outside.turns).acquire_owned() => turn,
        };
        let Ok(_turn) = turn else {
            return Err(EffectFault::Unavailable);
        };
        let frame = Submission::frame(FrameKind::Intent, begun.intent.to_frame(), Vec::new());
        if self.parts.commit.commit(frame).await.is_err() {
            return Err(EffectFault::Unavailable);
        }
        // From here on the witness lists it, whatever happens.
        let call = begun.intent.call;
        self.lock().insert(call, record(&begun, None));
        let secrets = &outside.secrets;
        let judge = sendable.judge.clone();
        let sending = http::send(outside.http.clone(), secrets, sendable, begun.intent.key);
        let mut did = tokio::select! {
            biased;
            did = sending => did,
            _ = stop.wait_for(|stop| *stop) => Did::failed(HttpFault {
                kind: HttpFaultKind::Stopped,
                stage: HttpStage::Sent,
            }),
        };
        if let Some(judge) = judge {
            self.hear(&judge, &mut begun, &mut did);
        }
        self.end(begun, did).await
    }

    /// Takes down what policy said about the addresses that were to be dialled.
    ///
    /// Negative control: without this, a request that policy stopped looks like one that nobody answered.
    fn hear(&self, judge: &DialJudge, begun: &mut Begun, did: &mut Did) {
        let mut would_deny = self
            .would_deny
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        would_deny.add(judge.would_deny());
        if did.fault.as_deref() != Some(HttpFaultKind::Denied.word()) {
            return;
        }
        if let Some((rule, record)) = judge.refusal(begun.intent.request) {
            begun.gates.push(record);
            did.answer = Err(EffectFault::Denied(rule));
        }
    }

    /// Makes the outcome durable, with the answer beside it, and hands the answer on.
    async fn end(&self, begun: Begun, did: Did) -> Result<EffectAnswer, EffectFault> {
        let digest = (!did.response.is_empty()).then(|| Digest::of(&did.response));
        let outcome = EffectOutcome {
            attempt: begun.intent.attempt,
            call: begun.intent.call,
            end: did.end,
            fault: did.fault,
            intent: begun.intent.digest(),
            response: digest,
            response_bytes: did.response.len() as u64,
        };
        let response: Arc<[u8]> = did.response.into();
        let mut blobs = Vec::new();
        if let Some(digest) = digest {
            if response.len() <= LOG_BLOB_BYTES_MAX {
                blobs.push((digest, response));
            } else if !self.keep(response).await {
                return Err(EffectFault::Unavailable);
            }
        }
        let frame = Submission::frame(FrameKind::EffectOutcome, outcome.to_frame(), blobs);
        if self.parts.commit.commit(frame).await.is_err() {
            return Err(EffectFault::Unavailable);
        }
        self.lock()
            .insert(begun.intent.call, record(&begun, Some(&outcome)));
        did.answer
    }

    /// Keeps an answer that is too large for the log.
    async fn keep(&self, response: Arc<[u8]>) -> bool {
        let store = Arc::clone(&self.parts.store);
        let written = tokio::task::spawn_blocking(move || store.write(&response).map(drop));
        matches!(written.await, Ok(Ok(())))
    }
}

/// What gates are asked about an effect: the item, bound to the digest of the whole request.
pub(crate) fn request_about(asking: &Asking, item: Item, request: Digest) -> GateRequest {
    GateRequest {
        context: vec![("request".to_owned(), request.as_bytes().to_vec())],
        ..asking.request(Phase::Effect, item)
    }
}

const fn stopped() -> EffectFault {
    EffectFault::Http(HttpFault {
        kind: HttpFaultKind::Stopped,
        stage: HttpStage::NotSent,
    })
}

fn denied_by(record: &GateRecord) -> String {
    match (record.kind, record.reasons.first()) {
        (GateKind::Policy, Some(rule)) => rule.clone(),
        _ => format!("gate {}", record.gate),
    }
}

fn record(begun: &Begun, outcome: Option<&EffectOutcome>) -> EffectRecord {
    let intent = &begun.intent;
    EffectRecord {
        action: intent.action.clone(),
        call: intent.call,
        end: outcome.map_or(EffectEnd::Unknown, |outcome| outcome.end),
        fault: outcome.and_then(|outcome| outcome.fault.clone()),
        gates: begun.gates.clone(),
        intent: Some(intent.digest()),
        key: intent.key,
        kind: intent.kind,
        outcome: outcome.map(|outcome| Digest::of(&outcome.to_frame())),
        request: intent.request,
        response: outcome.and_then(|outcome| outcome.response),
        response_bytes: outcome.map_or(0, |outcome| outcome.response_bytes),
        target: intent.target.clone(),
        tries: begun.tries,
    }
}
