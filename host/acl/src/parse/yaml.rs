//! Form B: a YAML plan, imported. Its steps run in the order in which they stand unless they say what they wait for.
//!
//! INVARIANT: an action is a role of that name, done by a component like every other; there is no action that runs text.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use aim_core::{condition::Decimal, name::StepName, plan::BUILTIN_ROLES, plan::STEPS_MAX};

use super::{action, amount};
use crate::{
    ast::{
        Assign, Ast, Budget, Form, Gate, Header, Input, IoType, Require, Role, Shard, Source,
        Spanned, Step,
    },
    codes::{self, Code},
    diagnostic::{Diagnostic, Faults},
    token,
};

mod gates;
mod tree;

use tree::{Node, Value};

/// The actions of the runner that these plans were written for, but for the one that runs text.
const ACTIONS: [&str; 5] = ["write_json", "read_json", "write_witness", "log", "todo"];
const TOP: [&str; 10] = [
    "id",
    "version",
    "description",
    "quip",
    "inputs",
    "outputs",
    "participants",
    "budget",
    "gates",
    "steps",
];
const STEP: [&str; 11] = [
    "id",
    "name",
    "action",
    "by",
    "with",
    "args",
    "depends_on",
    "gates",
    "budget",
    "does",
    "description",
];

/// Reads a source.
pub(super) fn parse(source: &str, faults: &mut Faults) -> Ast {
    let (root, comments) = tree::read(source, faults);
    let mut importer = Importer {
        ast: Ast {
            form: Form::Yaml,
            comments,
            shards: alloc::vec![Shard {
                span: 0..source.len(),
                ..Shard::default()
            }],
            ..Ast::default()
        },
        faults,
        gates: BTreeMap::new(),
        has_inputs: false,
        participants: BTreeMap::new(),
    };
    match root {
        Some(root) => importer.document(&root),
        None if importer.faults.has_errors() => {}
        None => importer.error(
            codes::NO_HEADER,
            0..0,
            "no plan found",
            "begin the plan with `id: <name>`",
        ),
    }
    importer.ast
}

struct Importer<'f> {
    ast: Ast,
    faults: &'f mut Faults,
    /// Gates that steps refer to.
    gates: BTreeMap<String, Gate>,
    has_inputs: bool,
    participants: BTreeMap<String, StepName>,
}

type Entries = Vec<(Spanned<String>, Node)>;

impl Importer<'_> {
    fn error(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.faults
            .push(Diagnostic::error(code, span, message).help(help));
    }

    fn document(&mut self, root: &Node) {
        let Some(entries) = self.map(root, "a plan") else {
            return;
        };
        self.known(entries, "a YAML plan", &TOP);
        let get = |key: &str| {
            entries
                .iter()
                .find(|(known, _)| known.value == key)
                .map(|(_, node)| node)
        };
        let name = get("id").and_then(|node| self.name(node));
        let span = get("id").map_or(0..0, |node| node.span.clone());
        if get("id").is_none() {
            self.error(
                codes::NO_HEADER,
                0..0,
                "the plan has no `id`",
                "begin the plan with `id: <name>`",
            );
        }
        self.ast.header = Some(Header {
            name,
            version: None,
            extent: root.span.clone(),
            span,
        });
        self.ast.settings.schema_version = get("version").and_then(|node| self.text(node));
        self.ast.quip = get("quip").and_then(|node| self.text(node));
        if let Some(inputs) = get("inputs") {
            self.has_inputs = true;
            self.inputs(inputs);
        }
        if let Some(participants) = get("participants") {
            self.participants(participants);
        }
        self.ast.budget = get("budget").and_then(|node| self.budget(node));
        if let Some(gates) = get("gates") {
            self.declare_gates(gates);
        }
        match get("steps") {
            Some(Node {
                value: Value::List(steps),
                ..
            }) => self.steps(steps),
            Some(node) => self.error(
                codes::BAD_YAML,
                node.span.clone(),
                "`steps` is a list",
                "begin each step with `- id: <name>`",
            ),
            None => {}
        }
        self.place_rest();
        if let Some(outputs) = get("outputs") {
            self.outputs(outputs);
        }
    }

    fn known(&mut self, entries: &Entries, place: &str, known: &[&str]) {
        for (key, _) in entries
            .iter()
            .filter(|(key, _)| !known.contains(&key.value.as_str()))
        {
            let help = self.faults.suggest(&key.value, known.iter().copied());
            let help = help.unwrap_or_else(|| format!("{place} has {}", known.join(", ")));
            let shown: String = key
                .value
                .chars()
                .take(40)
                .flat_map(char::escape_default)
                .collect();
            self.error(
                codes::UNKNOWN_KEYWORD,
                key.span.clone(),
                format!("unknown keyword `{shown}`"),
                help,
            );
        }
    }

    fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Entries> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ => {
                self.error(
                    codes::BAD_YAML,
                    node.span.clone(),
                    format!("{what} is a map"),
                    "write `key: value` lines",
                );
                None
            }
        }
    }

    fn text(&mut self, node: &Node) -> Option<Spanned<String>> {
        match &node.value {
            Value::Scalar(text, _) => Some(Spanned::new(text.clone(), node.span.clone())),
            _ => {
                self.error(
                    codes::BAD_YAML,
                    node.span.clone(),
                    "expected a text",
                    "write it on one line",
                );
                None
            }
        }
    }

    fn name(&mut self, node: &Node) -> Option<Spanned<StepName>> {
        let text = self.text(node)?;
        match StepName::parse(&text.value) {
            Ok(value) => Some(Spanned::new(value, text.span)),
            Err(error) => {
                self.error(
                    codes::BAD_NAME,
                    text.span,
                    error.to_string(),
                    "use letters, digits and underscores only",
                );
                None
            }
        }
    }

    /// `- <name>` or `- {id: <name>, type: <type>}` lines, or a map of names to a type, to `{type: <type>}` or to anything else.
    fn inputs(&mut self, node: &Node) {
        match &node.value {
            Value::Map(entries) => {
                for (key, value) in entries {
                    let key = Node {
                        value: Value::Scalar(key.value.clone(), false),
                        span: key.span.clone(),
                    };
                    self.input(&key, Some(value));
                }
            }
            Value::List(items) => {
                for item in items {
                    let id = member(item, "id").or_else(|| member(item, "name"));
                    self.input(id.unwrap_or(item), Some(item));
                }
            }
            Value::Scalar(..) => {
                self.error(
                    codes::BAD_YAML,
                    node.span.clone(),
                    "`inputs` is a map or a list",
                    "write `- <name>` lines",
                );
            }
        }
    }

    /// One input of the run. What `said` says is its type where it is the word of one, else any.
    fn input(&mut self, name: &Node, said: Option<&Node>) {
        let Some(name) = self.name(name) else { return };
        let said = said.map(|said| member(said, "type").unwrap_or(said));
        let kind = said.and_then(|said| match &said.value {
            Value::Scalar(text, _) => IoType::ALL.iter().find(|one| one.word() == text),
            _ => None,
        });
        let kind = Spanned::new(kind.copied().unwrap_or(IoType::Any), name.span.clone());
        self.ast.settings.inputs.push((name, kind));
    }

    fn has_input(&self, name: &StepName) -> bool {
        let mut inputs = self.ast.settings.inputs.iter();
        inputs.any(|(one, _)| one.value == *name)
    }

    /// `name: <role>` or `name: {role: <role>, <parameter>: <value>}`
    fn participants(&mut self, node: &Node) {
        let Some(entries) = self.map(node, "`participants`") else {
            return;
        };
        for (key, node) in entries {
            let Some(name) = self.word(key) else { continue };
            let mut params = Vec::new();
            let kind = match &node.value {
                Value::Map(entries) => {
                    let mut kind = None;
                    for (key, value) in entries {
                        let Some(text) = self.text(value) else {
                            continue;
                        };
                        if matches!(key.value.as_str(), "role" | "kind") {
                            kind = self.name(value);
                        } else if let Some(key) = self.word(key) {
                            params.push((key, text));
                        }
                    }
                    kind
                }
                _ => self.name(node),
            };
            self.participants
                .insert(key.value.clone(), name.value.clone());
            self.ast.roles.push(Role {
                span: key.span.start..node.span.end.max(key.span.end),
                name,
                kind,
                params,
            });
        }
    }

    fn word(&mut self, key: &Spanned<String>) -> Option<Spanned<StepName>> {
        let scalar = Value::Scalar(key.value.clone(), false);
        self.name(&Node {
            value: scalar,
            span: key.span.clone(),
        })
    }

    fn budget(&mut self, node: &Node) -> Option<Budget> {
        let entries = self.map(node, "a budget")?;
        let mut budget = Budget {
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
                    let message = format!("unknown budget part `{}`", key.value.escape_default());
                    self.error(
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
                continue;
            };
            match amount::amount(&key.value, &text.value, unit) {
                Ok(number) => *slot = Some(crate::ast::Amount::hard(number)),
                Err((message, help)) => {
                    self.error(codes::BAD_BUDGET, text.span, message, help);
                    budget.is_faulty = true;
                }
            }
        }
        Some(budget)
    }

    fn steps(&mut self, nodes: &[Node]) {
        if nodes.len() > STEPS_MAX {
            let span = nodes.get(STEPS_MAX).map_or(0..0, |node| node.span.clone());
            self.error(
                codes::TOO_LARGE,
                span,
                format!("the plan has more than {STEPS_MAX} steps"),
                "split the plan",
            );
            return;
        }
        let mut last: Option<Spanned<StepName>> = None;
        for node in nodes {
            let Some(entries) = self.map(node, "a step") else {
                continue;
            };
            self.known(entries, "a step", &STEP);
            let Some(mut step) = self.step(node, entries) else {
                continue;
            };
            if step.requires.is_empty()
                && let Some(before) = last.take()
            {
                let step_before = Spanned::new(before.value, step.span.clone());
                step.requires.push(Require {
                    step: step_before,
                    is_optional: false,
                });
            }
            last.clone_from(&step.name);
            if let Some(shard) = self.ast.shards.last_mut() {
                shard.steps.push(step);
            }
        }
    }

    fn step(&mut self, node: &Node, entries: &Entries) -> Option<Step> {
        let get = |keys: &[&str]| {
            let found = entries
                .iter()
                .find(|(known, _)| keys.contains(&known.value.as_str()));
            found.map(|(_, node)| node)
        };
        let name = get(&["id", "name"]).and_then(|node| self.name(node));
        let span =
            get(&["id", "name"]).map_or(node.span.start..node.span.start, |node| node.span.clone());
        if name.is_none() && get(&["id", "name"]).is_none() {
            self.error(
                codes::INCOMPLETE,
                span.clone(),
                "the step has no id",
                "write `id: <name>`",
            );
        }
        let role = self.performer(get(&["by"]), get(&["action"]), &span);
        let does = get(&["does", "description"]).and_then(|node| self.text(node));
        let described = does.or_else(|| {
            let action = get(&["action"]).and_then(|node| self.text(node));
            action.or_else(|| {
                name.as_ref()
                    .map(|name| Spanned::new(name.value.to_string(), name.span.clone()))
            })
        });
        let mut step = Step {
            assign: Some(Assign {
                role,
                description: described,
                span: span.clone(),
            }),
            name,
            span,
            extent: node.span.clone(),
            ..Step::default()
        };
        step.budget = get(&["budget"]).and_then(|node| self.budget(node));
        if let Some(with) = get(&["with", "args"]) {
            self.arguments(with, &mut step);
        }
        if let Some(after) = get(&["depends_on"]) {
            self.dependencies(after, &mut step);
        }
        if let Some(gates) = get(&["gates"]) {
            self.step_gates(gates, &mut step);
        }
        Some(step)
    }

    /// The participant of a step, else its action: a role that the deployment maps to a component.
    fn performer(
        &mut self,
        by: Option<&Node>,
        action: Option<&Node>,
        span: &Range<usize>,
    ) -> Option<Spanned<StepName>> {
        if let Some(node) = action {
            let text = self.text(node)?;
            if text.value == "python" {
                let message = "action `python` is not run: a plan holds no program text";
                let help =
                    "make it a component and name the node that runs it under `participants`";
                self.error(codes::REFUSED_ACTION, text.span, message, help);
                return None;
            }
            if !ACTIONS.contains(&text.value.as_str()) && by.is_none() {
                let help = self.faults.suggest(&text.value, ACTIONS);
                let help = help.unwrap_or_else(|| {
                    format!(
                        "the actions are {}; or name a participant with `by`",
                        ACTIONS.join(", ")
                    )
                });
                let message = format!("unknown action `{}`", text.value.escape_default());
                self.error(codes::REFUSED_ACTION, text.span, message, help);
                return None;
            }
        }
        let Some(node) = by.or(action) else {
            self.error(
                codes::INCOMPLETE,
                span.clone(),
                "the step has neither `by` nor `action`",
                "say who does it: `by: <participant>`",
            );
            return None;
        };
        let name = self.name(node)?;
        if by.is_some() {
            return Some(name);
        }
        let is_known = self
            .ast
            .roles
            .iter()
            .any(|role| role.name.value == name.value);
        if !is_known && !BUILTIN_ROLES.contains(&name.value.as_str()) {
            self.ast.roles.push(Role {
                kind: Some(name.clone()),
                params: Vec::new(),
                span: name.span.clone(),
                name: name.clone(),
            });
        }
        Some(name)
    }

    fn arguments(&mut self, node: &Node, step: &mut Step) {
        let Some(entries) = self.map(node, "`with`") else {
            return;
        };
        for (key, node) in entries {
            let Some(name) = self.word(key) else { continue };
            let Some(text) = self.text(node) else {
                continue;
            };
            let is_quoted = matches!(node.value, Value::Scalar(_, true));
            let Some(value) = self.argument(&text, is_quoted, step) else {
                continue;
            };
            step.inputs.push(Input {
                name,
                value: Spanned::new(value, text.span),
            });
        }
    }

    fn argument(
        &mut self,
        text: &Spanned<String>,
        is_quoted: bool,
        step: &mut Step,
    ) -> Option<Source> {
        let Some(reference) = text.value.strip_prefix('@') else {
            let number = Decimal::parse(&text.value).filter(|_| !is_quoted);
            return Some(match text.value.as_str() {
                "true" if !is_quoted => Source::Boolean(true),
                "false" if !is_quoted => Source::Boolean(false),
                _ => number.map_or_else(|| Source::Text(text.value.clone()), Source::Number),
            });
        };
        let (kind, rest) = reference.split_once('.').unwrap_or((reference, ""));
        let first = rest.split('.').next().unwrap_or_default();
        let name = StepName::parse(first).ok();
        match (kind, name) {
            ("plan", _) if rest == "id" => {
                let id = self
                    .ast
                    .header
                    .as_ref()
                    .and_then(|header| header.name.as_ref());
                id.map(|id| Source::Text(id.value.to_string()))
            }
            ("input", Some(name)) if !self.has_inputs || self.has_input(&name) => {
                Some(Source::Run(name))
            }
            ("result" | "output", Some(name)) => {
                self.wait_for(&name, &text.span, step);
                Some(Source::Step(name))
            }
            ("gate", Some(name)) if self.gates.contains_key(first) => {
                // What a gate said is in the witness of its step; the reference keeps the order.
                Some(Source::Text(format!("gate {name}")))
            }
            _ => {
                let shown: String = reference
                    .chars()
                    .take(40)
                    .flat_map(char::escape_default)
                    .collect();
                let message = format!("`@{shown}` leads nowhere");
                let help = "references are @input.<name>, @result.<step>, @output.<step>, @gate.<name> and @plan.id";
                self.error(codes::UNKNOWN_REFERENCE, text.span.clone(), message, help);
                None
            }
        }
    }

    fn wait_for(&mut self, name: &StepName, span: &Range<usize>, step: &mut Step) {
        if step
            .requires
            .iter()
            .all(|require| require.step.value != *name)
        {
            step.requires.push(Require {
                step: Spanned::new(name.clone(), span.clone()),
                is_optional: false,
            });
        }
    }

    fn dependencies(&mut self, node: &Node, step: &mut Step) {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => core::slice::from_ref(node),
        };
        for item in items {
            if let Some(name) = self.name(item) {
                self.wait_for(&name.value, &name.span, step);
            }
        }
    }

    /// Outputs are the results of steps that nobody requires; what they name must be there.
    fn outputs(&mut self, node: &Node) {
        let Value::Map(entries) = &node.value else {
            return;
        };
        for (_, node) in entries {
            let from = match &node.value {
                Value::Scalar(..) => Some(node),
                Value::List(_) | Value::Map(_) => member(node, "from"),
            };
            let Some(text) = from.and_then(|node| self.text(node)) else {
                continue;
            };
            let Some(step) = text.value.strip_prefix("@result.") else {
                continue;
            };
            let step = step.split('.').next().unwrap_or_default();
            let is_there = self.ast.steps().any(|known| {
                known
                    .name
                    .as_ref()
                    .is_some_and(|name| name.value.as_str() == step)
            });
            if !is_there {
                let message = format!("there is no step `{}`", step.escape_default());
                self.error(
                    codes::UNKNOWN_REFERENCE,
                    text.span,
                    message,
                    "name a step of this plan",
                );
            }
        }
    }
}

/// A member of a map.
fn member<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let Value::Map(entries) = &node.value else {
        return None;
    };
    let mut entries = entries.iter();
    entries.find_map(|(key, node)| (key.value == name).then_some(node))
}
