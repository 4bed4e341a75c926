//! A gate as a third party would ship it: words that must not leave, and payment card numbers.
//!
//! It has rules of its own, in a codex of its own form: `{"version": "1.0.0", "deny": ["project kite"], "review": ["draft"],
//! "cards": true}`. A denied word or a card number is `fail`, a word for review is `warn`, an unreadable payload is
//! `abstain`, all else is `pass`.
//! INVARIANT: a reason says what kind of thing was found and where; neither a word nor a digit of it is ever repeated.
#![forbid(unsafe_code)]

mod cards;

use aim_sdk::gate::{Decision, Gate, Phase, Request, Verdict, codex};
use aim_sdk::types::{Doubt, Fault, RATIO_ONE, fault};
use serde::Deserialize;

/// The rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    version: String,
    deny: Vec<String>,
    review: Vec<String>,
    cards: bool,
}

struct Keywords;

impl Gate for Keywords {
    fn evaluate(request: Request) -> Result<Decision, Fault> {
        let rules: Rules = serde_json::from_slice(&codex())
            .map_err(|error| fault("KEYWORDS-C001", error.to_string()))?;
        let mut found = Found::default();
        // What comes in may hold anything; this gate is about what leaves.
        if !matches!(request.phase, Phase::Ingress) {
            for (index, item) in request.items.iter().enumerate() {
                match item.payload.as_deref() {
                    Some(bytes) => found.look(index, bytes, &rules),
                    None => found.unread(index),
                }
            }
        }
        Ok(found.into_decision(rules.version))
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    denied: bool,
    unread: bool,
    review: bool,
    reasons: Vec<String>,
}

impl Found {
    fn look(&mut self, index: usize, bytes: &[u8], rules: &Rules) {
        for (rule, word) in rules.deny.iter().enumerate() {
            if let Some(at) = find(bytes, word.as_bytes()) {
                self.denied = true;
                self.reasons.push(format!(
                    "item {index}: what `deny/{rule}` of the codex names is at byte {at}, and must not leave"
                ));
            }
        }
        if let Some(at) = cards::find(bytes).filter(|_| rules.cards) {
            self.denied = true;
            self.reasons
                .push(format!("item {index}: a card number at byte {at}"));
        }
        for (rule, word) in rules.review.iter().enumerate() {
            if let Some(at) = find(bytes, word.as_bytes()) {
                self.review = true;
                self.reasons.push(format!(
                    "item {index}: what `review/{rule}` of the codex names is at byte {at}, for review"
                ));
            }
        }
    }

    fn unread(&mut self, index: usize) {
        self.unread = true;
        self.reasons.push(format!(
            "item {index} is opaque, and nobody can say what it holds"
        ));
    }

    fn into_decision(self, version: String) -> Decision {
        let (verdict, ethical_score) = if self.denied {
            (Verdict::Fail, 0)
        } else if self.unread {
            (Verdict::Abstain, RATIO_ONE / 2)
        } else if self.review {
            (Verdict::Warn, RATIO_ONE / 4 * 3)
        } else {
            (Verdict::Pass, RATIO_ONE)
        };
        Decision {
            verdict,
            ethical_score,
            doubt: Doubt {
                epistemic: if self.unread { RATIO_ONE } else { 0 },
                moral: 0,
                distributional: 0,
                unknown_unknown: RATIO_ONE / 10,
            },
            futures: Vec::new(),
            quip: None,
            axioms_hit: Vec::new(),
            reasons: self.reasons,
            codex_version: version,
            codex_digest: String::new(),
            facts: Vec::new(),
        }
    }
}

/// Where `word` begins in `bytes`, letters of either case.
fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    bytes
        .windows(word.len())
        .position(|window| window.eq_ignore_ascii_case(word))
}

aim_sdk::export_gate!(Keywords);
