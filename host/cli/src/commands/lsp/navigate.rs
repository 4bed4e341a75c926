//! Where names are: definition, uses, outline, and a new name for all of them.
//!
//! INVARIANT: a rename changes every place of a name or none, and none when the plan would have more errors than before.

use std::ops::Range;

use aim_acl::{
    Ast, Context, Severity, Symbol, SymbolKind, Symbols,
    ast::{Form, Role},
    lint, parse, symbols,
};
use aim_core::{name::StepName, plan::NODE_PARAM};
use serde_json::{Value, json};

use super::{project::node_param, rpc::Failure, session::Question, uri};

type Answered = Result<Value, Failure>;

/// Where the name at a place is defined: in the plan, or in the file of a contract or an import.
pub(super) fn definition(question: &Question<'_>) -> Answered {
    let offset = question.offset()?;
    let (ast, _) = parse(question.view.text());
    let table = symbols(&ast);
    let outside = outside(question, &ast, &table, offset);
    let inside = table.definition(offset);
    let is_there = table.at(offset).is_some_and(|symbol| symbol.is_definition);
    Ok(match (inside, outside) {
        (Some(found), None) => question
            .view
            .location(&found.name_span(question.view.text())),
        (Some(found), Some(_)) if !is_there => question
            .view
            .location(&found.name_span(question.view.text())),
        (_, Some(file)) => at_start_of(&file),
        (None, None) => Value::Null,
    })
}

/// The contract of the node that does the step, or the steps of the role, at a place.
pub(super) fn implementation(question: &Question<'_>) -> Answered {
    let offset = question.offset()?;
    let (ast, _) = parse(question.view.text());
    let table = symbols(&ast);
    let node = match table.at(offset) {
        Some(symbol) if symbol.kind == SymbolKind::Step => {
            role_of(&ast, &symbol.name).and_then(|role| question.project.node_of_role(&ast, role))
        }
        Some(symbol) if symbol.kind == SymbolKind::Role => {
            question.project.node_of_role(&ast, &symbol.name)
        }
        _ => None,
    };
    let file = node.and_then(|node| uri::uri_of(&node.file));
    Ok(file.map_or(Value::Null, |file| at_start_of(&file)))
}

/// The file outside of the plan that a place is about.
fn outside(question: &Question<'_>, ast: &Ast, table: &Symbols, offset: usize) -> Option<String> {
    let is_in = |span: &Range<usize>| span.start <= offset && offset <= span.end;
    if let Some(import) = ast.imports.iter().find(|import| is_in(&import.span)) {
        return question.project.imported(&import.path.value);
    }
    let named = ast.roles.iter().filter(|role| is_in(&role.span));
    let named = named
        .filter(|role| is_at_node(role, offset))
        .find_map(node_param);
    let node = match (named, table.at(offset)) {
        (Some(node), _) => question.project.node(node),
        (None, Some(symbol)) if symbol.kind == SymbolKind::Role => {
            question.project.node_of_role(ast, &symbol.name)
        }
        _ => None,
    };
    uri::uri_of(&node?.file)
}

fn is_at_node(role: &Role, offset: usize) -> bool {
    role.params.iter().any(|(name, value)| {
        let is_in = value.span.start <= offset && offset <= value.span.end;
        name.value.as_str() == NODE_PARAM && is_in
    })
}

/// The role that does a step.
pub(super) fn role_of<'a>(ast: &'a Ast, step: &str) -> Option<&'a str> {
    let step = ast.steps().find(|one| {
        one.name
            .as_ref()
            .is_some_and(|name| name.value.as_str() == step)
    })?;
    let role = step.assign.as_ref()?.role.as_ref()?;
    Some(role.value.as_str())
}

fn at_start_of(uri: &str) -> Value {
    let start = json!({ "line": 0, "character": 0 });
    json!({ "uri": uri, "range": { "start": start, "end": start } })
}

/// Every use of the name at a place; with the definition when the client wants it.
pub(super) fn references(question: &Question<'_>) -> Answered {
    let wants = question.params.pointer("/context/includeDeclaration");
    let wants = wants.and_then(Value::as_bool).unwrap_or(true);
    let offset = question.offset()?;
    let (ast, _) = parse(question.view.text());
    let table = symbols(&ast);
    let places = table
        .references(offset)
        .filter(|symbol| wants || !symbol.is_definition);
    let text = question.view.text();
    Ok(places
        .map(|symbol| question.view.location(&symbol.name_span(text)))
        .collect())
}

/// Every place of the name at a place, to be marked.
pub(super) fn highlights(question: &Question<'_>) -> Answered {
    let offset = question.offset()?;
    let (ast, _) = parse(question.view.text());
    let table = symbols(&ast);
    let text = question.view.text();
    let places = table.references(offset).map(|symbol| {
        let kind = if symbol.is_definition { 3 } else { 2 };
        json!({ "range": question.view.range(&symbol.name_span(text)), "kind": kind })
    });
    Ok(places.collect())
}

/// One entry of the outline while it is put together.
struct Entry {
    end: usize,
    told: Value,
    inside: Vec<Value>,
}

/// What the plan is made of, nested as it is written.
pub(super) fn outline(question: &Question<'_>) -> Answered {
    let text = question.view.text();
    let (ast, _) = parse(text);
    let mut found: Vec<(String, u8, Range<usize>, Range<usize>)> = Vec::new();
    if let Some(header) = &ast.header
        && let Some(name) = &header.name
    {
        found.push((
            name.value.to_string(),
            4,
            header.extent.clone(),
            name.span.clone(),
        ));
    }
    for symbol in symbols(&ast)
        .all
        .into_iter()
        .filter(|symbol| symbol.is_definition)
    {
        let span = symbol.name_span(text);
        let extent = symbol.extent.start.min(span.start)..symbol.extent.end.max(span.end);
        found.push((symbol.name, number_of(symbol.kind), extent, span));
    }
    found.sort_by_key(|(_, _, extent, _)| (extent.start, std::cmp::Reverse(extent.end)));
    if !question.client.has_nested_symbols {
        let flat = found.into_iter().map(|(name, kind, extent, _)| {
            json!({ "name": name, "kind": kind, "location": question.view.location(&extent) })
        });
        return Ok(flat.collect());
    }
    let mut open: Vec<Entry> = Vec::new();
    let mut all = Vec::new();
    for (name, kind, extent, span) in found {
        while open.last().is_some_and(|outer| outer.end < extent.end) {
            close(&mut open, &mut all);
        }
        let range = question.view.range(&extent);
        let selection = question.view.range(&span);
        open.push(Entry {
            end: extent.end,
            told: json!({ "name": name, "kind": kind, "range": range, "selectionRange": selection }),
            inside: Vec::new(),
        });
    }
    while !open.is_empty() {
        close(&mut open, &mut all);
    }
    Ok(all.into())
}

/// Puts the innermost entry into the one around it.
fn close(open: &mut Vec<Entry>, all: &mut Vec<Value>) {
    let Some(mut entry) = open.pop() else { return };
    if let (false, Some(fields)) = (entry.inside.is_empty(), entry.told.as_object_mut()) {
        fields.insert("children".into(), entry.inside.into());
    }
    let outer = open.last_mut().map_or(all, |outer| &mut outer.inside);
    outer.push(entry.told);
}

/// The protocol's number for a kind of symbols.
const fn number_of(kind: SymbolKind) -> u8 {
    match kind {
        SymbolKind::Step => 12,
        SymbolKind::Role => 11,
        SymbolKind::Gate => 24,
        SymbolKind::Shard => 3,
        SymbolKind::Import => 2,
        SymbolKind::Flow => 25,
    }
}

/// Says which bytes a rename would start from.
pub(super) fn prepare_rename(question: &Question<'_>) -> Answered {
    let offset = question.offset()?;
    let text = question.view.text();
    let (ast, _) = parse(text);
    let table = symbols(&ast);
    let symbol = renamable(&ast, &table, offset)?;
    let range = question.view.range(&symbol.name_span(text));
    Ok(json!({ "range": range, "placeholder": symbol.name }))
}

fn renamable<'a>(ast: &Ast, table: &'a Symbols, offset: usize) -> Result<&'a Symbol, Failure> {
    let kinds = [
        SymbolKind::Step,
        SymbolKind::Role,
        SymbolKind::Gate,
        SymbolKind::Shard,
    ];
    let symbol = table
        .at(offset)
        .filter(|symbol| kinds.contains(&symbol.kind));
    let Some(symbol) = symbol.filter(|_| ast.form != Form::Yaml) else {
        return Err(Failure::refused(
            "only steps, roles, gates and shards can be renamed",
        ));
    };
    if table.definition(offset).is_none() {
        return Err(Failure::refused(format!(
            "`{}` is not defined in this plan",
            symbol.name
        )));
    }
    Ok(symbol)
}

/// Gives the name at a place another one, wherever it stands in the plan.
pub(super) fn rename(question: &Question<'_>) -> Answered {
    let offset = question.offset()?;
    let text = question.view.text();
    let (ast, _) = parse(text);
    let table = symbols(&ast);
    let symbol = renamable(&ast, &table, offset)?;
    let name = question.params.get("newName").and_then(Value::as_str);
    let name = name.ok_or_else(|| Failure::params("expected `newName`"))?;
    let name = StepName::parse(name).map_err(|error| Failure::refused(error.to_string()))?;
    let mut spans: Vec<Range<usize>> = table
        .references(offset)
        .map(|one| one.name_span(text))
        .collect();
    spans.sort_by_key(|span| span.start);
    spans.dedup();
    let mut renamed = String::with_capacity(text.len());
    let mut from = 0;
    for span in &spans {
        renamed.push_str(text.get(from..span.start).unwrap_or_default());
        renamed.push_str(name.as_str());
        from = span.end;
    }
    renamed.push_str(text.get(from..).unwrap_or_default());
    let context = question.project.context(question.client.profile);
    if errors(&renamed, &context) > errors(text, &context) {
        let message = format!(
            "`{}` can not become `{name}`: the plan would have errors that it has not now",
            symbol.name
        );
        return Err(Failure::refused(message));
    }
    let edits = spans
        .iter()
        .map(|span| json!({ "range": question.view.range(span), "newText": name.as_str() }));
    let edits: Vec<Value> = edits.collect();
    Ok(json!({ "changes": { (question.view.document.uri.as_str()): edits } }))
}

fn errors(text: &str, context: &Context<'_>) -> usize {
    let found = lint(text, context);
    found
        .iter()
        .filter(|one| one.severity == Severity::Error)
        .count()
}
