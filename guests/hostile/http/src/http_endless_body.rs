//! Writes a body without an end: a host that keeps it grows past every limit.
//! INVARIANT: it goes on until the host refuses.

use aim_sdk::serde_json::{Value, json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Method, OutgoingBody};

pub(crate) fn run(times: u64) -> Value {
    let request = crate::allowed(&Method::Post);
    let Ok(body) = request.body() else {
        return json!({ "err": "body" });
    };
    let Ok(stream) = body.write() else {
        return json!({ "err": "stream" });
    };
    let chunk = vec![b'x'; 4096];
    let mut bytes = 0_u64;
    for _ in 0..times {
        if stream.blocking_write_and_flush(&chunk).is_err() {
            break;
        }
        bytes += 4096;
    }
    drop(stream);
    let finished = OutgoingBody::finish(body, None).map_err(|error| error.to_string());
    let handled = outgoing_handler::handle(request, None).map(drop);
    json!({
        "bytes": bytes,
        "finished": finished.err(),
        "handled": handled.map_err(|error| error.to_string()).err(),
    })
}
