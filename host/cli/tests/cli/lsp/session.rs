//! The session itself: hello and good-bye, and whatever is sent in between.
//!
//! INVARIANT: only `exit` and a closed stream end the server; everything else that is asked is answered.

use std::fs;

use serde_json::{Value, json};

use super::{Editor, PLAN};
use crate::support::{Place, plan};

#[test]
fn an_editor_says_hello_and_good_bye() {
    let place = Place::new();
    let mut editor = Editor::silent(&place);
    assert_eq!(
        editor.ask("textDocument/hover", json!({}))["error"]["code"],
        -32002
    );
    editor.say(
        "textDocument/didOpen",
        json!({ "textDocument": { "uri": "file:///a.acl", "text": "x" } }),
    );
    let hello = editor.ask("initialize", json!({ "capabilities": {} }));
    assert_eq!(hello["result"]["serverInfo"]["name"], "aimctl");
    assert_eq!(
        hello["result"]["capabilities"]["positionEncoding"],
        "utf-16"
    );
    assert_eq!(editor.ask("initialize", json!({}))["error"]["code"], -32600);
    assert_eq!(editor.ask("shutdown", Value::Null)["result"], Value::Null);
    assert_eq!(
        editor.ask("textDocument/hover", json!({}))["error"]["code"],
        -32600
    );
    editor.say("exit", Value::Null);
    assert!(editor.said.is_empty(), "{:?}", editor.said);
    assert_eq!(editor.wait(), 0);
}

#[test]
fn an_editor_that_leaves_without_a_word_is_a_failure() {
    let place = Place::new();
    let mut editor = Editor::able(&place);
    editor.say("exit", Value::Null);
    assert_eq!(editor.wait(), 1);
    assert_eq!(Editor::able(&place).wait(), 1);
    assert_eq!(Editor::able(&place).leave(), 0);
}

// Controls: with the first malformed message ending the reader, nothing after it is answered (seen); with `answer` for
// `Message::Bad` taken out, the client waits forever (seen).
#[test]
fn nothing_that_is_sent_ends_the_server_but_exit() {
    let place = Place::new();
    let mut editor = Editor::able(&place);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (text, code) in [
        ("{", -32700),
        ("\u{0}", -32700),
        (deep.as_str(), -32700),
        ("[]", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"shutdown"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
    ] {
        editor.send_raw(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
        assert_eq!(
            editor.answer(&Value::Null)["error"]["code"],
            code,
            "{text:.40}"
        );
    }
    editor.send_raw(b"hello\r\n\r\n");
    assert_eq!(editor.answer(&Value::Null)["error"]["code"], -32700);
    let large = 9 * 1024 * 1024;
    editor.send_raw(format!("Content-Length: {large}\r\n\r\n").as_bytes());
    editor.send_raw(&vec![b' '; large]);
    assert_eq!(editor.answer(&Value::Null)["error"]["code"], -32600);
    assert_eq!(
        editor.ask("workspace/symbol", json!({}))["error"]["code"],
        -32601
    );
    assert_eq!(
        editor.ask("textDocument/hover", json!([]))["error"]["code"],
        -32602
    );
    editor.say("$/unknown", json!(null));
    editor.say("textDocument/didChange", json!({ "contentChanges": "x" }));
    editor.send(&json!({ "jsonrpc": "2.0", "id": 77, "result": null }));
    let unopened = json!({ "textDocument": { "uri": "file:///not/open.acl" } });
    assert_eq!(
        editor.ask("textDocument/hover", unopened)["result"],
        Value::Null
    );
    let open = json!({ "uri": "untitled:p", "languageId": "acl", "version": 1, "text": PLAN });
    editor.say("textDocument/didOpen", json!({ "textDocument": open }));
    for position in [
        json!(null),
        json!({ "line": -1, "character": 0 }),
        json!({ "line": 0.5 }),
    ] {
        let params = json!({ "textDocument": { "uri": "untitled:p" }, "position": position });
        assert_eq!(
            editor.ask("textDocument/hover", params)["error"]["code"],
            -32602
        );
    }
    let far = json!({ "line": u64::MAX, "character": u64::MAX });
    let params = json!({ "textDocument": { "uri": "untitled:p" }, "position": far });
    assert!(editor.ask("textDocument/completion", params)["result"].is_object());
    assert_eq!(editor.leave(), 0);
}

#[test]
fn a_source_beyond_the_limit_is_refused_with_its_code_and_costs_nothing_else() {
    let place = Place::new();
    let mut editor = Editor::able(&place);
    let large = "# \n".repeat(400_000);
    let told = editor.open("untitled:large", &large);
    assert_eq!(told[0]["code"], "ACL-E020");
    assert!(
        editor
            .open("untitled:p", PLAN)
            .iter()
            .all(|one| one["code"] != "ACL-E020")
    );
    assert_eq!(editor.leave(), 0);
}

#[test]
fn every_question_about_every_plan_of_the_corpus_and_its_halves_is_answered() {
    let place = Place::new();
    let mut editor = Editor::able(&place);
    let mut count = 0;
    for folder in ["good", "bad"] {
        for entry in fs::read_dir(plan(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "acl") {
                continue;
            }
            let Ok(source) = fs::read_to_string(&path) else {
                continue;
            };
            let half = source
                .char_indices()
                .nth(source.chars().count() / 2)
                .map_or(0, |(at, _)| at);
            for text in [source.as_str(), source.get(..half).unwrap()] {
                count += 1;
                ask_everything(&mut editor, &format!("untitled:{count}"), text);
            }
        }
    }
    assert!(count > 250, "{count}");
    assert_eq!(editor.leave(), 0);
}

fn ask_everything(editor: &mut Editor, uri: &str, text: &str) {
    editor.open(uri, text);
    let document = json!({ "uri": uri });
    let lines = text.lines().count();
    for line in [0, lines / 2, lines] {
        for method in [
            "hover",
            "definition",
            "completion",
            "references",
            "prepareRename",
        ] {
            let position = json!({ "line": line, "character": 7 });
            let params = json!({ "textDocument": document, "position": position });
            let answer = editor.ask(&format!("textDocument/{method}"), params);
            assert!(
                answer.get("result").is_some() || answer["error"]["code"] == -32803,
                "{answer}"
            );
        }
    }
    let range =
        json!({ "start": { "line": 0, "character": 0 }, "end": { "line": lines, "character": 0 } });
    for method in ["documentSymbol", "formatting", "codeAction"] {
        let params =
            json!({ "textDocument": document, "range": range, "context": { "diagnostics": [] } });
        assert!(
            editor
                .ask(&format!("textDocument/{method}"), params)
                .get("result")
                .is_some()
        );
    }
    editor.say("textDocument/didClose", json!({ "textDocument": document }));
    assert_eq!(editor.diagnostics(uri, None), Vec::<Value>::new());
}
