//! The life of a connection and who answers what: no input or output of its own, so that a test can talk to it.
//!
//! INVARIANT: nothing is answered before `initialize` or after `shutdown`, and what is not known is said to be unknown.

use std::path::PathBuf;

use aim_acl::{Encoding, Lines, Place, Profile};
use aim_core::outcome::Exit;
use serde_json::{Value, json};

use super::{
    actions, diagnose,
    documents::{Documents, View},
    hover, navigate,
    project::Projects,
    queue::Due,
    rpc::{self, Failure, Message},
    uri,
};

/// One connection with an editor.
#[derive(Debug)]
pub(super) struct Session {
    stage: Stage,
    client: Client,
    documents: Documents,
    projects: Projects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was said yet.
    New,
    /// Questions are answered.
    Ready,
    /// `exit` is all that may come.
    ShutDown,
    /// `exit` came; clean when `shutdown` came before it.
    Ended { is_clean: bool },
}

/// What the client can do and wants.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// What columns count.
    pub(super) encoding: Encoding,
    /// Whether diagnostics may point to further places.
    pub(super) has_related: bool,
    /// Whether texts may be Markdown.
    pub(super) has_markdown: bool,
    /// Whether symbols may be nested.
    pub(super) has_nested_symbols: bool,
    /// Whether it tells of changed files when asked to.
    has_watching: bool,
    /// How much plans may leave unsaid.
    pub(super) profile: Profile,
    /// Where the pages of the codes are.
    pub(super) pages: Option<String>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            stage: Stage::New,
            client: Client {
                encoding: Encoding::Utf16,
                has_related: false,
                has_markdown: false,
                has_nested_symbols: false,
                has_watching: false,
                profile: Profile::Lenient,
                pages: None,
            },
            documents: Documents::default(),
            projects: Projects::default(),
        }
    }
}

impl Client {
    /// Reads what `initialize` says. What is absent or of another shape counts as not there.
    fn of(params: &Value) -> Self {
        let is = |pointer: &str| params.pointer(pointer).and_then(Value::as_bool) == Some(true);
        let words = |pointer: &str| {
            let list = params.pointer(pointer).and_then(Value::as_array);
            let words = list.into_iter().flatten().filter_map(Value::as_str);
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let option = |key: &str| params.pointer("/initializationOptions")?.get(key)?.as_str();
        let encodings = words("/capabilities/general/positionEncodings");
        let encoding = encodings.iter().find_map(|name| encoding_of(name));
        Self {
            encoding: encoding.unwrap_or(Encoding::Utf16),
            has_related: is("/capabilities/textDocument/publishDiagnostics/relatedInformation"),
            has_markdown: words("/capabilities/textDocument/hover/contentFormat")
                .iter()
                .any(|format| format == "markdown"),
            has_nested_symbols: is(
                "/capabilities/textDocument/documentSymbol/hierarchicalDocumentSymbolSupport",
            ),
            has_watching: is("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration"),
            profile: match option("profile") {
                Some("strict") => Profile::Strict,
                _ => Profile::Lenient,
            },
            pages: option("pages").map(str::to_owned).or_else(|| pages(params)),
        }
    }
}

fn encoding_of(name: &str) -> Option<Encoding> {
    match name {
        "utf-8" => Some(Encoding::Utf8),
        "utf-16" => Some(Encoding::Utf16),
        "utf-32" => Some(Encoding::Utf32),
        _ => None,
    }
}

/// Finds the pages of the codes: in the workspace, or where this program is installed or built.
fn pages(params: &Value) -> Option<String> {
    let root = params.get("rootUri").and_then(Value::as_str);
    let root = root.and_then(uri::path_of);
    let program = std::env::current_exe().ok();
    let mut folders: Vec<PathBuf> = Vec::new();
    for start in root.into_iter().chain(program) {
        for above in start.ancestors() {
            folders.push(above.join("docs/errors"));
            folders.push(above.join("share/doc/aim/errors"));
        }
    }
    let found = folders
        .into_iter()
        .find(|folder| folder.join("ACL-E001.md").is_file())?;
    uri::uri_of(&found)
}

impl Session {
    /// True once `exit` came.
    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. })
    }

    /// How the process exits: 0 when the client said that it leaves, else 1.
    pub(super) const fn left(&self) -> Exit {
        match self.stage {
            Stage::Ended { is_clean: true } | Stage::ShutDown => Exit::Ok,
            _ => Exit::Failed,
        }
    }

    /// Takes a message and returns what is to be said about it.
    pub(super) fn take(&mut self, due: Due) -> Vec<Value> {
        match due.message {
            Message::Bad(failure) => vec![rpc::answer(Value::Null, Err(failure))],
            Message::Answer => Vec::new(),
            Message::Notification { method, params } => self.notified(&method, &params),
            Message::Request { id, .. } if due.is_cancelled => {
                vec![rpc::answer(id, Err(Failure::cancelled()))]
            }
            Message::Request { id, method, params } => {
                vec![rpc::answer(id, self.requested(&method, &params))]
            }
        }
    }

    /// Looks at every text that is new and returns what is wrong with it.
    pub(super) fn settle(&mut self) -> Vec<Value> {
        if self.stage != Stage::Ready {
            return Vec::new();
        }
        let mut said = Vec::new();
        for document in self.documents.dirty() {
            let view = View::of(document, self.client.encoding);
            let project = self.projects.of(document.path.as_deref());
            said.push(diagnose::of(&view, &project, &self.client));
        }
        said.extend(self.projects.faults(&self.client));
        said
    }

    fn requested(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        match (self.stage, method) {
            (Stage::New, "initialize") => {
                self.client = Client::of(params);
                self.stage = Stage::Ready;
                Ok(capabilities(self.client.encoding))
            }
            (Stage::New, _) => Err(Failure::not_initialized()),
            (Stage::Ready, "initialize") => Err(Failure::invalid("`initialize` came twice")),
            (Stage::Ready, "shutdown") => {
                self.stage = Stage::ShutDown;
                Ok(Value::Null)
            }
            (Stage::Ready, _) => self.asked(method, params),
            _ => Err(Failure::invalid(
                "nothing but `exit` comes after `shutdown`",
            )),
        }
    }

    /// A question about an open plan. One about another document has no answer, which is `null`.
    fn asked(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        let answer: Answer = match method {
            "textDocument/hover" => hover::at,
            "textDocument/definition" => navigate::definition,
            "textDocument/implementation" => navigate::implementation,
            "textDocument/references" => navigate::references,
            "textDocument/documentHighlight" => navigate::highlights,
            "textDocument/documentSymbol" => navigate::outline,
            "textDocument/prepareRename" => navigate::prepare_rename,
            "textDocument/rename" => navigate::rename,
            "textDocument/completion" => actions::completion,
            "textDocument/formatting" => actions::formatting,
            "textDocument/codeAction" => actions::code_actions,
            _ => return Err(Failure::unknown_method(method)),
        };
        let uri = address(params).ok_or_else(|| Failure::params("expected `textDocument.uri`"))?;
        let Some(document) = self.documents.get(uri) else {
            return Ok(Value::Null);
        };
        let project = self.projects.of(document.path.as_deref());
        let question = Question {
            view: View::of(document, self.client.encoding),
            project: &project,
            client: &self.client,
            params,
        };
        answer(&question)
    }

    fn notified(&mut self, method: &str, params: &Value) -> Vec<Value> {
        match (self.stage, method) {
            (Stage::Ended { .. }, _) => Vec::new(),
            (stage, "exit") => {
                let is_clean = stage == Stage::ShutDown;
                self.stage = Stage::Ended { is_clean };
                Vec::new()
            }
            (Stage::Ready, "initialized") if self.client.has_watching => vec![watching()],
            (Stage::Ready, "textDocument/didOpen") => self.opened(params),
            (Stage::Ready, "textDocument/didChange") => self.changed(params),
            (Stage::Ready, "textDocument/didClose") => self.closed(params),
            (Stage::Ready, "textDocument/didSave" | "workspace/didChangeWatchedFiles") => {
                // A contract, the deployment or an import may be another one now.
                self.projects.forget();
                self.documents.touch();
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn opened(&mut self, params: &Value) -> Vec<Value> {
        let text = |key: &str| params.pointer("/textDocument")?.get(key)?.as_str();
        let (Some(uri), Some(source)) = (text("uri"), text("text")) else {
            return Vec::new();
        };
        let path = uri.to_ascii_lowercase();
        if text("languageId") != Some("acl") && !path.ends_with(".acl") {
            return Vec::new();
        }
        let version = version(params);
        let opened = self
            .documents
            .open(uri.to_owned(), version, source.to_owned());
        self.projects.forget();
        complaint(opened)
    }

    fn changed(&mut self, params: &Value) -> Vec<Value> {
        let known = address(params).and_then(|uri| self.documents.get(uri));
        let changes = params.get("contentChanges").and_then(Value::as_array);
        let (Some(document), Some(changes)) = (known, changes) else {
            return Vec::new();
        };
        let uri = document.uri.clone();
        let mut text = document.text.clone();
        for change in changes {
            text = applied(text, change, self.client.encoding);
        }
        complaint(self.documents.change(&uri, version(params), text))
    }

    fn closed(&mut self, params: &Value) -> Vec<Value> {
        match address(params) {
            Some(uri) if self.documents.close(uri) => {
                vec![diagnose::published(uri, None, Vec::new())]
            }
            _ => Vec::new(),
        }
    }
}

/// A question about an open plan, and everything that an answer may need.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// The plan.
    pub(super) view: View<'a>,
    /// What is beside it.
    pub(super) project: &'a super::project::Project,
    /// Who asks.
    pub(super) client: &'a Client,
    /// What is asked.
    pub(super) params: &'a Value,
}

type Answer = fn(&Question<'_>) -> Result<Value, Failure>;

impl Question<'_> {
    /// The byte that the question is about.
    pub(super) fn offset(&self) -> Result<usize, Failure> {
        let position = self.params.get("position");
        self.view.offset(position.unwrap_or(&Value::Null))
    }
}

fn address(params: &Value) -> Option<&str> {
    params.pointer("/textDocument/uri")?.as_str()
}

fn version(params: &Value) -> i64 {
    let version = params.pointer("/textDocument/version");
    version.and_then(Value::as_i64).unwrap_or_default()
}

/// The text with one change made: a range of it, or all of it.
fn applied(text: String, change: &Value, encoding: Encoding) -> String {
    let Some(new) = change.get("text").and_then(Value::as_str) else {
        return text;
    };
    let Some(range) = change.get("range") else {
        return new.to_owned();
    };
    let lines = Lines::of(&text);
    let offset = |end: &str| {
        let number = |key: &str| {
            let number = range.get(end).and_then(|place| place.get(key));
            let number = number.and_then(Value::as_u64).unwrap_or_default();
            usize::try_from(number).unwrap_or(usize::MAX)
        };
        let place = Place {
            line: number("line"),
            column: number("character"),
        };
        lines.offset(place, encoding)
    };
    let (start, end) = (offset("start"), offset("end"));
    let before = text.get(..start).unwrap_or_default();
    let after = text.get(end.max(start)..).unwrap_or_default();
    [before, new, after].concat()
}

fn complaint(result: Result<(), String>) -> Vec<Value> {
    match result {
        Ok(()) => Vec::new(),
        Err(message) => vec![rpc::notification(
            "window/showMessage",
            json!({ "type": 1, "message": message }),
        )],
    }
}

/// Asks to be told when a file changes that plans are held against.
fn watching() -> Value {
    let watchers: Vec<Value> = [
        "**/aim.toml",
        "**/*.{yaml,yml}",
        "**/*.cedar",
        "**/*.{acl,aclp}",
    ]
    .map(|pattern| json!({ "globPattern": pattern }))
    .into();
    let registration = json!({
        "id": "files",
        "method": "workspace/didChangeWatchedFiles",
        "registerOptions": { "watchers": watchers },
    });
    rpc::request(
        "watch",
        "client/registerCapability",
        json!({ "registrations": [registration] }),
    )
}

fn capabilities(encoding: Encoding) -> Value {
    let encoding = match encoding {
        Encoding::Utf8 => "utf-8",
        Encoding::Utf16 => "utf-16",
        Encoding::Utf32 => "utf-32",
    };
    json!({
        "serverInfo": { "name": "aimctl", "version": env!("CARGO_PKG_VERSION") },
        "capabilities": {
            "positionEncoding": encoding,
            "textDocumentSync": { "openClose": true, "change": 2, "save": true },
            "hoverProvider": true,
            "definitionProvider": true,
            "implementationProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "documentSymbolProvider": true,
            "documentFormattingProvider": true,
            "renameProvider": { "prepareProvider": true },
            "completionProvider": { "triggerCharacters": [":", "(", "[", "{", "\"", ">", "="] },
            "codeActionProvider": { "codeActionKinds": ["quickfix", "source.fixAll.acl"] },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(session: &mut Session, method: &str, params: Value) -> Vec<Value> {
        let message = Message::Notification {
            method: method.to_owned(),
            params,
        };
        session.take(Due {
            message,
            is_cancelled: false,
        })
    }

    fn ask(session: &mut Session, method: &str, is_cancelled: bool) -> Value {
        let message = Message::Request {
            id: json!(1),
            method: method.to_owned(),
            params: json!({}),
        };
        let mut answers = session.take(Due {
            message,
            is_cancelled,
        });
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    fn opened() -> Session {
        let mut session = Session::default();
        ask(&mut session, "initialize", false);
        let document =
            json!({ "uri": "untitled:p", "languageId": "acl", "version": 1, "text": "x" });
        let said = say(
            &mut session,
            "textDocument/didOpen",
            json!({ "textDocument": document }),
        );
        assert_eq!(said, Vec::<Value>::new());
        session
    }

    fn change(session: &mut Session, version: i64) -> Vec<Value> {
        let document = json!({ "uri": "untitled:p", "version": version });
        let changes = json!([{ "text": format!("PLAN p{version}:\n") }]);
        let params = json!({ "textDocument": document, "contentChanges": changes });
        say(session, "textDocument/didChange", params)
    }

    // Control: with diagnostics made at each change, `change` returns some and this fails (seen).
    #[test]
    fn of_many_changes_in_a_row_only_the_newest_text_is_looked_at() {
        let mut session = opened();
        for version in 2..20 {
            assert_eq!(change(&mut session, version), Vec::<Value>::new());
        }
        assert_eq!(change(&mut session, 3), Vec::<Value>::new());
        let said = session.settle();
        assert_eq!(said.len(), 1);
        assert_eq!(said[0]["params"]["version"], 19);
        assert_eq!(session.settle(), Vec::<Value>::new());
    }

    #[test]
    fn a_request_that_was_taken_back_is_answered_as_such_and_changes_nothing() {
        let mut session = opened();
        let answer = ask(&mut session, "shutdown", true);
        assert_eq!(answer["error"]["code"], -32800);
        assert_eq!(ask(&mut session, "shutdown", false)["result"], Value::Null);
    }

    #[test]
    fn plans_are_kept_up_to_a_number_and_the_next_one_is_said_to_be_too_many() {
        let mut session = opened();
        let mut open = |number: usize| {
            let document =
                json!({ "uri": format!("untitled:{number}"), "languageId": "acl", "text": "" });
            say(
                &mut session,
                "textDocument/didOpen",
                json!({ "textDocument": document }),
            )
        };
        let refused = (0..300).map(&mut open).filter(|said| !said.is_empty());
        assert_eq!(refused.count(), 300 - 255);
    }
}
