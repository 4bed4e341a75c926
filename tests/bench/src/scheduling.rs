//! What the scheduler itself costs for each step of a large plan: choosing, starting and settling, without running anything.
//!
//! INVARIANT: every step of a measured plan is started and settled exactly once.

use std::time::Instant;

use aim_core::{
    schedule::{Group, Need, NodeSpec, Schedule},
    witness::StepState,
};

use crate::Result;

/// Steps of a measured plan.
const STEPS: usize = 10_000;
/// Steps that run at the same time.
const PARALLEL: usize = 5;

/// A shape of plan: what step `n` requires.
type Shape = (&'static str, fn(usize) -> Vec<usize>);

const SHAPES: [Shape; 4] = [
    ("all free", |_| Vec::new()),
    ("one chain", |n| n.checked_sub(1).into_iter().collect()),
    ("layers of 100", |n| {
        let layer = n / 100;
        let first = layer.saturating_sub(1) * 100;
        (first..first + if layer == 0 { 0 } else { 3 }).collect()
    }),
    (
        "a star: all wait for the first, the last for all",
        |n| match n {
            0 => Vec::new(),
            n if n + 1 == STEPS => (1..n).collect(),
            _ => vec![0],
        },
    ),
];

/// The rows as a table.
pub(crate) fn text() -> Result<String> {
    let mut text = format!(
        "the scheduler alone, {STEPS} steps, {PARALLEL} at a time\n\n| shape | us a step |\n| --- | --- |\n"
    );
    for (name, requires) in SHAPES {
        let mut best = f64::MAX;
        for _ in 0..5 {
            best = best.min(once(requires)?);
        }
        text.push_str(&format!("| {name} | {best:.2} |\n"));
    }
    Ok(text)
}

fn once(requires: fn(usize) -> Vec<usize>) -> Result<f64> {
    let mut groups: Vec<Group> = (0..STEPS)
        .map(|node| Group {
            members: vec![node],
            is_flow: false,
        })
        .collect();
    let mut nodes = Vec::with_capacity(STEPS);
    for node in 0..STEPS {
        let list = requires(node);
        let need = |group| Need {
            group,
            least: None,
            is_optional: false,
        };
        let needs = if list.len() > 100 {
            groups.push(Group {
                members: list,
                is_flow: false,
            });
            vec![need(groups.len() - 1)]
        } else {
            list.into_iter().map(need).collect()
        };
        nodes.push(NodeSpec {
            needs,
            ..NodeSpec::default()
        });
    }
    let began = Instant::now();
    let mut schedule = Schedule::new(&nodes, &groups, Vec::new(), PARALLEL);
    let mut settled = 0_usize;
    let mut running = Vec::with_capacity(PARALLEL);
    // BOUND: a step is started once.
    loop {
        while let Some(next) = schedule.next() {
            schedule.start(next);
            running.push(next);
        }
        let Some(node) = running.pop() else { break };
        schedule.settle(node, StepState::Completed);
        settled += 1;
    }
    let took = began.elapsed();
    if settled != STEPS {
        return Err(format!("{settled} of {STEPS} steps were settled").into());
    }
    Ok(took.as_secs_f64() * 1e6 / 10_000.0)
}
