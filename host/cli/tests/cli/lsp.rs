//! `aimctl lsp` as an editor talks to it: real messages over stdin and stdout; one module for each kind of question.
//!
//! INVARIANT: a case starts the real program and speaks the protocol's own bytes to it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use serde_json::{Value, json};

use crate::support::Place;

mod diagnostics;
mod reading;
mod session;
mod writing;

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
