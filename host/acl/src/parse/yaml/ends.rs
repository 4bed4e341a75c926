//! What a YAML plan is given and what it gives: `inputs` and `outputs`.
//!
//! INVARIANT: an input that has a value in the plan has that value in every run, and the author is told so.

use alloc::{format, string::ToString as _};

use aim_core::name::StepName;

use super::{Importer, Node, Value, codes, entry, reference::json, shown};
use crate::{
    ast::{IoType, Spanned},
    diagnostic::Diagnostic,
};

const INPUT: [&str; 6] = ["id", "name", "type", "required", "description", "default"];
const OUTPUT: [&str; 5] = ["from", "default", "type", "required", "description"];

impl Importer<'_, '_> {
    /// `- <name>` or `- {id: <name>, type: <type>}` lines, or a map of names to a type, to `{type: <type>}` or to anything else.
    pub(super) fn inputs(&mut self, node: &Node) {
        match &node.value {
            Value::Map(entries) => {
                for (key, said) in entries {
                    let name = self.word(key);
                    self.input(name, Some(said));
                }
            }
            Value::List(items) => {
                for item in items {
                    let id = match &item.value {
                        Value::Map(entries) => entry(entries, &["id", "name"]),
                        _ => None,
                    };
                    let name = self.name(id.unwrap_or(item));
                    self.input(name, id.map(|_| item));
                }
            }
            Value::Scalar(..) => self.faults.error(
                codes::BAD_YAML,
                node.span.clone(),
                "`inputs` is a map or a list",
                "write `- <name>` lines",
            ),
        }
    }

    /// One input. What `said` says is its type where it is the word of one, else any; one with a default is none of the run's.
    fn input(&mut self, name: Option<Spanned<StepName>>, said: Option<&Node>) {
        let kind = match said.map(|said| (&said.value, said)) {
            Some((Value::Map(entries), _)) => {
                self.known(entries, "an input", &INPUT);
                entry(entries, &["type"])
            }
            Some((_, said)) => Some(said),
            None => None,
        };
        let Some(name) = name else { return };
        if let Some(Value::Map(entries)) = said.map(|said| &said.value)
            && let Some(default) = entry(entries, &["default"])
        {
            return self.fixed_input(&name, default);
        }
        if let Some(Value::Map(entries)) = said.map(|said| &said.value)
            && let Some(required) = entry(entries, &["required"])
            && matches!(&required.value, Value::Scalar(text, _) if text != "true" && text != "True")
        {
            let message = format!(
                "input `{}` has nothing that stands for it where it is not given",
                name.value
            );
            let help = "give it a `default`, or leave `required` out: a run has every input that its plan names";
            self.faults
                .error(codes::BAD_VALUE, required.span.clone(), message, help);
        }
        let kind = kind.and_then(|kind| match &kind.value {
            Value::Scalar(text, _) => IoType::ALL.iter().find(|one| one.word() == text),
            Value::List(_) | Value::Map(_) => None,
        });
        let kind = Spanned::new(kind.copied().unwrap_or(IoType::Any), name.span.clone());
        self.ast.settings.inputs.push((name, kind));
    }

    /// An input that has a value in every run: steps are given that as a text.
    fn fixed_input(&mut self, name: &Spanned<StepName>, default: &Node) {
        let message = format!("input `{}` has its default in every run", name.value);
        let fault = Diagnostic::warning(codes::FIXED_INPUT, default.span.clone(), message);
        self.faults.push(fault.help(
            "a plan and its inputs are one question; take the default out to ask with another value: `-i <name>=<value>`",
        ));
        let text = match &default.value {
            Value::Scalar(text, _) => text.clone(),
            Value::List(_) | Value::Map(_) => json(default),
        };
        self.fixed.insert(name.value.to_string(), text);
    }

    pub(super) fn has_input(&self, name: &str) -> bool {
        let mut inputs = self.ast.settings.inputs.iter();
        self.fixed.contains_key(name) || inputs.any(|(one, _)| one.value.as_str() == name)
    }

    /// Outputs with a `default` stand for it wherever a step names them.
    pub(super) fn named_outputs(&mut self, node: &Node) {
        let Value::Map(entries) = &node.value else {
            return;
        };
        for (key, node) in entries {
            let Value::Map(about) = &node.value else {
                continue;
            };
            self.known(about, "an output", &OUTPUT);
            let Some(default) = entry(about, &["default"]) else {
                continue;
            };
            if let Some(text) = self.text(default) {
                self.outputs.insert(key.value.to_string(), text.value);
            }
        }
    }

    /// Outputs are the results of steps that nobody requires; what they name must be there.
    pub(super) fn check_outputs(&mut self, node: &Node) {
        let Some(entries) = self.map(node, "`outputs`") else {
            return;
        };
        for (_, node) in entries {
            let from = match &node.value {
                Value::Map(about) => entry(about, &["from"]),
                Value::Scalar(..) => Some(node),
                Value::List(_) => {
                    self.map(node, "an output");
                    None
                }
            };
            let Some(text) = from.and_then(|node| self.text(node)) else {
                continue;
            };
            let step = text.value.strip_prefix("@result.");
            let step = step.and_then(|rest| rest.split('.').next());
            let is_there = step.is_some_and(|step| {
                let mut names = self.ast.steps().filter_map(|known| known.name.as_ref());
                names.any(|name| name.value.as_str() == step)
            });
            if !is_there {
                let what = shown(step.unwrap_or(&text.value));
                let message = format!("there is no step `{what}`");
                let help = "write `@result.<step>` with a step of this plan";
                self.faults
                    .error(codes::UNKNOWN_REFERENCE, text.span, message, help);
            }
        }
    }
}
