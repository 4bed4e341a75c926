//! Who does what in a YAML plan: participants, and the steps in their order.
//!
//! INVARIANT: a step has one name under which everything refers to it, written or made from what it does.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use aim_core::{
    name::StepName,
    plan::{BUILTIN_ROLES, STEPS_MAX},
};

use super::{Entries, Importer, Node, Value, codes, entry};
use crate::ast::{Assign, Require, Role, Spanned, Step};

/// The actions of the runner that these plans were written for, but for the one that runs text.
const ACTIONS: [&str; 5] = ["write_json", "read_json", "write_witness", "log", "todo"];
const STEP: [&str; 13] = [
    "id",
    "name",
    "result",
    "action",
    "by",
    "with",
    "args",
    "params",
    "depends_on",
    "gates",
    "budget",
    "does",
    "description",
];
/// A participant that does something itself.
const PERFORMER: [&str; 10] = [
    "name", "id", "result", "call", "module", "args", "with", "gates", "budget", "does",
];
/// Where a step's arguments stand.
const ARGUMENTS: [&str; 3] = ["with", "args", "params"];

type Params = Vec<(Spanned<StepName>, Spanned<String>)>;
/// The names that are taken, each with the last number that was put behind it.
type Taken = BTreeMap<String, usize>;

impl Importer<'_, '_> {
    /// `name: <role>` or `name: {role: <role>, <parameter>: <value>}` declare roles. A list is of those who do something
    /// themselves, before all steps: `{name, call, args, result}`; they are returned.
    pub(super) fn participants<'n>(&mut self, node: &'n Node) -> Option<Vec<&'n Node>> {
        if let Value::List(items) = &node.value {
            return Some(items.iter().collect());
        }
        for (key, node) in self.map(node, "`participants`")? {
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
            self.ast.roles.push(Role {
                span: key.span.start..node.span.end.max(key.span.end),
                name,
                kind,
                params,
            });
        }
        None
    }

    /// First whoever does something as a participant, then the steps.
    pub(super) fn steps(&mut self, performing: Vec<&Node>, nodes: &[Node]) {
        let first = performing.len();
        let all: Vec<&Node> = performing.into_iter().chain(nodes).collect();
        if all.len() > STEPS_MAX {
            let span = all.get(STEPS_MAX).map_or(0..0, |node| node.span.clone());
            self.faults.error(
                codes::TOO_LARGE,
                span,
                format!("the plan has more than {STEPS_MAX} steps"),
                "split the plan",
            );
            return;
        }
        let written = all.iter().filter_map(|node| written_name(node));
        let mut taken: Taken = written.map(|name| (name, 1)).collect();
        let mut last: Option<Spanned<StepName>> = None;
        for (index, node) in all.into_iter().enumerate() {
            let Some(entries) = self.map(node, "a step") else {
                continue;
            };
            let mut step = if index < first {
                self.known(entries, "a participant", &PERFORMER);
                self.performing(node, entries)
            } else {
                self.known(entries, "a step", &STEP);
                self.step(node, entries, &mut taken)
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

    /// What a participant does: the function that it calls is a role, and what does it is a component.
    fn performing(&mut self, node: &Node, entries: &Entries) -> Step {
        let get = |keys: &[&str]| entry(entries, keys);
        let named = get(&["result"]).or_else(|| get(&["name", "id"]));
        self.one_name(entries);
        let name = named.and_then(|node| self.name(node));
        let span = named.map_or(node.span.start..node.span.start, |node| node.span.clone());
        if named.is_none() {
            self.faults.error(
                codes::INCOMPLETE,
                span.clone(),
                "the participant has no name",
                "write `name: <name>`",
            );
        }
        let role = match get(&["call"]) {
            Some(call) => self.name(call),
            None => {
                self.faults.error(
                    codes::INCOMPLETE,
                    span.clone(),
                    "the participant does nothing",
                    "write `call: <role>`, which the deployment maps to a component",
                );
                None
            }
        };
        if let Some(role) = &role {
            let module = get(&["module"]).and_then(|node| self.text(node));
            let module = module.and_then(|module| {
                let key = StepName::parse("module").ok()?;
                Some((Spanned::new(key, module.span.clone()), module))
            });
            self.declare(role, module.into_iter().collect());
        }
        self.filled_step(node, entries, (name, span, role))
    }

    fn step(&mut self, node: &Node, entries: &Entries, taken: &mut Taken) -> Step {
        let get = |keys: &[&str]| entry(entries, keys);
        let named = get(&["id", "name"]).or_else(|| get(&["result"]));
        self.one_name(entries);
        let name = match named {
            Some(node) => self.name(node),
            None => get(&["action"]).and_then(|action| made_name(action, taken)),
        };
        let span = named.or_else(|| get(&["action"]));
        let span = span.map_or(node.span.start..node.span.start, |node| node.span.clone());
        if name.is_none() && named.is_none() {
            self.faults.error(
                codes::INCOMPLETE,
                span.clone(),
                "the step has no id",
                "write `id: <name>`",
            );
        }
        let role = self.performer(get(&["by"]), get(&["action"]), &span);
        self.filled_step(node, entries, (name, span, role))
    }

    /// The parts that participants and steps have in common.
    fn filled_step(
        &mut self,
        node: &Node,
        entries: &Entries,
        (name, span, role): (
            Option<Spanned<StepName>>,
            Range<usize>,
            Option<Spanned<StepName>>,
        ),
    ) -> Step {
        let get = |keys: &[&str]| entry(entries, keys);
        let does = get(&["does", "description"]).and_then(|node| self.text(node));
        let described = does.or_else(|| {
            let action = get(&["action", "call"]).and_then(|node| self.text(node));
            let of_name = || {
                let name = name.as_ref()?;
                Some(Spanned::new(name.value.to_string(), name.span.clone()))
            };
            action.or_else(of_name)
        });
        let mut step = Step {
            assign: Some(Assign {
                role,
                description: described,
                span: span.clone(),
            }),
            slot: self.slot(node, entries),
            name,
            span,
            extent: node.span.clone(),
            ..Step::default()
        };
        step.budget = get(&["budget"]).and_then(|node| self.budget(node));
        if let Some(with) = get(&ARGUMENTS) {
            self.arguments(with, &mut step);
        }
        if let Some(after) = get(&["depends_on"]) {
            self.dependencies(after, &mut step);
        }
        if let Some(gates) = get(&["gates"]) {
            self.step_gates(gates, &mut step);
        }
        step
    }

    /// The participant of a step, else its action: a role that the deployment maps to a component.
    fn performer(
        &mut self,
        by: Option<&Node>,
        action: Option<&Node>,
        span: &Range<usize>,
    ) -> Option<Spanned<StepName>> {
        if let Some(node) = action {
            self.check_action(node, by.is_some())?;
        }
        let Some(node) = by.or(action) else {
            self.faults.error(
                codes::INCOMPLETE,
                span.clone(),
                "the step has neither `by` nor `action`",
                "say who does it: `by: <participant>`",
            );
            return None;
        };
        let name = self.name(node)?;
        if by.is_none() {
            self.declare(&name, Vec::new());
        }
        Some(name)
    }

    /// Refuses program text, and actions that nobody knows.
    fn check_action(&mut self, node: &Node, has_performer: bool) -> Option<()> {
        let text = self.text(node)?;
        if text.value == "python" {
            let message = "action `python` is not run: a plan holds no program text";
            let help = "make it a component and name the node that runs it under `participants`";
            self.faults
                .error(codes::REFUSED_ACTION, text.span, message, help);
            return None;
        }
        if ACTIONS.contains(&text.value.as_str()) || has_performer {
            return Some(());
        }
        let help = self.faults.suggest(&text.value, ACTIONS);
        let help = help.unwrap_or_else(|| {
            format!(
                "the actions are {}; or name a participant with `by`",
                ACTIONS.join(", ")
            )
        });
        let message = format!("unknown action `{}`", text.value.escape_default());
        self.faults
            .error(codes::REFUSED_ACTION, text.span, message, help);
        None
    }

    /// Results are found by one name, so a second one would lead nowhere.
    fn one_name(&mut self, entries: &Entries) {
        let name = entry(entries, &["id", "name"]);
        let result = entry(entries, &["result"]);
        let text = |node: Option<&Node>| match node.map(|node| &node.value) {
            Some(Value::Scalar(text, _)) => Some(text.clone()),
            _ => None,
        };
        if let (Some(name), Some(result), Some(node)) = (text(name), text(result), result)
            && name != result
        {
            self.faults.error(
                codes::REPEATED,
                node.span.clone(),
                "the step has two names",
                "leave `result` out, or let it be the step's own name",
            );
        }
    }

    /// A role that is its own kind, unless there is one of the name.
    fn declare(&mut self, name: &Spanned<StepName>, params: Params) {
        let texts = |params: &Params| -> Vec<String> {
            params.iter().map(|(_, text)| text.value.clone()).collect()
        };
        let mut roles = self.ast.roles.iter();
        let known = roles.find(|role| role.name.value == name.value);
        if let Some(known) = known {
            if !params.is_empty() && texts(&known.params) != texts(&params) {
                let message = format!("role `{}` is called in two ways", name.value);
                let help = "give one of the two calls another name";
                self.faults
                    .error(codes::DUPLICATE, name.span.clone(), message, help);
            }
        } else if !params.is_empty() || !BUILTIN_ROLES.contains(&name.value.as_str()) {
            self.ast.roles.push(Role {
                kind: Some(name.clone()),
                params,
                span: name.span.clone(),
                name: name.clone(),
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
                super::reference::wait_for(&name.value, &name.span, step);
            }
        }
    }
}

/// The name that a step is given in the source.
fn written_name(node: &Node) -> Option<String> {
    let Value::Map(entries) = &node.value else {
        return None;
    };
    match &entry(entries, &["id", "name", "result"])?.value {
        Value::Scalar(text, _) => Some(text.clone()),
        Value::List(_) | Value::Map(_) => None,
    }
}

/// A name for a step that has none: its action, with a number from the second one on.
fn made_name(action: &Node, taken: &mut Taken) -> Option<Spanned<StepName>> {
    let Value::Scalar(base, _) = &action.value else {
        return None;
    };
    let mut number = taken.get(base).copied().unwrap_or(0);
    let mut name = base.clone();
    // BOUND: a number is tried once, and no more of them are taken than there are steps.
    while taken.contains_key(&name) {
        number += 1;
        name = format!("{base}_{number}");
    }
    taken.insert(base.clone(), number.max(1));
    taken.entry(name.clone()).or_insert(1);
    let name = StepName::parse(&name).ok()?;
    Some(Spanned::new(name, action.span.clone()))
}
