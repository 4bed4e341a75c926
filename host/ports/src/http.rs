//! Sending one HTTP request, and finding the addresses of a name.
//!
//! What may be sent where is decided before; the driver judges each address it is about to dial with
//! [`aim_core::http::check_address`] and the call's own [`AddressJudge`], and dials exactly the one that it judged. It follows no redirect, adds no header of
//! its own but those that the message format needs, keeps nothing between two requests, and uses no proxy.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::{fmt::Debug, net::IpAddr};

use aim_core::{
    http::{HttpResponse, Network, Target},
    secret::Filled,
};
use async_trait::async_trait;

use crate::PortError;

/// A request as it goes out.
#[derive(Debug, Clone)]
pub struct HttpCall {
    /// The method, in capitals.
    pub method: String,
    /// Where it goes.
    pub target: Target,
    /// Names and values; neither `host` nor `content-length`, which the driver writes.
    pub headers: Vec<(String, Filled)>,
    /// The body.
    pub body: Vec<u8>,
    /// Networks out of the special ranges that may be dialled.
    pub networks: Vec<Network>,
    /// How long it may take, and how much may come back.
    pub caps: HttpCaps,
    /// What policy says about addresses; absent where it says nothing about any.
    pub judge: Option<Arc<dyn AddressJudge>>,
}

/// Judges addresses that are about to be dialled and that the ranges let pass.
pub trait AddressJudge: Debug + Send + Sync {
    /// True when `address` may be dialled for this request.
    fn permits(&self, address: IpAddr) -> bool;
}

/// Inclusive maxima of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpCaps {
    /// Until the connection stands, names and TLS included, in milliseconds.
    pub connect_ms: u64,
    /// From the request to the answer's head, in milliseconds.
    pub first_byte_ms: u64,
    /// Between two pieces of the answer's body, in milliseconds.
    pub between_bytes_ms: u64,
    /// All of it, in milliseconds.
    pub total_ms: u64,
    /// Bytes of the answer's body.
    pub body_bytes: u64,
}

/// How far a request had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpStage {
    /// No byte of it was sent: the other side has done nothing.
    NotSent,
    /// It may have been received: nobody knows what was done.
    Sent,
    /// The other side has answered; its answer can not be used.
    Answered,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpFaultKind {
    /// The name has no address, or nobody could be asked.
    Name,
    /// Every address of the name is refused.
    Address,
    /// Policy refuses an address, and no other one took the connection.
    Denied,
    /// Nobody took the connection.
    Refused,
    /// The connection did not stand in time.
    ConnectTimeout,
    /// The other side's certificate is not vouched for.
    Certificate,
    /// TLS failed otherwise.
    Tls,
    /// The connection ended early.
    Cut,
    /// What came is no HTTP/1.1.
    Protocol,
    /// No answer in time.
    Timeout,
    /// The answer's head is too large.
    HeadSize,
    /// The answer's body is too large.
    BodySize,
    /// The host was told to stop.
    Stopped,
    /// This host can not send requests of this kind.
    Unsupported,
}

impl HttpFaultKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Name,
        Self::Address,
        Self::Denied,
        Self::Refused,
        Self::ConnectTimeout,
        Self::Certificate,
        Self::Tls,
        Self::Cut,
        Self::Protocol,
        Self::Timeout,
        Self::HeadSize,
        Self::BodySize,
        Self::Stopped,
        Self::Unsupported,
    ];

    /// Reads the word in evidence; `None` for any other.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The word in evidence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Name => "name-not-found",
            Self::Address => "address-refused",
            Self::Denied => "address-denied",
            Self::Refused => "connection-refused",
            Self::ConnectTimeout => "connection-timeout",
            Self::Certificate => "certificate-refused",
            Self::Tls => "tls-failed",
            Self::Cut => "connection-cut",
            Self::Protocol => "protocol-error",
            Self::Timeout => "timeout",
            Self::HeadSize => "head-too-large",
            Self::BodySize => "body-too-large",
            Self::Stopped => "stopped",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A request that got no usable answer. Holds no word of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("http request: {}", kind.word())]
pub struct HttpFault {
    /// What went wrong.
    pub kind: HttpFaultKind,
    /// How far it had come.
    pub stage: HttpStage,
}

/// Sends requests.
#[async_trait]
pub trait Http: Debug + Send + Sync {
    /// Sends one request and takes the whole answer. An answer of any status is an answer. When the future is dropped,
    /// the connection is closed.
    ///
    /// # Errors
    /// [`HttpFault`]; `stage` is never earlier than what the other side may have seen.
    async fn send(&self, call: HttpCall) -> Result<HttpResponse, HttpFault>;
}

/// Finds addresses.
#[async_trait]
pub trait Resolver: Debug + Send + Sync {
    /// The addresses of a host name, in the order in which they should be tried; never asked about an address.
    ///
    /// # Errors
    /// [`crate::PortFault::NotFound`] when there is none, [`crate::PortFault::Unavailable`] when nobody could be asked.
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, PortError>;
}
