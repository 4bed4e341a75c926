//! Reading where a request goes: scheme, authority and path, each in the one form that cannot be misread.
//!
//! INVARIANT: a parsed target is in normal form; parsing its own text gives it back.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::{fmt, net::Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Longest path with query.
const PATH_BYTES_MAX: usize = 8 * 1024;

/// The schemes that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port where none is written.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Where a request goes, in normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// A name in lower case, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    /// The port, always written.
    pub port: u16,
    /// The path, percent-encoding in normal form.
    pub path: String,
    /// What stands behind the question mark.
    pub query: Option<String>,
}

impl Target {
    /// `scheme://host:port`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}://{}:{}", self.scheme.word(), self.host, self.port)
    }

    /// The path with its query, as it is sent.
    #[must_use]
    pub fn path_with_query(&self) -> String {
        match &self.query {
            None => self.path.clone(),
            Some(query) => format!("{}?{query}", self.path),
        }
    }
}

impl fmt::Display for Target {
    /// Without the query, which may hold what is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.endpoint(), self.path)
    }
}

/// Why a text is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A user or a password before the host.
    #[error("authority holds user information; send credentials as a granted secret")]
    UserInfo,
    /// Not a host name, an IPv4 address in four decimal parts or an IPv6 address in brackets.
    #[error("host is no plain name in ASCII and no address in its normal form")]
    Host,
    /// Not a port.
    #[error("port is not a number from 1 to 65535")]
    Port,
    /// Behind `#` stands what servers never see.
    #[error("path holds a fragment; take it away")]
    Fragment,
    /// Anything that two readers could understand differently.
    #[error(
        "path must start with one `/` and have no `//`, `\\`, dot segment, encoded separator or raw special character"
    )]
    Path,
    /// Too long.
    #[error("path with query is longer than {PATH_BYTES_MAX} bytes")]
    Length,
}

/// Reads `host` or `host:port`.
///
/// # Errors
/// [`TargetError`].
pub fn parse_authority(text: &str, scheme: Scheme) -> Result<(String, u16), TargetError> {
    if text.contains('@') {
        return Err(TargetError::UserInfo);
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (inner, rest) = rest.split_once(']').ok_or(TargetError::Host)?;
        let address: Ipv6Addr = inner.parse().map_err(|_| TargetError::Host)?;
        let port = match rest {
            "" => None,
            rest => Some(rest.strip_prefix(':').ok_or(TargetError::Port)?),
        };
        (format!("[{address}]"), port)
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        (host_name(host)?, port)
    };
    let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
    Ok((host, port))
}

fn parse_port(text: &str) -> Result<u16, TargetError> {
    let is_plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if !is_plain {
        return Err(TargetError::Port);
    }
    text.parse().map_err(|_| TargetError::Port)
}

/// A name of letters, digits, dashes and dots, lower-cased; one that ends in a number must be an IPv4 address.
fn host_name(text: &str) -> Result<String, TargetError> {
    let host = text.to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(TargetError::Host);
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit());
    // What some readers take for an address (`127.1`, `0x7f.1`, `2130706433`) is one in four decimal parts or nothing.
    if is_number && host.parse::<core::net::Ipv4Addr>().is_err() {
        return Err(TargetError::Host);
    }
    Ok(host)
}

/// Reads a path with an optional query.
///
/// Percent-encoded letters, digits and `-._~` are decoded, hex digits of the rest are written in capitals. What could lead
/// elsewhere for another reader is refused: dot segments (also encoded ones, and those with a parameter, `..;a`), `//`, `\`,
/// encoded `/`, `\`, `%`, control characters and bytes that are no UTF-8 (overlong dots and slashes among them).
///
/// # Errors
/// [`TargetError`].
pub fn parse_path(text: &str) -> Result<(String, Option<String>), TargetError> {
    if text.len() > PATH_BYTES_MAX {
        return Err(TargetError::Length);
    }
    if text.contains('#') {
        return Err(TargetError::Fragment);
    }
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let path = normal(path, b"-._~!$&'()*+,;=:@/", true)?;
    let mut segments = path.split('/');
    // INVARIANT: what `split` gives first stands before the first slash.
    if segments.next() != Some("") || path.is_empty() {
        return Err(TargetError::Path);
    }
    let mut segments = segments.peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if is_dots(segment) || (segment.is_empty() && !is_last) {
            return Err(TargetError::Path);
        }
    }
    let query = query
        .map(|query| normal(query, b"-._~!$&'()*+,;=:@/?", false))
        .transpose()?;
    Ok((path, query))
}

/// True for a segment that leads elsewhere. Some servers take parameters off a segment first: `..;a` is `..` to them.
fn is_dots(segment: &str) -> bool {
    let parameters = segment.find(';').into_iter().chain(segment.find("%3B"));
    let end = parameters.min().unwrap_or(segment.len());
    matches!(segment.get(..end), Some("." | ".."))
}

/// Percent-encoding in normal form; `is_path` refuses encoded separators, and bytes that are no text.
fn normal(text: &str, plain: &[u8], is_path: bool) -> Result<String, TargetError> {
    let mut out = String::with_capacity(text.len());
    let mut plain_bytes = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            if !byte.is_ascii_alphanumeric() && !plain.contains(&byte) {
                return Err(TargetError::Path);
            }
            out.push(char::from(byte));
            plain_bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = bytes.next().and_then(|b| char::from(b).to_digit(16));
            digit.and_then(|digit| u8::try_from(digit).ok())
        };
        let (high, low) = (digit(), digit());
        let (Some(high), Some(low)) = (high, low) else {
            return Err(TargetError::Path);
        };
        let decoded = (high << 4) | low;
        let is_separator = matches!(decoded, b'/' | b'\\' | b'%' | b'?' | b'#');
        if is_path && (is_separator || decoded.is_ascii_control()) {
            return Err(TargetError::Path);
        }
        plain_bytes.push(decoded);
        if decoded.is_ascii_alphanumeric() || b"-._~".contains(&decoded) {
            out.push(char::from(decoded));
        } else {
            out.push_str(&format!("%{decoded:02X}"));
        }
    }
    if is_path && core::str::from_utf8(&plain_bytes).is_err() {
        return Err(TargetError::Path);
    }
    Ok(out)
}

/// The path of a scope: a path without a query, in normal form already.
pub(super) fn parse_prefix(text: &str) -> Result<String, TargetError> {
    match parse_path(text)? {
        (path, None) if path == text => Ok(text.to_owned()),
        _ => Err(TargetError::Path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Option<String> {
        parse_path(text).ok().map(|(path, query)| match query {
            None => path,
            Some(query) => format!("{path}?{query}"),
        })
    }

    // Negative control: without the look at the segments, `/a/../b` passes and this fails; with `is_dots` comparing whole
    // segments only, `/v1/..;/admin` does; without the look at the text, the overlong dots do.
    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for bad in [
            "",
            "a",
            "//",
            "//host/",
            "/a//b",
            "/a/../b",
            "/a/./b",
            "/..",
            "/.",
            "/%2e%2e/b",
            "/%2E./b",
            "/a/.%2e",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "\\a",
            "/a%00",
            "/a%0d%0aX: y",
            "/a b",
            "/a\tb",
            "/a\n",
            "/a#b",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%252e%252e/",
            "/ä",
            "/a|b",
            "/a\"b",
            "/<a>",
            "/a%3fb",
            "/v1/..;/admin",
            "/v1/..;a=b/admin",
            "/v1/%2e%2e;/admin",
            "/v1/..%3b/admin",
            "/v1/.;/admin",
            "/v1/..;",
            "/v1/%c0%ae%c0%ae/admin",
            "/v1/..%c0%af",
            "/v1/%ff",
            "?a",
            "*",
        ] {
            assert!(parse_path(bad).is_err(), "{bad:?} passes");
        }
    }

    /// Negative control: with nothing decoded in `normal`, this fails.
    #[test]
    fn a_path_has_one_normal_form() {
        for (given, normal) in [
            ("/", "/"),
            ("/v1/items", "/v1/items"),
            ("/v1/items/", "/v1/items/"),
            ("/%61%62%63", "/abc"),
            ("/a%c3%a4", "/a%C3%A4"),
            ("/a%20b?q=a%20b&r=/%2f..", "/a%20b?q=a%20b&r=/%2F.."),
            ("/a...b/..c", "/a...b/..c"),
        ] {
            assert_eq!(path(given).as_deref(), Some(normal));
            assert_eq!(path(normal).as_deref(), Some(normal));
        }
    }

    /// Negative control: with user information let pass, or with numbers let pass as names, this fails.
    #[test]
    fn an_authority_is_a_plain_host_with_a_plain_port() {
        let read = |text| parse_authority(text, Scheme::Https);
        assert_eq!(read("API.example"), Ok(("api.example".into(), 443)));
        assert_eq!(read("api.example:8443"), Ok(("api.example".into(), 8443)));
        assert_eq!(read("127.0.0.1:80"), Ok(("127.0.0.1".into(), 80)));
        assert_eq!(read("[0:0::1]:80"), Ok(("[::1]".into(), 80)));
        assert_eq!(read("user@api.example"), Err(TargetError::UserInfo));
        assert_eq!(read("u:p@api.example:80"), Err(TargetError::UserInfo));
        for bad in [
            "",
            ":80",
            "a..b",
            ".a",
            "a.",
            "-a.b",
            "a b",
            "a/b",
            "a\\b",
            "ä.example",
            "127.1",
            "0x7f.0.0.1",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "1.2.3.4.5",
            "::1",
            "[::1",
            "[::1]x",
            "[fe80::1%25eth0]",
            "a?b",
            "a#b",
            "a%2eb",
        ] {
            assert!(read(bad).is_err(), "{bad:?} passes");
        }
        for bad in [
            "a:", "a:0", "a:080", "a:65536", "a:+80", "a:80:80", "a:8o", "[::1]:",
        ] {
            assert!(
                matches!(read(bad), Err(TargetError::Port | TargetError::Host)),
                "{bad}"
            );
        }
    }
}
