//! A plan as it would run, for people.
//!
//! INVARIANT: everything that is refused is marked where it stands, and listed once more at the end.

use aim_core::plan::{Budget, PlanBudget, ProbeId, Require};

use super::document::{GrantLine, PlanDocument, PlanGateLine, StepLine};
use crate::render::lines::{Lines, word};

/// Columns of the labels.
const LABEL_WIDTH: usize = 11;

/// Writes it.
pub(super) fn write(document: &PlanDocument<'_>) -> String {
    let mut lines = Lines::new(LABEL_WIDTH);
    lines.title(&format!("plan {}", document.name));
    lines.add("  plan", document.plan.to_string());
    let none = "none: only interfaces without effects are granted";
    let policy = document.policy.map(|digest| digest.to_string());
    lines.add("  policy", policy.as_deref().unwrap_or(none));
    let lock = document.lock.map(|digest| digest.to_string());
    lines.add(
        "  lock",
        lock.as_deref().unwrap_or("none while something is refused"),
    );
    let off = &document.probes.off;
    let is_watched = off.len() < ProbeId::ALL.len();
    match (is_watched, off.is_empty()) {
        (true, true) => lines.add("  probes", "all on"),
        (false, _) => lines.add("  probes", "all off, and the run records that"),
        (true, false) => {
            let off: Vec<&str> = off.iter().map(|id| id.word()).collect();
            lines.add("  probes", format!("on, but {}", off.join(", ")));
        }
    }
    for (alias, import) in &document.imports {
        let kind = word(&import.kind);
        lines.add(
            "  imports",
            format!("{kind} `{}` as {alias}, {}", import.path, import.digest),
        );
    }
    if let Some(budget) = &document.budget {
        lines.add("  budget", plan_budget(budget));
    }
    for input in &document.inputs {
        lines.add("  inputs", input);
    }
    lines.add("  result", document.result.join(", "));
    for gate in &document.gates {
        let codex = gate.codex.map(|digest| format!(", codex {digest}"));
        let codex = codex.unwrap_or_default();
        lines.add("  gates", format!("{} {}", gate.node, gate.version));
        lines.add("", format!("  component {}{codex}", gate.component));
    }
    for (index, line) in document.steps.iter().enumerate() {
        lines.title("");
        step(&mut lines, index + 1, line);
    }
    if !document.refused.is_empty() {
        lines.title(&format!("\n{} refused", document.refused.len()));
        for one in &document.refused {
            let step = one.step.as_ref().map(|step| format!("step `{step}`: "));
            let step = step.unwrap_or_default();
            lines.add(&format!("  {}", one.code), format!("{step}{}", one.message));
            lines.add("", format!("help: {}", one.help));
        }
    }
    lines.into_text()
}

fn step(lines: &mut Lines, number: usize, line: &StepLine<'_>) {
    let mut title = format!("{number} {} ({})", line.step, line.role);
    if line.instances != 1 {
        title.push_str(&format!(", up to {} times", line.instances));
    }
    for (is, says) in [
        (!line.is_required && line.probe.is_none(), "optional"),
        (line.is_standby, "standby"),
    ] {
        if is {
            title.push_str(&format!(", {says}"));
        }
    }
    lines.title(&title);
    match &line.node {
        None => lines.add("  node", "REFUSED, see below"),
        Some(node) => {
            let adapt = node
                .adapt
                .map(|adapt| format!(", adapted {}", word(&adapt)));
            let class = format!("{} class", node.class.word());
            lines.add(
                "  node",
                format!(
                    "{} {}, {class}{}",
                    node.id,
                    node.version,
                    adapt.unwrap_or_default()
                ),
            );
            lines.add("  component", node.component.to_string());
        }
    }
    if let Some(probe) = &line.probe {
        lines.add("  probe", &probe.id);
    }
    let after: Vec<String> = line.requires.iter().map(edge).collect();
    if !after.is_empty() {
        lines.add("  after", after.join(", "));
    }
    if let Some(shard) = line.shard {
        lines.add("  shard", shard);
    }
    for grant in line.node.iter().flat_map(|node| &node.grants) {
        lines.add("  grants", granted(grant));
    }
    lines.add("  budget", budget(line.budget));
    let gates: Vec<String> = line.gates.iter().map(ToString::to_string).collect();
    lines.add("  gates", gates.join(", "));
    for gate in &line.plan_gates {
        lines.add("  gates", plan_gate(gate));
    }
    if let Some(fallback) = line.fallback {
        lines.add("  fallback", fallback);
    }
}

fn edge(require: &Require) -> String {
    let mark = if require.is_optional { "?" } else { "" };
    let how = require
        .reduce
        .map(|reduce| format!(" ({})", word(&reduce.method)));
    format!("{}{mark}{}", require.step, how.unwrap_or_default())
}

fn granted(grant: &GrantLine) -> String {
    let by = if grant.rules.is_empty() {
        "without effects, needs no rule".to_owned()
    } else {
        format!("by {}", grant.rules.join(", "))
    };
    let person = if grant.is_approved {
        ", approved by a person"
    } else {
        ""
    };
    format!("{}: {by}{person}", grant.wanted)
}

fn plan_gate(gate: &PlanGateLine) -> String {
    format!(
        "`{}` on {}: {} ({}: {})",
        gate.name,
        word(&gate.phase),
        gate.check,
        gate.severity,
        gate.on_fail.join(", ")
    )
}

fn budget(budget: &Budget) -> String {
    let cost = budget
        .cost_micros
        .map(|cost| format!(", {cost} millionths"));
    let soft = budget.soft.map(|soft| {
        let parts = soft.parts().into_iter();
        let parts: Vec<String> = parts
            .filter_map(|(part, value)| value.map(|value| format!("{part} {value}")))
            .collect();
        format!("; from {} on {}", parts.join(", "), word(&soft.backoff))
    });
    format!(
        "{} tokens, {} ms, {} calls{}{}",
        budget.tokens,
        budget.time_ms,
        budget.tools,
        cost.unwrap_or_default(),
        soft.unwrap_or_default()
    )
}

fn plan_budget(budget: &PlanBudget) -> String {
    let parts = [
        (budget.tokens, "tokens"),
        (budget.time_ms, "ms"),
        (budget.tools, "calls"),
        (budget.cost_micros, "millionths"),
    ];
    let parts: Vec<String> = (parts.into_iter())
        .filter_map(|(value, unit)| value.map(|value| format!("{value} {unit}")))
        .collect();
    format!("{}, pool {}", parts.join(", "), word(&budget.pool))
}
