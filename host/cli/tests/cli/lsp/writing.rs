//! Completion, formatting and mending: what can be written.
//!
//! INVARIANT: a change that is offered compiles to the same plan as before.

use std::fs;

use serde_json::{Value, json};

use super::{Editor, PLAN, edited, position, shop, uri};
use crate::support::{Place, plan};

#[test]
fn roles_contracts_steps_gates_and_keywords_are_offered_and_replace_what_is_begun() {
    let (place, uri) = shop();
    let mut editor = Editor::able(&place);
    let labels = |editor: &mut Editor, text: &str, word: &str| {
        editor.open(&uri, text);
        let end = text.find(word).unwrap() + word.len();
        let params = json!({ "textDocument": { "uri": uri }, "position": position(text, end) });
        let items = editor.ask("textDocument/completion", params)["result"]["items"].clone();
        let items = items.as_array().unwrap().clone();
        let first = items
            .first()
            .map(|item| edited(text, &json!([item["textEdit"]])));
        let labels: Vec<String> = items
            .iter()
            .map(|item| item["label"].as_str().unwrap().into())
            .collect();
        (labels, first)
    };
    let begun = PLAN.replace("\"shop.reader\"", "\"shop.re\"");
    let (nodes, chosen) = labels(&mut editor, &begun, "shop.re");
    assert_eq!(nodes, ["shop.reader"]);
    assert_eq!(chosen.as_deref(), Some(PLAN));
    let (roles, _) = labels(
        &mut editor,
        &PLAN.replace("builder: \"say\"", "bu"),
        "ASSIGN bu",
    );
    assert!(
        roles.contains(&"builder".into()) && roles.contains(&"reader".into()),
        "{roles:?}"
    );
    let (steps, _) = labels(
        &mut editor,
        &PLAN.replace("REQUIRES gather", "REQUIRES "),
        "REQUIRES ",
    );
    assert_eq!(steps, ["gather"]);
    let (keywords, _) = labels(&mut editor, &format!("{PLAN}  RE"), "s=1\n  RE");
    assert!(keywords.contains(&"REQUIRES".into()), "{keywords:?}");
    let braces = "pipeline \"p\" {\n  step a: Builder { gate egress mine { require output.x } }\n  gate u: \n  policy rewrite { on gate_fail() => warn }\n}\n";
    let (types, _) = labels(&mut editor, braces, "gate u: ");
    assert!(types.contains(&"UQGate".into()), "{types:?}");
    let (gates, _) = labels(&mut editor, braces, "gate_fail(");
    assert!(gates.contains(&"mine".into()), "{gates:?}");
}

#[test]
fn formatting_gives_what_the_formatter_gives_and_leaves_faults_alone() {
    let place = Place::new();
    let mut editor = Editor::able(&place);
    for name in [
        "good/user_authentication.acl",
        "good/braces_triage.acl",
        "good/braces_comments.acl",
    ] {
        let source = fs::read_to_string(plan(name)).unwrap();
        let messy = source.replace("  ", "\t").replace("\n\n", "\n\n\n");
        let uri = format!("untitled:{name}");
        editor.open(&uri, &messy);
        let params = json!({ "textDocument": { "uri": uri }, "options": { "tabSize": 2 } });
        let edits = editor.ask("textDocument/formatting", params)["result"].clone();
        place.write("plan.acl", &messy);
        assert_eq!(place.run(&["fmt", "plan.acl"]).code, 0);
        assert_eq!(edited(&messy, &edits), place.read("plan.acl"), "{name}");
    }
    editor.open("untitled:x", "PLAN p:\nSTPE a:\n");
    let params = json!({ "textDocument": { "uri": "untitled:x" } });
    assert_eq!(
        editor.ask("textDocument/formatting", params)["result"],
        Value::Null
    );
}

#[test]
fn what_can_be_mended_safely_is_offered_and_compiles_to_the_same_bytes() {
    let place = Place::new();
    let source = "PLAN p:\nSTEP a:\n  ASSIGN builder: \"x\"\nSTEP b:\n  ASSIGN builder: \"y\"\n";
    let uri = uri(&place.write("plan.acl", source));
    let before = place.run(&["compile", "plan.acl"]);
    let mut editor = Editor::able(&place);
    let told = editor.open(&uri, source);
    assert_eq!(
        told.iter().filter(|one| one["code"] == "ACL-E016").count(),
        2
    );
    let mut actions = |only: Option<&str>| {
        let range = json!({ "start": position(source, 12), "end": position(source, 12) });
        let context = only.map_or_else(
            || json!({ "diagnostics": [] }),
            |only| json!({ "diagnostics": [], "only": [only] }),
        );
        let params = json!({ "textDocument": { "uri": uri }, "range": range, "context": context });
        editor.ask("textDocument/codeAction", params)["result"]
            .as_array()
            .unwrap()
            .clone()
    };
    let offered = actions(None);
    assert_eq!(
        offered
            .iter()
            .map(|one| one["kind"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["quickfix", "source.fixAll.acl"]
    );
    assert_eq!(offered[0]["diagnostics"][0]["code"], "ACL-E016");
    assert_eq!(actions(Some("quickfix")).len(), 1);
    let all = actions(Some("source.fixAll"));
    assert_eq!(all.len(), 1);
    let mended = edited(source, &all[0]["edit"]["changes"][&uri]);
    place.write("plan.acl", &mended);
    let after = place.run(&["compile", "--strict", "plan.acl"]);
    assert_eq!((after.code, after.stdout), (0, before.stdout), "{mended}");
}
