//! HTTP without a network: a site with fixed pages, a sender that a test programs, and a resolver with a table.
//!
//! INVARIANT: addresses are judged as a driver judges them, so a double never reaches what a driver would refuse.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::http::{HttpResponse, check_address};
use aim_ports::{
    PortError, PortFault,
    http::{Http, HttpCall, HttpFault, HttpFaultKind, HttpStage, Resolver},
};
use async_trait::async_trait;

type Answer = dyn Fn(&HttpCall) -> Result<HttpResponse, HttpFault> + Send + Sync;

/// Answers by a function and remembers what was sent.
#[derive(Clone)]
pub struct TestHttp {
    answer: Arc<Answer>,
    sent: Arc<Mutex<Vec<HttpCall>>>,
}

impl core::fmt::Debug for TestHttp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TestHttp").finish_non_exhaustive()
    }
}

impl TestHttp {
    /// Answers with what `answer` gives.
    #[must_use]
    pub fn new(
        answer: impl Fn(&HttpCall) -> Result<HttpResponse, HttpFault> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Arc::new(answer),
            sent: Arc::default(),
        }
    }

    /// The pages that [`crate::suite::http`] expects, at 127.0.0.1 on `port`; nobody listens anywhere else.
    #[must_use]
    pub fn site(port: u16) -> Self {
        Self::new(move |call| page(call, port))
    }

    /// Everything that was sent so far, in order; what was refused before is not in it.
    #[must_use]
    pub fn sent(&self) -> Vec<HttpCall> {
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Http for TestHttp {
    async fn send(&self, call: HttpCall) -> Result<HttpResponse, HttpFault> {
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call.clone());
        let answer = (self.answer)(&call);
        if let Err(HttpFault {
            kind: HttpFaultKind::Timeout,
            stage: HttpStage::Sent,
        }) = answer
        {
            // Whoever waits for a silent server waits; here only a turn of the others.
            std::future::ready(()).await;
        }
        answer
    }
}

fn page(call: &HttpCall, port: u16) -> Result<HttpResponse, HttpFault> {
    let fault = |kind, stage| HttpFault { kind, stage };
    let address: IpAddr = call
        .target
        .host
        .parse()
        .map_err(|_| fault(HttpFaultKind::Name, HttpStage::NotSent))?;
    check_address(address, &call.networks)
        .map_err(|_| fault(HttpFaultKind::Address, HttpStage::NotSent))?;
    if !call
        .judge
        .as_ref()
        .is_none_or(|judge| judge.permits(address))
    {
        return Err(fault(HttpFaultKind::Denied, HttpStage::NotSent));
    }
    if call.target.port != port {
        return Err(fault(HttpFaultKind::Refused, HttpStage::NotSent));
    }
    let plain = |status, body: Vec<u8>| HttpResponse {
        status,
        headers: vec![("content-type".to_owned(), b"text/plain".to_vec())],
        body,
    };
    let answer = match call.target.path.as_str() {
        "/hello" => plain(200, b"hello".to_vec()),
        "/echo" => plain(200, call.body.clone()),
        "/headers" => plain(200, header_lines(call)),
        "/large" => plain(200, vec![b'x'; crate::suite::LARGE_BYTES]),
        "/redirect" => HttpResponse {
            status: 302,
            headers: vec![("location".to_owned(), b"/hello".to_vec())],
            body: Vec::new(),
        },
        "/cut" => return Err(fault(HttpFaultKind::Cut, HttpStage::Sent)),
        "/silent" => return Err(fault(HttpFaultKind::Timeout, HttpStage::Sent)),
        _ => plain(404, Vec::new()),
    };
    if answer.body.len() as u64 > call.caps.body_bytes {
        return Err(fault(HttpFaultKind::BodySize, HttpStage::Answered));
    }
    Ok(answer)
}

fn header_lines(call: &HttpCall) -> Vec<u8> {
    let host = format!(
        "host: {}:{}\nconnection: close\n",
        call.target.host, call.target.port
    );
    let mut lines = host.into_bytes();
    for (name, value) in &call.headers {
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.expose());
        lines.push(b'\n');
    }
    lines
}

/// Knows the names of a table and counts how often it was asked.
#[derive(Debug, Default)]
pub struct TestResolver {
    table: BTreeMap<String, Vec<IpAddr>>,
    asked: Mutex<Vec<String>>,
}

impl TestResolver {
    /// A table of names.
    #[must_use]
    pub fn new(table: impl IntoIterator<Item = (&'static str, Vec<IpAddr>)>) -> Self {
        let table = table.into_iter();
        Self {
            table: table
                .map(|(name, addresses)| (name.to_owned(), addresses))
                .collect(),
            asked: Mutex::default(),
        }
    }

    /// Every name that was asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Resolver for TestResolver {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, PortError> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(host.to_owned());
        self.table.get(host).cloned().ok_or_else(|| {
            PortError::new(
                PortFault::NotFound,
                format!("resolve {host}"),
                "unknown name",
            )
        })
    }
}
