//! The driver against servers of its own on the loopback interface.
//!
//! INVARIANT: every server listens on a port that the system chose, and counts who came.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use aim_core::{
    http::Scheme,
    secret::{Secret, fill},
};
use aim_http_hyper::{HyperHttp, Roots, RootsError};
use aim_ports::http::{Http as _, HttpCall, HttpFault, HttpFaultKind, HttpStage};
use aim_testkit::{
    TestHttp, TestResolver,
    suite::{LARGE_BYTES, call_to, http},
};
use zeroize::Zeroizing;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A server that answers each connection with what `answer` makes of the request's head and body.
struct Server {
    port: u16,
    came: Arc<AtomicUsize>,
}

type Respond = dyn Fn(&str, &[u8]) -> Option<Vec<u8>> + Send + Sync;

fn serve(respond: impl Fn(&str, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&came);
    let respond: Arc<Respond> = Arc::new(respond);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::SeqCst);
            let respond = Arc::clone(&respond);
            thread::spawn(move || handle(stream, &*respond));
        }
    });
    Server { port, came }
}

fn handle(stream: TcpStream, respond: &Respond) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    match respond(&head, &body) {
        Some(answer) if answer.is_empty() => {
            // Silent: the connection stays until the other side goes.
            let mut rest = Vec::new();
            drop(reader.read_to_end(&mut rest));
        }
        Some(answer) => drop((&stream).write_all(&answer)),
        None => {}
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn site() -> Server {
    serve(|head, body| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        Some(match path {
            "/hello" => answer("200 OK", "x-answer: yes\r\n", b"hello"),
            "/echo" => answer("200 OK", "", body),
            "/headers" => {
                let lines: Vec<&str> = head.lines().skip(1).collect();
                answer("200 OK", "", lines.join("\n").as_bytes())
            }
            "/large" => answer("200 OK", "", &vec![b'x'; LARGE_BYTES]),
            "/redirect" => answer("302 Found", "location: /hello\r\n", b""),
            "/cut" => return None,
            "/silent" => Vec::new(),
            _ => answer("404 Not Found", "", b""),
        })
    })
}

/// A port that nobody listens on, and that nobody else is given while the connection that holds it lives.
fn dead_port() -> (TcpStream, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let holder = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = holder.local_addr().unwrap().port();
    (holder, port)
}

fn client() -> HyperHttp {
    HyperHttp::new(Arc::new(TestResolver::default()), Roots::none())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn sent(client: &HyperHttp, call: HttpCall) -> Result<(u16, Vec<u8>), HttpFault> {
    run(client.send(call)).map(|answer| (answer.status, answer.body))
}

/// Negative control: with no sum of body bytes, this fails.
#[test]
fn the_driver_keeps_the_promises_of_the_port() {
    let (_holder, dead) = dead_port();
    run(http(&client(), site().port, dead));
}

#[test]
fn the_double_keeps_them_as_well() {
    run(http(&TestHttp::site(4000), 4000, 4001));
}

// Negative control: with the call of `check_address` taken out of `dial`, the first case connects and this fails.
#[test]
fn the_resolved_address_is_judged_and_a_refused_one_is_never_dialled() {
    let server = site();
    let v6: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
    let resolver = TestResolver::new([
        ("inner.example", vec![LOCAL]),
        ("mapped.example", vec![v6]),
        ("meta.example", vec!["169.254.169.254".parse().unwrap()]),
    ]);
    let client = HyperHttp::new(Arc::new(resolver), Roots::none());
    for host in [
        "inner.example",
        "mapped.example",
        "meta.example",
        "127.0.0.1",
        "[::1]",
    ] {
        let mut call = call_to(server.port, "GET", "/hello");
        call.target.host = host.to_owned();
        call.networks.clear();
        let fault = sent(&client, call).unwrap_err();
        assert_eq!(
            (fault.kind, fault.stage),
            (HttpFaultKind::Address, HttpStage::NotSent),
            "{host}"
        );
    }
    assert_eq!(server.came.load(Ordering::SeqCst), 0, "nobody came");
}

/// Negative control: with the name asked for twice, this fails.
#[test]
fn a_granted_address_among_refused_ones_is_dialled_and_the_name_is_asked_once() {
    let server = site();
    let refused: IpAddr = "169.254.169.254".parse().unwrap();
    let resolver = Arc::new(TestResolver::new([("mixed.example", vec![refused, LOCAL])]));
    let client = HyperHttp::new(Arc::clone(&resolver) as _, Roots::none());
    let mut call = call_to(server.port, "GET", "/hello");
    call.target.host = "mixed.example".to_owned();
    assert_eq!(sent(&client, call), Ok((200, b"hello".to_vec())));
    assert_eq!(
        resolver.asked(),
        ["mixed.example"],
        "no second look-up after the check"
    );
    let mut call = call_to(server.port, "GET", "/hello");
    call.target.host = "unknown.example".to_owned();
    assert_eq!(sent(&client, call).unwrap_err().kind, HttpFaultKind::Name);
}

/// Negative control: with no sum of header bytes, with status 101 let pass, or without the look at the two lengths, this fails.
#[test]
fn an_answer_with_too_many_or_too_large_headers_or_no_http_is_a_fault() {
    for (bad, kind) in [
        (
            answer("200 OK", &"x: y\r\n".repeat(150), b""),
            HttpFaultKind::HeadSize,
        ),
        (
            answer("200 OK", &format!("x: {}\r\n", "y".repeat(40_000)), b""),
            HttpFaultKind::HeadSize,
        ),
        (
            answer("200 OK", &format!("x: {}\r\n", "y".repeat(200_000)), b""),
            HttpFaultKind::HeadSize,
        ),
        (b"SSH-2.0-nothing\r\n\r\n".to_vec(), HttpFaultKind::Protocol),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort".to_vec(),
            HttpFaultKind::Cut,
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
                .to_vec(),
            HttpFaultKind::Protocol,
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                .to_vec(),
            HttpFaultKind::Protocol,
        ),
    ] {
        let shown = String::from_utf8_lossy(&bad[..bad.len().min(60)]).into_owned();
        let server = serve(move |_, _| Some(bad.clone()));
        let fault = sent(&client(), call_to(server.port, "GET", "/")).unwrap_err();
        assert_eq!(fault.kind, kind, "{shown}");
        assert_ne!(fault.stage, HttpStage::NotSent, "{shown}");
    }
}

/// Negative control: with hop-by-hop headers handed on, this fails.
#[test]
fn hop_by_hop_headers_of_an_answer_are_not_handed_on() {
    let server = serve(|_, _| {
        Some(answer(
            "200 OK",
            "keep-alive: timeout=5\r\nproxy-authenticate: x\r\nx-kept: 1\r\n",
            b"",
        ))
    });
    let answer = run(client().send(call_to(server.port, "GET", "/"))).unwrap();
    let names: Vec<&str> = answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["content-length", "x-kept"]);
}

/// Negative control: with no total time, this fails.
#[test]
fn an_answer_that_drips_ends_with_the_total_time() {
    let server = serve(|_, _| None);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The request first: an answer to nothing is no answer.
        assert!(stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0));
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"));
        while stream.write_all(b"x").is_ok() {
            thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    let mut call = call_to(port, "GET", "/");
    // Long enough for the head to arrive from a server that gets no turn for seconds.
    call.caps.total_ms = 5_000;
    let fault = sent(&client(), call).unwrap_err();
    assert_eq!(
        (fault.kind, fault.stage),
        (HttpFaultKind::Timeout, HttpStage::Answered)
    );
    assert_eq!(server.came.load(Ordering::SeqCst), 0);
}

/// Negative control: with `Debug` printing the bytes, this fails.
#[test]
fn a_secret_is_sent_and_shown_nowhere() {
    let secret = Secret::parse(Zeroizing::new(b"canary-0123456789".to_vec())).unwrap();
    let value = fill(b"Bearer {{secret:token}}", |_| Some(&secret)).unwrap();
    let mut call = call_to(site().port, "GET", "/headers");
    call.headers.push(("authorization".to_owned(), value));
    assert!(!format!("{call:?}").contains("canary"), "{call:?}");
    let (_, body) = sent(&client(), call).unwrap();
    let lines = String::from_utf8(body).unwrap();
    assert!(
        lines.contains("authorization: Bearer canary-0123456789"),
        "{lines}"
    );
}

/// A server that speaks TLS with a certificate for `localhost.example`, and the certificate of whoever vouches for it.
fn tls_server() -> (Server, String) {
    let issuer_key = rcgen::KeyPair::generate().unwrap();
    let mut issuer = rcgen::CertificateParams::new(Vec::new()).unwrap();
    issuer.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = issuer.self_signed(&issuer_key).unwrap();
    let issuer = rcgen::Issuer::new(issuer, issuer_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost.example".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], der)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&came);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut bytes = [0; 4096];
            if stream.read(&mut bytes).is_ok_and(|read| read > 0) {
                counter.fetch_add(1, Ordering::SeqCst);
                drop(stream.write_all(&answer("200 OK", "", b"over tls")));
                stream.conn.send_close_notify();
                drop(stream.flush());
            }
        }
    });
    (Server { port, came }, root.pem())
}

// Negative control: with a verifier that believes everybody, the second and third case are answered and this fails.
#[test]
fn tls_is_spoken_with_the_operators_roots_and_with_nobody_elses() {
    let (server, root) = tls_server();
    let (_, other_root) = tls_server();
    let resolver = || {
        let names = [
            ("localhost.example", vec![LOCAL]),
            ("other.example", vec![LOCAL]),
        ];
        Arc::new(TestResolver::new(names)) as Arc<_>
    };
    let get = |roots: Roots, host: &str| {
        let mut call = call_to(server.port, "GET", "/");
        call.target.scheme = Scheme::Https;
        call.target.host = host.to_owned();
        sent(&HyperHttp::new(resolver(), roots), call)
    };
    let trusted = || Roots::from_pem(root.as_bytes()).unwrap();
    assert_eq!(
        get(trusted(), "localhost.example"),
        Ok((200, b"over tls".to_vec()))
    );
    assert_eq!(server.came.load(Ordering::SeqCst), 1);
    let stranger = Roots::from_pem(other_root.as_bytes()).unwrap();
    for (roots, host) in [
        (stranger, "localhost.example"),
        (trusted(), "other.example"),
        (trusted(), "127.0.0.1"),
        (Roots::none(), "localhost.example"),
    ] {
        let fault = get(roots, host).unwrap_err();
        assert_eq!(
            (fault.kind, fault.stage),
            (HttpFaultKind::Certificate, HttpStage::NotSent),
            "{host}"
        );
    }
    assert_eq!(
        server.came.load(Ordering::SeqCst),
        1,
        "nothing was sent to a stranger"
    );
}

/// Negative control: with a file without certificates taken, this fails.
#[test]
fn roots_are_certificates_or_refused() {
    assert_eq!(Roots::from_pem(b"").unwrap_err(), RootsError::Empty);
    assert_eq!(
        Roots::from_pem(b"no pem at all").unwrap_err(),
        RootsError::Empty
    );
    let bad = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(Roots::from_pem(bad).unwrap_err(), RootsError::Malformed);
    assert_eq!(RootsError::Empty.code(), "AIM-N010");
}
