//! What stands between steps, in brace form.
//!
//! INVARIANT: a range is written with both ends.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{
    ast::{Bounds, FanOut, Flow, Reduce, Rule, RuleEvent, Rules, Spanned, Subject},
    print::{
        layout::Statement,
        words::{action, names, options},
    },
};

fn bounds(bounds: Option<&Spanned<Bounds>>) -> String {
    bounds.map_or_else(String::new, |bounds| {
        format!("[{}..{}]", bounds.value.first, bounds.value.last)
    })
}

pub(super) fn fanout(fanout: &FanOut) -> Statement {
    let FanOut { from, to, .. } = fanout;
    let (left, right) = (
        bounds(fanout.from_bounds.as_ref()),
        bounds(fanout.bounds.as_ref()),
    );
    let text = format!(
        "fanout {}{left} -> {}{right}{}",
        from.value,
        to.value,
        options(&fanout.options)
    );
    Statement::leaf(&fanout.span, text)
}

pub(super) fn reduce(reduce: &Reduce) -> Statement {
    let Reduce { from, to, .. } = reduce;
    let using = reduce.using.as_ref().map_or("", |using| using.value.word());
    let range = bounds(reduce.bounds.as_ref());
    let text = format!(
        "reduce {}{range} -> {} using {using}{}",
        from.value,
        to.value,
        options(&reduce.options)
    );
    Statement::leaf(&reduce.span, text)
}

pub(super) fn flow(flow: &Flow) -> Statement {
    let mut arguments = names(&flow.on);
    if let Some(max_iter) = &flow.max_iter {
        let comma = if arguments.is_empty() { "" } else { ", " };
        arguments = format!("{arguments}{comma}max_iter={}", max_iter.value);
    }
    let until = flow.until.as_ref().map_or_else(String::new, |check| {
        format!(" until {}", check.value.source.trim())
    });
    let end = if flow.releases { " else release" } else { "" };
    Statement::leaf(
        &flow.span,
        format!("flow {}({arguments}){until}{end}", flow.name.value),
    )
}

pub(super) fn rules(rules: &Rules) -> Statement {
    let body = rules.rules.iter().filter_map(rule).collect();
    Statement::block(&rules.span, "policy rewrite".into(), body)
}

fn rule(rule: &Rule) -> Option<Statement> {
    match rule {
        Rule::On {
            event,
            action: then,
        } => {
            let word = action(then.value.as_ref()?);
            let span = event.span.start..then.span.end;
            Some(Statement::leaf(
                &span,
                format!("on {} => {word}", spelt(&event.value)),
            ))
        }
        Rule::RequireHitl(subjects) => {
            let first = subjects.first()?;
            let words = subjects.iter().map(|subject| match &subject.value {
                Subject::Step(step) => step.to_string(),
                Subject::Effect(effect) => effect.word().into(),
                Subject::All => "*".into(),
            });
            let words = words.collect::<Vec<String>>().join(", ");
            Some(Statement::leaf(
                &first.span,
                format!("require HITL for {words}"),
            ))
        }
    }
}

fn spelt(event: &RuleEvent) -> String {
    let (word, name) = match event {
        RuleEvent::GateFail(name) => ("gate_fail", name),
        RuleEvent::OverBudget(name) => ("over_budget", name),
        RuleEvent::StepFail(name) => ("step_fail", name),
        RuleEvent::LowConfidence(name) => ("low_confidence", name),
        RuleEvent::PolicyViolation(name) => ("policy_violation", name),
    };
    match name {
        Some(name) => format!("{word}({name})"),
        None => word.into(),
    }
}
