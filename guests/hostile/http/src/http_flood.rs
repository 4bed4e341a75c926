//! Sends one allowed request after the other.
//! INVARIANT: it never stops by itself before `times`.

use aim_sdk::serde_json::{Value, json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::Method;

pub(crate) fn run(times: u64) -> Value {
    let mut answered = 0_u64;
    for _ in 0..times {
        if outgoing_handler::handle(crate::allowed(&Method::Get), None).is_ok() {
            answered += 1;
        }
    }
    json!({ "answered": answered })
}
