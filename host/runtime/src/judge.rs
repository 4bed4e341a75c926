//! Asking gates. A gate that does not answer, answers nonsense or is not there has the verdict `error`.
//!
//! INVARIANT: every gate is asked with the same request, none sees another's answer, and nothing a gate says changes what
//! was judged.

use std::{fmt::Debug, sync::Arc};

use aim_core::{
    digest::Digest,
    gate::{CodexVersion, Decision, GateKind, GateRecord, GateRequest, Phase, floor::Floors},
    limits::Limits,
    verdict::{Severity, Verdict},
};
use aim_engine::{Codex, GateFault, LinkedGate};
use async_trait::async_trait;
use tokio::sync::OnceCell;

pub use aim_core::gate::GateRules;

use crate::history::Scope;

/// The code of a codex that is older than one that has judged in the log.
const CODEX_ROLLED_BACK: &str = "AIM-G016";
/// Reasons that are kept of one decision.
pub(crate) const REASONS_MAX: usize = 16;
/// Bytes that are kept of one reason.
const REASON_BYTES_MAX: usize = 512;

/// Something that judges a request.
#[async_trait]
pub trait Judge: Debug + Send + Sync {
    /// Judges.
    ///
    /// # Errors
    /// A sentence for people; whatever it says, the verdict is `error`.
    async fn judge(&self, request: &GateRequest) -> Result<Decision, String>;
}

/// A gate component with its codex.
#[derive(Debug)]
pub struct ComponentJudge {
    gate: LinkedGate,
    codex: Codex,
    limits: Limits,
    /// The codex with what the gate has made of it, by phase; filled when the phase is first asked about.
    prepared: [OnceCell<Codex>; 4],
}

impl ComponentJudge {
    /// A gate that judges by `codex` within `limits`.
    #[must_use]
    pub fn new(gate: LinkedGate, codex: Arc<[u8]>, limits: Limits) -> Self {
        Self {
            gate,
            codex: Codex::new(codex),
            limits,
            prepared: Default::default(),
        }
    }

    /// The codex as the gate wants it in a phase. A fault is not kept: the next request tries again.
    async fn codex(&self, phase: Phase) -> Result<&Codex, GateFault> {
        let [ingress, effect, egress, consult] = &self.prepared;
        let cell = match phase {
            Phase::Ingress => ingress,
            Phase::Effect => effect,
            Phase::Egress => egress,
            Phase::Consult => consult,
        };
        let prepare = || async {
            match self.gate.prepare(&self.codex, phase, self.limits).await {
                None => Ok(self.codex.clone()),
                Some(prepared) => prepared.map(|bytes| self.codex.with_prepared(bytes)),
            }
        };
        cell.get_or_try_init(prepare).await
    }
}

#[async_trait]
impl Judge for ComponentJudge {
    async fn judge(&self, request: &GateRequest) -> Result<Decision, String> {
        let said = |fault: GateFault| format!("{}: {fault}", fault.code());
        let codex = self.codex(request.phase).await.map_err(said)?;
        let report = self.gate.judge(request, codex, self.limits).await;
        report.result.map_err(said)
    }
}

/// One gate of a set.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Its id in evidence: the gate's node.
    pub id: String,
    /// Its component; absent only for gates that are part of a host.
    pub component: Option<Digest>,
    /// The rules it judges by.
    pub codex: Option<Digest>,
    /// The version that these rules were signed with.
    pub codex_version: Option<CodexVersion>,
    /// What the operator wants at least from its scores.
    pub floors: Floors,
    /// Who judges.
    pub judge: Arc<dyn Judge>,
}

impl Gate {
    async fn ask(
        &self,
        request: &GateRequest,
        digest: Digest,
        scope: Option<&Scope>,
    ) -> GateRecord {
        let mut record = GateRecord {
            codex: self.codex,
            codex_version: self.codex_version,
            component: self.component,
            decision: None,
            gate: self.id.clone(),
            kind: GateKind::Component,
            phase: request.phase,
            prior: request.prior,
            reasons: Vec::new(),
            request: digest,
            severity: Severity::Block,
            verdict: Verdict::Error,
        };
        match self.judged(request, scope).await {
            Ok(mut decision) => {
                let (least, reason) = self.floors.judge(decision.ethical_score, request.prior);
                record.verdict = Verdict::worst([decision.verdict, least]);
                record.reasons = std::mem::take(&mut decision.reasons);
                // The operator's reason must not be lost behind a gate's many.
                record
                    .reasons
                    .truncate(REASONS_MAX - usize::from(reason.is_some()));
                record.reasons.extend(reason);
                record.decision = Some(decision);
            }
            Err(reason) => record.reasons.push(reason),
        }
        record.reasons.truncate(REASONS_MAX);
        for reason in &mut record.reasons {
            truncate(reason, REASON_BYTES_MAX);
        }
        record
    }

    /// The gate's decision, once it is its turn and its codex is not older than one it has judged by.
    async fn judged(
        &self,
        request: &GateRequest,
        scope: Option<&Scope>,
    ) -> Result<Decision, String> {
        let Some(scope) = scope else {
            return self.judge.judge(request).await;
        };
        let newest = scope.history.newest_codex(&self.id);
        if let Some(newest) = newest.filter(|newest| self.codex_version < Some(*newest)) {
            return Err(format!(
                "{CODEX_ROLLED_BACK}: this log has decisions by codex {newest}, and the gate was given {}",
                self.codex_version
                    .map_or_else(|| "none".to_owned(), |version| version.to_string())
            ));
        }
        let turn = scope.turnstile.enter().await;
        let _turn = turn.map_err(|full| format!("{}: {full}", full.code()))?;
        self.judge.judge(request).await
    }
}

/// Asks every gate of a set about the same request, in the set's order. Each is told its own last verdict in the scope; what
/// `digest` binds is the same for all.
pub async fn ask_all(
    gates: &[Gate],
    mut request: GateRequest,
    digest: Digest,
    scope: &Scope,
) -> Vec<GateRecord> {
    let mut records = Vec::with_capacity(gates.len());
    for gate in gates {
        request.prior = scope.prior(&gate.id, request.phase);
        records.push(gate.ask(&request, digest, Some(scope)).await);
    }
    records
}

/// Asks one gate once, outside of any run: for those who write and test gates. Nothing can be released by the answer, because
/// nothing holds the record's request.
pub async fn ask_once(gate: &Gate, request: &GateRequest) -> GateRecord {
    gate.ask(request, request.digest(), None).await
}

/// Cuts `text` to at most `bytes_max` bytes, at a character's border.
pub(crate) fn truncate(text: &mut String, bytes_max: usize) {
    let cut = (0..=bytes_max)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    if text.len() > bytes_max {
        text.truncate(cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        let mut text = "ää".to_owned();
        truncate(&mut text, 3);
        assert_eq!(text, "ä");
        let mut text = "short".to_owned();
        truncate(&mut text, 512);
        assert_eq!(text, "short");
    }
}
