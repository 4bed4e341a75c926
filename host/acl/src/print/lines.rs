//! A tree as statements of line form.
//!
//! INVARIANT: a statement's span is where it stood, so that comments stay with it.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{
    layout::Statement,
    words::{action, money, param, quoted, time},
};
use crate::ast::{Ast, Budget, Gate, Role, Step};

pub(super) fn statements(ast: &Ast) -> Vec<Statement> {
    let mut all = Vec::new();
    if let Some(header) = &ast.header {
        let name = header.name.as_ref().map_or("", |name| name.value.as_str());
        let version = header
            .version
            .as_ref()
            .map_or_else(String::new, |version| format!(" v{}", version.value));
        all.push(Statement::leaf(
            &header.span,
            format!("PLAN {name}{version}:"),
        ));
    }
    if let Some(quip) = &ast.quip {
        all.push(Statement::leaf(
            &quip.span,
            format!("QUIP {}", quoted(&quip.value)),
        ));
    }
    all.extend(ast.budget.as_ref().map(budget));
    all.extend(ast.roles.iter().map(role));
    all.extend(ast.gates.iter().map(gate));
    all.extend(ast.steps().map(step));
    all
}

fn role(role: &Role) -> Statement {
    let kind = role.kind.as_ref().map_or("", |kind| kind.value.as_str());
    let params = role
        .params
        .iter()
        .map(|(key, value)| format!("{}={}", key.value, param(&value.value)));
    let params = params.collect::<Vec<_>>().join(", ");
    let params = if params.is_empty() {
        params
    } else {
        format!("({params})")
    };
    Statement::leaf(
        &role.span,
        format!("ROLE {}: {kind}{params}", role.name.value),
    )
}

fn step(step: &Step) -> Statement {
    let name = step.name.as_ref().map_or("", |name| name.value.as_str());
    let mut body = Vec::new();
    if let Some(assign) = &step.assign {
        let role = assign.role.as_ref().map_or("", |role| role.value.as_str());
        let description = assign
            .description
            .as_ref()
            .map_or("", |text| text.value.as_str());
        body.push(Statement::leaf(
            &assign.span,
            format!("ASSIGN {role}: {}", quoted(description)),
        ));
    }
    if let Some(first) = step.requires.first() {
        let names = step.requires.iter().map(|require| {
            let mark = if require.is_optional { "?" } else { "" };
            format!("{}{mark}", require.step.value)
        });
        let names = names.collect::<Vec<_>>().join(", ");
        body.push(Statement::leaf(
            &first.step.span,
            format!("REQUIRES {names}"),
        ));
    }
    body.extend(step.budget.as_ref().map(budget));
    body.extend(step.gates.iter().map(gate));
    Statement::block(&step.extent, format!("STEP {name}:"), body)
}

fn budget(budget: &Budget) -> Statement {
    let parts = [
        budget.tokens.map(|amount| format!("tokens={}", amount.max)),
        budget
            .time_ms
            .map(|amount| format!("time={}", time(amount.max))),
        budget.tools.map(|amount| format!("tools={}", amount.max)),
        budget
            .cost_micros
            .map(|amount| format!("cost={}", money(amount.max))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Statement::leaf(&budget.span, format!("BUDGET {}", parts.join(", ")))
}

fn gate(gate: &Gate) -> Statement {
    let name = gate.name.as_ref().map_or("", |name| name.value.as_str());
    let check = gate.clauses.first().map_or_else(String::new, |clause| {
        clause.check.value.source.trim().to_string()
    });
    let actions = gate.on_fail.iter().filter_map(|reaction| {
        let value = reaction.action.value.as_ref()?;
        Some(Statement::leaf(
            &reaction.action.span,
            format!("ON_FAIL {}", action(value)),
        ))
    });
    Statement::block(
        &gate.span,
        format!("GATE {name}: {check}"),
        actions.collect(),
    )
}
