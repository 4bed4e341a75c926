//! Budgets of YAML plans, and where one would be written that is not there.
//!
//! INVARIANT: a place is only named where a line or an entry can be put without changing what anything else means.

use alloc::{format, string::String};

use super::{Entries, Importer, Node, Value, amount, codes};
use crate::ast::{Amount, Budget, Slot};

impl Importer<'_, '_> {
    pub(super) fn budget(&mut self, node: &Node) -> Option<Budget> {
        let entries = self.map(node, "a budget")?;
        let mut budget = Budget {
            slot: self.slot(node, entries),
            span: node.span.clone(),
            ..Budget::default()
        };
        for (key, value) in entries {
            let (slot, unit) = match key.value.as_str() {
                "tokens" => (&mut budget.tokens, amount::Unit::Kilo),
                "wall_ms" => (&mut budget.time_ms, amount::Unit::Kilo),
                "calls" => (&mut budget.tools, amount::Unit::Kilo),
                "cost" => (&mut budget.cost_micros, amount::Unit::Money),
                _ => {
                    let message = format!("unknown budget part `{}`", super::shown(&key.value));
                    self.faults.error(
                        codes::BAD_BUDGET,
                        key.span.clone(),
                        message,
                        "the parts are tokens, wall_ms, calls and cost",
                    );
                    budget.is_faulty = true;
                    continue;
                }
            };
            let Some(text) = self.text(value) else {
                budget.is_faulty = true;
                continue;
            };
            match amount::amount(&key.value, &text.value, unit) {
                Ok(number) => *slot = Some(Amount::hard(number)),
                Err((message, help)) => {
                    self.faults
                        .error(codes::BAD_BUDGET, text.span, message, help);
                    budget.is_faulty = true;
                }
            }
        }
        Some(budget)
    }

    /// Where one more entry of a map would stand: behind the last one in braces, else in a line below the first one whose
    /// value is a text within one line.
    pub(super) fn slot(&self, node: &Node, entries: &Entries) -> Option<Slot> {
        if self.source.get(node.span.start..)?.starts_with('{') {
            let (_, last) = entries.last()?;
            return Some(Slot {
                at: last.span.end,
                lead: String::from(", "),
            });
        }
        let (key, value) = entries.iter().find(|(_, node)| {
            let text = self.source.get(node.span.clone());
            let is_line = text.is_some_and(|text| !text.is_empty() && !text.contains('\n'));
            is_line && matches!(node.value, Value::Scalar(..))
        })?;
        let before = self.source.get(..key.span.start)?;
        let column = before.rsplit('\n').next()?.chars().count();
        let rest = self.source.get(value.span.end..)?;
        let line = rest.find('\n').unwrap_or(rest.len());
        let line = rest.get(..line)?.trim_end_matches('\r').len();
        Some(Slot {
            at: value.span.end + line,
            lead: format!("\n{:column$}", ""),
        })
    }
}
