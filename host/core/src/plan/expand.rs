//! From steps to nodes: every instance of a fan-out and every round of a flow gets a path and requirements of its own.
//!
//! INVARIANT: nodes stand in plan order, instances and rounds in the order of their numbers, and a plan's nodes depend on
//! nothing but the plan.

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{Criticality, Flow, Plan, PoolPolicy, Reduce, ReduceMethod, Require, Step};
use crate::{
    name::StepName,
    schedule::{Group, Need, NodeSpec},
};

/// Where a node stands in a plan: `draft`, `vote[3]`, `refine[2].draft`, `refine[2].vote[3]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct StepPath(String);

impl StepPath {
    fn new(round: Option<(&StepName, u32)>, step: &StepName, instance: Option<u32>) -> Self {
        let mut path =
            round.map_or_else(String::new, |(flow, number)| format!("{flow}[{number}]."));
        path.push_str(step.as_str());
        if let Some(number) = instance {
            path.push_str(&format!("[{number}]"));
        }
        Self(path)
    }

    /// Reads the written form; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let part = |part: &str, needs_number: bool| {
            let (name, number) = match part.split_once('[') {
                None => (part, None),
                Some((name, rest)) => (name, Some(rest.strip_suffix(']')?)),
            };
            let is_number = number.is_none_or(|text| {
                text.parse::<u32>()
                    .is_ok_and(|number| number.to_string() == text)
            });
            (StepName::parse(name).is_ok() && is_number && (!needs_number || number.is_some()))
                .then_some(())
        };
        match text.split_once('.') {
            None => part(text, false)?,
            Some((flow, step)) => {
                part(flow, true)?;
                part(step, false)?;
            }
        }
        Some(Self(text.to_owned()))
    }

    /// The path without its last number, and that number, where it ends with one.
    #[must_use]
    pub fn instance(&self) -> (&str, Option<u32>) {
        let parts = (self.0.strip_suffix(']')).and_then(|rest| rest.rsplit_once('['));
        match parts.and_then(|(step, number)| Some((step, number.parse().ok()?))) {
            Some((step, number)) => (step, Some(number)),
            None => (&self.0, None),
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&StepName> for StepPath {
    fn from(name: &StepName) -> Self {
        Self(name.to_string())
    }
}

impl<'de> Deserialize<'de> for StepPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a step path"))
    }
}

/// One thing that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it stands.
    pub path: StepPath,
    /// Index of its step in the plan.
    pub step: usize,
    /// Its number in a fan-out.
    pub instance: Option<u32>,
    /// Index of its flow, and the round from 1.
    pub round: Option<(usize, u32)>,
    /// What it is given, in the order of the step's requirements.
    pub sources: Vec<Source>,
}

/// Where one part of a node's envelope comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The step that is required, for the name in a joined body.
    pub step: StepName,
    /// The nodes whose outputs are taken, in order.
    pub nodes: Vec<usize>,
    /// How they become one.
    pub kind: SourceKind,
    /// How many of the nodes must have completed; all when absent.
    pub least: Option<usize>,
    /// True when the node runs without it.
    pub is_optional: bool,
}

/// How the outputs of a source's nodes become one part of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// There is one node.
    One,
    /// All of them, as a list.
    All,
    /// All that completed, made into one.
    Reduced(Reduce),
    /// The round that ended the flow of that index.
    Flow(usize),
    /// The round before this one.
    LastRound,
}

/// A flow's nodes, by round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowNodes {
    /// Index of the group that stands for the flow's result.
    pub group: usize,
    /// All nodes of each round.
    pub rounds: Vec<Vec<usize>>,
    /// The node whose output is the round's result, by round.
    pub results: Vec<usize>,
}

/// A plan as the executor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// In plan order.
    pub nodes: Vec<Node>,
    /// For the schedule, by node.
    pub specs: Vec<NodeSpec>,
    /// For the schedule.
    pub groups: Vec<Group>,
    /// How many nodes of each shard run at the same time at most; steps without a shard have the first place.
    pub parallel_max: Vec<usize>,
    /// The plan's flows, by index.
    pub flows: Vec<FlowNodes>,
    /// The node of each standby step.
    pub standby: BTreeMap<StepName, usize>,
    /// Shard by index, `None` for the first.
    pub shards: Vec<Option<StepName>>,
}

/// Expands a checked plan.
#[must_use]
pub fn expand(plan: &Plan) -> Expanded {
    Expander::new(plan).expand()
}

/// The most critical steps go first where the plan's pool is shared by priority.
fn rank(plan: &Plan, step: &Step) -> u8 {
    let pool = plan.budget().map(|budget| budget.pool).unwrap_or_default();
    match step.criticality {
        _ if pool != PoolPolicy::Priority => 0,
        Some(Criticality::Critical) => 0,
        Some(Criticality::Important) => 1,
        None | Some(Criticality::Routine) => 2,
        Some(Criticality::LowStakes) => 3,
    }
}

struct Expander<'a> {
    plan: &'a Plan,
    flow_of: BTreeMap<&'a StepName, usize>,
    step_of: BTreeMap<&'a StepName, usize>,
    /// Node indices by step and round, in instance order.
    placed: BTreeMap<(usize, u32), Vec<usize>>,
    nodes: Vec<Node>,
    groups: Vec<Group>,
    /// Groups by their members and whether they stand for a flow, so that each is there once.
    known: BTreeMap<(bool, Vec<usize>), usize>,
}

impl<'a> Expander<'a> {
    fn new(plan: &'a Plan) -> Self {
        let of_flow = |(index, flow): (usize, &'a Flow)| flow.steps.iter().map(move |s| (s, index));
        Self {
            plan,
            flow_of: plan.flows().iter().enumerate().flat_map(of_flow).collect(),
            step_of: (plan.steps().iter().enumerate())
                .map(|(index, step)| (&step.name, index))
                .collect(),
            placed: BTreeMap::new(),
            nodes: Vec::new(),
            groups: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    fn expand(mut self) -> Expanded {
        self.place();
        let flows = self.flows();
        let shards: Vec<Option<StepName>> = core::iter::once(None)
            .chain(self.plan.shards().keys().cloned().map(Some))
            .collect();
        let shard_of = |step: &Step| {
            shards
                .iter()
                .position(|one| *one == step.shard)
                .unwrap_or(0)
        };
        let mut specs = Vec::with_capacity(self.nodes.len());
        for index in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(index).cloned() else {
                continue;
            };
            let Some(step) = self.plan.steps().get(node.step) else {
                continue;
            };
            let sources = self.sources(step, &node, &flows);
            let needs = sources
                .iter()
                .map(|source| self.need(source, &flows))
                .collect();
            if let Some(node) = self.nodes.get_mut(index) {
                node.sources = sources;
            }
            specs.push(NodeSpec {
                needs,
                shard: shard_of(step),
                is_standby: step.is_standby,
                rank: rank(self.plan, step),
            });
        }
        let caps = self.plan.shards().values();
        let most = |most: Option<u32>| most.and_then(|most| usize::try_from(most).ok());
        let caps = caps.map(|caps| most(caps.max_parallel).unwrap_or(usize::MAX));
        let standby = self
            .plan
            .steps()
            .iter()
            .enumerate()
            .filter(|(_, step)| step.is_standby);
        let standby = standby
            .filter_map(|(index, step)| {
                Some((step.name.clone(), *self.placed.get(&(index, 0))?.first()?))
            })
            .collect();
        Expanded {
            parallel_max: core::iter::once(usize::MAX).chain(caps).collect(),
            nodes: self.nodes,
            specs,
            groups: self.groups,
            flows,
            standby,
            shards,
        }
    }

    /// Makes the nodes: a flow's rounds one after the other where its first step stands.
    fn place(&mut self) {
        let plan = self.plan;
        for (index, step) in plan.steps().iter().enumerate() {
            match self.flow_of.get(&step.name).copied() {
                None => self.place_step(index, step, None),
                Some(flow) => {
                    let Some(flow_parts) = plan.flows().get(flow) else {
                        continue;
                    };
                    if flow_parts.steps.first() != Some(&step.name) {
                        continue;
                    }
                    for round in 1..=flow_parts.max_iter {
                        for name in &flow_parts.steps {
                            if let Some(index) = self.step_of.get(name).copied()
                                && let Some(step) = plan.steps().get(index)
                            {
                                self.place_step(index, step, Some((flow, round)));
                            }
                        }
                    }
                }
            }
        }
    }

    fn place_step(&mut self, index: usize, step: &Step, round: Option<(usize, u32)>) {
        let flow =
            round.and_then(|(flow, number)| Some((&self.plan.flows().get(flow)?.name, number)));
        let numbers: Vec<Option<u32>> = match &step.fanout {
            None => Vec::from([None]),
            Some(range) => (range.first..=range.last).map(Some).collect(),
        };
        for instance in numbers {
            let place = (index, round.map_or(0, |(_, number)| number));
            self.placed.entry(place).or_default().push(self.nodes.len());
            self.nodes.push(Node {
                path: StepPath::new(flow, &step.name, instance),
                step: index,
                instance,
                round,
                sources: Vec::new(),
            });
        }
    }

    fn group(&mut self, members: Vec<usize>, is_flow: bool) -> usize {
        let next = self.groups.len();
        let key = (is_flow, members);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        self.groups.push(Group {
            members: key.1.clone(),
            is_flow,
        });
        self.known.insert(key, next);
        next
    }

    fn flows(&mut self) -> Vec<FlowNodes> {
        let plan = self.plan;
        let mut flows = Vec::new();
        for (index, flow) in plan.flows().iter().enumerate() {
            let of_round = |number: u32| {
                let nodes = self.nodes.iter().enumerate();
                nodes
                    .filter(move |(_, node)| node.round == Some((index, number)))
                    .map(|(node, _)| node)
                    .collect::<Vec<usize>>()
            };
            let rounds: Vec<Vec<usize>> = (1..=flow.max_iter).map(of_round).collect();
            let result = self
                .step_of
                .get(&flow.result)
                .copied()
                .unwrap_or(usize::MAX);
            let results: Vec<usize> = (1..=flow.max_iter)
                .filter_map(|number| self.placed.get(&(result, number))?.first().copied())
                .collect();
            let group = self.group(results.clone(), true);
            flows.push(FlowNodes {
                group,
                rounds,
                results,
            });
        }
        flows
    }

    fn sources(&self, step: &Step, node: &Node, flows: &[FlowNodes]) -> Vec<Source> {
        let mut sources: Vec<Source> = (step.requires.iter())
            .filter_map(|edge| self.source(edge, node))
            .collect();
        let Some((flow, round)) = node.round else {
            return sources;
        };
        let starts_round = !step
            .requires
            .iter()
            .any(|edge| self.flow_of.get(&edge.step) == Some(&flow));
        let last = flows
            .get(flow)
            .zip(usize::try_from(round).ok())
            .and_then(|(flow, round)| {
                let before = round.checked_sub(2)?;
                flow.results.get(before).copied()
            });
        if starts_round
            && let Some(last) = last
            && let Some(name) = self.plan.flows().get(flow).map(|flow| flow.result.clone())
        {
            sources.push(Source {
                step: name,
                nodes: Vec::from([last]),
                kind: SourceKind::LastRound,
                least: None,
                is_optional: false,
            });
        }
        sources
    }

    fn source(&self, edge: &Require, node: &Node) -> Option<Source> {
        let required = *self.step_of.get(&edge.step)?;
        let flow = self.flow_of.get(&edge.step).copied();
        let (nodes, kind) = match flow {
            Some(flow) if node.round.is_none_or(|(own, _)| own != flow) => {
                let rounds = self.plan.flows().get(flow)?.max_iter;
                let results = (1..=rounds)
                    .filter_map(|round| self.placed.get(&(required, round))?.first().copied());
                (results.collect(), SourceKind::Flow(flow))
            }
            _ => {
                let round = flow.and(node.round).map_or(0, |(_, number)| number);
                let all = self.placed.get(&(required, round))?.clone();
                self.instances(edge, node, required, all)
            }
        };
        Some(Source {
            step: edge.step.clone(),
            nodes,
            kind,
            least: (edge.reduce.and_then(|reduce| reduce.quorum))
                .and_then(|least| usize::try_from(least).ok()),
            is_optional: edge.is_optional,
        })
    }

    fn instances(
        &self,
        edge: &Require,
        node: &Node,
        required: usize,
        all: Vec<usize>,
    ) -> (Vec<usize>, SourceKind) {
        let is_fanned = (self.plan.steps().get(required)).is_some_and(|step| step.fanout.is_some());
        if edge.is_pairwise {
            let is_pair = |index: &usize| {
                (self.nodes.get(*index)).is_some_and(|other| other.instance == node.instance)
            };
            return (all.into_iter().filter(is_pair).collect(), SourceKind::One);
        }
        let kind = match edge.reduce {
            Some(reduce) if reduce.method != ReduceMethod::Adjudicate => {
                SourceKind::Reduced(reduce)
            }
            _ if is_fanned => SourceKind::All,
            _ => SourceKind::One,
        };
        (all, kind)
    }

    fn need(&mut self, source: &Source, flows: &[FlowNodes]) -> Need {
        if let SourceKind::Flow(flow) = source.kind {
            return Need {
                group: flows.get(flow).map_or(usize::MAX, |flow| flow.group),
                least: None,
                is_optional: source.is_optional,
            };
        }
        Need {
            group: self.group(source.nodes.clone(), false),
            least: source.least,
            is_optional: source.is_optional,
        }
    }
}
