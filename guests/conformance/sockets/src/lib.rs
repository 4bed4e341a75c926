//! Connects to the local discard port over TCP through `wasi:sockets` and answers with what it saw.
//! INVARIANT: it is the only conformance guest that imports `wasi:sockets`.

use aim_sdk::serde_json::json;
use aim_sdk::{Emission, Envelope, Step, StepError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

struct Sockets;

impl Step for Sockets {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let answer = match connect() {
            Ok(()) => json!({ "ok": "connected" }),
            Err(code) => json!({ "err": code.name() }),
        };
        Ok(vec![aim_sdk::json::emit(&envelope.operation, &answer)?])
    }
}

/// Connects to 127.0.0.1:9.
fn connect() -> Result<(), ErrorCode> {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
    let address = Ipv4SocketAddress {
        port: 9,
        address: (127, 0, 0, 1),
    };
    socket.start_connect(&instance_network(), IpSocketAddress::Ipv4(address))?;
    // BOUND: the connection is made or refused, or the step's deadline ends it.
    loop {
        socket.subscribe().block();
        match socket.finish_connect() {
            Ok(_) => return Ok(()),
            Err(ErrorCode::WouldBlock) => {}
            Err(code) => return Err(code),
        }
    }
}

aim_sdk::export_step!(Sockets);
