//! What the host says to every function of `fields`.
//! INVARIANT: a changed list is looked at through the other functions.

use aim_sdk::serde_json::{Value, json};
use wasip2::http::types::{Fields, HeaderError, OutgoingRequest};

fn case(result: Result<(), HeaderError>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(HeaderError::InvalidSyntax) => "invalid-syntax",
        Err(HeaderError::Forbidden) => "forbidden",
        Err(HeaderError::Immutable) => "immutable",
    }
}

/// Tries all of them.
pub(crate) fn all() -> Value {
    let fields = Fields::new();
    let value = |text: &str| text.as_bytes().to_vec();
    let appended = case(fields.append("X-One", b"1"));
    let second = case(fields.append("x-one", b"2"));
    let forbidden: Vec<&str> = ["host", "Connection", "transfer-encoding", "idempotency-key"]
        .map(|name| case(fields.set(name, &[value("x")])))
        .to_vec();
    let split = case(fields.append("x-two", b"a\r\nhost: evil"));
    let name = case(fields.append("x two", b"a"));
    let kept = fields.get("x-ONE").len();
    let copy = fields.clone();
    let deleted = case(fields.delete("x-one"));
    let listed =
        Fields::from_list(&[("a".to_owned(), value("b"))]).map(|list| list.entries().len());
    let refused = Fields::from_list(&[("host".to_owned(), value("b"))]).map(drop);
    let flood = (0..200).map(|at| case(copy.append(&format!("x-{at}"), b"y")));
    let flooded = flood.filter(|case| *case == "ok").count();
    let request = OutgoingRequest::new(copy);
    json!({
        "append": [appended, second],
        "forbidden": forbidden,
        "split": split,
        "name": name,
        "kept": kept,
        "deleted": deleted,
        "has": fields.has("x-one"),
        "listed": listed.ok(),
        "refused": case(refused),
        "flooded": flooded,
        "immutable": case(request.headers().append("x", b"y")),
    })
}
