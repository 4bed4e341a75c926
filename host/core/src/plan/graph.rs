//! A plan as a picture: what there is to draw, and three ways of writing it down.
//!
//! Boxes stand in columns by how many steps lie before them; lines say what waits for what and where a failure leads.
//!
//! INVARIANT: a picture follows from the plan alone: equal plans have equal pictures, byte by byte.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::{Plan, Require, Step};
use crate::name::StepName;

mod dot;
mod mermaid;
mod svg;

/// A plan's steps as boxes and what connects them as lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph<'a> {
    name: &'a str,
    nodes: Vec<Node<'a>>,
    edges: Vec<Edge>,
}

/// One box.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node<'a> {
    name: &'a str,
    /// The role, and how often the step runs when that is not once.
    caption: String,
    kind: NodeKind,
    shard: Option<&'a str>,
    /// How many steps lie before it on the longest way.
    column: usize,
}

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeKind {
    /// The run needs it.
    Required,
    /// The run can do without it.
    Optional,
    /// It runs only when another one failed.
    Standby,
    /// It watches others.
    Probe,
}

/// One line, by the places of its boxes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    label: String,
    kind: EdgeKind,
}

/// What a line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EdgeKind {
    /// The second waits for the first and needs it.
    Needs,
    /// The second waits for the first and can do without it.
    MayUse,
    /// The second watches the first.
    Watches,
    /// The second answers when the first has failed.
    FallsBack,
}

impl<'a> Graph<'a> {
    /// Draws a plan.
    #[must_use]
    pub fn of(plan: &'a Plan) -> Self {
        let places: BTreeMap<&StepName, usize> = (plan.steps().iter().enumerate())
            .map(|(place, step)| (&step.name, place))
            .collect();
        let mut columns: Vec<usize> = Vec::with_capacity(plan.steps().len());
        // Steps stand after all that they require, so one pass is enough.
        for step in plan.steps() {
            let before = step.requires.iter();
            let before = before.filter_map(|require| columns.get(*places.get(&require.step)?));
            let column = before.max().map_or(0, |longest| longest + 1);
            columns.push(column);
        }
        for (place, step) in plan.steps().iter().enumerate() {
            let own = columns.get(place).copied().unwrap_or_default();
            let standby = (step.fallback.as_ref()).and_then(|name| places.get(name));
            if let Some(column) = standby.and_then(|place| columns.get_mut(*place)) {
                *column = own.max(*column);
            }
        }
        let nodes = (plan.steps().iter().zip(columns))
            .map(|(step, column)| node(plan, step, column))
            .collect();
        let edges = (plan.steps().iter())
            .flat_map(|step| edges(step, &places))
            .collect();
        Self {
            name: plan.name().as_str(),
            nodes,
            edges,
        }
    }

    /// As Graphviz reads it (<https://graphviz.org/doc/info/lang.html>).
    #[must_use]
    pub fn to_dot(&self) -> String {
        dot::write(self)
    }

    /// As a Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>).
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        mermaid::write(self)
    }

    /// As a picture of its own (SVG 1.1), without scripts, fonts or anything that has to be fetched.
    #[must_use]
    pub fn to_svg(&self) -> String {
        svg::write(self)
    }

    /// Shards in order of their first step, each with the places of its steps; then the steps without one.
    fn shards(&self) -> (Vec<(&'a str, Vec<usize>)>, Vec<usize>) {
        let mut shards: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut free = Vec::new();
        for (place, node) in self.nodes.iter().enumerate() {
            let Some(name) = node.shard else {
                free.push(place);
                continue;
            };
            match shards.iter_mut().find(|(known, _)| *known == name) {
                Some((_, places)) => places.push(place),
                None => shards.push((name, [place].into())),
            }
        }
        (shards, free)
    }
}

fn node<'a>(plan: &'a Plan, step: &'a Step, column: usize) -> Node<'a> {
    let kind = if step.probe.is_some() {
        NodeKind::Probe
    } else if step.is_standby {
        NodeKind::Standby
    } else if step.is_required {
        NodeKind::Required
    } else {
        NodeKind::Optional
    };
    let role = (plan.roles().get(&step.role)).map_or(step.role.as_str(), |role| role.kind.as_str());
    let caption = match step.instances() {
        1 => role.into(),
        times => format!("{role} ×{times}"),
    };
    Node {
        name: step.name.as_str(),
        caption,
        kind,
        shard: step.shard.as_ref().map(StepName::as_str),
        column,
    }
}

fn edges(step: &Step, places: &BTreeMap<&StepName, usize>) -> Vec<Edge> {
    let Some(own) = places.get(&step.name).copied() else {
        return Vec::new();
    };
    let is_probe = step.probe.is_some();
    let required = step.requires.iter().filter_map(|require| {
        Some(Edge {
            from: *places.get(&require.step)?,
            to: own,
            label: label(require),
            kind: match (is_probe, require.is_optional) {
                (true, _) => EdgeKind::Watches,
                (false, true) => EdgeKind::MayUse,
                (false, false) => EdgeKind::Needs,
            },
        })
    });
    let fallback = (step.fallback.as_ref()).and_then(|fallback| {
        Some(Edge {
            from: own,
            to: *places.get(fallback)?,
            label: "fallback".into(),
            kind: EdgeKind::FallsBack,
        })
    });
    required.chain(fallback).collect()
}

fn label(require: &Require) -> String {
    let reduce = require.reduce.map(|reduce| reduce.method.word());
    match (reduce, require.is_pairwise) {
        (Some(method), _) => method.into(),
        (None, true) => "each".into(),
        (None, false) => String::new(),
    }
}

#[cfg(test)]
mod tests;
