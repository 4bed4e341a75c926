//! What makes a plan a plan. A compiler's output and a file's bytes are held against the same list.
//!
//! INVARIANT: no check stops the others, so one look shows everything that is wrong.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    INTEGER_MAX, IR_BYTES_MAX, LanguageVersion, PlanParts, STEPS_MAX, SchemaVersion, Step, cycles,
    order,
};
use crate::name::StepName;

mod data;
mod gates;
mod parallel;
mod recovery;

/// Why a plan IR was refused: every fault that was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plan ir is refused: {}", self.summary())]
pub struct PlanError {
    /// All faults, in the order of the document.
    pub faults: Vec<PlanFault>,
}

/// One thing that is wrong with a plan IR.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanFault {
    /// Not JSON of a plan's shape.
    #[error("not a plan: {0}")]
    Malformed(String),
    /// A plan, but written in another way than canonically.
    #[error("the bytes are not in canonical form; compile the plan again")]
    NotCanonical,
    /// Beyond the size limit.
    #[error("the ir is larger than {IR_BYTES_MAX} bytes")]
    TooLarge,
    /// A schema version that this host does not know.
    #[error("schema version {0} is not one that this host reads; it writes {current}", current = SchemaVersion::CURRENT)]
    SchemaVersion(SchemaVersion),
    /// A language version that this host does not know.
    #[error("language version {0} is newer than {current}", current = LanguageVersion::CURRENT)]
    LanguageVersion(LanguageVersion),
    /// No step, or too many.
    #[error("a plan has 1 to {STEPS_MAX} steps, not {0}")]
    StepCount(usize),
    /// Two of one name.
    #[error("{what} `{name}` appears twice")]
    Duplicate {
        /// What is named.
        what: &'static str,
        /// The name, with the step it belongs to where there is one.
        name: String,
    },
    /// A name that leads nowhere.
    #[error("step `{step}` names the {what} `{name}`, which the plan does not have")]
    Unknown {
        /// The step that names it.
        step: StepName,
        /// What is named.
        what: &'static str,
        /// The name.
        name: StepName,
    },
    /// Steps that wait for one another.
    #[error("steps wait for one another: {0}")]
    Cycle(String),
    /// Not in the one order, or ids that are not `s1` to `sN`.
    #[error("steps or ids are not in plan order")]
    Order,
    /// A step's `is_required` disagrees with the edges.
    #[error("step `{0}` is marked required or optional against its edges")]
    Required(StepName),
    /// A budget of zero or beyond the representable.
    #[error("the {part} budget of {owner} must be 1 to {INTEGER_MAX}")]
    Budget {
        /// `the plan` or the step in quotes.
        owner: String,
        /// Which part.
        part: &'static str,
    },
    /// Steps together exceed the plan's cap.
    #[error("steps need {sum} {part} together, the plan allows {cap}")]
    Infeasible {
        /// Which part.
        part: &'static str,
        /// Over all steps.
        sum: u64,
        /// The plan's cap.
        cap: u64,
    },
    /// A gate whose parts contradict each other.
    #[error("gate `{0}`: {1}")]
    Gate(String, &'static str),
    /// A gate that nothing in this host can judge.
    #[error("gate `{gate}` is of kind `{kind}`, which this host has no evaluator for")]
    NoEvaluator {
        /// The gate, with the step it belongs to.
        gate: String,
        /// Its kind.
        kind: &'static str,
    },
    /// Fan-out, reduction, shards or a flow that can not be.
    #[error("{owner}: {reason}")]
    Parallel {
        /// What it is about.
        owner: String,
        /// Why it can not be.
        reason: &'static str,
    },
    /// Retries, breakers, standby steps or rules that can not be.
    #[error("{owner}: {reason}")]
    Recovery {
        /// What it is about.
        owner: String,
        /// Why it can not be.
        reason: &'static str,
    },
    /// Inputs, slices, imports, pins or probes that can not be.
    #[error("{owner}: {reason}")]
    Data {
        /// What it is about.
        owner: String,
        /// Why it can not be.
        reason: &'static str,
    },
    /// A pin is missing in a plan that claims determinism.
    #[error("step `{step}` pins no {pin}, and the plan claims to be deterministic")]
    Pin {
        /// The step.
        step: StepName,
        /// What is not pinned.
        pin: &'static str,
    },
    /// A text with characters that a terminal could act on.
    #[error("{0} contains control or direction-changing characters")]
    Text(String),
}

impl PlanError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "ACL-E040"
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        "compile the plan's .acl source again with this version of aimctl; an ir is not edited by hand".to_owned()
    }

    fn summary(&self) -> String {
        const SHOWN: usize = 8;
        let shown: Vec<String> = self
            .faults
            .iter()
            .take(SHOWN)
            .map(ToString::to_string)
            .collect();
        match self.faults.len().saturating_sub(SHOWN) {
            0 => shown.join("; "),
            more => format!("{}; and {more} more", shown.join("; ")),
        }
    }
}

impl From<PlanFault> for PlanError {
    fn from(fault: PlanFault) -> Self {
        Self {
            faults: Vec::from([fault]),
        }
    }
}

/// Takes a reader's complaint.
pub(super) fn malformed(error: serde_json::Error) -> PlanError {
    PlanFault::Malformed(escaped(&error.to_string())).into()
}

/// Shortens a reader's complaint and escapes what a terminal could act on: it can quote the document.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(300) {
        if is_harmless(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
    }
    shown
}

/// Returns the first character of a text that a plan may not contain: control characters and those that change the
/// direction of writing, which can make a text read differently from what it says.
#[must_use]
pub fn text_fault(text: &str) -> Option<char> {
    text.chars().find(|c| !is_harmless(*c))
}

fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// Every fault of a plan.
pub(super) fn faults(parts: &PlanParts) -> Vec<PlanFault> {
    let mut faults = Vec::new();
    if !parts.schema_version.is_known() {
        faults.push(PlanFault::SchemaVersion(parts.schema_version));
    }
    if !parts.language_version.is_known() {
        faults.push(PlanFault::LanguageVersion(parts.language_version));
    }
    if parts.steps.is_empty() || parts.steps.len() > STEPS_MAX {
        faults.push(PlanFault::StepCount(parts.steps.len()));
    }
    header(parts, &mut faults);
    names(parts, &mut faults);
    edges(parts, &mut faults);
    budgets(parts, &mut faults);
    parallel::check(parts, &mut faults);
    recovery::check(parts, &mut faults);
    data::check(parts, &mut faults);
    faults
}

/// A step's name as messages show it.
fn owner(step: &Step) -> String {
    format!("step `{}`", step.name)
}

fn text(what: impl FnOnce() -> String, value: &str, faults: &mut Vec<PlanFault>) {
    if text_fault(value).is_some() {
        faults.push(PlanFault::Text(what()));
    }
}

fn header(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    if let Some(quip) = &parts.quip {
        text(|| "the quip".to_owned(), quip, faults);
    }
    for (name, role) in &parts.roles {
        for (param, value) in &role.params {
            text(
                || format!("parameter `{param}` of role `{name}`"),
                value,
                faults,
            );
        }
    }
    gates::of_plan(parts, faults);
}

pub(super) fn duplicate(what: &'static str, name: String) -> PlanFault {
    PlanFault::Duplicate { what, name }
}

fn names(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    let mut seen = BTreeSet::new();
    for step in &parts.steps {
        if !seen.insert(&step.name) {
            faults.push(duplicate("step", step.name.to_string()));
        }
        if !parts.roles.contains_key(&step.role) {
            faults.push(PlanFault::Unknown {
                step: step.name.clone(),
                what: "role",
                name: step.role.clone(),
            });
        }
        text(
            || format!("the description of step `{}`", step.name),
            &step.description,
            faults,
        );
        gates::of_step(step, parts, faults);
    }
}

fn edges(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    let before = faults.len();
    let places: BTreeMap<&StepName, usize> = (parts.steps.iter().enumerate())
        .map(|(place, step)| (&step.name, place))
        .collect();
    let mut graph = Vec::with_capacity(parts.steps.len());
    for step in &parts.steps {
        graph.push(required_places(step, &places, faults));
    }
    for cycle in cycles(&graph) {
        faults.push(PlanFault::Cycle(cycle_text(&cycle, &parts.steps)));
    }
    if faults.len() > before {
        return;
    }
    if !is_in_order(parts, &places) {
        faults.push(PlanFault::Order);
    }
    for step in wrongly_marked(&parts.steps) {
        faults.push(PlanFault::Required(step.name.clone()));
    }
}

fn required_places(
    step: &Step,
    places: &BTreeMap<&StepName, usize>,
    faults: &mut Vec<PlanFault>,
) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let mut required = Vec::with_capacity(step.requires.len());
    for require in &step.requires {
        if !seen.insert(&require.step) {
            let name = format!("{} in {}", require.step, step.name);
            faults.push(duplicate("requirement", name));
        }
        match places.get(&require.step) {
            Some(place) => required.push(*place),
            None => faults.push(PlanFault::Unknown {
                step: step.name.clone(),
                what: "step",
                name: require.step.clone(),
            }),
        }
    }
    required
}

fn cycle_text(cycle: &[usize], steps: &[Step]) -> String {
    let names = cycle
        .iter()
        .chain(cycle.first())
        .filter_map(|place| steps.get(*place));
    names
        .map(|step| step.name.as_str())
        .collect::<Vec<_>>()
        .join(" -> ")
}

/// Ids are the numbers 1 to N, and sorting by them as source order gives the order that the plan has.
fn is_in_order(parts: &PlanParts, places: &BTreeMap<&StepName, usize>) -> bool {
    let mut by_source: Vec<&Step> = parts.steps.iter().collect();
    by_source.sort_by_key(|step| step.id);
    let is_numbered =
        (by_source.iter().zip(1_u32..)).all(|(step, number)| step.id.number() == number);
    let mut source_index = alloc::vec![0_usize; parts.steps.len()];
    for (index, step) in by_source.iter().enumerate() {
        if let Some(slot) = places
            .get(&step.name)
            .and_then(|place| source_index.get_mut(*place))
        {
            *slot = index;
        }
    }
    let index_of = |name: &StepName| {
        places
            .get(name)
            .and_then(|place| source_index.get(*place))
            .copied()
    };
    let graph: Vec<Vec<usize>> = (by_source.iter())
        .map(|step| {
            step.requires
                .iter()
                .filter_map(|require| index_of(&require.step))
                .collect()
        })
        .collect();
    is_numbered && order(&graph).nodes == source_index
}

fn wrongly_marked(steps: &[Step]) -> impl Iterator<Item = &Step> {
    let mut needed = BTreeMap::new();
    for require in (steps.iter().filter(|step| step.probe.is_none())).flat_map(|s| &s.requires) {
        *needed.entry(&require.step).or_insert(false) |= !require.is_optional;
    }
    // A step that nobody requires is terminal: its output is a result of the plan.
    steps.iter().filter(move |step| {
        let can_be = step.probe.is_none() && !step.is_standby;
        step.is_required != (can_be && needed.get(&step.name).copied().unwrap_or(true))
    })
}

fn budgets(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    let is_bounded = |value: u64| (1..=INTEGER_MAX).contains(&value);
    let mut part_fault = |owner: String, part| faults.push(PlanFault::Budget { owner, part });
    for step in &parts.steps {
        for (part, value) in step.budget.parts() {
            if value.is_some_and(|value| !is_bounded(value)) {
                part_fault(owner(step), part);
            }
        }
        let Some(soft) = step.budget.soft else {
            continue;
        };
        for ((part, soft), (_, hard)) in soft.parts().into_iter().zip(step.budget.parts()) {
            let is_above = |soft| hard.is_some_and(|hard| soft > hard);
            if soft.is_some_and(|soft| !is_bounded(soft) || is_above(soft)) {
                part_fault(format!("{} (soft)", owner(step)), part);
            }
        }
    }
    let Some(cap) = parts.budget else { return };
    for (part, value) in cap.parts() {
        if value.is_some_and(|value| !is_bounded(value)) {
            part_fault("the plan".to_owned(), part);
        }
    }
    let rounds = parallel::rounds(parts);
    let times = |step: &Step| {
        let rounds = rounds.get(&step.name).copied().unwrap_or(1);
        step.instances().saturating_mul(rounds)
    };
    // Probes are the deployment's: what a plan was written for does not shrink by them.
    let steps: Vec<_> = (parts.steps.iter())
        .filter(|step| step.probe.is_none())
        .map(|step| (step.budget, times(step)))
        .collect();
    for (part, sum, cap) in cap.exceeded_by(&steps) {
        faults.push(PlanFault::Infeasible { part, sum, cap });
    }
}
