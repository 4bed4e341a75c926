//! The types of `wasi:http/types` at 0.2, as far as sending needs them.
//!
//! Source: the WASI 0.2 WIT in `wit/deps`. Every case is listed, because the order is the encoding.
//!
//! INVARIANT: shapes are checked against the component when it is loaded.

use aim_ports::http::{HttpFault, HttpFaultKind, HttpStage};
use wasmtime::component::{ComponentType, Lift, Lower};

/// `wasi:http/types.method`.
#[derive(ComponentType, Lift, Lower, Debug, Clone, PartialEq, Eq)]
#[component(variant)]
pub(super) enum Method {
    #[component(name = "get")]
    Get,
    #[component(name = "head")]
    Head,
    #[component(name = "post")]
    Post,
    #[component(name = "put")]
    Put,
    #[component(name = "delete")]
    Delete,
    #[component(name = "connect")]
    Connect,
    #[component(name = "options")]
    Options,
    #[component(name = "trace")]
    Trace,
    #[component(name = "patch")]
    Patch,
    #[component(name = "other")]
    Other(String),
}

impl Method {
    /// The method as it is sent.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Other(word) => word,
        }
    }
}

/// `wasi:http/types.scheme`.
#[derive(ComponentType, Lift, Lower, Debug, Clone, PartialEq, Eq)]
#[component(variant)]
pub(super) enum Scheme {
    #[component(name = "HTTP")]
    Http,
    #[component(name = "HTTPS")]
    Https,
    #[component(name = "other")]
    Other(String),
}

/// `wasi:http/types.DNS-error-payload`.
#[derive(ComponentType, Lift, Lower, Debug, Clone, PartialEq, Eq)]
#[component(record)]
pub(super) struct DnsErrorPayload {
    pub(super) rcode: Option<String>,
    #[component(name = "info-code")]
    pub(super) info_code: Option<u16>,
}

/// `wasi:http/types.TLS-alert-received-payload`.
#[derive(ComponentType, Lift, Lower, Debug, Clone, PartialEq, Eq)]
#[component(record)]
pub(super) struct TlsAlertReceivedPayload {
    #[component(name = "alert-id")]
    pub(super) alert_id: Option<u8>,
    #[component(name = "alert-message")]
    pub(super) alert_message: Option<String>,
}

/// `wasi:http/types.field-size-payload`.
#[derive(ComponentType, Lift, Lower, Debug, Clone, PartialEq, Eq)]
#[component(record)]
pub(super) struct FieldSizePayload {
    #[component(name = "field-name")]
    pub(super) field_name: Option<String>,
    #[component(name = "field-size")]
    pub(super) field_size: Option<u32>,
}

/// `wasi:http/types.error-code`.
#[derive(ComponentType, Lift, Lower, Debug, Clone, PartialEq, Eq)]
#[component(variant)]
pub(super) enum ErrorCode {
    #[component(name = "DNS-timeout")]
    DnsTimeout,
    #[component(name = "DNS-error")]
    DnsError(DnsErrorPayload),
    #[component(name = "destination-not-found")]
    DestinationNotFound,
    #[component(name = "destination-unavailable")]
    DestinationUnavailable,
    #[component(name = "destination-IP-prohibited")]
    DestinationIpProhibited,
    #[component(name = "destination-IP-unroutable")]
    DestinationIpUnroutable,
    #[component(name = "connection-refused")]
    ConnectionRefused,
    #[component(name = "connection-terminated")]
    ConnectionTerminated,
    #[component(name = "connection-timeout")]
    ConnectionTimeout,
    #[component(name = "connection-read-timeout")]
    ConnectionReadTimeout,
    #[component(name = "connection-write-timeout")]
    ConnectionWriteTimeout,
    #[component(name = "connection-limit-reached")]
    ConnectionLimitReached,
    #[component(name = "TLS-protocol-error")]
    TlsProtocolError,
    #[component(name = "TLS-certificate-error")]
    TlsCertificateError,
    #[component(name = "TLS-alert-received")]
    TlsAlertReceived(TlsAlertReceivedPayload),
    #[component(name = "HTTP-request-denied")]
    HttpRequestDenied,
    #[component(name = "HTTP-request-length-required")]
    HttpRequestLengthRequired,
    #[component(name = "HTTP-request-body-size")]
    HttpRequestBodySize(Option<u64>),
    #[component(name = "HTTP-request-method-invalid")]
    HttpRequestMethodInvalid,
    #[component(name = "HTTP-request-URI-invalid")]
    HttpRequestUriInvalid,
    #[component(name = "HTTP-request-URI-too-long")]
    HttpRequestUriTooLong,
    #[component(name = "HTTP-request-header-section-size")]
    HttpRequestHeaderSectionSize(Option<u32>),
    #[component(name = "HTTP-request-header-size")]
    HttpRequestHeaderSize(Option<FieldSizePayload>),
    #[component(name = "HTTP-request-trailer-section-size")]
    HttpRequestTrailerSectionSize(Option<u32>),
    #[component(name = "HTTP-request-trailer-size")]
    HttpRequestTrailerSize(FieldSizePayload),
    #[component(name = "HTTP-response-incomplete")]
    HttpResponseIncomplete,
    #[component(name = "HTTP-response-header-section-size")]
    HttpResponseHeaderSectionSize(Option<u32>),
    #[component(name = "HTTP-response-header-size")]
    HttpResponseHeaderSize(FieldSizePayload),
    #[component(name = "HTTP-response-body-size")]
    HttpResponseBodySize(Option<u64>),
    #[component(name = "HTTP-response-trailer-section-size")]
    HttpResponseTrailerSectionSize(Option<u32>),
    #[component(name = "HTTP-response-trailer-size")]
    HttpResponseTrailerSize(FieldSizePayload),
    #[component(name = "HTTP-response-transfer-coding")]
    HttpResponseTransferCoding(Option<String>),
    #[component(name = "HTTP-response-content-coding")]
    HttpResponseContentCoding(Option<String>),
    #[component(name = "HTTP-response-timeout")]
    HttpResponseTimeout,
    #[component(name = "HTTP-upgrade-failed")]
    HttpUpgradeFailed,
    #[component(name = "HTTP-protocol-error")]
    HttpProtocolError,
    #[component(name = "loop-detected")]
    LoopDetected,
    #[component(name = "configuration-error")]
    ConfigurationError,
    #[component(name = "internal-error")]
    InternalError(Option<String>),
}

impl ErrorCode {
    /// A fault of the port as a guest sees it: the kind, never a word of the other side.
    pub(super) fn of_fault(fault: HttpFault) -> Self {
        match (fault.kind, fault.stage) {
            (HttpFaultKind::Name, _) => Self::DestinationNotFound,
            (HttpFaultKind::Address, _) => Self::DestinationIpProhibited,
            (HttpFaultKind::Denied, _) => Self::HttpRequestDenied,
            (HttpFaultKind::Refused, _) => Self::ConnectionRefused,
            (HttpFaultKind::ConnectTimeout, _) => Self::ConnectionTimeout,
            (HttpFaultKind::Certificate, _) => Self::TlsCertificateError,
            (HttpFaultKind::Tls, _) => Self::TlsProtocolError,
            (HttpFaultKind::Cut, HttpStage::Answered) => Self::HttpResponseIncomplete,
            (HttpFaultKind::Cut | HttpFaultKind::Stopped, _) => Self::ConnectionTerminated,
            (HttpFaultKind::Protocol, _) => Self::HttpProtocolError,
            (HttpFaultKind::Timeout, _) => Self::HttpResponseTimeout,
            (HttpFaultKind::HeadSize, _) => Self::HttpResponseHeaderSectionSize(None),
            (HttpFaultKind::BodySize, _) => Self::HttpResponseBodySize(None),
            (HttpFaultKind::Unsupported, _) => Self::ConfigurationError,
        }
    }

    /// The word in a transcript.
    pub(super) fn word(&self) -> String {
        format!("{self:?}")
    }
}

/// `wasi:http/types.header-error`.
#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq, Eq)]
#[component(variant)]
pub(super) enum HeaderError {
    #[component(name = "invalid-syntax")]
    InvalidSyntax,
    #[component(name = "forbidden")]
    Forbidden,
    #[component(name = "immutable")]
    Immutable,
}
