//! From a request and a compiled codex to a decision.
//! INVARIANT: each step can only make the verdict worse; nothing in a request makes it better than the codex says.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::compiled::{place, row};
use crate::scan::{Hit, Scanner};
use crate::types::{Consequence, Decision, Doubt, Item, Phase, RATIO_ONE, Request, Verdict};
use crate::view::{Row, View};

/// The context fact by which the host asks for the quip rule: once a plan, at its first step.
const QUIP_FACT: (&str, &[u8]) = ("plan-quip", b"judge");

/// Judges `request`. The digest of the codex is the caller's to add. `None` when the compiled form makes no sense.
pub(crate) fn decide(request: &Request<'_>, view: &View<'_>) -> Option<Decision> {
    let mut reasons = Vec::new();
    let hits = find(request, view, &mut reasons)?;
    let (mut axioms_hit, mut concerns_hit) = (Vec::new(), Vec::new());
    let mut burden = 0_u32;
    for (number, group) in view.table(place::GROUPS, row::GROUP)?.all().enumerate() {
        if !hits.contains(&number) {
            continue;
        }
        let id = view.text(group, 8)?;
        if group.word(0)? == 0 {
            axioms_hit.push(id.to_owned());
        } else {
            concerns_hit.push(id);
            burden = burden.saturating_add(group.word(4)?);
        }
    }
    let burden = burden.min(RATIO_ONE);
    let doubt = doubt_of(request, view, burden)?;
    let score = score_of(view, burden, &doubt)?;
    let is_prohibited = !axioms_hit.is_empty();
    let verdict = verdict_of(request, view, (score, &doubt), is_prohibited, &mut reasons)?;
    Some(Decision {
        verdict,
        ethical_score: score,
        doubt,
        futures: futures_of(view, &hits)?,
        quip: request.quip.map(str::to_owned),
        axioms_hit,
        reasons,
        codex_version: view.version()?.to_owned(),
        facts: facts(request, &concerns_hit),
    })
}

/// Numbers of the groups that were hit, each once. Says why for each.
fn find(request: &Request<'_>, view: &View<'_>, reasons: &mut Vec<String>) -> Option<Vec<usize>> {
    let rules = view.table(place::RULES, row::RULE)?;
    let groups = view.table(place::GROUPS, row::GROUP)?;
    let mut groups_hit = Vec::new();
    let mut hit = |rule: usize, place: &dyn core::fmt::Display| {
        let rule = rules.get(rule)?;
        let number = rule.index(0)?;
        let (id, label) = (view.text(groups.get(number)?, 8)?, view.text(rule, 4)?);
        groups_hit.push(number);
        reasons.push(format!("`{id}`: {label} {place}"));
        Some(())
    };
    let declared = declared(request, view)?;
    for (rule, what) in declared {
        hit(rule, &format_args!("({what})"))?;
    }
    let scanner = Scanner::new(view)?;
    let mut hits: Vec<Hit> = Vec::new();
    for (place, bytes) in readable(request) {
        let known = hits.len();
        scanner.scan(bytes, &mut hits)?;
        for one in hits.get(known..).unwrap_or_default() {
            let (place, at) = (place.shown(), one.at);
            hit(one.rule, &format_args!("in {place} at byte {at}"))?;
        }
    }
    groups_hit.sort_unstable();
    groups_hit.dedup();
    Some(groups_hit)
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

/// Which rules name a declared effect or the declared impact, by number, each once.
fn declared(request: &Request<'_>, view: &View<'_>) -> Option<Vec<(usize, String)>> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for needle in view.table(place::EFFECTS, row::DECLARED)?.all() {
        let prefix = view.text(needle, 4)?;
        let mut effects = request.effects.iter();
        if let Some(effect) = effects.find(|effect| effect.starts_with(prefix)) {
            add(&mut found, needle, || format!("effect `{effect}`"))?;
        }
    }
    let Some(impact) = request.impact else {
        return Some(found);
    };
    for needle in view.table(place::IMPACTS, row::DECLARED)?.all() {
        let phrase = view.text(needle, 4)?;
        if contains(impact, phrase) {
            add(&mut found, needle, || {
                format!("declared impact says `{phrase}`")
            })?;
        }
    }
    found.sort_by_key(|(rule, _)| *rule);
    Some(found)
}

fn add(
    found: &mut Vec<(usize, String)>,
    needle: Row<'_>,
    what: impl FnOnce() -> String,
) -> Option<()> {
    let rule = needle.index(0)?;
    if found.iter().all(|(known, _)| *known != rule) {
        found.push((rule, what()));
    }
    Some(())
}

fn contains(text: &str, phrase: &str) -> bool {
    let (text, phrase) = (text.as_bytes(), phrase.as_bytes());
    text.windows(phrase.len())
        .any(|window| window.eq_ignore_ascii_case(phrase))
}

/// The worse of what the step said, what the codex doubts in general, and what was seen.
fn doubt_of(request: &Request<'_>, view: &View<'_>, burden: u32) -> Option<Doubt> {
    let said = request.doubt.unwrap_or_default();
    let floor = |kind: usize| view.word(place::FLOORS + kind);
    let worst = |floor: u32, said: u32, seen: u32| floor.max(said).max(seen).min(RATIO_ONE);
    let unreadable = u32::try_from(unreadable(request)).unwrap_or(u32::MAX);
    let opaque = view
        .word(place::UNREADABLE_ITEM)?
        .saturating_mul(unreadable);
    Some(Doubt {
        epistemic: worst(floor(0)?, said.epistemic, opaque),
        moral: worst(floor(1)?, said.moral, burden),
        distributional: worst(floor(2)?, said.distributional, 0),
        unknown_unknown: worst(floor(3)?, said.unknown_unknown, 0),
    })
}

fn unreadable(request: &Request<'_>) -> usize {
    let items = request.items.iter();
    items.filter(|item| item.payload.is_none()).count()
}

/// One, less the concerns, less the codex's share of the worst doubt.
fn score_of(view: &View<'_>, burden: u32, doubt: &Doubt) -> Option<u32> {
    let kinds = [
        doubt.epistemic,
        doubt.moral,
        doubt.distributional,
        doubt.unknown_unknown,
    ];
    let worst = kinds.into_iter().max().unwrap_or(RATIO_ONE);
    let weight = view.word(place::DOUBT_WEIGHT)?;
    let share = u64::from(worst) * u64::from(weight) / u64::from(RATIO_ONE);
    let share = u32::try_from(share).unwrap_or(RATIO_ONE);
    Some(RATIO_ONE.saturating_sub(burden).saturating_sub(share))
}

fn verdict_of(
    request: &Request<'_>,
    view: &View<'_>,
    (score, doubt): (u32, &Doubt),
    is_prohibited: bool,
    reasons: &mut Vec<String>,
) -> Option<Verdict> {
    if is_prohibited {
        return Some(Verdict::Fail);
    }
    let hysteresis = view.word(place::HYSTERESIS)?;
    let raised = |border: u32, is_raised: bool| {
        let more = if is_raised { hysteresis } else { 0 };
        border.saturating_add(more).min(RATIO_ONE)
    };
    let was_held = matches!(request.prior, Some(Verdict::Abstain | Verdict::Fail));
    let was_marked = was_held || matches!(request.prior, Some(Verdict::Warn));
    let kappa = raised(view.word(place::KAPPA)?, was_held);
    let review_below = raised(view.word(place::REVIEW_BELOW)?, was_marked);
    if score < kappa {
        reasons.push(format!(
            "score {score} is below {kappa}; a person must decide"
        ));
        return Some(Verdict::Abstain);
    }
    // What may be wrong to do is held against the same border as a score: doubt takes from certainty.
    if RATIO_ONE.saturating_sub(doubt.moral) < kappa {
        let moral = doubt.moral;
        reasons.push(format!(
            "a moral doubt of {moral} leaves less than {kappa}; a person must decide"
        ));
        return Some(Verdict::Abstain);
    }
    if score < review_below {
        reasons.push(format!(
            "score {score} is below {review_below}; marked for review"
        ));
        return Some(Verdict::Warn);
    }
    if is_quip_missing(request, view)? {
        reasons.push("the plan brings no quip; marked for review".to_owned());
        return Some(Verdict::Warn);
    }
    Some(Verdict::Pass)
}

/// A fact that the host chose for this gate.
pub(crate) fn fact<'a>(request: &Request<'a>, name: &str) -> Option<&'a [u8]> {
    request
        .context
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

fn is_quip_missing(request: &Request<'_>, view: &View<'_>) -> Option<bool> {
    let is_asked =
        matches!(request.phase, Phase::Ingress) && fact(request, QUIP_FACT.0) == Some(QUIP_FACT.1);
    let is_there = request.quip.is_some_and(|quip| !quip.trim().is_empty());
    Some(view.word(place::QUIP)? != 0 && is_asked && !is_there)
}

fn futures_of(view: &View<'_>, hits: &[usize]) -> Option<Vec<Consequence>> {
    let (futures, less) = (view.counted(place::FUTURES, row::FUTURE)?, view.less()?);
    let mut simulated = Vec::with_capacity(futures.count());
    for future in futures.all() {
        let (first, count) = (future.index(24)?, future.index(28)?);
        let mut value = future.signed(16)?;
        for index in first..first.checked_add(count)? {
            let one = less.get(index)?;
            if hits.contains(&one.index(0)?) {
                value = value.saturating_sub(one.signed(4)?);
            }
        }
        simulated.push(Consequence {
            horizon: view.text(future, 0)?.to_string(),
            metric: view.text(future, 8)?.to_string(),
            value,
        });
    }
    Some(simulated)
}

/// What else is on record: the concerns hit, and how much could not be read.
fn facts(request: &Request<'_>, concerns_hit: &[&str]) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    if !concerns_hit.is_empty() {
        facts.push(("concerns-hit".to_owned(), concerns_hit.join(" ")));
    }
    let unreadable = unreadable(request);
    if unreadable > 0 {
        facts.push(("unreadable-items".to_owned(), unreadable.to_string()));
    }
    facts
}
