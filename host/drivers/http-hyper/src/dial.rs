//! From a host to a connection: look up, judge every address, dial the judged ones in order, speak TLS where it is asked for.
//!
//! INVARIANT: nothing here hands a name to the system's connect; an address goes from the judge to the dial unchanged.

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use aim_core::http::{Scheme, Target, check_address};
use aim_ports::http::{HttpCall, HttpFault, HttpFaultKind, HttpStage, Resolver};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Roots, fault};

/// A connection, plain or not.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Addresses that are tried of one name.
const ADDRESSES_MAX: usize = 8;

const fn not_sent(kind: HttpFaultKind) -> HttpFault {
    fault(kind, HttpStage::NotSent)
}

pub(crate) async fn connect(
    resolver: &dyn Resolver,
    roots: &Roots,
    call: &HttpCall,
) -> Result<Stream, HttpFault> {
    let target = &call.target;
    if target.scheme == Scheme::Https && roots.config().is_none() {
        return Err(not_sent(HttpFaultKind::Certificate));
    }
    let addresses = addresses(resolver, target).await?;
    let tcp = dial(call, &addresses).await?;
    match (target.scheme, roots.config()) {
        (Scheme::Http, _) => Ok(Stream::Plain(tcp)),
        (Scheme::Https, None) => Err(not_sent(HttpFaultKind::Certificate)),
        (Scheme::Https, Some(config)) => {
            let name = ServerName::try_from(bare(&target.host).to_owned())
                .map_err(|_| not_sent(HttpFaultKind::Name))?;
            let connector = TlsConnector::from(Arc::clone(config));
            let stream = connector.connect(name, tcp).await;
            stream
                .map(|stream| Stream::Tls(Box::new(stream)))
                .map_err(|error| not_sent(tls_fault(&error)))
        }
    }
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

async fn addresses(resolver: &dyn Resolver, target: &Target) -> Result<Vec<IpAddr>, HttpFault> {
    let host = bare(&target.host);
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let found = resolver.resolve(host).await;
    found.map_err(|_| not_sent(HttpFaultKind::Name))
}

/// Dials the addresses that pass, in order. One that does not pass is left out; when none passes, nothing is dialled.
///
/// Negative control: with the call of `check_address` taken out, the test of refused addresses connects and fails; with
/// the judge's answer taken for a yes, the suite's test of it does.
async fn dial(call: &HttpCall, addresses: &[IpAddr]) -> Result<TcpStream, HttpFault> {
    let mut worst = not_sent(HttpFaultKind::Address);
    for address in addresses.iter().take(ADDRESSES_MAX) {
        if check_address(*address, &call.networks).is_err() {
            continue;
        }
        if !call
            .judge
            .as_ref()
            .is_none_or(|judge| judge.permits(*address))
        {
            worst = not_sent(HttpFaultKind::Denied);
            continue;
        }
        let socket = SocketAddr::new(*address, call.target.port);
        match TcpStream::connect(socket).await {
            Ok(stream) => {
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            // A denial is what a person can do something about.
            Err(_) if worst.kind == HttpFaultKind::Denied => {}
            Err(_) => worst = not_sent(HttpFaultKind::Refused),
        }
    }
    Err(worst)
}

fn tls_fault(error: &std::io::Error) -> HttpFaultKind {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => HttpFaultKind::Certificate,
        _ => HttpFaultKind::Tls,
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
