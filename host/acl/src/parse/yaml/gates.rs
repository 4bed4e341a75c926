//! Gates of YAML plans: declared once under `gates`, used by steps as `@gate.<name>`.
//!
//! INVARIANT: a gate that is declared and used nowhere judges the plan's result, so no declared gate is without effect.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use aim_core::name::StepName;

use super::{Entries, Importer, Node, Value, action, codes, entry, token};
use crate::{
    ast::{Action, Clause, Gate, Reaction, Spanned, Step},
    parse::lines,
};

const GATE: [&str; 8] = [
    "id", "name", "check", "on_fail", "of", "args", "module", "call",
];
/// What one answer of several says.
const ANSWER: [&str; 2] = ["action", "params"];
const ANSWER_PARAMS: [&str; 2] = ["level", "message"];

impl Importer<'_, '_> {
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
                self.faults.error(
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

    fn gate(&mut self, name: Option<Spanned<StepName>>, node: &Node) -> Option<Gate> {
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
                "on_fail" => gate.on_fail.push(self.reactions(node)?),
                "call" => {
                    gate.has_check = true;
                    self.called(node);
                }
                _ => {}
            }
        }
        if let Some(of) = self.judged_result(entries)
            && let Some(name) = &gate.name
        {
            self.judged.push((name.value.to_string(), of));
        }
        Some(gate)
    }

    /// A gate that a function would judge.
    fn called(&mut self, node: &Node) {
        self.faults.error(
            codes::NO_EVALUATOR,
            node.span.clone(),
            "nothing here calls a function to judge",
            "say what must hold of the result: `check: output.score >= 0.9` and `of: \"@result.<step>\"`; or name a gate's component in the contract",
        );
    }

    /// The result that a gate is about: `of: "@result.x"`, or `args: {result: "@result.x"}`.
    fn judged_result(&mut self, entries: &Entries) -> Option<Spanned<StepName>> {
        let of = match entry(entries, &["args"]) {
            Some(args) => {
                let args = self.map(args, "`args`")?;
                self.known(args, "`args` of a gate", &["result"]);
                entry(args, &["result"])
            }
            None => entry(entries, &["of"]),
        };
        let text = self.text(of?)?;
        let name = text.value.strip_prefix("@result.").unwrap_or(&text.value);
        let Ok(value) = StepName::parse(name) else {
            let message = format!("`{}` is no result of a step", super::shown(&text.value));
            let help = "write `@result.<step>`; the condition says which field";
            self.faults
                .error(codes::UNKNOWN_REFERENCE, text.span, message, help);
            return None;
        };
        Some(Spanned::new(value, text.span))
    }

    /// One answer, or a list: `log` says something, and one other action decides.
    fn reactions(&mut self, node: &Node) -> Option<Reaction> {
        let Value::List(items) = &node.value else {
            return self.reaction(node);
        };
        let (mut logged, mut decided): (Option<Reaction>, Option<Reaction>) = (None, None);
        let mut message = None;
        for item in items {
            let (reaction, says) = self.answer(item)?;
            message = message.or(says);
            match reaction.action.value {
                Some(Action::Warn) => logged = Some(reaction),
                _ if decided.is_none() => decided = Some(reaction),
                _ => self.faults.error(
                    codes::BAD_ACTION,
                    item.span.clone(),
                    "a gate has one answer that decides",
                    "keep one of the actions; `log` may stand beside it",
                ),
            }
        }
        let mut reaction = decided.or(logged)?;
        if let Some(
            Action::Abort(text @ None)
            | Action::Escalate(text @ None)
            | Action::Abstain(text @ None),
        ) = &mut reaction.action.value
        {
            *text = message;
        }
        Some(reaction)
    }

    /// `<action>`, or `{action: <action>, params: {level: <level>, message: <text>}}` with what it says.
    fn answer(&mut self, node: &Node) -> Option<(Reaction, Option<String>)> {
        let Value::Map(entries) = &node.value else {
            return self.reaction(node).map(|reaction| (reaction, None));
        };
        self.known(entries, "an answer", &ANSWER);
        let Some(action) = entry(entries, &["action"]) else {
            self.faults.error(
                codes::INCOMPLETE,
                node.span.clone(),
                "the answer has no action",
                "write `action: abort`",
            );
            return None;
        };
        let mut message = None;
        if let Some(params) = entry(entries, &["params"]) {
            let params = self.map(params, "`params`")?;
            self.known(params, "`params` of an answer", &ANSWER_PARAMS);
            message = entry(params, &["message"]).and_then(|node| self.text(node));
        }
        let reaction = self.reaction(action)?;
        Some((reaction, message.map(|message| message.value)))
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
            self.faults.error(
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
                    self.faults
                        .error(codes::UNKNOWN_REFERENCE, text.span, message, help);
                }
            }
        }
    }

    /// Gates that name a result judge its step.
    fn place_judged(&mut self) {
        for (gate, of) in core::mem::take(&mut self.judged) {
            let Some(gate) = self.gates.get(&gate).cloned() else {
                continue;
            };
            let steps = self
                .ast
                .shards
                .iter_mut()
                .flat_map(|shard| &mut shard.steps);
            let is_it = |step: &&mut Step| {
                step.name
                    .as_ref()
                    .is_some_and(|name| name.value == of.value)
            };
            let Some(step) = steps.into_iter().find(is_it) else {
                let message = format!("there is no step `{}`", of.value);
                let help = "name a step or a participant of this plan";
                self.faults
                    .error(codes::UNKNOWN_REFERENCE, of.span, message, help);
                continue;
            };
            let name = gate.name.as_ref().map(|name| &name.value);
            let mut known = step.gates.iter();
            if known.all(|known| known.name.as_ref().map(|name| &name.value) != name) {
                step.gates.push(gate);
            }
        }
    }

    /// Gates that no step names judge the plan's result.
    pub(super) fn place_rest(&mut self) {
        self.place_judged();
        let used: BTreeSet<String> = (self.ast.steps().flat_map(|step| &step.gates))
            .filter_map(|gate| gate.name.as_ref())
            .map(|name| name.value.to_string())
            .collect();
        let rest = self.gates.iter().filter(|(name, _)| !used.contains(*name));
        self.ast.gates.extend(rest.map(|(_, gate)| gate.clone()));
    }
}
