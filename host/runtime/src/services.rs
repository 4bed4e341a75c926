//! The host's side of a step's own calls: artifacts of this run, and gates asked in advance.
//!
//! INVARIANT: a step reaches only what the engine has permitted; this file finds bytes and decides nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::{
    digest::Digest,
    envelope::Target,
    gate::{Decision, GateRequest, Item, Phase},
    verdict::Verdict,
};
use aim_ports::{
    PortError, PortFault,
    artifact::ArtifactStore,
    effect::{EffectAnswer, EffectCall, EffectFault},
    services::StepServices,
};
use async_trait::async_trait;

use crate::{
    history::Scope,
    judge::{Gate, ask_all},
    outside::EffectDesk,
    unit::Unit,
};

/// Bytes of one run that are at hand: inputs, and small artifacts that live in the log.
#[derive(Debug, Default)]
pub struct Contents(Mutex<BTreeMap<Digest, Arc<[u8]>>>);

impl Contents {
    /// Keeps `bytes`.
    pub fn keep(&self, digest: Digest, bytes: Arc<[u8]>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest, bytes);
    }

    /// Finds bytes.
    #[must_use]
    pub fn find(&self, digest: Digest) -> Option<Arc<[u8]>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&digest)
            .cloned()
    }
}

/// What one attempt's host calls reach.
#[derive(Debug)]
pub(crate) struct AttemptServices {
    pub(crate) contents: Arc<Contents>,
    pub(crate) store: Arc<dyn ArtifactStore>,
    pub(crate) asking: Asking,
    pub(crate) desk: Arc<EffectDesk>,
}

/// Who asks gates about what it intends, and which.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    pub(crate) gates: Vec<Gate>,
    pub(crate) plan: String,
    pub(crate) step: String,
    pub(crate) role: String,
    pub(crate) effects: Vec<String>,
    pub(crate) scope: Scope,
}

impl Asking {
    /// A step of `plan`.
    pub(crate) fn new(unit: &Unit, plan: &str, scope: &Scope) -> Self {
        Self {
            gates: unit.gates.clone(),
            plan: plan.to_owned(),
            step: unit.step.name.to_string(),
            role: unit.step.role.to_string(),
            effects: unit.effects.clone(),
            scope: scope.clone(),
        }
    }

    /// A request about one thing.
    pub(crate) fn request(&self, phase: Phase, item: Item) -> GateRequest {
        GateRequest {
            phase,
            plan: self.plan.clone(),
            step: self.step.clone(),
            role: self.role.clone(),
            effects: self.effects.clone(),
            items: vec![item],
            impact: None,
            doubt: None,
            quip: None,
            prior: None,
            context: Vec::new(),
        }
    }

    /// The worst answer about an action.
    pub(crate) async fn consult(
        &self,
        action: String,
        target: String,
        payload: Vec<u8>,
    ) -> Result<Decision, PortError> {
        let item = Item {
            target: Target::Node(target),
            action,
            media_type: "application/octet-stream".to_owned(),
            artifacts: Vec::new(),
            payload_digest: Digest::of(&payload),
            payload: Some(payload),
        };
        let request = self.request(Phase::Consult, item);
        let digest = request.digest();
        let records = ask_all(&self.gates, request, digest, &self.scope).await;
        let verdict = Verdict::worst(records.iter().map(|record| record.verdict));
        let worst = records.into_iter().find(|record| record.verdict == verdict);
        worst.and_then(|record| record.decision).ok_or_else(|| {
            PortError::new(
                PortFault::Unavailable,
                "consulting the gates",
                "a gate did not answer",
            )
        })
    }
}

#[async_trait]
impl StepServices for AttemptServices {
    async fn read_artifact(&self, digest: Digest) -> Result<Arc<[u8]>, PortError> {
        if let Some(bytes) = self.contents.find(digest) {
            return Ok(bytes);
        }
        let store = Arc::clone(&self.store);
        let read = tokio::task::spawn_blocking(move || store.read(digest)).await;
        let bytes = read.map_err(|error| {
            PortError::new(
                PortFault::Unavailable,
                "reading an artifact",
                error.to_string(),
            )
        })??;
        Ok(bytes.into())
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
        self.desk.act(call).await
    }
}
