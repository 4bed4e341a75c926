//! Hover, definition, references, outline and rename: what a plan and its contracts mean.
//!
//! INVARIANT: a place that is told is one of the plan, or the file of a contract that the deployment knows.

use std::fs;

use serde_json::{Value, json};

use super::{CONTRACT, Editor, PLAN, edited, position, shop};
use crate::support::plan;

#[test]
fn a_contract_is_told_in_short_where_a_step_a_role_or_its_node_stands() {
    let (place, uri) = shop();
    let mut editor = Editor::able(&place);
    editor.open(&uri, PLAN);
    for (word, also) in [
        ("gather", "`\u{1f980} collect`"),
        ("reader: custom", "`custom`"),
        ("shop.reader", "`node shop.reader`"),
        ("builder", "`role builder`"),
    ] {
        let told = editor.at("textDocument/hover", &uri, PLAN, word);
        let text = told["contents"]["value"].as_str().unwrap_or_default();
        for part in [
            "node: `shop.reader 1.2.3`",
            "asks: `log; filesystem read [logs]`",
            "takes: `object { limit: integer, question*: string }`",
            "gives: `object { question*: string }`",
            "memory",
            "contracts/reader.yaml",
            also,
        ] {
            assert!(text.contains(part), "{word}: `{part}` is not in\n{text}");
        }
    }
    let told = editor.at("textDocument/hover", &uri, PLAN, "REQUIRES");
    assert!(
        told["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("REQUIRES <step>, <step>?")
    );
    assert_eq!(
        editor.at("textDocument/hover", &uri, PLAN, "\n\nSTEP"),
        Value::Null
    );
}

#[test]
fn what_a_contract_says_is_no_markup() {
    let (place, uri) = shop();
    place.write(
        "contracts/reader.yaml",
        CONTRACT.replace("scope: [logs]", "scope: [\"a`b](x)\"]"),
    );
    let mut editor = Editor::able(&place);
    let faults = editor.open(&uri, PLAN);
    let told = editor
        .at("textDocument/hover", &uri, PLAN, "shop.reader")
        .to_string();
    assert!(!told.contains("a`b"), "{told} {faults:?}");
}

#[test]
fn a_definition_is_in_the_plan_or_in_the_file_of_the_contract() {
    let (place, uri) = shop();
    let mut editor = Editor::able(&place);
    editor.open(&uri, PLAN);
    let contract = format!("file://{}", place.path("contracts/reader.yaml").display());
    let used = editor.at("textDocument/definition", &uri, PLAN, "gather\n  BUDGET");
    assert_eq!(used["uri"], uri.as_str());
    assert_eq!(
        used["range"]["start"],
        position(PLAN, PLAN.find("gather").unwrap())
    );
    let role = editor.at("textDocument/definition", &uri, PLAN, "reader: \"");
    assert_eq!(
        role["range"]["start"],
        position(PLAN, PLAN.find("reader").unwrap())
    );
    for word in ["shop.reader", "reader: custom", "builder: \"say"] {
        let found = editor.at("textDocument/definition", &uri, PLAN, word);
        assert_eq!(found["uri"], contract.as_str(), "{word}");
    }
    let done = editor.at("textDocument/implementation", &uri, PLAN, "gather");
    assert_eq!(done["uri"], contract.as_str());
    let import = "import policy \"rules.aclp\" as house\npipeline \"p\" {\n  header { policy: house }\n  shard \"s\" { step a: Builder { } }\n}\n";
    let other = format!("file://{}", place.write("rules.aclp", "x").display());
    let second = format!("{uri}2.acl");
    editor.open(&second, import);
    let found = editor.at("textDocument/definition", &second, import, "rules.aclp");
    assert_eq!(found["uri"], other.as_str());
    let found = editor.at("textDocument/definition", &second, import, "house }");
    assert_eq!(
        found["range"]["start"],
        position(import, import.find("house").unwrap())
    );
}

#[test]
fn names_are_listed_found_and_changed_everywhere_or_nowhere() {
    let (place, uri) = shop();
    let mut editor = Editor::able(&place);
    let source = fs::read_to_string(plan("good/braces_triage.acl")).unwrap();
    editor.open(&uri, &source);
    let outline = editor.ask(
        "textDocument/documentSymbol",
        json!({ "textDocument": { "uri": uri } }),
    );
    let top = &outline["result"][0];
    assert_eq!((&top["name"], &top["kind"]), (&json!("triage"), &json!(4)));
    let mut inside = top["children"].as_array().unwrap().iter();
    assert!(inside.any(|one| one["children"].is_array()), "{outline}");
    editor.open(&uri, PLAN);
    let found = editor.at("textDocument/references", &uri, PLAN, "gather");
    assert_eq!(found.as_array().unwrap().len(), 2);
    let marked = editor.at("textDocument/documentHighlight", &uri, PLAN, "gather");
    assert_eq!(marked.as_array().unwrap().len(), 2);
    let mut rename = |word: &str, name: &str| {
        let place = position(PLAN, PLAN.find(word).unwrap());
        let params = json!({ "textDocument": { "uri": uri }, "position": place, "newName": name });
        editor.ask("textDocument/rename", params)
    };
    let renamed = edited(
        PLAN,
        &rename("gather", "collect_all")["result"]["changes"][&uri],
    );
    assert_eq!(renamed, PLAN.replace("gather", "collect_all"));
    assert_eq!(rename("gather", "explain")["error"]["code"], -32803);
    assert_eq!(rename("gather", "no name")["error"]["code"], -32803);
    assert_eq!(rename("builder", "maker")["error"]["code"], -32803);
}
