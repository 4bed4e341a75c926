//! What steps of YAML plans are given: values, and references to inputs, results, gates and the plan.
//!
//! INVARIANT: a reference that is not understood is refused; one that only a run can resolve makes the step wait for what
//! it names.

use alloc::{
    format,
    string::{String, ToString as _},
};
use core::ops::Range;

use aim_core::{condition::Decimal, name::StepName};

use super::{Importer, Node, Value, codes, shown};
use crate::ast::{Input, Require, Source, Spanned, Step};

impl Importer<'_, '_> {
    /// `with`, `args` or `params`: every value under its name; those of a nested map under both names.
    pub(super) fn arguments(&mut self, node: &Node, step: &mut Step) {
        let Some(entries) = self.map(node, "`with`") else {
            return;
        };
        for (key, node) in entries {
            self.given(&key.value, &key.span, node, step);
        }
    }

    /// Depth is bounded by that of the document.
    fn given(&mut self, name: &str, span: &Range<usize>, node: &Node, step: &mut Step) {
        if let Value::Map(entries) = &node.value {
            for (key, node) in entries {
                self.given(&format!("{name}_{}", key.value), &key.span, node, step);
            }
            return;
        }
        let Some(name) = self.word(&Spanned::new(name.to_string(), span.clone())) else {
            return;
        };
        let value = match &node.value {
            Value::Scalar(text, is_quoted) => {
                let text = Spanned::new(text.clone(), node.span.clone());
                self.argument(&text, *is_quoted, step)
            }
            Value::List(_) | Value::Map(_) => Some(Source::Text(json(node))),
        };
        let Some(value) = value else { return };
        step.inputs.push(Input {
            name,
            value: Spanned::new(value, node.span.clone()),
        });
    }

    fn argument(
        &mut self,
        text: &Spanned<String>,
        is_quoted: bool,
        step: &mut Step,
    ) -> Option<Source> {
        if text.value.starts_with('@') && !text.value.contains(' ') {
            return self.referred(text, step);
        }
        if text.value.contains('@') {
            return self.filled(text, step).map(Source::Text);
        }
        Some(plain(&text.value, is_quoted))
    }

    /// A value that is nothing but a reference.
    fn referred(&mut self, text: &Spanned<String>, step: &mut Step) -> Option<Source> {
        let reference = text.value.strip_prefix('@').unwrap_or_default();
        let (kind, rest) = reference.split_once('.').unwrap_or((reference, ""));
        let (first, field) = rest.split_once('.').unwrap_or((rest, ""));
        let name = StepName::parse(first).ok();
        if let Some(value) = self.fixed(kind, rest) {
            return Some(plain(&value, false));
        }
        match (kind, name) {
            ("input", Some(name)) if field.is_empty() && self.is_input(first) => {
                Some(Source::Run(name))
            }
            ("result" | "output", Some(name)) => {
                wait_for(&name, &text.span, step);
                // A body is the component's to read: the host gives it whole, and says which field was meant.
                Some(match field {
                    "" => Source::Step(name),
                    _ => Source::Text(text.value.clone()),
                })
            }
            ("gate", Some(_)) if field.is_empty() && self.gates.contains_key(first) => {
                // What a gate said is in the witness of its step.
                Some(Source::Text(format!("gate {first}")))
            }
            _ => {
                self.nowhere(reference, &text.span);
                None
            }
        }
    }

    /// A text with references in it: what is known is put in, and the step waits for what only a run knows.
    fn filled(&mut self, text: &Spanned<String>, step: &mut Step) -> Option<String> {
        let mut filled = String::new();
        for (index, word) in text.value.split(' ').enumerate() {
            if index > 0 {
                filled.push(' ');
            }
            let Some(reference) = word.strip_prefix('@') else {
                filled.push_str(word);
                continue;
            };
            let bare = reference.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
            let (kind, rest) = bare.split_once('.').unwrap_or((bare, ""));
            let first = rest.split('.').next().unwrap_or_default();
            let name = StepName::parse(first).ok();
            match (self.fixed(kind, rest), kind, name) {
                (Some(value), ..) => {
                    filled.push_str(&value);
                    filled.push_str(reference.get(bare.len()..).unwrap_or_default());
                    continue;
                }
                (None, "result" | "output", Some(name)) => wait_for(&name, &text.span, step),
                (None, "input", Some(_)) if self.is_input(first) => {}
                (None, "gate", Some(_)) if self.gates.contains_key(first) => {}
                _ => {
                    self.nowhere(bare, &text.span);
                    return None;
                }
            }
            filled.push_str(word);
        }
        Some(filled)
    }

    /// What a reference stands for in every run, where that is known.
    fn fixed(&self, kind: &str, rest: &str) -> Option<String> {
        match kind {
            "plan" if rest == "id" => {
                let header = self.ast.header.as_ref()?;
                header.name.as_ref().map(|name| name.value.to_string())
            }
            "input" => self.fixed.get(rest).cloned(),
            "output" => self.outputs.get(rest).cloned(),
            _ => None,
        }
    }

    fn is_input(&self, name: &str) -> bool {
        !self.has_inputs || self.has_input(name)
    }

    fn nowhere(&mut self, reference: &str, span: &Range<usize>) {
        let message = format!("`@{}` leads nowhere", shown(reference));
        let help = "references are @input.<name>, @output.<name>, @result.<step>, @gate.<name> and @plan.id";
        self.faults
            .error(codes::UNKNOWN_REFERENCE, span.clone(), message, help);
    }
}

/// Makes a step wait for another one.
pub(super) fn wait_for(name: &StepName, span: &Range<usize>, step: &mut Step) {
    let is_new = (step.requires.iter()).all(|require| require.step.value != *name);
    if is_new {
        step.requires.push(Require {
            step: Spanned::new(name.clone(), span.clone()),
            is_optional: false,
        });
    }
}

/// A value without references.
fn plain(text: &str, is_quoted: bool) -> Source {
    let number = Decimal::parse(text).filter(|_| !is_quoted);
    match text {
        "true" if !is_quoted => Source::Boolean(true),
        "false" if !is_quoted => Source::Boolean(false),
        _ => number.map_or_else(|| Source::Text(text.to_string()), Source::Number),
    }
}

/// A node as JSON on one line, members in source order. Depth is bounded by that of the document.
pub(super) fn json(node: &Node) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    match &node.value {
        Value::Scalar(word, false) if word.is_empty() || word == "~" => "null".into(),
        Value::Scalar(word, false)
            if matches!(word.as_str(), "null" | "true" | "false")
                || Decimal::parse(word).is_some() =>
        {
            word.clone()
        }
        Value::Scalar(word, _) => text(word),
        Value::List(items) => {
            let items: alloc::vec::Vec<String> = items.iter().map(json).collect();
            format!("[{}]", items.join(","))
        }
        Value::Map(entries) => {
            let member = |(key, node): &(Spanned<String>, Node)| {
                format!("{}:{}", text(&key.value), json(node))
            };
            let members: alloc::vec::Vec<String> = entries.iter().map(member).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}
