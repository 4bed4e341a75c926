//! Fills the bodies of many requests and sends none: a host that bounds each body alone keeps all of them.
//! INVARIANT: whatever was filled is held until the end of a round.

use aim_sdk::serde_json::{Value, json};
use wasip2::http::types::{Method, OutgoingBody, OutgoingRequest};

/// Fills one body with 64 KiB and lets go of all but the request.
fn filled() -> Option<OutgoingRequest> {
    let request = crate::allowed(&Method::Post);
    let body = request.body().ok()?;
    let stream = body.write().ok()?;
    let chunk = vec![b'x'; 4096];
    for _ in 0..16 {
        stream.blocking_write_and_flush(&chunk).ok()?;
    }
    drop(stream);
    OutgoingBody::finish(body, None).ok()?;
    Some(request)
}

/// How many bodies were filled in each of two rounds.
pub(crate) fn run(times: u64) -> Value {
    let round = || {
        let held: Vec<OutgoingRequest> = (0..times).map_while(|_| filled()).collect();
        held.len()
    };
    json!([round(), round()])
}
