//! How values are spelt: texts, amounts, sources, actions.
//!
//! INVARIANT: whatever is written here is read back as the same value.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use aim_core::{condition::Decimal, name::StepName};

use super::layout::Statement;
use crate::ast::{Action, Amount, Moment, Opt, Selector, Source, Spanned};

/// A text in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A role's parameter: numbers and booleans bare, everything else in quotes.
pub(super) fn param(text: &str) -> String {
    let is_number = Decimal::parse(text).is_some_and(|number| number.to_string() == text)
        && !text.starts_with('-');
    if is_number || matches!(text, "true" | "false") {
        text.into()
    } else {
        quoted(text)
    }
}

/// A count; many thousands with `k`.
pub(super) fn kilo(number: u64) -> String {
    if number >= 10_000 && number.is_multiple_of(1_000) {
        format!("{}k", number / 1_000)
    } else {
        number.to_string()
    }
}

/// Milliseconds with their unit.
pub(super) fn time(ms: u64) -> String {
    match ms {
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

/// Millionths as dollars.
pub(super) fn money(micros: u64) -> String {
    let (whole, fraction) = (micros / 1_000_000, micros % 1_000_000);
    if fraction == 0 {
        return whole.to_string();
    }
    format!("{whole}.{fraction:06}")
        .trim_end_matches('0')
        .into()
}

/// One part of a budget, hard and soft.
pub(super) fn amount(key: &str, amount: &Amount, spell: fn(u64) -> String) -> Statement {
    let max = spell(amount.max);
    let text = match amount.soft {
        None => format!("{key}: {max}"),
        Some(soft) => format!("{key}: {{ max: {max}, soft: {} }}", spell(soft)),
    };
    Statement::leaf(&(0..0), text)
}

/// Where an input comes from.
pub(super) fn source(value: &Source) -> String {
    match value {
        Source::Text(text) => quoted(text),
        Source::Number(number) => number.to_string(),
        Source::Boolean(value) => value.to_string(),
        Source::Step(step) => step.to_string(),
        Source::Run(name) => format!("input.{name}"),
        Source::Trace => "ALL".into(),
        Source::Memory(path) => selector(path),
    }
}

pub(super) fn selector(selector: &Selector) -> String {
    let kind = if selector.is_graph { "SEG" } else { "HHNI" };
    format!("{kind}:{}", selector.path)
}

pub(super) fn moment(moment: &Moment) -> String {
    match moment {
        Moment::AsOf(instant) => format!("ASOF:{instant}"),
        Moment::Window(from, to) => format!("WINDOW:{from}..{to}"),
    }
}

/// `with key=value, key=value`, or nothing.
pub(super) fn options(options: &[Opt]) -> String {
    if options.is_empty() {
        return String::new();
    }
    let parts = options
        .iter()
        .map(|option| format!("{}={}", option.name.value, source(&option.value.value)));
    format!(" with {}", parts.collect::<Vec<_>>().join(", "))
}

/// An action as both forms write it.
pub(super) fn action(action: &Action) -> String {
    let word = action.word();
    match action {
        Action::Abort(Some(text)) | Action::Escalate(Some(text)) | Action::Abstain(Some(text)) => {
            format!("{word} {}", quoted(text))
        }
        Action::Retry(Some(times)) => format!("{word}({times})"),
        Action::Fallback(step) | Action::Reroute(step) => format!("{word}({step})"),
        Action::Degrade(options) if !options.is_empty() => {
            let parts = options
                .iter()
                .map(|(key, value)| format!("{key}: {}", quoted(value)));
            format!("{word} {{ {} }}", parts.collect::<Vec<_>>().join(", "))
        }
        _ => word.into(),
    }
}

/// Names with commas.
pub(super) fn names(names: &[Spanned<StepName>]) -> String {
    let names = names.iter().map(|name| name.value.to_string());
    names.collect::<Vec<_>>().join(", ")
}
