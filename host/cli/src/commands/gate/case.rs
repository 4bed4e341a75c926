//! One case: a request as its author writes it, and what must come of it.
//!
//! INVARIANT: unknown members are refused; a payload is either text, or opaque, never both.

use std::{collections::BTreeMap, fmt::Debug};

use aim_core::{
    digest::Digest,
    envelope::Target,
    gate::{Decision, Doubt, GateRecord, GateRequest, Item, Phase},
    verdict::Verdict,
};
use serde::Deserialize;

/// A case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it shows, for readers.
    #[expect(dead_code, reason = "it is read by people")]
    title: String,
    /// A codex beside the case, by file name.
    #[serde(default)]
    pub(super) codex: Option<String>,
    /// What is asked.
    pub(super) request: WrittenRequest,
    /// What must come of it.
    pub(super) expect: Expected,
}

/// A request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRequest {
    phase: Phase,
    #[serde(default)]
    effects: Vec<String>,
    #[serde(default)]
    items: Vec<WrittenItem>,
    #[serde(default)]
    impact: Option<String>,
    #[serde(default)]
    doubt: Option<Doubt>,
    #[serde(default)]
    quip: Option<String>,
    #[serde(default)]
    prior: Option<Verdict>,
    #[serde(default)]
    context: BTreeMap<String, String>,
}

/// One thing that would pass: a text, pieces of one, or an opaque payload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenItem {
    /// The payload.
    #[serde(default)]
    text: Option<String>,
    /// The payload in pieces that are put together, so that no scanner takes a case for a leak.
    #[serde(default)]
    pieces: Option<Vec<String>>,
    /// How many times the pieces or the text stand there.
    #[serde(default)]
    repeat: Option<u16>,
}

/// What must come of it; what is absent is not asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    verdict: Option<Verdict>,
    #[serde(default)]
    axioms_hit: Option<Vec<String>>,
    /// Each must be part of a reason.
    #[serde(default)]
    reasons: Vec<String>,
    /// None may be part of a reason.
    #[serde(default)]
    no_reasons: Vec<String>,
    #[serde(default)]
    score_ppm: Option<u32>,
    #[serde(default)]
    doubt: Option<Doubt>,
    /// By `horizon/metric`.
    #[serde(default)]
    futures: BTreeMap<String, i64>,
    #[serde(default)]
    quip: Option<String>,
    #[serde(default)]
    facts: BTreeMap<String, String>,
    #[serde(default)]
    codex_version: Option<String>,
}

impl Case {
    /// Reads a case.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let case: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if case.expect.verdict.is_none() {
            return Err("`expect.verdict` is missing".to_owned());
        }
        let both = |item: &WrittenItem| item.text.is_some() && item.pieces.is_some();
        if case.request.items.iter().any(both) {
            return Err("an item has `text` or `pieces`, not both".to_owned());
        }
        Ok(case)
    }
}

impl WrittenRequest {
    /// As a gate is asked.
    pub(super) fn gate_request(&self) -> GateRequest {
        GateRequest {
            phase: self.phase,
            plan: "case".to_owned(),
            step: "case".to_owned(),
            role: "case".to_owned(),
            effects: self.effects.clone(),
            items: self.items.iter().map(WrittenItem::item).collect(),
            impact: self.impact.clone(),
            doubt: self.doubt,
            quip: self.quip.clone(),
            prior: self.prior,
            context: (self.context.iter())
                .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
                .collect(),
        }
    }
}

impl WrittenItem {
    fn item(&self) -> Item {
        let text = self
            .text
            .clone()
            .or_else(|| Some(self.pieces.as_ref()?.concat()));
        let payload = text.map(|text| {
            text.repeat(usize::from(self.repeat.unwrap_or(1)))
                .into_bytes()
        });
        Item {
            target: Target::Next,
            action: "case".to_owned(),
            media_type: "text/plain".to_owned(),
            artifacts: Vec::new(),
            payload_digest: Digest::of(payload.as_deref().unwrap_or_default()),
            payload,
        }
    }
}

impl Expected {
    /// Everything that did not come as it must; empty when all did.
    pub(super) fn wrong(&self, record: &GateRecord) -> Vec<String> {
        let mut wrong = Vec::new();
        let found = record.verdict;
        if let Some(expected) = self.verdict.filter(|expected| *expected != found) {
            wrong.push(format!(
                "verdict: expected {}, found {}",
                expected.word(),
                found.word()
            ));
        }
        let decision = record.decision.as_ref();
        wrong.extend(self.wrong_numbers(decision));
        wrong.extend(self.wrong_texts(decision));
        wrong.extend(self.wrong_reasons(&record.reasons));
        wrong
    }

    fn wrong_numbers(&self, decision: Option<&Decision>) -> Vec<String> {
        let score = decision.map(|one| one.ethical_score);
        let doubt = decision.map(|one| one.doubt);
        let mut wrong = vec![
            differs("score_ppm", self.score_ppm.as_ref(), score.as_ref()),
            differs("doubt", self.doubt.as_ref(), doubt.as_ref()),
        ];
        for (place, value) in &self.futures {
            let mut futures = decision.iter().flat_map(|one| &one.futures);
            let named =
                futures.find(|future| format!("{}/{}", future.horizon, future.metric) == *place);
            let found = named.map(|future| &future.value);
            wrong.push(differs(place, Some(value), found));
        }
        wrong.into_iter().flatten().collect()
    }

    fn wrong_texts(&self, decision: Option<&Decision>) -> Vec<String> {
        let axioms = decision.map(|one| &one.axioms_hit);
        let version = decision.map(|one| &one.codex_version);
        let quip = decision.and_then(|one| one.quip.as_ref());
        let mut wrong = vec![
            differs("axioms_hit", self.axioms_hit.as_ref(), axioms),
            differs("codex_version", self.codex_version.as_ref(), version),
            differs("quip", self.quip.as_ref(), quip),
        ];
        for (name, value) in &self.facts {
            let mut facts = decision.iter().flat_map(|one| &one.facts);
            let found = facts.find(|(known, _)| known == name);
            let found = found.map(|(_, found)| found);
            wrong.push(differs(name, Some(value), found));
        }
        wrong.into_iter().flatten().collect()
    }

    fn wrong_reasons(&self, reasons: &[String]) -> Vec<String> {
        let has = |part: &String| reasons.iter().any(|reason| reason.contains(part.as_str()));
        let missing = self.reasons.iter().filter(|part| !has(part));
        let missing = missing.map(|part| format!("no reason says `{part}`: {reasons:?}"));
        let told = self.no_reasons.iter().filter(|part| has(part));
        let told = told.map(|part| format!("a reason says `{part}`"));
        missing.chain(told).collect()
    }
}

/// What is said when something was expected and something else, or nothing, was found.
fn differs<T: Debug + PartialEq>(
    what: &str,
    expected: Option<&T>,
    found: Option<&T>,
) -> Option<String> {
    let expected = expected?;
    (found != Some(expected)).then(|| match found {
        Some(found) => format!("{what}: expected {expected:?}, found {found:?}"),
        None => format!("{what}: expected {expected:?}, found nothing"),
    })
}
