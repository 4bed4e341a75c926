//! What can be written: completions, the one layout, and changes that mend without changing what is compiled.
//!
//! INVARIANT: a mending is only offered when the plan compiles to the same IR with it.

use std::ops::Range;

use aim_acl::{CompletionKind, Context, Diagnostic, complete_with, fixed, format, lint};
use aim_core::digest::Digest;
use serde_json::{Value, json};

use super::{diagnose, rpc::Failure, session::Question};

type Answered = Result<Value, Failure>;

/// The most mendings that are offered one by one; all of them at once are always offered.
const SINGLE_FIXES_MAX: usize = 16;

/// What may be written at a place.
pub(super) fn completion(question: &Question<'_>) -> Answered {
    let offset = question.offset()?;
    let text = question.view.text();
    let nodes = question.project.nodes();
    let before = text.get(..offset).unwrap_or(text);
    let items = complete_with(text, offset, &nodes).into_iter().map(|one| {
        let start = before.len() - written(before, &one.text);
        json!({
            "label": one.text,
            "kind": number_of(one.kind),
            "filterText": one.text,
            "textEdit": { "range": question.view.range(&(start..offset)), "newText": one.text },
        })
    });
    Ok(json!({ "isIncomplete": false, "items": items.collect::<Vec<_>>() }))
}

/// How many bytes before a place belong to the word that is being written: those of the word's own characters.
fn written(before: &str, word: &str) -> usize {
    let is_part = |c: char| {
        c.is_alphanumeric() || c == '_' || (matches!(c, '.' | '-' | '=') && word.contains(c))
    };
    before.len() - before.trim_end_matches(is_part).len()
}

/// The protocol's number for a kind of completions.
const fn number_of(kind: CompletionKind) -> u8 {
    match kind {
        CompletionKind::Keyword | CompletionKind::Action => 14,
        CompletionKind::Role => 8,
        CompletionKind::Step => 3,
        CompletionKind::Gate => 23,
        CompletionKind::GateType => 7,
        CompletionKind::Effect => 21,
        CompletionKind::Reducer => 24,
        CompletionKind::Node | CompletionKind::Import => 9,
        CompletionKind::Value => 20,
    }
}

/// The one layout, as one change of what differs. A plan with errors is left alone; its diagnostics say why.
pub(super) fn formatting(question: &Question<'_>) -> Answered {
    let text = question.view.text();
    let Ok(formatted) = format(text) else {
        return Ok(Value::Null);
    };
    if formatted == text {
        return Ok(json!([]));
    }
    let (span, new) = difference(text, &formatted);
    Ok(json!([{ "range": question.view.range(&span), "newText": new }]))
}

/// The bytes of `old` outside of which it equals `new`, in whole lines, and what stands there in `new`.
fn difference<'a>(old: &str, new: &'a str) -> (Range<usize>, &'a str) {
    let start: usize = old
        .split_inclusive('\n')
        .zip(new.split_inclusive('\n'))
        .take_while(|(a, b)| a == b)
        .map(|(line, _)| line.len())
        .sum();
    let rest = |text: &'a str| text.get(start..).unwrap_or_default();
    let old_rest = old.get(start..).unwrap_or_default();
    let end: usize = old_rest
        .split_inclusive('\n')
        .rev()
        .zip(rest(new).split_inclusive('\n').rev())
        .take_while(|(a, b)| a == b)
        .map(|(line, _)| line.len())
        .sum();
    let middle = new.get(start..new.len() - end).unwrap_or_default();
    (start..old.len() - end, middle)
}

/// Changes that leave what the plan compiles to as it is: those in the range that is asked about, and all at once.
pub(super) fn code_actions(question: &Question<'_>) -> Answered {
    let text = question.view.text();
    let place = |end: &str| {
        let position = question
            .params
            .get("range")
            .and_then(|range| range.get(end));
        question.view.offset(position.unwrap_or(&Value::Null))
    };
    let asked = place("start")?..place("end")?;
    let only = question
        .params
        .pointer("/context/only")
        .and_then(Value::as_array);
    let wants = |kind: &str| {
        only.is_none_or(|only| {
            let mut named = only.iter().filter_map(Value::as_str);
            named.any(|one| {
                kind == one
                    || kind
                        .strip_prefix(one)
                        .is_some_and(|rest| rest.starts_with('.'))
            })
        })
    };
    let context = question.project.context(question.client.profile);
    let found = lint(text, &context);
    let mendable: Vec<&Diagnostic> = found.iter().filter(|one| one.fix.is_some()).collect();
    let mut actions = Vec::new();
    if wants("quickfix") {
        let touched = mendable
            .iter()
            .filter(|one| one.span.start <= asked.end && asked.start <= one.span.end);
        let safe = touched
            .take(SINGLE_FIXES_MAX)
            .filter(|one| is_safe(text, std::slice::from_ref(**one), &context));
        actions.extend(safe.map(|one| single(question, one)));
    }
    if wants("source.fixAll.acl") && !mendable.is_empty() && is_safe(text, &found, &context) {
        actions.push(json!({
            "title": "write every default into the plan",
            "kind": "source.fixAll.acl",
            "edit": edit(question, &mendable),
        }));
    }
    Ok(actions.into())
}

fn single(question: &Question<'_>, one: &Diagnostic) -> Value {
    let text = one.fix.as_ref().map_or("", |fix| fix.text.trim());
    json!({
        "title": format!("write `{text}`"),
        "kind": "quickfix",
        "isPreferred": true,
        "diagnostics": [diagnose::told(&question.view, one, question.client)],
        "edit": edit(question, &[one]),
    })
}

fn edit(question: &Question<'_>, mended: &[&Diagnostic]) -> Value {
    let fixes = mended.iter().filter_map(|one| one.fix.as_ref());
    let edits: Vec<Value> = fixes
        .map(|fix| json!({ "range": question.view.range(&(fix.at..fix.at)), "newText": fix.text }))
        .collect();
    json!({ "changes": { (question.view.document.uri.as_str()): edits } })
}

/// True when the plan compiles to the same IR once it is mended.
fn is_safe(text: &str, diagnostics: &[Diagnostic], context: &Context<'_>) -> bool {
    let digest = |text: &str| -> Option<Digest> {
        let compiled = aim_acl::compile_in(text, context).ok()?;
        Some(compiled.plan.digest())
    };
    digest(text).is_some_and(|before| digest(&fixed(text, diagnostics)) == Some(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found_in_whole_lines_and_put_in_place_gives_the_new_text() {
        for (old, new) in [
            ("a\nb\nc\n", "a\nB\nc\n"),
            ("a\nb", "a\nb\n"),
            ("a\na\na\n", "a\na\n"),
            ("", "x\n"),
            ("x\n", ""),
            ("\u{e9}\n\u{e9}x\n", "\u{e9}\n\u{e9}y\n"),
        ] {
            let (span, middle) = difference(old, new);
            let (before, after) = (old.get(..span.start).unwrap(), old.get(span.end..).unwrap());
            let put = [before, middle, after].concat();
            assert_eq!(put, new);
        }
        assert_eq!(difference("a\nb\nc\n", "a\nB\nc\n"), (2..4, "B\n"));
    }
}
