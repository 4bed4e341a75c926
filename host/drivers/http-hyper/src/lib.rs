//! HTTP/1.1 over TCP and TLS: one connection for one request, to an address that was judged.
//!
//! ```text
//! name -> addresses -> each judged -> dial exactly that address -> TLS with the operator's roots -> request -> whole answer
//! ```
//! There is no pool, no proxy, no redirect, no cookie, no decompression, no HTTP/2 and no second look-up of a name.
//!
//! INVARIANT: the address that is dialled is the one that `aim_core::http::check_address` has just let pass.

#![forbid(unsafe_code)]

mod answer;
mod dial;
mod resolver;
mod roots;

use std::{sync::Arc, time::Duration};

use aim_core::{http::HttpResponse, secret::Filled};
use aim_ports::http::{Http, HttpCall, HttpFault, HttpFaultKind, HttpStage, Resolver};
use async_trait::async_trait;
use http_body_util::Full;
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1,
    header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

pub use resolver::SystemResolver;
pub use roots::{Roots, RootsError};

/// Sends requests.
#[derive(Debug)]
pub struct HyperHttp {
    resolver: Arc<dyn Resolver>,
    roots: Roots,
}

impl HyperHttp {
    /// A client that asks `resolver` for addresses and trusts `roots` for TLS.
    #[must_use]
    pub fn new(resolver: Arc<dyn Resolver>, roots: Roots) -> Self {
        Self { resolver, roots }
    }
}

const fn fault(kind: HttpFaultKind, stage: HttpStage) -> HttpFault {
    HttpFault { kind, stage }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[async_trait]
impl Http for HyperHttp {
    async fn send(&self, call: HttpCall) -> Result<HttpResponse, HttpFault> {
        let stage = std::sync::Mutex::new(HttpStage::NotSent);
        let total = millis(call.caps.total_ms);
        match timeout(total, self.exchange(call, &stage)).await {
            Ok(answer) => answer,
            Err(_) => {
                let stage = *stage
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let kind = if stage == HttpStage::NotSent {
                    HttpFaultKind::ConnectTimeout
                } else {
                    HttpFaultKind::Timeout
                };
                Err(fault(kind, stage))
            }
        }
    }
}

type Stage = std::sync::Mutex<HttpStage>;

fn reach(stage: &Stage, reached: HttpStage) {
    *stage
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner) = reached;
}

impl HyperHttp {
    async fn exchange(&self, call: HttpCall, stage: &Stage) -> Result<HttpResponse, HttpFault> {
        let caps = call.caps;
        let is_head = call.method == "HEAD";
        let connect = dial::connect(&*self.resolver, &self.roots, &call);
        let stream = timeout(millis(caps.connect_ms), connect)
            .await
            .map_err(|_| fault(HttpFaultKind::ConnectTimeout, HttpStage::NotSent))??;
        let request = request(call)?;
        let (mut sender, connection) = answer::builder()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| fault(HttpFaultKind::Protocol, HttpStage::NotSent))?;
        // The connection works as long as somebody polls it; when this future is dropped, so is the connection.
        let connection = async {
            drop(connection.await);
            std::future::pending::<()>().await;
        };
        let talk = async {
            reach(stage, HttpStage::Sent);
            let head = timeout(millis(caps.first_byte_ms), sender.send_request(request))
                .await
                .map_err(|_| fault(HttpFaultKind::Timeout, HttpStage::Sent))?
                .map_err(|error| answer::head_fault(&error))?;
            reach(stage, HttpStage::Answered);
            answer::whole(head, is_head, &caps).await
        };
        tokio::select! {
            answer = talk => answer,
            () = connection => Err(fault(HttpFaultKind::Cut, HttpStage::Sent)),
        }
    }
}

fn request(call: HttpCall) -> Result<Request<Full<Bytes>>, HttpFault> {
    let bad = || fault(HttpFaultKind::Protocol, HttpStage::NotSent);
    let target = &call.target;
    let host = if target.port == target.scheme.default_port() {
        target.host.clone()
    } else {
        format!("{}:{}", target.host, target.port)
    };
    let mut request = Request::builder()
        .method(call.method.as_str())
        .uri(target.path_with_query())
        .body(Full::new(Bytes::from(call.body.clone())))
        .map_err(|_| bad())?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::try_from(host).map_err(|_| bad())?);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in &call.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
        // Their owner is the driver.
        if matches!(name, HOST | CONNECTION | CONTENT_LENGTH) {
            continue;
        }
        let mut sent = HeaderValue::from_bytes(value.expose()).map_err(|_| bad())?;
        sent.set_sensitive(matches!(value, Filled::Secret(_)));
        headers.append(name, sent);
    }
    let needs_length =
        !call.body.is_empty() || matches!(call.method.as_str(), "POST" | "PUT" | "PATCH");
    if needs_length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(call.body.len()));
    }
    Ok(request)
}

/// What `http1` is set to.
type Builder = http1::Builder;
