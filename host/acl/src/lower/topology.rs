//! Fan-out, reduce and flow: which steps run several times, and what that makes of the edges between them.
//!
//! INVARIANT: the bounds that a fan-out and its reduce state are the same, so no instance is left out in silence.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use aim_core::{
    name::StepName,
    plan::{self, Clause, Exhausted, ReduceMethod, Tie},
};

use super::{Steps, gates::clause_of};
use crate::{
    ast::{Ast, Bounds, FanOut, Opt, Reduce, Reducer, Source, Spanned},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// What `until` asks when a flow does not say.
const UNTIL: &str = "output.done";

/// What stands between steps, resolved to step indices.
#[derive(Default)]
pub(crate) struct Ties {
    fanouts: BTreeMap<usize, plan::Fanout>,
    /// Edges that fan-out and reduce make: `(from, to)`.
    pub(super) edges: BTreeMap<(usize, usize), Tied>,
    rounds: BTreeMap<usize, u64>,
}

/// What is special about an edge.
#[derive(Clone)]
pub(crate) struct Tied {
    pub(super) span: core::ops::Range<usize>,
    pub(super) is_pairwise: bool,
    pub(super) reduce: Option<plan::Reduce>,
}

impl Ties {
    pub(super) fn fanout(&self, index: usize) -> Option<plan::Fanout> {
        self.fanouts.get(&index).cloned()
    }

    /// How often a step may run.
    pub(super) fn times(&self, index: usize) -> u64 {
        let instances = self.fanouts.get(&index).map_or(1, plan::Fanout::count);
        instances.saturating_mul(self.rounds.get(&index).copied().unwrap_or(1))
    }
}

pub(crate) fn resolve(ast: &Ast, steps: &Steps<'_>, faults: &mut Faults) -> Ties {
    let mut ties = Ties::default();
    for fanout in ast.shards.iter().flat_map(|shard| &shard.fanouts) {
        self::fanout(fanout, steps, &mut ties, faults);
    }
    for reduce in ast.shards.iter().flat_map(|shard| &shard.reduces) {
        self::reduce(reduce, steps, &mut ties, faults);
    }
    for flow in ast.shards.iter().flat_map(|shard| &shard.flows) {
        if flow.on.is_empty() {
            let fault = Diagnostic::error(
                codes::BAD_TOPOLOGY,
                flow.name.span.clone(),
                "the flow repeats no step",
            );
            faults.push(fault.help("name its steps: `flow refine(draft, criticise, max_iter=3)`"));
        }
        let rounds = flow.max_iter.as_ref().map_or(1, |max| max.value);
        for step in &flow.on {
            if let Some(index) = steps.find(&step.value, &step.span, faults) {
                ties.rounds.insert(index, rounds);
            }
        }
    }
    ties
}

fn misfit(faults: &mut Faults, span: &core::ops::Range<usize>, message: String, help: &str) {
    faults.push(Diagnostic::error(codes::BAD_TOPOLOGY, span.clone(), message).help(help));
}

fn fanout(fanout: &FanOut, steps: &Steps<'_>, ties: &mut Ties, faults: &mut Faults) {
    let from = steps.find(&fanout.from.value, &fanout.from.span, faults);
    let to = steps.find(&fanout.to.value, &fanout.to.span, faults);
    let options = options(&fanout.options);
    let (Some(from), Some(to), Some(bounds)) = (from, to, &fanout.bounds) else {
        return;
    };
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let range = plan::Fanout {
        first: number(bounds.value.first),
        last: number(bounds.value.last),
        options,
    };
    if ties.fanouts.insert(to, range).is_some() {
        let message = format!("step `{}` is fanned out twice", fanout.to.value);
        misfit(faults, &fanout.span, message, "keep one of the two");
    }
    let source = ties
        .fanouts
        .get(&from)
        .map(|range| (u64::from(range.first), u64::from(range.last)));
    if let Some(paired) = &fanout.from_bounds {
        let fits =
            source == Some((paired.value.first, paired.value.last)) && paired.value == bounds.value;
        if !fits {
            let message = format!(
                "instances are paired only where `{}` and `{}` have the same range",
                fanout.from.value, fanout.to.value
            );
            misfit(
                faults,
                &paired.span,
                message,
                "write the range of the first fanout on both sides",
            );
        }
    }
    ties.edges.insert(
        (from, to),
        Tied {
            span: fanout.span.clone(),
            is_pairwise: fanout.from_bounds.is_some(),
            reduce: None,
        },
    );
}

fn reduce(reduce: &Reduce, steps: &Steps<'_>, ties: &mut Ties, faults: &mut Faults) {
    let from = steps.find(&reduce.from.value, &reduce.from.span, faults);
    let to = steps.find(&reduce.to.value, &reduce.to.span, faults);
    let (Some(from), Some(to), Some(using)) = (from, to, &reduce.using) else {
        return;
    };
    let Some(range) = ties.fanouts.get(&from) else {
        let message = format!("step `{}` is not fanned out", reduce.from.value);
        return misfit(
            faults,
            &reduce.from.span,
            message,
            "write `fanout <step> -> <step>[1..<n>]` for it",
        );
    };
    let stated = Bounds {
        first: u64::from(range.first),
        last: u64::from(range.last),
    };
    if let Some(bounds) = &reduce.bounds
        && bounds.value != stated
    {
        let message = format!(
            "`{}` is fanned out as [{}..{}]",
            reduce.from.value, stated.first, stated.last
        );
        misfit(faults, &bounds.span, message, "write the same range");
    }
    let (quorum, tie) = reduce_options(reduce, range.count(), faults);
    let method = match using.value {
        Reducer::MergeMaxRs => ReduceMethod::Merge,
        Reducer::VoteMajority => ReduceMethod::Vote,
        Reducer::ScoreMean => ReduceMethod::Score,
        Reducer::AdjudicateVerifier => ReduceMethod::Adjudicate,
    };
    let tied = Tied {
        span: reduce.span.clone(),
        is_pairwise: false,
        reduce: Some(plan::Reduce {
            method,
            quorum,
            tie,
        }),
    };
    if ties.edges.insert((from, to), tied).is_some() {
        let message = format!(
            "`{}` and `{}` are tied twice",
            reduce.from.value, reduce.to.value
        );
        misfit(faults, &reduce.span, message, "keep one of the two");
    }
}

fn reduce_options(reduce: &Reduce, instances: u64, faults: &mut Faults) -> (Option<u32>, Tie) {
    let is_vote = (reduce.using.as_ref()).is_none_or(|one| one.value == Reducer::VoteMajority);
    let (mut quorum, mut tie) = (None, Tie::default());
    for option in &reduce.options {
        if option.name.value.as_str() == "tie" && !is_vote {
            let message = "`tie` is about votes".to_string();
            let help = "take it out, or reduce with `vote=majority`";
            misfit(faults, &option.name.span, message, help);
        }
        match (option.name.value.as_str(), &option.value.value) {
            ("quorum", Source::Number(number)) => {
                quorum = number.to_string().parse::<u32>().ok();
                if quorum.is_none_or(|quorum| quorum == 0) {
                    let fault = Diagnostic::error(
                        codes::BAD_VALUE,
                        option.value.span.clone(),
                        "quorum is a whole number from 1",
                    );
                    faults.push(fault.help("write how many instances must have completed"));
                }
                if quorum.is_some_and(|quorum| u64::from(quorum) > instances) {
                    let message =
                        format!("there are {instances} instances, so no quorum of {number}");
                    let help = "ask for at most as many as there are";
                    misfit(faults, &option.value.span, message, help);
                }
            }
            ("tie", Source::Step(word)) if word.as_str() == "abstain" => tie = Tie::Abstain,
            ("tie", Source::Step(word)) if word.as_str() == "first" => tie = Tie::First,
            _ => {
                let message = format!("`{}` is no option of a reduce", option.name.value);
                let fault =
                    Diagnostic::error(codes::UNKNOWN_WORD, option.name.span.clone(), message);
                faults.push(
                    fault.help("the options are `quorum=<n>` and `tie=abstain` or `tie=first`"),
                );
            }
        }
    }
    (quorum, tie)
}

/// Options as texts; what the last one of a name says.
fn options(options: &[Opt]) -> BTreeMap<StepName, String> {
    options
        .iter()
        .map(|option| (option.name.value.clone(), text(&option.value)))
        .collect()
}

/// A value as a text.
pub(super) fn text(value: &Spanned<Source>) -> String {
    match &value.value {
        Source::Text(text) => text.clone(),
        Source::Number(number) => number.to_string(),
        Source::Boolean(value) => value.to_string(),
        Source::Step(name) | Source::Run(name) => name.to_string(),
        Source::Trace => "ALL".into(),
        Source::Memory(selector) => selector.path.clone(),
    }
}

/// The flows in plan order, each with its steps in plan order; the last one is its result.
pub(super) fn flows(ast: &Ast, ordered: &[plan::Step]) -> Vec<plan::Flow> {
    let mut flows: Vec<plan::Flow> = Vec::new();
    for flow in ast.shards.iter().flat_map(|shard| &shard.flows) {
        let members = |step: &&plan::Step| flow.on.iter().any(|name| name.value == step.name);
        let steps: Vec<StepName> = ordered
            .iter()
            .filter(members)
            .map(|step| step.name.clone())
            .collect();
        let until = match &flow.until {
            Some(check) => Some(clause_of(check)),
            None => Clause::parse(UNTIL).ok(),
        };
        let (Some(result), Some(until)) = (steps.last().cloned(), until) else {
            continue;
        };
        flows.push(plan::Flow {
            max_iter: flow
                .max_iter
                .as_ref()
                .map_or(1, |max| u32::try_from(max.value).unwrap_or(u32::MAX)),
            name: flow.name.value.clone(),
            on_exhausted: if flow.releases {
                Exhausted::Release
            } else {
                Exhausted::Abstain
            },
            result,
            steps,
            until,
        });
    }
    let place = |name: &StepName| ordered.iter().position(|step| step.name == *name);
    flows.sort_by_key(|flow| flow.steps.first().and_then(place));
    flows
}
