//! Asking gates. A gate that does not answer, answers nonsense or is not there has the verdict `error`.
//!
//! INVARIANT: every gate is asked with the same request, none sees another's answer, and nothing a gate says changes what
//! was judged.

use std::{fmt::Debug, sync::Arc};

use aim_core::{
    digest::Digest,
    gate::{Decision, GateKind, GateRecord, GateRequest},
    limits::Limits,
    verdict::{Severity, Verdict},
};
use aim_engine::{Codex, LinkedGate};
use async_trait::async_trait;

/// Reasons that are kept of one decision.
const REASONS_MAX: usize = 16;
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
}

impl ComponentJudge {
    /// A gate that judges by `codex` within `limits`.
    #[must_use]
    pub fn new(gate: LinkedGate, codex: Arc<[u8]>, limits: Limits) -> Self {
        Self {
            gate,
            codex: Codex::new(codex),
            limits,
        }
    }
}

#[async_trait]
impl Judge for ComponentJudge {
    async fn judge(&self, request: &GateRequest) -> Result<Decision, String> {
        let report = self.gate.judge(request, &self.codex, self.limits).await;
        report
            .result
            .map_err(|fault| format!("{}: {fault}", fault.code()))
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
    /// Who judges.
    pub judge: Arc<dyn Judge>,
}

impl Gate {
    async fn ask(&self, request: &GateRequest, digest: Digest) -> GateRecord {
        let mut record = GateRecord {
            codex: self.codex,
            component: self.component,
            decision: None,
            gate: self.id.clone(),
            kind: GateKind::Component,
            phase: request.phase,
            reasons: Vec::new(),
            request: digest,
            severity: Severity::Block,
            verdict: Verdict::Error,
        };
        match self.judge.judge(request).await {
            Ok(mut decision) => {
                record.verdict = decision.verdict;
                record.reasons = std::mem::take(&mut decision.reasons);
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
}

/// Asks every gate of a set about the same request, in the set's order.
pub async fn ask_all(gates: &[Gate], request: &GateRequest, digest: Digest) -> Vec<GateRecord> {
    let mut records = Vec::with_capacity(gates.len());
    for gate in gates {
        records.push(gate.ask(request, digest).await);
    }
    records
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
