//! JSON-RPC 2.0 as the Language Server Protocol uses it: requests, notifications, answers, errors.
//!
//! INVARIANT: every request gets exactly one answer under its own id, and what is no message is answered under none.

use serde_json::{Value, json};

use super::wire::{Arrived, MESSAGE_BYTES_MAX};

/// A message that was understood as far as JSON-RPC goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message {
    /// Wants an answer under `id`.
    Request {
        /// A number or a text.
        id: Value,
        /// What is asked.
        method: String,
        /// About what; null when nothing is said.
        params: Value,
    },
    /// Wants none.
    Notification {
        /// What is said.
        method: String,
        /// About what; null when nothing is said.
        params: Value,
    },
    /// An answer to something that this server asked.
    Answer,
    /// Nothing that can be answered under an id.
    Bad(Failure),
}

/// Why a request is not answered with a result. The numbers are those of JSON-RPC and LSP 3.17.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    code: i32,
    message: String,
}

impl Failure {
    /// The message is no JSON.
    pub(super) fn parse(message: impl Into<String>) -> Self {
        Self::new(-32700, message)
    }

    /// The message is JSON and no request, or comes at the wrong time.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    /// There is no such method.
    pub(super) fn unknown_method(method: &str) -> Self {
        let shown: String = method.chars().take(80).collect();
        Self::new(-32601, format!("there is no method `{shown}`"))
    }

    /// The parameters are not those of the method.
    pub(super) fn params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    /// `initialize` was not sent yet.
    pub(super) fn not_initialized() -> Self {
        Self::new(-32002, "send `initialize` first")
    }

    /// The client took the request back.
    pub(super) fn cancelled() -> Self {
        Self::new(-32800, "cancelled")
    }

    /// The request was understood and can not be done.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::new(-32803, message)
    }

    fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl Message {
    /// Reads what came.
    pub(super) fn read(arrived: &Arrived) -> Self {
        let bytes = match arrived {
            Arrived::Message(bytes) => bytes,
            Arrived::NoLength => {
                return Self::Bad(Failure::parse("expected a `Content-Length` header"));
            }
            Arrived::TooLarge(length) => {
                return Self::Bad(Failure::invalid(format!(
                    "the message has {length} bytes, at most {MESSAGE_BYTES_MAX} are read"
                )));
            }
        };
        match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(fields)) => Self::of(fields),
            Ok(_) => Self::Bad(Failure::invalid("expected one JSON object")),
            Err(error) => Self::Bad(Failure::parse(error.to_string())),
        }
    }

    fn of(mut fields: serde_json::Map<String, Value>) -> Self {
        let params = fields.remove("params").unwrap_or_default();
        let id = fields.remove("id");
        let is_answer = fields.contains_key("result") || fields.contains_key("error");
        match (fields.remove("method"), id) {
            (None, Some(_)) if is_answer => Self::Answer,
            (Some(Value::String(method)), None) => Self::Notification { method, params },
            (Some(Value::String(method)), Some(id @ (Value::Number(_) | Value::String(_)))) => {
                Self::Request { id, method, params }
            }
            _ => Self::Bad(Failure::invalid(
                "expected a method, and an id that is a number or a text",
            )),
        }
    }
}

/// The answer to a request.
pub(super) fn answer(id: Value, result: Result<Value, Failure>) -> Value {
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(failure) => json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": { "code": failure.code, "message": failure.message },
        }),
    }
}

/// Something said without being asked.
pub(super) fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// Something asked of the client, whose answer nobody waits for.
pub(super) fn request(id: &str, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}
