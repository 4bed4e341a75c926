//! Gates of YAML plans: declared once under `gates`, used by steps as `@gate.<name>`.
//!
//! INVARIANT: a gate that is declared and used nowhere judges the plan's result, so no declared gate is without effect.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{Importer, Node, Value, action, codes, token};
use crate::{
    ast::{Clause, Gate, Reaction, Spanned, Step},
    parse::lines,
};

const GATE: [&str; 4] = ["id", "name", "check", "on_fail"];

impl Importer<'_> {
    /// `name: {check: <condition>, on_fail: <action>}`, or a list of such maps with an `id`.
    pub(super) fn declare_gates(&mut self, node: &Node) {
        let mut declared = Vec::new();
        match &node.value {
            Value::Map(entries) => {
                for (key, node) in entries {
                    if let Some(name) = self.word(key) {
                        declared.push((Some(name), node));
                    }
                }
            }
            Value::List(items) => declared.extend(items.iter().map(|item| (None, item))),
            Value::Scalar(..) => {
                self.error(
                    codes::BAD_YAML,
                    node.span.clone(),
                    "`gates` is a map or a list",
                    "write `<name>: {check: <condition>}`",
                );
            }
        }
        for (name, node) in declared {
            let Some(gate) = self.gate(name, node) else {
                continue;
            };
            let Some(name) = &gate.name else { continue };
            if let Some(first) = self.gates.get(name.value.as_str()) {
                let label = first.span.clone();
                let message = format!("gate `{}` is declared twice", name.value);
                let fault = crate::diagnostic::Diagnostic::error(
                    codes::DUPLICATE,
                    name.span.clone(),
                    message,
                );
                self.faults.push(
                    fault
                        .help("give it another name")
                        .label(label, "first here"),
                );
                continue;
            }
            self.gates.insert(name.value.to_string(), gate);
        }
    }

    fn gate(
        &mut self,
        name: Option<Spanned<aim_core::name::StepName>>,
        node: &Node,
    ) -> Option<Gate> {
        let mut gate = Gate {
            name,
            span: node.span.clone(),
            ..Gate::default()
        };
        if let Value::Scalar(text, _) = &node.value {
            gate.has_check = true;
            gate.clauses = self.clause(text, node).into_iter().collect();
            return Some(gate);
        }
        let entries = self.map(node, "a gate")?;
        self.known(entries, "a gate", &GATE);
        for (key, node) in entries {
            match key.value.as_str() {
                "id" | "name" => gate.name = self.name(node),
                "check" => {
                    gate.has_check = true;
                    let text = self.text(node)?;
                    gate.clauses = self.clause(&text.value, node).into_iter().collect();
                }
                "on_fail" => gate.on_fail.push(self.reaction(node)?),
                _ => {}
            }
        }
        Some(gate)
    }

    fn clause(&mut self, text: &str, node: &Node) -> Option<Clause> {
        // Inside quotes and blocks the bytes of the document differ from those of the text.
        let check = lines::checked_at(String::from(text), node.span.clone(), self.faults)?;
        Some(Clause {
            is_forbid: false,
            check,
        })
    }

    fn reaction(&mut self, node: &Node) -> Option<Reaction> {
        let text = self.text(node)?;
        let lexed = token::lex(&text.value);
        let mut stream = action::Stream::fixed(lexed.tokens, &text.span);
        let value = action::action(&mut stream, self.faults);
        if value.is_some() && !stream.is_at_end() {
            self.error(
                codes::BAD_ACTION,
                text.span.clone(),
                "unexpected text after the action",
                "write one action",
            );
        }
        Some(Reaction {
            when: None,
            action: Spanned::new(value, text.span),
        })
    }

    /// The gates that a step names; a plain name counts as well as a reference.
    pub(super) fn step_gates(&mut self, node: &Node, step: &mut Step) {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => core::slice::from_ref(node),
        };
        for item in items {
            let Some(text) = self.text(item) else {
                continue;
            };
            let name = text.value.strip_prefix("@gate.").unwrap_or(&text.value);
            match self.gates.get(name) {
                Some(gate) => step.gates.push(gate.clone()),
                None => {
                    let known: Vec<String> = self.gates.keys().cloned().collect();
                    let help = self.faults.suggest(name, known.iter().map(String::as_str));
                    let help = help.unwrap_or_else(|| "declare it under `gates`".into());
                    let message = format!("there is no gate `{}`", name.escape_default());
                    self.error(codes::UNKNOWN_REFERENCE, text.span, message, help);
                }
            }
        }
    }

    /// Gates that no step names judge the plan's result.
    pub(super) fn place_rest(&mut self) {
        let used: BTreeSet<String> = (self.ast.steps().flat_map(|step| &step.gates))
            .filter_map(|gate| gate.name.as_ref())
            .map(|name| name.value.to_string())
            .collect();
        let rest = self.gates.iter().filter(|(name, _)| !used.contains(*name));
        self.ast.gates.extend(rest.map(|(_, gate)| gate.clone()));
    }
}
