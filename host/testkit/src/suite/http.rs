//! What sending a request promises, whoever does it. The site behind it is plain: see [`http`].

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::{
    http::{HttpResponse, Network, Scheme, Target},
    secret::Filled,
};
use aim_ports::http::{AddressJudge, Http, HttpCall, HttpCaps, HttpFaultKind, HttpStage};

/// Bytes of the page `/large`.
pub const LARGE_BYTES: usize = 100_000;

/// A request to the site of the suite: 127.0.0.1 is granted, and the maxima are small.
#[must_use]
pub fn call_to(port: u16, method: &str, path: &str) -> HttpCall {
    let networks = "127.0.0.0/8".parse::<Network>();
    HttpCall {
        method: method.to_owned(),
        target: Target {
            scheme: Scheme::Http,
            host: "127.0.0.1".to_owned(),
            port,
            path: path.to_owned(),
            query: None,
        },
        headers: Vec::new(),
        body: Vec::new(),
        networks: networks.into_iter().collect(),
        caps: HttpCaps {
            connect_ms: 60_000,
            first_byte_ms: 60_000,
            between_bytes_ms: 60_000,
            total_ms: 120_000,
            body_bytes: LARGE_BYTES as u64,
        },
        judge: None,
    }
}

/// Sends to a site at 127.0.0.1 on `port` that has these pages: `/hello` says `hello`; `/echo` sends the body back;
/// `/headers` sends the header lines back, `name: value` with `\n`; `/large` has [`LARGE_BYTES`] bytes; `/redirect` is a 302
/// to `/hello`; `/cut` closes the connection without an answer; `/silent` never answers; all else is a 404. Nobody listens
/// on `dead_port`.
pub async fn http(http: &dyn Http, port: u16, dead_port: u16) {
    answers_of_any_status_are_answers(http, port).await;
    headers_and_bodies_arrive_as_they_are(http, port).await;
    limits_are_kept(http, port).await;
    stages_are_told(http, port, dead_port).await;
    a_judge_is_asked_about_each_address(http, port).await;
}

/// Says the same about every address, and remembers which it was asked about.
#[derive(Debug)]
struct Judge {
    answer: bool,
    asked: Mutex<Vec<IpAddr>>,
}

impl AddressJudge for Judge {
    fn permits(&self, address: IpAddr) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(address);
        self.answer
    }
}

async fn a_judge_is_asked_about_each_address(http: &dyn Http, port: u16) {
    for answer in [true, false] {
        let judge = Arc::new(Judge {
            answer,
            asked: Mutex::default(),
        });
        let mut call = call_to(port, "GET", "/hello");
        call.judge = Some(Arc::clone(&judge) as Arc<dyn AddressJudge>);
        if answer {
            assert_eq!(answered(http, call).await.body, b"hello");
        } else {
            let fault = failed(http, call).await;
            assert_eq!(fault, (HttpFaultKind::Denied, HttpStage::NotSent));
        }
        let asked = judge.asked.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*asked, [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    }
    // What the ranges refuse is not even asked about.
    let judge = Arc::new(Judge {
        answer: true,
        asked: Mutex::default(),
    });
    let mut call = call_to(port, "GET", "/hello");
    call.networks.clear();
    call.judge = Some(Arc::clone(&judge) as Arc<dyn AddressJudge>);
    let fault = failed(http, call).await;
    assert_eq!(fault, (HttpFaultKind::Address, HttpStage::NotSent));
    let asked = judge.asked.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(asked.is_empty());
}

async fn get(http: &dyn Http, port: u16, path: &str) -> HttpResponse {
    answered(http, call_to(port, "GET", path)).await
}

/// The answer; that there is one is asserted.
async fn answered(http: &dyn Http, call: HttpCall) -> HttpResponse {
    let path = call.target.path.clone();
    let sent = http.send(call).await;
    assert!(sent.is_ok(), "{path}: {sent:?}");
    sent.unwrap_or(HttpResponse {
        status: 0,
        headers: Vec::new(),
        body: Vec::new(),
    })
}

/// The fault; that there is one is asserted.
async fn failed(http: &dyn Http, call: HttpCall) -> (HttpFaultKind, HttpStage) {
    let path = call.target.path.clone();
    let sent = http.send(call).await;
    assert!(sent.is_err(), "{path} is answered");
    let fault = sent.err();
    let none = (HttpFaultKind::Unsupported, HttpStage::NotSent);
    fault.map_or(none, |fault| (fault.kind, fault.stage))
}

async fn answers_of_any_status_are_answers(http: &dyn Http, port: u16) {
    let hello = get(http, port, "/hello").await;
    assert_eq!((hello.status, hello.body.as_slice()), (200, &b"hello"[..]));
    assert_eq!(get(http, port, "/nothing").await.status, 404);
    let redirect = get(http, port, "/redirect").await;
    assert_eq!(
        redirect.status, 302,
        "a redirect is an answer, nobody follows it"
    );
    let location = redirect.headers.iter().find(|(name, _)| name == "location");
    assert_eq!(
        location.map(|(_, value)| value.as_slice()),
        Some(&b"/hello"[..])
    );
}

async fn headers_and_bodies_arrive_as_they_are(http: &dyn Http, port: u16) {
    let mut call = call_to(port, "POST", "/echo");
    call.body = b"some \0 bytes".to_vec();
    let echo = answered(http, call).await;
    assert_eq!(echo.body, b"some \0 bytes");
    let mut call = call_to(port, "GET", "/headers");
    for (name, value) in [("x-one", "1"), ("x-one", "2"), ("host", "evil.example")] {
        let value = Filled::Plain(value.as_bytes().to_vec());
        if name != "host" {
            call.headers.push((name.to_owned(), value));
        }
    }
    let lines = answered(http, call).await.body;
    let lines = String::from_utf8_lossy(&lines).to_ascii_lowercase();
    let has = |line: &str| lines.lines().any(|one| one == line);
    assert!(has(&format!("host: 127.0.0.1:{port}")), "{lines}");
    assert!(has("x-one: 1") && has("x-one: 2"), "{lines}");
    assert!(has("connection: close"), "{lines}");
    assert!(!lines.contains("user-agent"), "{lines}");
}

async fn limits_are_kept(http: &dyn Http, port: u16) {
    let whole = get(http, port, "/large").await;
    assert_eq!(whole.body.len(), LARGE_BYTES, "the maximum is inclusive");
    let mut call = call_to(port, "GET", "/large");
    call.caps.body_bytes = LARGE_BYTES as u64 - 1;
    let fault = failed(http, call).await;
    assert_eq!(fault, (HttpFaultKind::BodySize, HttpStage::Answered));
}

async fn stages_are_told(http: &dyn Http, port: u16, dead_port: u16) {
    let fault = failed(http, call_to(port, "GET", "/cut")).await;
    assert_eq!(fault, (HttpFaultKind::Cut, HttpStage::Sent));
    let mut call = call_to(port, "GET", "/silent");
    call.caps.first_byte_ms = 50;
    let fault = failed(http, call).await;
    assert_eq!(fault, (HttpFaultKind::Timeout, HttpStage::Sent));
    let fault = failed(http, call_to(dead_port, "GET", "/hello")).await;
    assert_eq!(fault, (HttpFaultKind::Refused, HttpStage::NotSent));
    let mut call = call_to(port, "GET", "/hello");
    call.networks.clear();
    let fault = failed(http, call).await;
    assert_eq!(fault, (HttpFaultKind::Address, HttpStage::NotSent));
}
