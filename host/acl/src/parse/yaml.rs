//! Form B: a YAML plan, imported. Its steps run in the order in which they stand unless they say what they wait for.
//!
//! INVARIANT: an action is a role of that name, done by a component like every other; there is no action that runs text.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use aim_core::name::StepName;

use super::{action, amount};
use crate::{
    ast::{Ast, Form, Gate, Header, Shard, Spanned},
    codes,
    diagnostic::Faults,
    token,
};

mod budget;
mod ends;
mod gates;
mod reference;
mod step;
mod tree;

use tree::{Node, Value};

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

/// Reads a source.
pub(super) fn parse(source: &str, faults: &mut Faults) -> Ast {
    let (root, comments) = tree::read(source, faults);
    let mut importer = Importer {
        source,
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
        judged: Vec::new(),
        fixed: BTreeMap::new(),
        has_inputs: false,
        outputs: BTreeMap::new(),
    };
    match root {
        Some(root) => importer.document(&root),
        None if importer.faults.has_errors() => {}
        None => importer.faults.error(
            codes::NO_HEADER,
            0..0,
            "no plan found",
            "begin the plan with `id: <name>`",
        ),
    }
    importer.ast
}

struct Importer<'s, 'f> {
    source: &'s str,
    ast: Ast,
    faults: &'f mut Faults,
    /// Gates that steps refer to.
    gates: BTreeMap<String, Gate>,
    /// Gates that name the result that they judge: the gate's name, and the result.
    judged: Vec<(String, Spanned<StepName>)>,
    /// Inputs that have a value in every run.
    fixed: BTreeMap<String, String>,
    has_inputs: bool,
    /// Outputs that stand for a text, such as the name of a file.
    outputs: BTreeMap<String, String>,
}

type Entries = Vec<(Spanned<String>, Node)>;

/// The first entry of one of these keys.
fn entry<'n>(entries: &'n Entries, keys: &[&str]) -> Option<&'n Node> {
    let found = (entries.iter()).find(|(known, _)| keys.contains(&known.value.as_str()));
    found.map(|(_, node)| node)
}

impl Importer<'_, '_> {
    /// Inputs and outputs, participants, gates, steps: what stands later may refer to what stands before.
    fn document(&mut self, root: &Node) {
        let Some(entries) = self.map(root, "a plan") else {
            return;
        };
        self.known(entries, "a YAML plan", &TOP);
        let get = |key: &str| entry(entries, &[key]);
        self.header(root, get("id"));
        self.ast.settings.schema_version = get("version").and_then(|node| self.text(node));
        self.ast.quip = get("quip").and_then(|node| self.text(node));
        if let Some(inputs) = get("inputs") {
            self.has_inputs = true;
            self.inputs(inputs);
        }
        if let Some(outputs) = get("outputs") {
            self.named_outputs(outputs);
        }
        self.ast.budget = get("budget").and_then(|node| self.budget(node));
        if let Some(gates) = get("gates") {
            self.declare_gates(gates);
        }
        let performing = get("participants").and_then(|node| self.participants(node));
        match get("steps").map(|node| (&node.value, node)) {
            Some((Value::List(steps), _)) => self.steps(performing.unwrap_or_default(), steps),
            Some((_, node)) => self.faults.error(
                codes::BAD_YAML,
                node.span.clone(),
                "`steps` is a list",
                "begin each step with `- id: <name>`",
            ),
            None => self.steps(performing.unwrap_or_default(), &[]),
        }
        self.place_rest();
        if let Some(outputs) = get("outputs") {
            self.check_outputs(outputs);
        }
    }

    fn header(&mut self, root: &Node, id: Option<&Node>) {
        let name = id.and_then(|node| self.name(node));
        if id.is_none() {
            self.faults.error(
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
            span: id.map_or(0..0, |node| node.span.clone()),
        });
    }

    fn known(&mut self, entries: &Entries, place: &str, known: &[&str]) {
        for (key, _) in entries
            .iter()
            .filter(|(key, _)| !known.contains(&key.value.as_str()))
        {
            let help = self.faults.suggest(&key.value, known.iter().copied());
            let help = help.unwrap_or_else(|| format!("{place} has {}", known.join(", ")));
            let message = format!("unknown keyword `{}`", shown(&key.value));
            self.faults
                .error(codes::UNKNOWN_KEYWORD, key.span.clone(), message, help);
        }
    }

    fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Entries> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ => {
                self.faults.error(
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
                self.faults.error(
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
                self.faults.error(
                    codes::BAD_NAME,
                    text.span,
                    error.to_string(),
                    "use letters, digits and underscores only",
                );
                None
            }
        }
    }

    fn word(&mut self, key: &Spanned<String>) -> Option<Spanned<StepName>> {
        let scalar = Value::Scalar(key.value.clone(), false);
        self.name(&Node {
            value: scalar,
            span: key.span.clone(),
        })
    }
}

/// The beginning of a text of the source, harmless wherever it is shown.
fn shown(text: &str) -> String {
    text.chars()
        .take(40)
        .flat_map(char::escape_default)
        .collect()
}
