//! `aimctl lsp` as an editor talks to it: real messages over stdin and stdout.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Place, plan};

/// An editor with a server.
struct Editor {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    asked: i64,
    /// What was said without being asked and is not looked at yet.
    said: Vec<Value>,
}

impl Editor {
    /// A server that nobody said anything to.
    fn silent(place: &Place) -> Self {
        let mut command = place.command(&["lsp", "--stdio"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            asked: 0,
            said: Vec::new(),
        }
    }

    /// A server that knows what the editor can do.
    fn of(place: &Place, capabilities: Value) -> Self {
        let mut editor = Self::silent(place);
        let params = json!({ "processId": null, "rootUri": null, "capabilities": capabilities });
        assert!(editor.ask("initialize", params)["result"]["capabilities"].is_object());
        editor.say("initialized", json!({}));
        editor
    }

    /// A server for an editor that can do everything that is made use of.
    fn able(place: &Place) -> Self {
        let documents = json!({
            "publishDiagnostics": { "relatedInformation": true },
            "hover": { "contentFormat": ["markdown"] },
            "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
        });
        Self::of(place, json!({ "textDocument": documents }))
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        self.send_raw(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    fn send_raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    fn say(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.answer(&json!(id))
    }

    /// The answer under an id; what is said before it is kept.
    fn answer(&mut self, id: &Value) -> Value {
        loop {
            let message = self.next();
            if message.get("method").is_none() && message["id"] == *id {
                return message;
            }
            self.said.push(message);
        }
    }

    fn next(&mut self) -> Value {
        let mut length = None;
        loop {
            let mut line = String::new();
            assert!(
                self.stdout.read_line(&mut line).unwrap() > 0,
                "the server left"
            );
            if line == "\r\n" {
                break;
            }
            let (_, value) = line.split_once("Content-Length: ").unwrap();
            length = Some(value.trim().parse().unwrap());
        }
        let mut bytes = vec![0; length.unwrap()];
        self.stdout.read_exact(&mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn open(&mut self, uri: &str, text: &str) -> Vec<Value> {
        let document = json!({ "uri": uri, "languageId": "acl", "version": 1, "text": text });
        self.say("textDocument/didOpen", json!({ "textDocument": document }));
        self.diagnostics(uri, Some(1))
    }

    fn change(&mut self, uri: &str, version: i64, changes: Value) -> Vec<Value> {
        let document = json!({ "uri": uri, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.say("textDocument/didChange", params);
        self.diagnostics(uri, Some(version))
    }

    /// What is said to be wrong with a version of a document, or with a file that has none.
    fn diagnostics(&mut self, uri: &str, version: Option<i64>) -> Vec<Value> {
        loop {
            let message = if self.said.is_empty() {
                self.next()
            } else {
                self.said.remove(0)
            };
            let params = &message["params"];
            let is_it =
                message["method"] == "textDocument/publishDiagnostics" && params["uri"] == uri;
            if is_it && params.get("version").and_then(Value::as_i64) == version {
                return params["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    /// The result of a question about a place, which is the first one of `word` in `text`.
    fn at(&mut self, method: &str, uri: &str, text: &str, word: &str) -> Value {
        let position = position(text, text.find(word).unwrap());
        let params = json!({ "textDocument": { "uri": uri }, "position": position });
        self.ask(method, params)["result"].clone()
    }

    /// Leaves as the protocol wants it.
    fn leave(mut self) -> i32 {
        assert_eq!(self.ask("shutdown", Value::Null)["result"], Value::Null);
        self.say("exit", Value::Null);
        self.wait()
    }

    fn wait(mut self) -> i32 {
        self.stdin = None;
        let mut rest = Vec::new();
        self.stdout.read_to_end(&mut rest).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

/// A byte of a text as the protocol counts by default.
fn position(text: &str, offset: usize) -> Value {
    let before = text.get(..offset).unwrap();
    let line = before.rsplit('\n').next().unwrap();
    json!({ "line": before.matches('\n').count(), "character": line.encode_utf16().count() })
}

/// The byte at a position, for texts with line feeds only.
fn offset(text: &str, position: &Value) -> usize {
    let line = usize::try_from(position["line"].as_u64().unwrap()).unwrap();
    let column = usize::try_from(position["character"].as_u64().unwrap()).unwrap();
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let mut units = 0;
    for (index, c) in text.get(start..).unwrap().char_indices() {
        if units == column {
            return start + index;
        }
        units += c.len_utf16();
    }
    text.len()
}

/// The text that a range has.
fn written<'a>(text: &'a str, range: &Value) -> &'a str {
    let span = offset(text, &range["start"])..offset(text, &range["end"]);
    text.get(span).unwrap()
}

/// The text with edits made, the last one first.
fn edited(text: &str, edits: &Value) -> String {
    let mut edits = edits.as_array().unwrap().clone();
    edits.sort_by_key(|edit| std::cmp::Reverse(offset(text, &edit["range"]["start"])));
    let mut text = text.to_owned();
    for edit in edits {
        let range = offset(&text, &edit["range"]["start"])..offset(&text, &edit["range"]["end"]);
        text.replace_range(range, edit["newText"].as_str().unwrap());
    }
    text
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

const CONTRACT: &str = "\
kind: compute
node_id: shop.reader
version: \"1.2.3\"
component:
  path: reader.wasm
asks:
  - capability: log
  - capability: filesystem
    modes: [read]
    scope: [logs]
input: { type: object, required: [question], properties: { question: { type: string }, limit: { type: integer } } }
output: { type: object, required: [question], properties: { question: { type: string } } }
";

const PLAN: &str = "\
PLAN shop v1.0:
ROLE reader: custom(node=\"shop.reader\")

STEP gather:
  ASSIGN reader: \"\u{1f980} collect\"
  BUDGET tokens=1, time=30s, tools=1

STEP explain:
  ASSIGN builder: \"say\"
  REQUIRES gather
  BUDGET tokens=1, time=30s, tools=1
";

/// A folder with a plan, a deployment and a contract.
fn shop() -> (Place, String) {
    let place = Place::new();
    place.write("aim.toml", "contracts = [\"contracts\"]\ncomponents = [\"components\"]\n[roles.builder]\nnode = \"shop.reader\"\n");
    place.write("contracts/reader.yaml", CONTRACT);
    place.write("components/.keep", "");
    let uri = uri(&place.write("plan.acl", PLAN));
    (place, uri)
}

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

#[test]
fn faults_are_told_with_code_page_place_and_remedy_and_go_when_they_are_mended() {
    let (place, uri) = shop();
    let mut editor = Editor::able(&place);
    let broken = PLAN
        .replace("REQUIRES gather", "REQUIRES gahter")
        .replace("STEP explain", "STEP gather");
    let told = editor.open(&uri, &broken);
    let one = |code: &str| told.iter().find(|one| one["code"] == code).unwrap();
    let unknown = one("ACL-E010");
    assert_eq!(
        (&unknown["severity"], &unknown["source"]),
        (&json!(1), &json!("aim"))
    );
    assert_eq!(written(&broken, &unknown["range"]), "gahter");
    assert!(
        unknown["message"]
            .as_str()
            .unwrap()
            .contains("did you mean `gather`?"),
        "{unknown}"
    );
    let page = unknown["codeDescription"]["href"].as_str().unwrap();
    let page = page.strip_prefix("file://").unwrap();
    assert!(
        fs::read_to_string(page).unwrap().contains("ACL-E010"),
        "{page}"
    );
    let twice = one("ACL-E006");
    let first = &twice["relatedInformation"][0];
    assert_eq!(first["location"]["uri"], uri.as_str());
    assert_eq!(written(&broken, &first["location"]["range"]), "gather");
    assert_eq!(
        editor.change(&uri, 2, json!([{ "text": PLAN }])),
        Vec::<Value>::new()
    );
    editor.say(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": uri } }),
    );
    assert_eq!(editor.diagnostics(&uri, None), Vec::<Value>::new());
    assert_eq!(editor.leave(), 0);
}

// Control: with columns counted in bytes whatever was agreed, the first of the two fails (seen).
#[test]
fn columns_count_what_was_agreed() {
    let source = "PLAN p:\nSTEP a:\n  ASSIGN builder: \"\u{1f980}\u{e9}\" x\n";
    let column = |capabilities: Value| {
        let place = Place::new();
        let mut editor = Editor::of(&place, capabilities);
        let told = editor.open("untitled:p", source);
        let fault = told.iter().find(|one| one["code"] == "ACL-E003").unwrap();
        fault["range"]["start"]["character"].as_u64().unwrap()
    };
    let line = "  ASSIGN builder: \"\u{1f980}\u{e9}\" ";
    let count = |units: usize| u64::try_from(units).unwrap();
    assert_eq!(column(json!({})), count(line.encode_utf16().count()));
    let offered = |encodings: &[&str]| json!({ "general": { "positionEncodings": encodings } });
    assert_eq!(column(offered(&["utf-8", "utf-16"])), count(line.len()));
    assert_eq!(
        column(offered(&["utf-7", "utf-32"])),
        count(line.chars().count())
    );
}

#[test]
fn a_change_of_a_part_is_made_where_the_editor_means_it() {
    let place = Place::new();
    let mut editor = Editor::able(&place);
    editor.open("untitled:p", PLAN);
    let part = PLAN.find(" collect").unwrap();
    let range = json!({ "start": position(PLAN, part), "end": position(PLAN, part + 8) });
    // The second change counts in the text that the first one leaves.
    let second =
        json!({ "start": { "line": 4, "character": 22 }, "end": { "line": 4, "character": 23 } });
    let changes = json!([
        { "range": range, "text": "\u{1f980}q x" },
        { "range": second, "text": "\u{1f980}\"" },
    ]);
    let told = editor.change("untitled:p", 2, changes);
    let fault = told.iter().find(|one| one["code"] == "ACL-E003").unwrap();
    // A quote, three crabs of two units each, a quote, a blank.
    let start = "  ASSIGN reader: ".len() + 9;
    assert_eq!(
        fault["range"]["start"],
        json!({ "line": 4, "character": start })
    );
}

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

#[test]
fn a_contract_with_faults_is_told_at_its_own_file_until_it_is_mended() {
    let (place, plan) = shop();
    let file = place.write(
        "contracts/reader.yaml",
        CONTRACT.replace("kind: compute", "kind: compte"),
    );
    let file = uri(&file);
    let mut editor = Editor::able(&place);
    editor.open(&plan, PLAN);
    let told = editor.diagnostics(&file, None);
    assert!(
        told[0]["code"].as_str().unwrap().starts_with("AIM-C"),
        "{told:?}"
    );
    place.write("contracts/reader.yaml", CONTRACT);
    editor.say("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    assert_eq!(editor.diagnostics(&file, None), Vec::<Value>::new());
    assert_eq!(editor.leave(), 0);
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
