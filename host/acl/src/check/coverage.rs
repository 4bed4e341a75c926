//! Where outputs meet or leave a shard, the plan itself has asked something of them.
//!
//! INVARIANT: the ethical gate judges every step anyway; this is about the plan's own terms.

use alloc::{format, string::String, vec::Vec};

use crate::{
    codes,
    diagnostic::{Diagnostic, Faults},
    lower::{Gates, Graph, Steps},
};

/// How many steps are named.
const SHOWN: usize = 8;

/// Warns about merges of ungated outputs, and refuses ungated outputs that cross from one shard to another.
pub(crate) fn check(steps: &Steps<'_>, graph: &Graph, gates: &Gates, faults: &mut Faults) {
    for (index, edges) in graph.edges.iter().enumerate() {
        let Some((shard, step)) = steps.all.get(index) else {
            continue;
        };
        for edge in edges {
            let Some((from, producer)) = steps.all.get(edge.to) else {
                continue;
            };
            let crosses = !core::ptr::eq(*from, *shard) && from.name.is_some();
            if crosses && !gates.covers(edge.to) {
                let (from, to) = (from.name.as_ref(), shard.name.as_ref());
                let name = |name: Option<&crate::ast::Spanned<aim_core::name::StepName>>| {
                    name.map_or_else(
                        || String::from("the rest of the plan"),
                        |name| format!("shard `{}`", name.value),
                    )
                };
                let message = format!(
                    "the output of `{}` goes from {} to {} without a gate of the plan",
                    steps.name_of(edge.to),
                    name(from),
                    name(to)
                );
                let label = producer.span.clone();
                let fault = Diagnostic::error(codes::GATE_COVERAGE, edge.span.clone(), message);
                faults.push(
                    fault
                        .help("give that step a gate on the way out")
                        .label(label, "this step"),
                );
            }
        }
        if edges.len() < 2 {
            continue;
        }
        let ungated = edges.iter().filter(|edge| !gates.covers(edge.to));
        let names: Vec<String> = ungated
            .map(|edge| format!("`{}`", steps.name_of(edge.to)))
            .collect();
        if names.is_empty() {
            continue;
        }
        let shown = names.get(..SHOWN).map_or_else(
            || names.join(", "),
            |some| format!("{}, ...", some.join(", ")),
        );
        let span = edges
            .first()
            .map_or_else(|| step.span.clone(), |first| first.span.clone());
        let message = format!("outputs are merged without a gate of the plan on {shown}");
        let fault = Diagnostic::warning(codes::GATE_COVERAGE, span, message);
        faults.push(
            fault.help("give each merged step a gate, so that a bad branch stops before the merge"),
        );
    }
}
