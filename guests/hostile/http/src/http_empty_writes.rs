//! Writes nothing into a request's body, again and again: a host that queues each write grows without an end.
//! INVARIANT: not a byte is written.

use aim_sdk::serde_json::{Value, json};
use wasip2::http::types::{Method, OutgoingBody};

pub(crate) fn run(times: u64) -> Value {
    let request = crate::allowed(&Method::Post);
    let Ok(body) = request.body() else {
        return json!({ "err": "body" });
    };
    let Ok(stream) = body.write() else {
        return json!({ "err": "stream" });
    };
    let mut written = 0_u64;
    for _ in 0..times {
        if stream.check_write().is_err() || stream.write(b"").is_err() {
            break;
        }
        written += 1;
    }
    drop(stream);
    let finished = OutgoingBody::finish(body, None).is_ok();
    json!({ "written": written, "finished": finished })
}
