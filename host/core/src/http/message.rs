//! A request as it is judged and recorded, and the answer as it is kept: one encoding each, no secret in either.
//!
//! INVARIANT: a header that the host sets or that is for one hop only is in no request of a guest and in no recorded answer.

use alloc::{string::String, vec::Vec};

use super::target::Target;
use crate::transcript::Fields;

/// Headers that a request or an answer has at most.
pub const HEADERS_MAX: usize = 100;
/// Bytes of names and values of all headers together.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;

/// A request, with placeholders where secrets will stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method, in capitals.
    pub method: String,
    /// Where it goes.
    pub target: Target,
    /// Lower-case names and values, in the guest's order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The bytes whose digest stands for the request.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let head = Fields::new()
            .text("http-request")
            .text(&self.method)
            .text(&self.target.endpoint())
            .text(&self.target.path_with_query())
            .number(self.headers.len() as u64);
        put_headers(head, &self.headers).bytes(&self.body).finish()
    }

    /// Bytes of all header names and values.
    #[must_use]
    pub fn header_bytes(&self) -> usize {
        header_bytes(&self.headers)
    }
}

fn header_bytes(headers: &[(String, Vec<u8>)]) -> usize {
    let size = |(name, value): &(String, Vec<u8>)| name.len().saturating_add(value.len());
    headers.iter().map(size).fold(0, usize::saturating_add)
}

fn put_headers(fields: Fields, headers: &[(String, Vec<u8>)]) -> Fields {
    headers.iter().fold(fields, |fields, (name, value)| {
        fields.text(name).bytes(value)
    })
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// 200 to 599.
    pub status: u16,
    /// Lower-case names and values, in the server's order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Bytes that are no encoded answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes are no recorded http response")]
pub struct DecodeResponseError;

impl HttpResponse {
    /// The bytes that are kept.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let head = Fields::new()
            .text("http-response")
            .number(u64::from(self.status))
            .number(self.headers.len() as u64);
        put_headers(head, &self.headers).bytes(&self.body).finish()
    }

    /// Reads what [`HttpResponse::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeResponseError`] for any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeResponseError> {
        let mut rest = bytes;
        if field(&mut rest)? != b"http-response" {
            return Err(DecodeResponseError);
        }
        let status = u16::try_from(number(&mut rest)?).map_err(|_| DecodeResponseError)?;
        let mut headers = Vec::new();
        for _ in 0..number(&mut rest)? {
            let name = core::str::from_utf8(field(&mut rest)?).map_err(|_| DecodeResponseError)?;
            headers.push((String::from(name), field(&mut rest)?.to_vec()));
        }
        let body = field(&mut rest)?.to_vec();
        if !rest.is_empty() {
            return Err(DecodeResponseError);
        }
        Ok(Self {
            status,
            headers,
            body,
        })
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], DecodeResponseError> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or(DecodeResponseError)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| DecodeResponseError)?;
    let (found, after) = after.split_at_checked(length).ok_or(DecodeResponseError)?;
    *rest = after;
    Ok(found)
}

fn number(rest: &mut &[u8]) -> Result<u64, DecodeResponseError> {
    let bytes: [u8; 8] = field(rest)?.try_into().map_err(|_| DecodeResponseError)?;
    Ok(u64::from_le_bytes(bytes))
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// Not a token, or a value with a control character.
    #[error("header's name is no token or its value holds a control character")]
    Syntax,
    /// The host sets it, or it is for one hop only.
    #[error("header is set by the host or is for one hop only")]
    Forbidden,
}

/// Headers that no guest sets. The last ones ask a server for another method, path or host than the request's own, which are
/// what was granted.
const FORBIDDEN: [&str; 23] = [
    "connection",
    "expect",
    "host",
    "http2-settings",
    "idempotency-key",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
];

/// True for a header that the host sets or drops: no guest sends it, and no answer of a server hands it on.
#[must_use]
pub fn is_set_by_host(name: &str) -> bool {
    FORBIDDEN
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Checks one header as a guest gives it.
///
/// # Errors
/// [`HeaderFault`].
pub fn check_header(name: &str, value: &[u8]) -> Result<(), HeaderFault> {
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let is_value = value
        .iter()
        .all(|b| *b == b'\t' || (*b >= b' ' && *b != 0x7f));
    if !is_token || !is_value {
        return Err(HeaderFault::Syntax);
    }
    if is_set_by_host(name) {
        return Err(HeaderFault::Forbidden);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::{borrow::ToOwned, vec};

    use super::*;
    use crate::http::Scheme;

    fn response() -> HttpResponse {
        HttpResponse {
            status: 200,
            headers: vec![("content-type".to_owned(), b"text/plain".to_vec())],
            body: b"hello".to_vec(),
        }
    }

    /// Negative control: with bytes behind an answer let pass, this fails.
    #[test]
    fn an_answer_reads_back_and_no_cut_of_it_does() {
        let bytes = response().encode();
        assert_eq!(HttpResponse::decode(&bytes), Ok(response()));
        for end in 0..bytes.len() {
            assert!(HttpResponse::decode(&bytes[..end]).is_err(), "{end}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(HttpResponse::decode(&longer).is_err());
    }

    /// Negative control: with no body in the bytes of a request, this fails.
    #[test]
    fn every_part_of_a_request_takes_part_in_its_bytes() {
        let target = Target {
            scheme: Scheme::Https,
            host: "a".to_owned(),
            port: 443,
            path: "/".to_owned(),
            query: None,
        };
        let base = HttpRequest {
            method: "GET".to_owned(),
            target: target.clone(),
            headers: vec![("a".to_owned(), b"b".to_vec())],
            body: vec![],
        };
        let others = [
            HttpRequest {
                method: "POST".to_owned(),
                ..base.clone()
            },
            HttpRequest {
                body: b"x".to_vec(),
                ..base.clone()
            },
            HttpRequest {
                headers: vec![],
                ..base.clone()
            },
            HttpRequest {
                headers: vec![("a".to_owned(), b"c".to_vec())],
                ..base.clone()
            },
            HttpRequest {
                target: Target {
                    port: 80,
                    ..target.clone()
                },
                ..base.clone()
            },
            HttpRequest {
                target: Target {
                    query: Some(String::new()),
                    ..target.clone()
                },
                ..base.clone()
            },
            HttpRequest {
                target: Target {
                    scheme: Scheme::Http,
                    ..target
                },
                ..base.clone()
            },
        ];
        for other in others {
            assert_ne!(other.encode(), base.encode(), "{other:?}");
        }
    }

    // Negative control: with `host`, or with `x-original-url`, taken out of the list this fails.
    #[test]
    fn a_guest_sets_no_header_of_the_host_and_smuggles_no_line() {
        for name in [
            "Host",
            "connection",
            "Transfer-Encoding",
            "TE",
            "upgrade",
            "Idempotency-Key",
            "Expect",
            "X-HTTP-Method-Override",
            "x-method-override",
            "X-Original-URL",
            "x-rewrite-url",
            "X-Forwarded-Host",
        ] {
            assert_eq!(
                check_header(name, b"x"),
                Err(HeaderFault::Forbidden),
                "{name}"
            );
        }
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("a", "x\r\ny: z"),
            ("a", "x\0"),
            ("ä", "x"),
        ] {
            assert_eq!(
                check_header(name, value.as_bytes()),
                Err(HeaderFault::Syntax),
                "{name}: {value}"
            );
        }
        assert_eq!(check_header("X-Ok", b"any value, \tand more"), Ok(()));
    }
}
