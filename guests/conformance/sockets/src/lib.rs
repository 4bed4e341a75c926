//! Connects to `address` (TCP, by default `127.0.0.1:9`) through Rust's standard library and answers with what it saw.
//! INVARIANT: it is the only conformance guest that imports `wasi:sockets`.

use std::net::TcpStream;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};

struct Sockets;

impl Step for Sockets {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = if envelope.body.is_empty() { json!({}) } else { aim_sdk::json::read(&envelope)? };
        let address = body.get("address").and_then(Value::as_str).unwrap_or("127.0.0.1:9");
        let answer = match TcpStream::connect(address) {
            Ok(_) => json!({ "ok": "connected" }),
            Err(error) => {
                json!({ "err": { "kind": format!("{:?}", error.kind()), "code": error.raw_os_error() } })
            }
        };
        Ok(vec![aim_sdk::json::emit(&envelope.operation, &answer)?])
    }
}

aim_sdk::export_step!(Sockets);
