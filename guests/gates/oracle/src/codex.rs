//! The codex as its authors write it, and what makes one acceptable. `docs/formats/codex.md` describes it for them.
//! INVARIANT: unknown members, unknown words, empty needles and ratios above one are refused; nothing has a default that
//! would let more pass.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;

use crate::text::Text;
use crate::types::{Phase, RATIO_ONE};

/// The version of the format that this gate reads.
const FORMAT: u32 = 1;

/// How many texts to look for a codex may hold. Each is in the table at most twice, under numbers of 16 bits.
const NEEDLES_MAX: usize = 4_096;

/// A codex document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Codex<'a> {
    /// The version of the format.
    codex: u32,
    /// The version of this document, as recorded in every decision.
    #[serde(borrow)]
    pub(crate) version: Text<'a>,
    /// What the rules are made from, for readers.
    #[serde(borrow)]
    #[expect(dead_code, reason = "it is read by people and covered by the digest")]
    principles: Vec<Text<'a>>,
    /// Below this score a person is asked.
    pub(crate) kappa: u32,
    /// What a prior abstention adds to `kappa`, so that a score near it does not flip back and forth.
    pub(crate) hysteresis: u32,
    /// Below this score an otherwise clean request is marked for review.
    pub(crate) review_below: u32,
    /// Whether a plan must bring a quip.
    pub(crate) quip: QuipRule,
    /// Texts that stand where a secret was.
    #[serde(borrow)]
    pub(crate) masks: Vec<Text<'a>>,
    /// Values that are no secret whatever their name is.
    #[serde(borrow)]
    pub(crate) harmless: Vec<Text<'a>>,
    /// What is never done.
    #[serde(borrow)]
    pub(crate) axioms: Vec<Axiom<'a>>,
    /// What counts against a request.
    #[serde(borrow)]
    pub(crate) concerns: Vec<Concern<'a>>,
    /// What is doubted about every request, however sure its author is.
    pub(crate) doubt: DoubtRules,
    /// What is simulated.
    #[serde(borrow)]
    pub(crate) futures: Vec<Future<'a>>,
}

/// Whether a plan must bring a quip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum QuipRule {
    Required,
    Ignored,
}

/// A prohibition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Axiom<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    pub(crate) phases: Vec<PhaseName>,
    #[serde(borrow)]
    pub(crate) any: Vec<Rule<'a>>,
}

/// Something that weighs against a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Concern<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    pub(crate) phases: Vec<PhaseName>,
    /// How much, in parts per million.
    pub(crate) weight: u32,
    #[serde(borrow)]
    pub(crate) any: Vec<Rule<'a>>,
}

/// One thing to look for. Exactly one member besides `label` is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Rule<'a> {
    #[serde(borrow)]
    pub(crate) label: Text<'a>,
    /// These texts anywhere in a payload, letters of either case.
    #[serde(borrow, default)]
    pub(crate) text: Option<Vec<Text<'a>>>,
    /// A prefix and a run of characters.
    #[serde(borrow, default)]
    pub(crate) token: Option<Token<'a>>,
    /// A name, `=` or `:`, and a value.
    #[serde(borrow, default)]
    pub(crate) assignment: Option<Vec<Text<'a>>>,
    /// A user and a password in a URL; the value is always `true`.
    #[serde(default)]
    pub(crate) url_password: Option<bool>,
    /// Declared effects that begin like one of these.
    #[serde(borrow, default)]
    pub(crate) effects: Option<Vec<Text<'a>>>,
    /// A declared impact that contains one of these, letters of either case.
    #[serde(borrow, default)]
    pub(crate) impact: Option<Vec<Text<'a>>>,
}

/// A prefix and a run of characters after it, not inside of a longer word.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Token<'a> {
    #[serde(borrow)]
    pub(crate) prefixes: Vec<Text<'a>>,
    pub(crate) characters: Characters,
    pub(crate) least: u32,
}

/// What a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Characters {
    /// `A-Z 0-9`
    UpperDigits,
    /// `A-Z a-z 0-9`
    Alphanumeric,
    /// `A-Z a-z 0-9 + / = _ - . ~`
    Base64,
}

/// A phase by its WIT name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PhaseName {
    Ingress,
    Effect,
    Egress,
    Consult,
}

/// Doubts that every request has at least.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DoubtRules {
    /// The least of each kind.
    pub(crate) floor: DoubtFloor,
    /// What an item that can not be read adds to the epistemic doubt.
    pub(crate) unreadable_item: u32,
    /// How much of the worst doubt counts against the score, in parts per million.
    pub(crate) weight: u32,
}

/// One ratio a kind of doubt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DoubtFloor {
    pub(crate) epistemic: u32,
    pub(crate) moral: u32,
    pub(crate) distributional: u32,
    pub(crate) unknown_unknown: u32,
}

/// A metric at a horizon: where it stands, and what each concern takes from it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Future<'a> {
    #[serde(borrow)]
    pub(crate) horizon: Text<'a>,
    #[serde(borrow)]
    pub(crate) metric: Text<'a>,
    pub(crate) value: i32,
    #[serde(borrow)]
    pub(crate) less: Vec<Less<'a>>,
}

/// What one concern takes from a metric.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Less<'a> {
    #[serde(borrow)]
    pub(crate) concern: Text<'a>,
    pub(crate) by: i32,
}

impl PhaseName {
    /// True when the name is that of `phase`.
    pub(crate) fn is(self, phase: Phase) -> bool {
        match self {
            Self::Ingress => matches!(phase, Phase::Ingress),
            Self::Effect => matches!(phase, Phase::Effect),
            Self::Egress => matches!(phase, Phase::Egress),
            Self::Consult => matches!(phase, Phase::Consult),
        }
    }
}

/// Why a codex is refused.
#[derive(Debug)]
pub enum CodexError {
    /// Not JSON, or not of this shape.
    Shape(serde_json::Error),
    /// Of this shape, and still not usable.
    Content(String),
}

impl fmt::Display for CodexError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => write!(out, "the codex is malformed: {error}"),
            Self::Content(what) => write!(out, "the codex is malformed: {what}"),
        }
    }
}

/// Reads a codex.
///
/// # Errors
/// Whatever is not exactly a codex of this format.
pub(crate) fn parse(document: &[u8]) -> Result<Codex<'_>, CodexError> {
    let codex: Codex<'_> = serde_json::from_slice(document).map_err(CodexError::Shape)?;
    if codex.codex != FORMAT {
        return Err(CodexError::Content(format!(
            "format {}; this gate reads {FORMAT}",
            codex.codex
        )));
    }
    check(&codex).map_err(CodexError::Content)?;
    Ok(codex)
}

fn check(codex: &Codex<'_>) -> Result<(), String> {
    let floor = &codex.doubt.floor;
    let ratios = [
        ("kappa", codex.kappa),
        ("hysteresis", codex.hysteresis),
        ("review-below", codex.review_below),
        ("doubt.unreadable-item", codex.doubt.unreadable_item),
        ("doubt.weight", codex.doubt.weight),
        ("doubt.floor.epistemic", floor.epistemic),
        ("doubt.floor.moral", floor.moral),
        ("doubt.floor.distributional", floor.distributional),
        ("doubt.floor.unknown-unknown", floor.unknown_unknown),
    ];
    let concerns = codex
        .concerns
        .iter()
        .map(|concern| (&*concern.id, concern.weight));
    if let Some((name, _)) = ratios
        .into_iter()
        .chain(concerns)
        .find(|(_, value)| *value > RATIO_ONE)
    {
        return Err(format!("`{name}` is above 1000000"));
    }
    if codex.version.is_empty() || codex.axioms.is_empty() {
        return Err("a codex has a version and at least one axiom".to_owned());
    }
    for axiom in &codex.axioms {
        check_rules(&axiom.id, &axiom.phases, &axiom.any)?;
    }
    for concern in &codex.concerns {
        check_rules(&concern.id, &concern.phases, &concern.any)?;
    }
    check_unique(codex)?;
    if needles(codex) > NEEDLES_MAX {
        return Err(format!("more than {NEEDLES_MAX} texts to look for"));
    }
    check_texts("masks", &codex.masks)?;
    check_texts("harmless", &codex.harmless)?;
    check_futures(codex)
}

/// An id names one axiom or one concern: what was hit must be told by it.
fn check_unique(codex: &Codex<'_>) -> Result<(), String> {
    let axioms: Vec<&str> = codex.axioms.iter().map(|axiom| &*axiom.id).collect();
    let concerns: Vec<&str> = codex.concerns.iter().map(|concern| &*concern.id).collect();
    for ids in [axioms, concerns] {
        for (index, id) in ids.iter().enumerate() {
            if ids.iter().skip(index + 1).any(|other| other == id) {
                return Err(format!("the id `{id}` is there twice"));
            }
        }
    }
    Ok(())
}

/// How many texts the rules look for in payloads.
fn needles(codex: &Codex<'_>) -> usize {
    let axioms = codex.axioms.iter().flat_map(|axiom| &axiom.any);
    let rules = axioms.chain(codex.concerns.iter().flat_map(|concern| &concern.any));
    let count = |list: &Option<Vec<Text<'_>>>| list.as_ref().map_or(0, Vec::len);
    rules
        .map(|rule| {
            let token = rule.token.as_ref().map_or(0, |token| token.prefixes.len());
            count(&rule.text) + count(&rule.assignment) + token + 1
        })
        .sum()
}

fn check_rules(id: &str, phases: &[PhaseName], rules: &[Rule<'_>]) -> Result<(), String> {
    if id.is_empty() || phases.is_empty() || rules.is_empty() {
        return Err(format!("`{id}` needs an id, phases and rules"));
    }
    for rule in rules {
        let lists = [&rule.text, &rule.assignment, &rule.effects, &rule.impact];
        let given = lists.iter().filter(|list| list.is_some()).count();
        let others =
            usize::from(rule.token.is_some()) + usize::from(rule.url_password == Some(true));
        if given + others != 1 || rule.url_password == Some(false) {
            return Err(format!(
                "rule `{}` of `{id}` must look for exactly one thing",
                &*rule.label
            ));
        }
        for list in lists.into_iter().flatten() {
            check_texts(&rule.label, list)?;
        }
        if let Some(token) = &rule.token {
            check_texts(&rule.label, &token.prefixes)?;
        }
    }
    Ok(())
}

/// An empty needle would match everything, an empty list nothing: both are mistakes.
fn check_texts(name: &str, texts: &[Text<'_>]) -> Result<(), String> {
    if texts.is_empty() || texts.iter().any(|text| text.is_empty()) {
        return Err(format!("`{name}` has an empty list or an empty text"));
    }
    Ok(())
}

fn check_futures(codex: &Codex<'_>) -> Result<(), String> {
    for less in codex.futures.iter().flat_map(|future| &future.less) {
        if !codex
            .concerns
            .iter()
            .any(|concern| concern.id == less.concern)
        {
            return Err(format!(
                "a future names the concern `{}`, which is not there",
                &*less.concern
            ));
        }
    }
    Ok(())
}
