//! Gates in brace form.
//!
//! INVARIANT: a gate on the way out with a name is written with its side, so that it is never taken for a typed one.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{inputs, said};
use crate::{
    ast::{Check, Gate, GatePlace, Reaction, Spanned},
    print::{layout::Statement, words::action},
};

pub(super) fn gate(gate: &Gate) -> Statement {
    let name = gate
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" {}", name.value));
    let head = match &gate.place {
        GatePlace::Egress => format!("gate egress{name}"),
        GatePlace::Ingress => format!("gate ingress{name}"),
        GatePlace::Typed(kind) => format!("gate{name}: {}", kind.value.word()),
    };
    let when = gate
        .when
        .as_ref()
        .map_or_else(String::new, |when| format!(" when {}", text(when)));
    let mut body: Vec<Statement> = inputs(&gate.inputs).into_iter().collect();
    said(&mut body, "policy", gate.policy.as_ref(), |name| {
        name.to_string()
    });
    said(&mut body, "min", gate.min.as_ref(), |share| {
        share.to_string()
    });
    said(&mut body, "strict", gate.strict.as_ref(), bool::to_string);
    for clause in &gate.clauses {
        let word = if clause.is_forbid {
            "forbid"
        } else {
            "require"
        };
        body.push(Statement::leaf(
            &clause.check.span,
            format!("{word} {}", text(&clause.check)),
        ));
    }
    if let Some(first) = gate.emits.first() {
        let words: Vec<&str> = gate.emits.iter().map(|emit| emit.value.word()).collect();
        body.push(Statement::leaf(
            &first.span,
            format!("emit {}", words.join(", ")),
        ));
    }
    body.extend(on_fail(&gate.on_fail));
    Statement::block(&gate.span, format!("{head}{when}"), body)
}

fn text(check: &Spanned<Check>) -> &str {
    check.value.source.trim()
}

fn on_fail(reactions: &[Reaction]) -> Option<Statement> {
    let (first, last) = (reactions.first()?, reactions.last()?);
    let lines = reactions.iter().filter_map(|reaction| {
        let value = reaction.action.value.as_ref()?;
        let start = reaction
            .when
            .as_ref()
            .map_or(reaction.action.span.start, |when| when.span.start);
        let when = reaction
            .when
            .as_ref()
            .map_or_else(String::new, |when| format!("if ({}) ", text(when)));
        Some(Statement::leaf(
            &(start..reaction.action.span.end),
            format!("{when}{}", action(value)),
        ))
    });
    let lines: Vec<Statement> = lines.collect();
    let start = first
        .when
        .as_ref()
        .map_or(first.action.span.start, |when| when.span.start);
    let span = start..last.action.span.end;
    let head = String::from("on_fail");
    Some(if lines.len() == 1 {
        Statement::inline(&span, head, lines)
    } else {
        Statement::block(&span, head, lines)
    })
}
