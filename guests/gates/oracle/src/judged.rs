//! From a request and a codex to a decision.
//! INVARIANT: each step can only make the verdict worse; nothing in a request makes it better than the codex says.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::codex::{Codex, PhaseName, QuipRule, Rule};
use crate::scan::{Hit, Scanner};
use crate::types::{Consequence, Decision, Doubt, Item, Phase, RATIO_ONE, Request, Verdict};

/// The context fact by which the host asks for the quip rule: once a plan, at its first step.
const QUIP_FACT: (&str, &[u8]) = ("plan-quip", b"judge");

/// A group of rules under one id: an axiom or a concern.
struct Group<'a> {
    id: &'a str,
    rules: &'a [Rule<'a>],
}

/// Judges `request`. The digest of the codex is the caller's to add.
pub(crate) fn decide(request: &Request<'_>, codex: &Codex<'_>) -> Decision {
    let axioms = groups(
        codex
            .axioms
            .iter()
            .map(|axiom| (&*axiom.id, &*axiom.phases, &*axiom.any)),
        request.phase,
    );
    let concerns = groups(
        codex
            .concerns
            .iter()
            .map(|concern| (&*concern.id, &*concern.phases, &*concern.any)),
        request.phase,
    );
    let mut reasons = Vec::new();
    let hits = find(request, codex, &axioms, &concerns, &mut reasons);
    let (axioms_hit, concerns_hit) = (ids(&axioms, 0, &hits), ids(&concerns, axioms.len(), &hits));
    let burden = weight_of(codex, &concerns_hit);
    let doubt = doubt_of(request, codex, burden);
    let score = score_of(codex, burden, &doubt);
    let is_prohibited = !axioms_hit.is_empty();
    let verdict = verdict_of(request, codex, (score, &doubt), is_prohibited, &mut reasons);
    Decision {
        verdict,
        ethical_score: score,
        doubt,
        futures: futures_of(codex, &concerns_hit),
        quip: request.quip.map(str::to_owned),
        axioms_hit: axioms_hit.into_iter().map(str::to_owned).collect(),
        reasons,
        codex_version: codex.version.to_string(),
        facts: facts(request, &concerns_hit),
    }
}

fn groups<'a>(
    authored: impl Iterator<Item = (&'a str, &'a [PhaseName], &'a [Rule<'a>])>,
    phase: Phase,
) -> Vec<Group<'a>> {
    authored
        .filter(|(_, phases, _)| phases.iter().any(|name| name.is(phase)))
        .map(|(id, _, rules)| Group { id, rules })
        .collect()
}

/// Numbers of the groups that were hit, each once; axioms come first. Says why for each.
fn find(
    request: &Request<'_>,
    codex: &Codex<'_>,
    axioms: &[Group<'_>],
    concerns: &[Group<'_>],
    reasons: &mut Vec<String>,
) -> Vec<usize> {
    let rules: Vec<(usize, &str, &Rule<'_>)> = axioms
        .iter()
        .chain(concerns)
        .enumerate()
        .flat_map(|(number, group)| group.rules.iter().map(move |rule| (number, group.id, rule)))
        .collect();
    let mut groups_hit = Vec::new();
    for (number, id, rule) in &rules {
        if let Some(declared) = declared_match(request, rule) {
            groups_hit.push(*number);
            reasons.push(format!("`{id}`: {} ({declared})", &*rule.label));
        }
    }
    let scanner = Scanner::new(
        codex,
        rules
            .iter()
            .enumerate()
            .map(|(index, (_, _, rule))| (index, *rule)),
    );
    let mut hits: Vec<Hit> = Vec::new();
    for (place, bytes) in readable(request) {
        let known = hits.len();
        scanner.scan(bytes, &mut hits);
        for hit in hits.get(known..).unwrap_or_default() {
            if let Some((number, id, rule)) = rules.get(hit.rule) {
                groups_hit.push(*number);
                reasons.push(format!(
                    "`{id}`: {} in {} at byte {}",
                    &*rule.label,
                    place.shown(),
                    hit.at
                ));
            }
        }
    }
    groups_hit.sort_unstable();
    groups_hit.dedup();
    groups_hit
}

/// Where bytes were found.
enum Place<'a> {
    Item(usize, &'a Item<'a>),
    Declared(&'static str),
}

impl Place<'_> {
    fn shown(&self) -> String {
        match self {
            Self::Item(index, item) => format!("item {index} to {}", item.place),
            Self::Declared(what) => format!("the declared {what}"),
        }
    }
}

/// All bytes of a request that a gate can read: payloads, and the texts that the step wrote itself.
fn readable<'a>(request: &'a Request<'_>) -> impl Iterator<Item = (Place<'a>, &'a [u8])> {
    let payloads = request.items.iter().enumerate();
    let payloads =
        payloads.filter_map(|(index, item)| Some((Place::Item(index, item), item.payload?)));
    let texts = [("impact", request.impact), ("quip", request.quip)];
    let texts = texts.into_iter();
    payloads.chain(texts.filter_map(|(what, text)| Some((Place::Declared(what), text?.as_bytes()))))
}

/// What of the declared effects or impact the rule names, if it does.
fn declared_match(request: &Request<'_>, rule: &Rule<'_>) -> Option<String> {
    for prefix in rule.effects.iter().flatten() {
        if let Some(effect) = request
            .effects
            .iter()
            .find(|effect| effect.starts_with(&**prefix))
        {
            return Some(format!("effect `{effect}`"));
        }
    }
    let impact = request.impact?;
    let said = rule
        .impact
        .iter()
        .flatten()
        .find(|phrase| contains(impact, phrase))?;
    Some(format!("declared impact says `{}`", &**said))
}

fn contains(text: &str, phrase: &str) -> bool {
    let (text, phrase) = (text.as_bytes(), phrase.as_bytes());
    text.windows(phrase.len())
        .any(|window| window.eq_ignore_ascii_case(phrase))
}

fn ids<'a>(groups: &[Group<'a>], first: usize, hits: &[usize]) -> Vec<&'a str> {
    let numbered = (first..).zip(groups);
    numbered
        .filter(|(number, _)| hits.contains(number))
        .map(|(_, group)| group.id)
        .collect()
}

fn weight_of(codex: &Codex<'_>, concerns_hit: &[&str]) -> u32 {
    let weights = codex
        .concerns
        .iter()
        .filter(|concern| concerns_hit.contains(&&*concern.id));
    weights
        .fold(0_u32, |sum, concern| sum.saturating_add(concern.weight))
        .min(RATIO_ONE)
}

/// The worse of what the step said, what the codex doubts in general, and what was seen.
fn doubt_of(request: &Request<'_>, codex: &Codex<'_>, burden: u32) -> Doubt {
    let floor = &codex.doubt.floor;
    let said = request.doubt.as_ref();
    let worst = |floor: u32, said: Option<u32>, seen: u32| {
        floor.max(said.unwrap_or(0)).max(seen).min(RATIO_ONE)
    };
    let unreadable = request
        .items
        .iter()
        .filter(|item| item.payload.is_none())
        .count();
    let unreadable = u32::try_from(unreadable).unwrap_or(u32::MAX);
    let opaque = codex.doubt.unreadable_item.saturating_mul(unreadable);
    Doubt {
        epistemic: worst(floor.epistemic, said.map(|doubt| doubt.epistemic), opaque),
        moral: worst(floor.moral, said.map(|doubt| doubt.moral), burden),
        distributional: worst(
            floor.distributional,
            said.map(|doubt| doubt.distributional),
            0,
        ),
        unknown_unknown: worst(
            floor.unknown_unknown,
            said.map(|doubt| doubt.unknown_unknown),
            0,
        ),
    }
}

/// One, less the concerns, less the codex's share of the worst doubt.
fn score_of(codex: &Codex<'_>, burden: u32, doubt: &Doubt) -> u32 {
    let kinds = [
        doubt.epistemic,
        doubt.moral,
        doubt.distributional,
        doubt.unknown_unknown,
    ];
    let worst = kinds.into_iter().max().unwrap_or(RATIO_ONE);
    let share = u64::from(worst) * u64::from(codex.doubt.weight) / u64::from(RATIO_ONE);
    let share = u32::try_from(share).unwrap_or(RATIO_ONE);
    RATIO_ONE.saturating_sub(burden).saturating_sub(share)
}

fn verdict_of(
    request: &Request<'_>,
    codex: &Codex<'_>,
    (score, doubt): (u32, &Doubt),
    is_prohibited: bool,
    reasons: &mut Vec<String>,
) -> Verdict {
    if is_prohibited {
        return Verdict::Fail;
    }
    let raised = |border: u32, is_raised: bool| {
        let more = if is_raised { codex.hysteresis } else { 0 };
        border.saturating_add(more).min(RATIO_ONE)
    };
    let was_held = matches!(request.prior, Some(Verdict::Abstain | Verdict::Fail));
    let was_marked = was_held || matches!(request.prior, Some(Verdict::Warn));
    let kappa = raised(codex.kappa, was_held);
    let review_below = raised(codex.review_below, was_marked);
    if score < kappa {
        reasons.push(format!(
            "score {score} is below {kappa}; a person must decide"
        ));
        return Verdict::Abstain;
    }
    // What may be wrong to do is held against the same border as a score: doubt takes from certainty.
    if RATIO_ONE.saturating_sub(doubt.moral) < kappa {
        let moral = doubt.moral;
        reasons.push(format!(
            "a moral doubt of {moral} leaves less than {kappa}; a person must decide"
        ));
        return Verdict::Abstain;
    }
    if score < review_below {
        reasons.push(format!(
            "score {score} is below {review_below}; marked for review"
        ));
        return Verdict::Warn;
    }
    if is_quip_missing(request, codex) {
        reasons.push("the plan brings no quip; marked for review".to_owned());
        return Verdict::Warn;
    }
    Verdict::Pass
}

/// A fact that the host chose for this gate.
pub(crate) fn fact<'a>(request: &Request<'a>, name: &str) -> Option<&'a [u8]> {
    request
        .context
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

fn is_quip_missing(request: &Request<'_>, codex: &Codex<'_>) -> bool {
    let is_asked =
        matches!(request.phase, Phase::Ingress) && fact(request, QUIP_FACT.0) == Some(QUIP_FACT.1);
    let is_there = request.quip.is_some_and(|quip| !quip.trim().is_empty());
    codex.quip == QuipRule::Required && is_asked && !is_there
}

fn futures_of(codex: &Codex<'_>, concerns_hit: &[&str]) -> Vec<Consequence> {
    let simulate = |future: &crate::codex::Future<'_>| {
        let less = future
            .less
            .iter()
            .filter(|less| concerns_hit.contains(&&*less.concern));
        let lost: i64 = less.map(|less| i64::from(less.by)).sum();
        Consequence {
            horizon: future.horizon.to_string(),
            metric: future.metric.to_string(),
            value: i64::from(future.value) - lost,
        }
    };
    codex.futures.iter().map(simulate).collect()
}

/// What else is on record: the concerns hit, and how much could not be read.
fn facts(request: &Request<'_>, concerns_hit: &[&str]) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    if !concerns_hit.is_empty() {
        facts.push(("concerns-hit".to_owned(), concerns_hit.join(" ")));
    }
    let unreadable = request
        .items
        .iter()
        .filter(|item| item.payload.is_none())
        .count();
    if unreadable > 0 {
        facts.push(("unreadable-items".to_owned(), unreadable.to_string()));
    }
    facts
}
