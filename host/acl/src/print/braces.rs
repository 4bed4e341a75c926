//! A tree as statements of brace form.
//!
//! INVARIANT: every field of the tree that brace form can hold is written; what is absent stays absent.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use super::{
    layout::Statement,
    words::{amount, kilo, moment, money, param, quoted, selector, source},
};
use crate::ast::{
    Ast, Breaker, Budget, Caps, Input, Pins, Retries, Role, Settings, Shard, Spanned, Step,
};

mod between;
mod gate;

pub(super) fn statements(ast: &Ast) -> Vec<Statement> {
    let mut all: Vec<Statement> = (ast.imports.iter())
        .map(|import| {
            let kind = if import.is_flow { "flow" } else { "policy" };
            let text = format!(
                "import {kind} {} as {}",
                quoted(&import.path.value),
                import.name.value
            );
            Statement::leaf(&import.span, text)
        })
        .collect();
    let Some(header) = &ast.header else {
        return all;
    };
    let name = header.name.as_ref().map_or("", |name| name.value.as_str());
    let version = header
        .version
        .as_ref()
        .map_or_else(String::new, |version| format!(" v{}", version.value));
    let mut body = Vec::new();
    body.extend(header_block(ast));
    body.extend(ast.roles.iter().map(role));
    body.extend(ast.gates.iter().map(gate::gate));
    for shard in &ast.shards {
        match &shard.name {
            Some(name) => {
                let head = format!("shard {}", quoted(name.value.as_str()));
                body.push(Statement::block(&shard.span, head, shard_body(shard)));
            }
            None => body.extend(shard_body(shard)),
        }
    }
    all.push(Statement::block(
        &header.extent,
        format!("pipeline {}{version}", quoted(name)),
        body,
    ));
    all
}

fn key_value(span: &Range<usize>, key: &str, value: &str) -> Statement {
    Statement::leaf(span, format!("{key}: {value}"))
}

fn said<T>(
    all: &mut Vec<Statement>,
    key: &str,
    value: Option<&Spanned<T>>,
    spell: impl Fn(&T) -> String,
) {
    all.extend(value.map(|value| key_value(&value.span, key, &spell(&value.value))));
}

fn header_block(ast: &Ast) -> Option<Statement> {
    let settings = &ast.settings;
    let mut body = Vec::new();
    said(&mut body, "snapshot", settings.snapshot.as_ref(), |text| {
        quoted(text)
    });
    said(&mut body, "seeds", settings.seeds.as_ref(), u64::to_string);
    said(
        &mut body,
        "schema_version",
        settings.schema_version.as_ref(),
        |text| quoted(text),
    );
    body.extend(ast.budget.as_ref().map(|one| budget(one, "budgets")));
    body.extend(run_inputs(settings));
    body.extend(settings.pins.as_ref().map(pins));
    said(&mut body, "policy", settings.policy.as_ref(), |name| {
        name.to_string()
    });
    said(&mut body, "quip", ast.quip.as_ref(), |text| quoted(text));
    said(
        &mut body,
        "deterministic",
        settings.deterministic.as_ref(),
        bool::to_string,
    );
    said(&mut body, "kappa", settings.kappa.as_ref(), |share| {
        share.to_string()
    });
    said(&mut body, "risk", settings.risk.as_ref(), |risk| {
        risk.word().into()
    });
    said(&mut body, "silence", settings.silence.as_ref(), |quiet| {
        quiet.word().into()
    });
    if body.is_empty() && settings.span.is_none() {
        return None;
    }
    let span = settings.span.clone().unwrap_or(0..0);
    Some(Statement::block(&span, "header".into(), body))
}

fn run_inputs(settings: &Settings) -> Option<Statement> {
    let (first, _) = settings.inputs.first()?;
    let body = settings
        .inputs
        .iter()
        .map(|(name, kind)| key_value(&name.span, name.value.as_str(), kind.value.word()));
    Some(Statement::inline(
        &first.span,
        "inputs:".into(),
        body.collect(),
    ))
}

fn role(role: &Role) -> Statement {
    let kind = role.kind.as_ref().map_or("", |kind| kind.value.as_str());
    let head = format!("role {}: {kind}", role.name.value);
    if role.params.is_empty() {
        return Statement::leaf(&role.span, head);
    }
    let params = role
        .params
        .iter()
        .map(|(key, value)| key_value(&key.span, key.value.as_str(), &param(&value.value)));
    Statement::inline(&role.span, head, params.collect())
}

fn shard_body(shard: &Shard) -> Vec<Statement> {
    let mut body: Vec<Statement> = shard.caps.iter().map(caps).collect();
    body.extend(shard.steps.iter().map(step));
    body.extend(shard.gates.iter().map(gate::gate));
    body.extend(shard.fanouts.iter().map(between::fanout));
    body.extend(shard.reduces.iter().map(between::reduce));
    body.extend(shard.flows.iter().map(between::flow));
    body.extend(shard.rules.iter().map(between::rules));
    body
}

fn caps(caps: &Caps) -> Statement {
    let mut body = Vec::new();
    said(
        &mut body,
        "max_parallel",
        caps.max_parallel.as_ref(),
        u64::to_string,
    );
    said(
        &mut body,
        "token_pool",
        caps.token_pool.as_ref(),
        |number| kilo(*number),
    );
    said(
        &mut body,
        "wall_ms_pool",
        caps.wall_ms_pool.as_ref(),
        u64::to_string,
    );
    Statement::inline(&caps.span, "caps".into(), body)
}

fn step(step: &Step) -> Statement {
    let name = step.name.as_ref().map_or("", |name| name.value.as_str());
    let assign = step.assign.as_ref();
    let role = assign
        .and_then(|assign| assign.role.as_ref())
        .map_or("", |role| role.value.as_str());
    let mut body = Vec::new();
    said(
        &mut body,
        "does",
        assign.and_then(|assign| assign.description.as_ref()),
        |text| quoted(text),
    );
    body.extend(depends(step));
    body.extend(inputs(&step.inputs));
    said(&mut body, "slice", step.slice.as_ref(), selector);
    said(&mut body, "time", step.time.as_ref(), moment);
    said(&mut body, "model", step.model.as_ref(), |text| quoted(text));
    body.extend(listed("tools", &step.tools, |tool| quoted(tool)));
    body.extend(step.budget.as_ref().map(|one| budget(one, "budget")));
    body.extend(step.pins.as_ref().map(pins));
    said(&mut body, "policy", step.policy.as_ref(), |name| {
        name.to_string()
    });
    body.extend(listed("effects", &step.effects, |effect| {
        effect.word().into()
    }));
    body.extend(step.retries.as_ref().map(retries));
    said(&mut body, "fallback", step.fallback.as_ref(), |name| {
        name.to_string()
    });
    said(&mut body, "kappa", step.kappa.as_ref(), |share| {
        share.to_string()
    });
    body.extend(step.breaker.as_ref().map(breaker));
    said(
        &mut body,
        "criticality",
        step.criticality.as_ref(),
        |stakes| stakes.word().into(),
    );
    said(
        &mut body,
        "idempotent",
        step.idempotent.as_ref(),
        bool::to_string,
    );
    said(&mut body, "question", step.question.as_ref(), |text| {
        quoted(text)
    });
    body.extend(step.gates.iter().map(gate::gate));
    Statement::block(&step.extent, format!("step {name}: {role}"), body)
}

fn depends(step: &Step) -> Option<Statement> {
    let first = step.requires.first()?;
    let names = step.requires.iter().map(|require| {
        let mark = if require.is_optional { "?" } else { "" };
        format!("{}{mark}", require.step.value)
    });
    let names = names.collect::<Vec<_>>().join(", ");
    Some(Statement::leaf(
        &first.step.span,
        format!("depends: [{names}]"),
    ))
}

fn listed<T>(key: &str, items: &[Spanned<T>], spell: impl Fn(&T) -> String) -> Option<Statement> {
    let first = items.first()?;
    let items = items
        .iter()
        .map(|item| spell(&item.value))
        .collect::<Vec<_>>();
    Some(Statement::leaf(
        &first.span,
        format!("{key}: [{}]", items.join(", ")),
    ))
}

fn inputs(inputs: &[Input]) -> Option<Statement> {
    let first = inputs.first()?;
    let last = inputs.last()?;
    let body = inputs.iter().map(|input| {
        key_value(
            &input.name.span,
            input.name.value.as_str(),
            &source(&input.value.value),
        )
    });
    let span = first.name.span.start..last.value.span.end;
    Some(Statement::inline(&span, "inputs:".into(), body.collect()))
}

fn budget(budget: &Budget, key: &str) -> Statement {
    let mut body = Vec::new();
    body.extend(
        budget
            .tokens
            .as_ref()
            .map(|part| amount("tokens", part, kilo)),
    );
    body.extend(
        budget
            .time_ms
            .as_ref()
            .map(|part| amount("wall_ms", part, |ms| ms.to_string())),
    );
    body.extend(
        budget
            .tools
            .as_ref()
            .map(|part| amount("calls", part, |calls| calls.to_string())),
    );
    body.extend(
        budget
            .cost_micros
            .as_ref()
            .map(|part| amount("cost", part, money)),
    );
    said(&mut body, "backoff", budget.backoff.as_ref(), |way| {
        way.word().into()
    });
    said(&mut body, "pool", budget.pool.as_ref(), |way| {
        way.word().into()
    });
    said(&mut body, "headroom", budget.headroom.as_ref(), |factor| {
        factor.to_string()
    });
    for part in &mut body {
        part.span = budget.span.start..budget.span.start;
    }
    Statement::inline(&budget.span, format!("{key}:"), body)
}

fn pins(pins: &Pins) -> Statement {
    let mut body = Vec::new();
    said(&mut body, "model", pins.model.as_ref(), |text| quoted(text));
    said(&mut body, "index", pins.index.as_ref(), |text| quoted(text));
    said(&mut body, "tool", pins.tool.as_ref(), |text| quoted(text));
    said(&mut body, "seed", pins.seed.as_ref(), u64::to_string);
    Statement::inline(&pins.span, "pins:".into(), body)
}

fn retries(retries: &Retries) -> Statement {
    let mut body = Vec::new();
    said(
        &mut body,
        "max_attempts",
        retries.max_attempts.as_ref(),
        u64::to_string,
    );
    said(
        &mut body,
        "backoff_ms",
        retries.backoff_ms.as_ref(),
        u64::to_string,
    );
    Statement::inline(&retries.span, "retries:".into(), body)
}

fn breaker(breaker: &Breaker) -> Statement {
    let mut body = Vec::new();
    said(
        &mut body,
        "failures",
        breaker.failures.as_ref(),
        u64::to_string,
    );
    said(
        &mut body,
        "cooldown_ms",
        breaker.cooldown_ms.as_ref(),
        u64::to_string,
    );
    Statement::inline(&breaker.span, "breaker:".into(), body)
}
