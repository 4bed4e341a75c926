//! One granted endpoint: a method, scheme, host, port and path prefix, and the special networks it may resolve to.
//!
//! Written `GET https://api.example:443/v1/`, with ` via 10.1.0.0/16,::1/128` behind it where addresses out of the special
//! ranges may be dialled.
//!
//! INVARIANT: a scope is finite and literal: no wildcard, no pattern, nothing that grows after it was granted.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, str::FromStr};

use super::{
    address::Network,
    target::{Scheme, Target, parse_authority, parse_prefix},
};
use crate::access::Fact;

/// What a step may send to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpScope {
    /// The method, in capitals.
    pub method: String,
    /// The scheme.
    pub scheme: Scheme,
    /// The host, exactly: a name in lower case or an address.
    pub host: String,
    /// The port, exactly.
    pub port: u16,
    /// What the path must start with; whole segments count.
    pub path: String,
    /// Networks out of the special ranges that the host may resolve to; empty for global addresses only.
    pub networks: Vec<Network>,
}

/// Why a text is no endpoint that can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Not the three parts, or not `http` or `https`.
    #[error("{}", Self::Form.says())]
    Form,
    /// The host is not in its normal form.
    #[error("{}", Self::Host.says())]
    Host,
    /// The port is missing or none.
    #[error("{}", Self::Port.says())]
    Port,
    /// No word in capitals, or one that makes a tunnel.
    #[error("{}", Self::Method.says())]
    Method,
    /// The path is not in its normal form.
    #[error("{}", Self::Path.says())]
    Path,
    /// A network that is none, or out of order.
    #[error("{}", Self::Networks.says())]
    Networks,
}

impl ScopeError {
    /// What an endpoint must look like.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Form => {
                "must be a method and a URL without a query, as `GET https://api.example:443/v1/`"
            }
            Self::Host => {
                "must have one plain host name in lower case or one address; there is no wildcard"
            }
            Self::Port => "must name its port, as `https://api.example:443/`",
            Self::Method => "must have a method in capitals, and never CONNECT or TRACE",
            Self::Path => "must have a path in its normal form, without dot segments or `//`",
            Self::Networks => "must list networks behind ` via ` in order, as `10.0.0.0/8,::1/128`",
        }
    }
}

/// Why a request is outside of every scope: the part of the nearest scope that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScopeMiss {
    /// No scope at all, or none with that scheme, host and port.
    Endpoint,
    /// No scope of the endpoint has the path.
    Path,
    /// No scope of endpoint and path has the method.
    Method,
}

impl ScopeMiss {
    /// The rule's name in a denial.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Endpoint => "http.endpoint",
            Self::Path => "http.path",
            Self::Method => "http.method",
        }
    }
}

/// True for a method that may be granted.
fn is_method(method: &str) -> bool {
    (1..=16).contains(&method.len())
        && method.bytes().all(|b| b.is_ascii_uppercase())
        && !matches!(method, "CONNECT" | "TRACE")
}

impl HttpScope {
    /// `scheme://host:port`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        alloc::format!("{}://{}:{}", self.scheme.word(), self.host, self.port)
    }

    /// What policy can compare: attributes of the endpoint's entity.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        alloc::vec![
            ("host", Fact::Text(self.host.clone())),
            ("method", Fact::Text(self.method.clone())),
            ("path", Fact::Text(self.path.clone())),
            ("port", Fact::Number(i64::from(self.port))),
            ("scheme", Fact::Text(self.scheme.word().to_owned())),
            ("special", Fact::Flag(!self.networks.is_empty())),
        ]
    }

    /// True when everything that `other` allows is allowed by this one as well.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let of = |scope: &Self| (scope.method.clone(), scope.endpoint());
        of(self) == of(other)
            && self.has_path(&other.path)
            && other
                .networks
                .iter()
                .all(|network| self.networks.contains(network))
    }

    fn has_path(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(self.path.as_str()) else {
            return false;
        };
        self.path.ends_with('/') || rest.is_empty() || rest.starts_with('/')
    }

    fn miss(&self, method: &str, target: &Target) -> Option<ScopeMiss> {
        let is_endpoint = (self.scheme, self.host.as_str(), self.port)
            == (target.scheme, target.host.as_str(), target.port);
        if !is_endpoint {
            Some(ScopeMiss::Endpoint)
        } else if !self.has_path(&target.path) {
            Some(ScopeMiss::Path)
        } else if self.method != method {
            Some(ScopeMiss::Method)
        } else {
            None
        }
    }

    /// The first of `scopes` that allows the request.
    ///
    /// # Errors
    /// [`ScopeMiss`]: what of the nearest scope does not fit.
    pub fn find<'a>(
        scopes: impl IntoIterator<Item = &'a Self>,
        method: &str,
        target: &Target,
    ) -> Result<&'a Self, ScopeMiss> {
        let mut nearest = ScopeMiss::Endpoint;
        for scope in scopes {
            match scope.miss(method, target) {
                None => return Ok(scope),
                Some(miss) => nearest = nearest.max(miss),
            }
        }
        Err(nearest)
    }
}

impl FromStr for HttpScope {
    type Err = ScopeError;

    /// Reads exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, networks) = match text.split_once(" via ") {
            Some((text, networks)) => (text, Some(networks)),
            None => (text, None),
        };
        let (method, url) = text.split_once(' ').ok_or(ScopeError::Form)?;
        if !is_method(method) {
            return Err(ScopeError::Method);
        }
        let (scheme, rest) = url.split_once("://").ok_or(ScopeError::Form)?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(ScopeError::Form),
        };
        let slash = rest.find('/').ok_or(ScopeError::Path)?;
        let (authority, path) = rest.split_at_checked(slash).ok_or(ScopeError::Form)?;
        let (host, port) = parse_authority(authority, scheme).map_err(|_| ScopeError::Host)?;
        let path = parse_prefix(path).map_err(|_| ScopeError::Path)?;
        let scope = Self {
            method: method.to_owned(),
            scheme,
            host,
            port,
            path,
            networks: networks.map_or_else(|| Ok(Vec::new()), parse_networks)?,
        };
        match authority {
            _ if authority == alloc::format!("{}:{port}", scope.host) => Ok(scope),
            _ if authority == scope.host => Err(ScopeError::Port),
            _ => Err(ScopeError::Host),
        }
    }
}

fn parse_networks(text: &str) -> Result<Vec<Network>, ScopeError> {
    let networks: Result<Vec<Network>, _> = text.split(',').map(str::parse).collect();
    let networks = networks.map_err(|_| ScopeError::Networks)?;
    let written: Vec<String> = networks.iter().map(ToString::to_string).collect();
    let is_sorted = networks.is_sorted_by(|a, b| a < b);
    if is_sorted && written.join(",") == text {
        Ok(networks)
    } else {
        Err(ScopeError::Networks)
    }
}

impl fmt::Display for HttpScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.endpoint(), self.path)?;
        for (index, network) in self.networks.iter().enumerate() {
            f.write_str(if index == 0 { " via " } else { "," })?;
            write!(f, "{network}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse_path;

    fn scope(text: &str) -> HttpScope {
        text.parse().unwrap()
    }

    fn target(authority: &str, path: &str) -> Target {
        let (host, port) = parse_authority(authority, Scheme::Https).unwrap();
        let (path, query) = parse_path(path).unwrap();
        Target {
            scheme: Scheme::Https,
            host,
            port,
            path,
            query,
        }
    }

    // Negative control: with a plain `starts_with` for paths, `/v1evil` passes and this fails.
    #[test]
    fn a_scope_allows_what_it_names_and_nothing_near_it() {
        let scopes = [
            scope("GET https://api.example:443/v1"),
            scope("GET https://api.example:443/files/"),
        ];
        let find = |method, authority, path| {
            HttpScope::find(&scopes, method, &target(authority, path))
                .map(|scope| scope.path.as_str())
        };
        assert_eq!(find("GET", "api.example", "/v1"), Ok("/v1"));
        assert_eq!(find("GET", "API.EXAMPLE:443", "/v1/x?y=z"), Ok("/v1"));
        assert_eq!(find("GET", "api.example", "/files/a"), Ok("/files/"));
        assert_eq!(find("GET", "api.example", "/v1evil"), Err(ScopeMiss::Path));
        assert_eq!(find("GET", "api.example", "/files"), Err(ScopeMiss::Path));
        assert_eq!(find("GET", "api.example", "/"), Err(ScopeMiss::Path));
        assert_eq!(find("GET", "api.example", "/%76%31/ok"), Ok("/v1"));
        assert_eq!(find("POST", "api.example", "/v1"), Err(ScopeMiss::Method));
        assert_eq!(find("get", "api.example", "/v1"), Err(ScopeMiss::Method));
        for other in [
            "api.example:8443",
            "evil.api.example",
            "api.example.evil",
            "127.0.0.1",
        ] {
            assert_eq!(
                find("GET", other, "/v1"),
                Err(ScopeMiss::Endpoint),
                "{other}"
            );
        }
        let plain = Target {
            scheme: Scheme::Http,
            ..target("api.example:443", "/v1")
        };
        assert_eq!(
            HttpScope::find(&scopes, "GET", &plain),
            Err(ScopeMiss::Endpoint)
        );
        assert_eq!(
            HttpScope::find(&[], "GET", &plain),
            Err(ScopeMiss::Endpoint)
        );
    }

    /// Negative control: with any spelling of networks taken, this fails.
    #[test]
    fn a_scope_has_one_way_to_be_written() {
        for good in [
            "GET https://api.example:443/",
            "POST http://127.0.0.1:8080/v1/items via 127.0.0.0/8",
            "PUT http://[::1]:80/a via 10.0.0.0/8,::1/128",
        ] {
            assert_eq!(scope(good).to_string(), good);
        }
        use ScopeError::{Form, Host, Method, Networks, Path, Port};
        for (bad, error) in [
            ("", Form),
            ("https://api.example:443/", Form),
            ("GET ftp://api.example:443/", Form),
            ("get https://api.example:443/", Method),
            ("CONNECT https://api.example:443/", Method),
            ("TRACE https://api.example:443/", Method),
            ("GET https://api.example/", Port),
            ("GET https://api.example:0/", Host),
            ("GET https://API.example:443/", Host),
            ("GET https://*.example:443/", Host),
            ("GET https://u@api.example:443/", Host),
            ("GET https://127.1:443/", Host),
            ("GET https://api.example:443", Path),
            ("GET https://api.example:443/a/../b", Path),
            ("GET https://api.example:443/a?b", Path),
            ("GET https://api.example:443/%61", Path),
            ("GET https://api.example:443/ via ", Networks),
            ("GET https://api.example:443/ via ::1", Networks),
            (
                "GET https://api.example:443/ via ::1/128,10.0.0.0/8",
                Networks,
            ),
            (
                "GET https://api.example:443/ via 10.0.0.0/8,10.0.0.0/8",
                Networks,
            ),
        ] {
            assert_eq!(bad.parse::<HttpScope>(), Err(error), "{bad}");
        }
    }

    /// Negative control: with no look at the path in `covers`, this fails.
    #[test]
    fn a_scope_covers_what_is_narrower_and_nothing_wider() {
        let wide = scope("GET https://a:443/v1 via 10.0.0.0/8,::1/128");
        for narrow in ["GET https://a:443/v1/x", "GET https://a:443/v1 via ::1/128"] {
            assert!(wide.covers(&scope(narrow)), "{narrow}");
        }
        for other in [
            "GET https://a:443/",
            "POST https://a:443/v1",
            "GET https://a:443/v1 via 10.0.0.0/9",
            "GET http://a:443/v1",
        ] {
            assert!(!wide.covers(&scope(other)), "{other}");
        }
    }
}
