//! The plan IR: what a `.acl` source means once everything implicit has been written out.
//!
//! A [`Plan`] comes from a compiler or from bytes, and both go through the same checks, because the IR is a trust
//! boundary: whoever holds a `Plan` knows that it is acyclic, that every name in it leads somewhere and that its steps
//! stand in their one order. Its canonical JSON is what is hashed, stored and pinned.
//!
//! ```text
//! .acl text --aim-acl--> PlanParts --Plan::check--> Plan --to_json--> bytes --from_json--> the same Plan
//! ```
//!
//! INVARIANT: equal plans have equal bytes: structs declare their fields in sorted order, maps are ordered, numbers are
//! integers below 2^53, and bytes in any other spelling are refused.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{digest::Digest, name::StepName};

mod binding;
mod budget;
mod check;
mod data;
mod expand;
mod gate;
mod given;
pub mod graph;
mod judge;
mod lock;
mod order;
mod parallel;
mod probe;
mod recovery;
mod written;

pub use crate::kappa::Criticality;
pub use binding::{NODE_PARAM, Unbound, UnboundReason, bindings};
pub use budget::{Budget, PlanBudget, PoolPolicy, SoftBackoff, SoftBudget};
pub use check::{PlanError, PlanFault, text_fault};
pub use data::{
    Effect, Header, Import, ImportKind, InputSource, Pins, Probe, RiskClass, Selector,
    SelectorIndex, TimeSlice,
};
pub use expand::{Expanded, FlowNodes, Node, Source, SourceKind, StepPath, expand};
pub use gate::{
    Action, Check, Clause, Emit, Gate, GatePhase, JudgeCheck, JudgeKind, OnFail, Rules,
};
pub use given::{GivenInput, InputFault, InputType};
pub use judge::{GateAnswer, Subject, judge};
pub use lock::{
    CompilerPin, GatePin, LOCK_VERSION, Lock, LockDifference, LockError, StepPin, WitVersions,
    wit_versions,
};
pub use order::{Order, cycles, order};
pub use parallel::{Caps, Exhausted, Fanout, Flow, Reduce, ReduceMethod, Tie};
pub use probe::{Observation, ObservedAttempt, ObservedStep, ProbeId, ProbePin, ProbeSwitch};
pub use recovery::{ATTEMPTS_MAX, BACKOFF_MS_MAX, Breaker, Hitl, Retries, Rule, Silence, Trigger};
pub use written::{LanguageVersion, SchemaVersion, StepId, WrittenFormError};

/// The most steps that a plan may have, and the most that fan-out and flow may make of them.
pub const STEPS_MAX: usize = 10_000;
/// The most bytes that a serialised plan may have.
pub const IR_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest integer in a plan: every JSON reader represents it exactly.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// The role names that every plan has without declaring them; each is its own kind.
pub const BUILTIN_ROLES: [&str; 8] = [
    "planner",
    "retriever",
    "reasoner",
    "verifier",
    "builder",
    "critic",
    "operator",
    "witness",
];

/// A checked plan. Made by [`Plan::check`] or [`Plan::from_json`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan(PlanParts);

/// The fields of a plan before they are checked. [`PlanParts::new`] fills in what a source does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanParts {
    /// What all steps together may use; absent when the plan sets no cap of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<PlanBudget>,
    /// Steps that are done over until a condition holds, in plan order of their first steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<Flow>,
    /// Gates on the plan's result: each is asked of the output of every terminal step.
    pub gates: Vec<Gate>,
    /// What the whole plan is asked against.
    #[serde(default, skip_serializing_if = "Header::is_empty")]
    pub header: Header,
    /// Other documents that the plan is made of, by alias.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub imports: BTreeMap<StepName, Import>,
    /// Confidence below which steps abstain, in parts per million, where they say nothing themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kappa_ppm: Option<u32>,
    /// The version of the language that the source was written in.
    pub language_version: LanguageVersion,
    /// The plan's name.
    pub name: StepName,
    /// The plan's analogy, judged once a plan by the ethical gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quip: Option<String>,
    /// Declared roles, and the built-in ones that steps use.
    pub roles: BTreeMap<StepName, Role>,
    /// What is done when something other than a gate keeps a step from completing; the first that applies counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// The version of this shape; a reader refuses a major that it does not know.
    pub schema_version: SchemaVersion,
    /// What the steps of each shard share.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shards: BTreeMap<StepName, Caps>,
    /// What happens while a question to a person is open and the step does not say.
    #[serde(default, skip_serializing_if = "Silence::is_default")]
    pub silence: Silence,
    /// Steps in plan order: see [`order()`].
    pub steps: Vec<Step>,
}

/// Who does a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// What the deployment file maps to a node when the role names none itself.
    pub kind: StepName,
    /// Parameters as they were written, without quotes.
    pub params: BTreeMap<StepName, String>,
}

/// One step. [`Step::new`] fills in what a source does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When the step's node is left alone because it keeps failing; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// What the step may use; always explicit. Each instance of a step has the whole budget.
    pub budget: Budget,
    /// How much depends on the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// What the step is asked to do, in the plan's words.
    pub description: String,
    /// What the step says it does to the world.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub effects: BTreeSet<Effect>,
    /// The standby step that answers when this one has failed for good. A fallback to another role is a standby step too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<StepName>,
    /// Once for each number of a range, instead of once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fanout: Option<Fanout>,
    /// Gates of the step, in source order.
    pub gates: Vec<Gate>,
    /// A person is asked before the step runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hitl: Option<Hitl>,
    /// `s1` for the first step of the source, and so on.
    pub id: StepId,
    /// Named inputs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<StepName, InputSource>,
    /// Whether doing it twice is the same as doing it once; what the contract says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_idempotent: Option<bool>,
    /// False when the run may succeed without it: the step has dependents and all of them require it with `?`, or it is a
    /// standby step, or a probe.
    pub is_required: bool,
    /// True for a step that runs only when another one's fallback or reroute leads to it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub is_standby: bool,
    /// Confidence below which the step abstains, in parts per million; the plan's or the contract's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kappa_ppm: Option<u32>,
    /// The model that is asked for, as the plan calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The step's name, unique in the plan.
    pub name: StepName,
    /// What the answer may depend on, held still.
    #[serde(default, skip_serializing_if = "Pins::is_empty")]
    pub pins: Pins,
    /// The policy for the step, by an import's alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<StepName>,
    /// Present on a synthetic step that watches others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// What the step waits for, in the order in which it receives their outputs.
    pub requires: Vec<Require>,
    /// How often a transient failure is tried again; what the contract says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// The role that does it; a key of the plan's roles.
    pub role: StepName,
    /// The shard that it belongs to, where the plan has shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<StepName>,
    /// The time that its sources are read at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<TimeSlice>,
    /// The tools that are asked for, as the plan calls them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
}

/// One edge of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// True for `REQUIRES x?`: the dependent runs even if `x` abstained or was skipped.
    pub is_optional: bool,
    /// True when each instance waits for the instance of the same number only; both then have the same range.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub is_pairwise: bool,
    /// How the outputs of the required step's instances become one; a list of all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<Reduce>,
    /// The step that is waited for.
    pub step: StepName,
}

impl Require {
    /// An edge that nothing special is said about.
    #[must_use]
    pub const fn on(step: StepName) -> Self {
        Self {
            is_optional: false,
            is_pairwise: false,
            reduce: None,
            step,
        }
    }
}

impl PlanParts {
    /// A plan without anything in it.
    #[must_use]
    pub fn new(name: StepName) -> Self {
        Self {
            budget: None,
            flows: Vec::new(),
            gates: Vec::new(),
            header: Header::default(),
            imports: BTreeMap::new(),
            kappa_ppm: None,
            language_version: LanguageVersion::CURRENT,
            name,
            quip: None,
            roles: BTreeMap::new(),
            rules: Vec::new(),
            schema_version: SchemaVersion::CURRENT,
            shards: BTreeMap::new(),
            silence: Silence::default(),
            steps: Vec::new(),
        }
    }
}

impl Step {
    /// A required step of `role` that waits for nothing, with the default budget.
    #[must_use]
    pub fn new(id: StepId, name: StepName, role: StepName, description: &str) -> Self {
        Self {
            breaker: None,
            budget: Budget::DEFAULT,
            criticality: None,
            description: description.to_owned(),
            effects: BTreeSet::new(),
            fallback: None,
            fanout: None,
            gates: Vec::new(),
            hitl: None,
            id,
            inputs: BTreeMap::new(),
            is_idempotent: None,
            is_required: true,
            is_standby: false,
            kappa_ppm: None,
            model: None,
            name,
            pins: Pins::default(),
            policy: None,
            probe: None,
            requires: Vec::new(),
            retries: None,
            role,
            shard: None,
            slice: None,
            tools: Vec::new(),
        }
    }

    /// How often the step runs in a plan's execution: once, or for each number of its range.
    #[must_use]
    pub fn instances(&self) -> u64 {
        self.fanout.as_ref().map_or(1, Fanout::count)
    }
}

impl Plan {
    /// True when some step says what it does to the world; then every step is taken at its word.
    #[must_use]
    pub fn declares_effects(&self) -> bool {
        self.steps().iter().any(|step| !step.effects.is_empty())
    }

    /// Checks the parts of a plan.
    ///
    /// # Errors
    /// [`PlanError`] with every fault that was found.
    pub fn check(parts: PlanParts) -> Result<Self, PlanError> {
        let faults = check::faults(&parts);
        if faults.is_empty() {
            Ok(Self(parts))
        } else {
            Err(PlanError { faults })
        }
    }

    /// Reads canonical JSON and checks the plan in it. White space after the document is ignored.
    ///
    /// # Errors
    /// [`PlanError`] when the bytes are too many, no plan, a faulty plan, or a plan in another spelling.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PlanError> {
        let bytes = bytes.trim_ascii_end();
        if bytes.len() > IR_BYTES_MAX {
            return Err(PlanFault::TooLarge.into());
        }
        let parts: PlanParts = serde_json::from_slice(bytes).map_err(check::malformed)?;
        let plan = Self::check(parts)?;
        if plan.to_json() == bytes {
            Ok(plan)
        } else {
            Err(PlanFault::NotCanonical.into())
        }
    }

    /// Returns the canonical JSON: the bytes that are hashed, stored and pinned.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        canonical(&self.0)
    }

    /// Returns the content hash: BLAKE3 of the canonical JSON.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json())
    }

    /// Returns the version of the IR's shape.
    #[must_use]
    pub const fn schema_version(&self) -> SchemaVersion {
        self.0.schema_version
    }

    /// Returns the plan's name.
    #[must_use]
    pub const fn name(&self) -> &StepName {
        &self.0.name
    }

    /// Returns the language version of the source.
    #[must_use]
    pub const fn language_version(&self) -> LanguageVersion {
        self.0.language_version
    }

    /// Returns the roles by name.
    #[must_use]
    pub const fn roles(&self) -> &BTreeMap<StepName, Role> {
        &self.0.roles
    }

    /// Returns the steps in plan order: every step stands after all that it requires.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0.steps
    }

    /// Returns the step of that name.
    #[must_use]
    pub fn step(&self, name: &StepName) -> Option<&Step> {
        self.0.steps.iter().find(|step| step.name == *name)
    }

    /// Returns the conditions on the plan's result.
    #[must_use]
    pub fn gates(&self) -> &[Gate] {
        &self.0.gates
    }

    /// Returns the conditions on the plan's result that judge `step`: all of them where it is a terminal one, and where it may
    /// stand in for one. A step that stands in has nobody that stands in for it, so there such an answer ends the run.
    #[must_use]
    pub fn result_gates(&self, step: &Step, is_terminal: bool) -> Vec<Gate> {
        if is_terminal {
            return self.0.gates.clone();
        }
        let is_asked = !self.0.gates.is_empty() && step.is_standby;
        if !is_asked || !self.terminals().any(|one| self.leads_to(one, &step.name)) {
            return Vec::new();
        }
        let mut gates = self.0.gates.clone();
        for answer in gates.iter_mut().flat_map(|gate| &mut gate.on_fail) {
            if answer.target.take().is_some() {
                answer.action = Action::Abort;
            }
        }
        gates
    }

    /// True when `to` may answer for `from`.
    fn leads_to(&self, from: &Step, to: &StepName) -> bool {
        let gates = from.gates.iter().chain(&self.0.gates);
        let rules = self.0.rules.iter();
        let rules = rules.filter(|rule| rule.steps.is_empty() || rule.steps.contains(&from.name));
        let mut answers =
            (gates.flat_map(|gate| &gate.on_fail)).chain(rules.map(|rule| &rule.then));
        from.fallback.as_ref() == Some(to) || answers.any(|one| one.target.as_ref() == Some(to))
    }

    /// Returns what all steps together may use.
    #[must_use]
    pub const fn budget(&self) -> Option<PlanBudget> {
        self.0.budget
    }

    /// Returns the plan's analogy.
    #[must_use]
    pub fn quip(&self) -> Option<&str> {
        self.0.quip.as_deref()
    }

    /// Returns what the whole plan is asked against.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.0.header
    }

    /// Returns what the steps of each shard share.
    #[must_use]
    pub const fn shards(&self) -> &BTreeMap<StepName, Caps> {
        &self.0.shards
    }

    /// Returns the steps that are done over until a condition holds.
    #[must_use]
    pub fn flows(&self) -> &[Flow] {
        &self.0.flows
    }

    /// Returns the other documents that the plan is made of, by alias.
    #[must_use]
    pub const fn imports(&self) -> &BTreeMap<StepName, Import> {
        &self.0.imports
    }

    /// Returns what is done when something other than a gate keeps `step` from completing.
    #[must_use]
    pub fn rule(&self, on: Trigger, step: &StepName) -> Option<&OnFail> {
        (self.0.rules.iter())
            .find(|rule| rule.on == on && (rule.steps.is_empty() || rule.steps.contains(step)))
            .map(|rule| &rule.then)
    }

    /// Returns the confidence below which `step` abstains, in parts per million, where the plan says so.
    #[must_use]
    pub fn kappa_ppm(&self, step: &Step) -> Option<u32> {
        step.kappa_ppm.or(self.0.kappa_ppm)
    }

    /// Returns what happens while a question about `step` is open: what the step says, else the plan.
    #[must_use]
    pub fn silence(&self, step: &Step) -> Silence {
        let own = step.hitl.as_ref().map(|hitl| hitl.silence);
        own.filter(|own| !own.is_default())
            .unwrap_or(self.0.silence)
    }

    /// Returns the terminal steps, in plan order: nobody requires them and their outputs are the plan's result. Probes
    /// and standby steps are none, and a probe that requires a step does not make it less terminal.
    pub fn terminals(&self) -> impl Iterator<Item = &Step> {
        terminals(&self.0.steps)
    }

    /// Returns the fields, for whoever wants to change and check them again.
    #[must_use]
    pub fn into_parts(self) -> PlanParts {
        self.0
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Deserialises with all checks but the one on spelling, which only bytes can have.
impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::check(PlanParts::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Serialises one of this module's types: none holds a map with other than string keys, a float or a custom failure,
/// so there is no error to report.
fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The terminal steps among `steps`.
fn terminals(steps: &[Step]) -> impl Iterator<Item = &Step> {
    let required: BTreeSet<&StepName> = (steps.iter())
        .filter(|step| step.probe.is_none())
        .flat_map(|step| step.requires.iter().map(|require| &require.step))
        .collect();
    (steps.iter()).filter(move |step| {
        step.probe.is_none() && !step.is_standby && !required.contains(&step.name)
    })
}

#[cfg(test)]
mod tests;
