//! The plans that are open in the editor, as they are there and not as they are on disk.
//!
//! INVARIANT: what is kept is bounded in number and bytes, and an older version never replaces a newer one.

use std::{collections::BTreeMap, path::PathBuf};

use aim_acl::{Encoding, Lines, Place};
use serde_json::{Value, json};

use super::{rpc::Failure, uri};

/// Documents that are kept at a time.
const COUNT_MAX: usize = 256;
/// Bytes of all documents together.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// One open plan.
#[derive(Debug)]
pub(super) struct Document {
    /// Its address, as the client wrote it.
    pub(super) uri: String,
    /// Where it is on disk, for a document that is there.
    pub(super) path: Option<PathBuf>,
    /// The client's number for this text.
    pub(super) version: i64,
    /// The text.
    pub(super) text: String,
    /// True until diagnostics of this text were sent.
    pub(super) is_dirty: bool,
}

/// All open plans by address.
#[derive(Debug, Default)]
pub(super) struct Documents {
    all: BTreeMap<String, Document>,
}

impl Documents {
    /// Takes a document in. Returns why it is not, when there is no room.
    pub(super) fn open(&mut self, uri: String, version: i64, text: String) -> Result<(), String> {
        let others = self.all.values().filter(|one| one.uri != uri);
        let bytes: usize = others.clone().map(|one| one.text.len()).sum();
        if others.count() >= COUNT_MAX || bytes + text.len() > BYTES_MAX {
            return Err(format!(
                "too many open plans: at most {COUNT_MAX} with {BYTES_MAX} bytes together; close some"
            ));
        }
        let document = Document {
            path: uri::path_of(&uri),
            uri: uri.clone(),
            version,
            text,
            is_dirty: true,
        };
        self.all.insert(uri, document);
        Ok(())
    }

    /// Replaces the text of an open document by a newer one.
    pub(super) fn change(&mut self, uri: &str, version: i64, text: String) -> Result<(), String> {
        match self.all.get(uri) {
            Some(known) if known.version <= version => self.open(uri.to_owned(), version, text),
            _ => Ok(()),
        }
    }

    /// Forgets a document; true when it was known.
    pub(super) fn close(&mut self, uri: &str) -> bool {
        self.all.remove(uri).is_some()
    }

    /// One document.
    pub(super) fn get(&self, uri: &str) -> Option<&Document> {
        self.all.get(uri)
    }

    /// Marks every document, because something around them changed.
    pub(super) fn touch(&mut self) {
        for document in self.all.values_mut() {
            document.is_dirty = true;
        }
    }

    /// Takes the marks off and returns what was marked.
    pub(super) fn dirty(&mut self) -> Vec<&Document> {
        let marked = self.all.values_mut().filter(|one| one.is_dirty);
        marked
            .map(|one| {
                one.is_dirty = false;
                &*one
            })
            .collect()
    }
}

/// A document with its lines, in the encoding that was agreed.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// The document.
    pub(super) document: &'a Document,
    lines: Lines<'a>,
    encoding: Encoding,
}

impl<'a> View<'a> {
    /// Finds the lines of a document.
    pub(super) fn of(document: &'a Document, encoding: Encoding) -> Self {
        Self {
            document,
            lines: Lines::of(&document.text),
            encoding,
        }
    }

    /// The text.
    pub(super) fn text(&self) -> &'a str {
        &self.document.text
    }

    /// The byte at a position of the protocol.
    pub(super) fn offset(&self, position: &Value) -> Result<usize, Failure> {
        let number = |key: &str| {
            let number = position.get(key).and_then(Value::as_u64);
            // A number that no source reaches is as good as any other such number.
            number.map(|number| usize::try_from(number).unwrap_or(usize::MAX))
        };
        match (number("line"), number("character")) {
            (Some(line), Some(column)) => {
                Ok(self.lines.offset(Place { line, column }, self.encoding))
            }
            _ => Err(Failure::params(
                "a position has a `line` and a `character` from 0",
            )),
        }
    }

    /// A byte as a position of the protocol.
    pub(super) fn position(&self, offset: usize) -> Value {
        let place = self.lines.place(offset, self.encoding);
        json!({ "line": place.line, "character": place.column })
    }

    /// Bytes as a range of the protocol.
    pub(super) fn range(&self, span: &std::ops::Range<usize>) -> Value {
        json!({ "start": self.position(span.start), "end": self.position(span.end.max(span.start)) })
    }

    /// Bytes of this document as a location of the protocol.
    pub(super) fn location(&self, span: &std::ops::Range<usize>) -> Value {
        json!({ "uri": self.document.uri, "range": self.range(span) })
    }
}
