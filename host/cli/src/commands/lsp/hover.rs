//! What is shown about the word under the pointer: a step with who does it, a contract, a gate, how a statement is written.
//!
//! INVARIANT: whatever a file says is shown as text and never as markup.

use std::fmt::Write as _;

use aim_acl::{
    Ast, Symbol, SymbolKind,
    ast::{Gate, GatePlace, Step},
    parse, statement_of, symbols,
};
use aim_core::{
    access::Ask,
    contract::{Implementation, NodeContract},
};
use aim_engine::text::neutralise;
use aim_registry_dir::LoadedNode;
use serde_json::{Value, json};

use super::{navigate, project::node_param, rpc::Failure, session::Question};

/// The most bytes of one value.
const VALUE_BYTES_MAX: usize = 400;
/// The most properties of a schema that are named.
const PROPERTIES_MAX: usize = 12;

/// What is shown, before it is Markdown or plain text.
#[derive(Debug, Default)]
struct Card {
    title: String,
    rows: Vec<(&'static str, String)>,
}

impl Card {
    fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            rows: Vec::new(),
        }
    }

    fn row(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.rows.push((name, value));
        }
    }

    fn written(&self, has_markdown: bool) -> Value {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ignored = if has_markdown {
            write!(text, "**{}**", code(&self.title))
        } else {
            write!(text, "{}", plain(&self.title))
        };
        for (name, value) in &self.rows {
            let _ignored = if has_markdown {
                write!(text, "\n\n{name}: {}", code(value))
            } else {
                write!(text, "\n{name}: {}", plain(value))
            };
        }
        let kind = if has_markdown {
            "markdown"
        } else {
            "plaintext"
        };
        json!({ "kind": kind, "value": text })
    }
}

fn plain(text: &str) -> String {
    neutralise(text, VALUE_BYTES_MAX)
}

/// A code span: no character in it means anything.
fn code(text: &str) -> String {
    format!("`{}`", plain(text).replace('`', "'"))
}

/// What is to be said about a place, if anything.
pub(super) fn at(question: &Question<'_>) -> Result<Value, Failure> {
    let offset = question.offset()?;
    let text = question.view.text();
    let (ast, _) = parse(text);
    let table = symbols(&ast);
    let (card, span) = if let Some(symbol) = table.at(offset) {
        (of_symbol(question, &ast, symbol), symbol.name_span(text))
    } else if let Some((card, span)) = of_node_param(question, &ast, offset) {
        (card, span)
    } else if let Some((card, span)) = of_word(&ast, text, offset) {
        (card, span)
    } else {
        return Ok(Value::Null);
    };
    let contents = card.written(question.client.has_markdown);
    Ok(json!({ "contents": contents, "range": question.view.range(&span) }))
}

fn of_symbol(question: &Question<'_>, ast: &Ast, symbol: &Symbol) -> Card {
    let name = &symbol.name;
    match symbol.kind {
        SymbolKind::Step => of_step(question, ast, name),
        SymbolKind::Role => {
            let mut card = Card::new(format!("role {name}"));
            about_role(question, ast, name, &mut card);
            card
        }
        SymbolKind::Gate => of_gate(question, ast, name),
        SymbolKind::Import => {
            let mut card = Card::new(format!("import {name}"));
            let import = ast
                .imports
                .iter()
                .find(|one| one.name.value.as_str() == name);
            if let Some(import) = import {
                card.row("kind", if import.is_flow { "flow" } else { "policy" });
                card.row("file", import.path.value.as_str());
                if question.project.imported(&import.path.value).is_none() {
                    card.row("remark", "the file is not there");
                }
            }
            card
        }
        SymbolKind::Shard => Card::new(format!("shard {name}")),
        SymbolKind::Flow => Card::new(format!("flow {name}")),
    }
}

fn of_step(question: &Question<'_>, ast: &Ast, name: &str) -> Card {
    let mut card = Card::new(format!("step {name}"));
    let is_it = |step: &&Step| {
        step.name
            .as_ref()
            .is_some_and(|one| one.value.as_str() == name)
    };
    let Some(step) = ast.steps().find(is_it) else {
        return card;
    };
    let text = question.view.text();
    let written =
        |span: &std::ops::Range<usize>| text.get(span.clone()).unwrap_or_default().to_owned();
    if let Some(description) = step
        .assign
        .as_ref()
        .and_then(|assign| assign.description.as_ref())
    {
        card.row("does", description.value.as_str());
    }
    if let Some(role) = navigate::role_of(ast, name) {
        card.row("role", role);
    }
    let waits: Vec<&str> = step
        .requires
        .iter()
        .map(|one| one.step.value.as_str())
        .collect();
    card.row("waits for", waits.join(", "));
    card.row(
        "budget",
        step.budget
            .as_ref()
            .map(|budget| written(&budget.span))
            .unwrap_or_default(),
    );
    let effects: Vec<&str> = step.effects.iter().map(|one| one.value.word()).collect();
    card.row("effects", effects.join(", "));
    if let Some(role) = navigate::role_of(ast, name) {
        about_role(question, ast, role, &mut card);
    }
    card
}

fn about_role(question: &Question<'_>, ast: &Ast, name: &str, card: &mut Card) {
    let declared = ast
        .roles
        .iter()
        .find(|role| role.name.value.as_str() == name);
    if let Some(kind) = declared.and_then(|role| role.kind.as_ref()) {
        card.row("kind", kind.value.as_str());
    }
    match question.project.node_of_role(ast, name) {
        Some(node) => about_node(node, card),
        None => match declared.and_then(node_param) {
            Some(node) => {
                card.row("node", node);
                card.row("remark", "no contract of that id is known beside this plan");
            }
            None => card.row(
                "remark",
                "no node is known: name one with `node`, or under [roles] in aim.toml",
            ),
        },
    }
}

fn of_node_param(
    question: &Question<'_>,
    ast: &Ast,
    offset: usize,
) -> Option<(Card, std::ops::Range<usize>)> {
    let params = ast.roles.iter().flat_map(|role| &role.params);
    let mut at = params.filter(|(name, value)| {
        let is_in = value.span.start <= offset && offset <= value.span.end;
        name.value.as_str() == aim_core::plan::NODE_PARAM && is_in
    });
    let (_, value) = at.next()?;
    let mut card = Card::new(format!("node {}", value.value));
    match question.project.node(&value.value) {
        Some(node) => about_node(node, &mut card),
        None => card.row("remark", "no contract of that id is known beside this plan"),
    }
    Some((card, value.span.clone()))
}

/// The contract in short: who it is, what it asks for, what it may use, what it takes and gives.
fn about_node(node: &LoadedNode, card: &mut Card) {
    let contract = &node.contract;
    card.row(
        "node",
        format!("{} {}", contract.node_id.as_str(), contract.version),
    );
    card.row("contract", node.file.display().to_string());
    card.row("done by", implementation(contract));
    card.row("autonomy", contract.autonomy.word());
    let asks: Vec<String> = contract.asks.iter().map(asked).collect();
    card.row(
        "asks",
        if asks.is_empty() {
            "nothing".to_owned()
        } else {
            asks.join("; ")
        },
    );
    card.row("limits", limits(contract));
    card.row("takes", schema(contract.input.as_ref()));
    card.row("gives", schema(contract.output.as_ref()));
    if contract.retry.attempts_max > 1 {
        card.row("tries", contract.retry.attempts_max.to_string());
    }
    if let Some(ppm) = contract.kappa_ppm {
        card.row(
            "kappa",
            format!("{}.{:06}", ppm / 1_000_000, ppm % 1_000_000),
        );
    }
    let gates: Vec<&str> = contract.gates.iter().map(|gate| gate.as_str()).collect();
    card.row("gates", gates.join(", "));
    if contract.is_idempotent {
        card.row("idempotent", "yes");
    }
}

fn implementation(contract: &NodeContract) -> String {
    match &contract.implementation {
        Implementation::Component(component) => {
            let digest = component.digest.map(|digest| digest.to_string());
            let file = component.path.clone().or(digest).unwrap_or_default();
            format!("{file} ({})", component.world.name())
        }
        Implementation::Db(_) => "the host's SQL handler".to_owned(),
        Implementation::Http(_) => "the host's HTTP handler".to_owned(),
        Implementation::Host => "a handler of the host".to_owned(),
    }
}

fn asked(ask: &Ask) -> String {
    let modes: Vec<&str> = ask.modes.iter().map(|mode| mode.word()).collect();
    let scope: Vec<&str> = ask.scope.iter().map(String::as_str).collect();
    let mut text = ask.capability.name().to_owned();
    for (before, words, after) in [(" ", modes.join("+"), ""), (" [", scope.join(", "), "]")] {
        if !words.is_empty() {
            text = format!("{text}{before}{words}{after}");
        }
    }
    text
}

fn limits(contract: &NodeContract) -> String {
    let limits = &contract.limits;
    format!(
        "{} MiB memory, {} ms, {} fuel, {} host calls, {} KiB payload",
        limits.memory_bytes_max / (1024 * 1024),
        limits.deadline_ms_max,
        limits.fuel_max,
        limits.host_calls_max,
        limits.payload_bytes_max / 1024,
    )
}

/// A schema in one line: its type, and its properties with theirs; `*` marks those that must be there.
fn schema(schema: Option<&Value>) -> String {
    let Some(schema) = schema else {
        return "anything".to_owned();
    };
    let own = type_of(schema);
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return own;
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)));
    let mut names: Vec<(&String, &Value)> = properties.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    let mut parts: Vec<String> = (names.iter().take(PROPERTIES_MAX))
        .map(|(name, property)| {
            let mark = if is_required(name) { "*" } else { "" };
            format!("{name}{mark}: {}", type_of(property))
        })
        .collect();
    if names.len() > PROPERTIES_MAX {
        parts.push(format!("{} more", names.len() - PROPERTIES_MAX));
    }
    format!("{own} {{ {} }}", parts.join(", "))
}

fn type_of(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Array(words)) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            words.join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn of_gate(question: &Question<'_>, ast: &Ast, name: &str) -> Card {
    let mut card = Card::new(format!("gate {name}"));
    let shards = || ast.shards.iter();
    let of_steps = ast.steps().flat_map(|step| &step.gates);
    let all = ast
        .gates
        .iter()
        .chain(shards().flat_map(|shard| &shard.gates))
        .chain(of_steps);
    let mut named = all.filter(|gate| {
        gate.name
            .as_ref()
            .is_some_and(|one| one.value.as_str() == name)
    });
    if let Some(gate) = named.next() {
        about_gate(question.view.text(), gate, &mut card);
    }
    if named.next().is_some() {
        card.row("remark", "several steps have a gate of this name");
    }
    card
}

fn about_gate(text: &str, gate: &Gate, card: &mut Card) {
    card.row(
        "asked",
        match &gate.place {
            GatePlace::Ingress => "before the step is given anything".to_owned(),
            GatePlace::Egress => "before anything leaves the step".to_owned(),
            GatePlace::Typed(kind) => format!("as a {}", kind.value.word()),
        },
    );
    if let Some(when) = &gate.when {
        card.row("only when", when.value.source.as_str());
    }
    for clause in &gate.clauses {
        let name = if clause.is_forbid {
            "forbids"
        } else {
            "requires"
        };
        card.row(name, clause.check.value.source.as_str());
    }
    let answers: Vec<&str> = (gate.on_fail.iter())
        .filter_map(|reaction| text.get(reaction.action.span.clone()))
        .collect();
    card.row(
        "else",
        if answers.is_empty() {
            "abort".to_owned()
        } else {
            answers.join(", ")
        },
    );
}

/// How the statement is written that the word at a place begins.
fn of_word(ast: &Ast, text: &str, offset: usize) -> Option<(Card, std::ops::Range<usize>)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (before, after) = text.split_at_checked(offset)?;
    let start = before.trim_end_matches(is_word).len();
    let end = text.len() - after.trim_start_matches(is_word).len();
    let word = text.get(start..end)?;
    let form = statement_of(ast.form, word)?;
    let mut card = Card::new(word);
    card.row(
        "is written",
        form.replace("`, or `", "  or  ")
            .replace("` or `", "  or  "),
    );
    Some((card, start..end))
}
