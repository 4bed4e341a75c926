//! What people have said yes to, and what that lets an attempt pass.
//!
//! INVARIANT: an answer lets exactly the request pass that it was given about, at the gate that asked.

use aim_core::{digest::Digest, gate::GateRecord, verdict::Verdict};

use crate::judge::REASONS_MAX;

/// What a gate's reason begins with, before the digest of the answer that let the attempt pass.
pub(crate) const ANSWERED: &str = "a person answered yes: ";

/// What a gate was asked when it held a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The gate, by name.
    pub gate: String,
    /// Digest of the request: exactly what was judged.
    pub request: Digest,
}

/// What people have said yes to: which gates may be passed by what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// The gates that held the step, each with exactly what it judged and the digest of the answer's statement; anything else
    /// is held again.
    pub held: Vec<(Held, Digest)>,
}

impl Accepted {
    /// Adds an answer to those that people have given before.
    pub fn extend(&mut self, held: Vec<Held>, witness: Digest) {
        self.held.extend(held.into_iter().map(|one| (one, witness)));
    }

    /// The answer that lets exactly this request pass `gate`, in words; `None` when there is none.
    #[must_use]
    pub fn covers(&self, gate: &str, request: Digest) -> Option<String> {
        let mut held = self.held.iter();
        let (_, witness) = held.find(|(one, _)| one.gate == gate && one.request == request)?;
        Some(format!("{ANSWERED}{witness}"))
    }

    /// Makes a warning of what gates have left to a person, where this is the answer. An objection and an error stay.
    pub(crate) fn lift(&self, records: &mut [GateRecord]) {
        for record in records {
            if record.verdict == Verdict::Abstain
                && let Some(reason) = self.covers(&record.gate, record.request)
            {
                record.verdict = Verdict::Warn;
                record.reasons.truncate(REASONS_MAX.saturating_sub(1));
                record.reasons.push(reason);
            }
        }
    }
}
