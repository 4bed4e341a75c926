//! What the host answers for interfaces that a toolchain imports and nobody granted: one named answer for each function
//! of WASI 0.2.
//!
//! INVARIANT: every function of the WASI 0.2 imports world has exactly one row; a function without a row is not linked.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::capability::WASI_VERSIONS;

/// The named answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The function's own error type, in this case: a typed denial.
    Error(&'static str),
    /// Nothing: an empty list or text, no value, zero, the first case, a closed or discarding stream.
    Empty,
    /// A deterministic stand-in: virtual clocks, seeded random numbers, polls of adapted things, resources that a toolchain
    /// makes before it gets to the function that can say no.
    Virtual,
    /// The attempt ends.
    End,
}

impl Answer {
    /// The answer's name in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error(_) => "error",
            Self::Empty => "empty",
            Self::Virtual => "virtual",
            Self::End => "end",
        }
    }
}

/// One function with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdapterRow {
    /// `package/interface`, without a version.
    pub interface: &'static str,
    /// The canonical name of the function, `[method]resource.name` for methods.
    pub function: &'static str,
    /// What the host answers.
    pub answer: Answer,
}

/// Which toolchain's imports may be adapted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Profile {
    /// Rust's `std` and whatever else is built on wasi-libc, up to WASI 0.2.12.
    #[serde(rename = "std-0.2.12")]
    Std,
    /// CPython as componentize-py links it.
    #[serde(rename = "componentize-py-0.25")]
    ComponentizePy,
    /// StarlingMonkey as componentize-js links it.
    #[serde(rename = "componentize-js-0.23")]
    ComponentizeJs,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Std, Self::ComponentizePy, Self::ComponentizeJs];

    /// The name used in contracts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Std => "std-0.2.12",
            Self::ComponentizePy => "componentize-py-0.25",
            Self::ComponentizeJs => "componentize-js-0.23",
        }
    }

    /// Reads a profile's name; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == text)
    }

    /// True when the profile may have `interface` (without a version) adapted: sockets for Python, HTTP for JavaScript,
    /// because these toolchains import them whether a program uses them or not. `std` brings neither along unasked.
    #[must_use]
    pub fn covers(self, interface: &str) -> bool {
        let has_rows = interfaces().any(|known| known == interface);
        match interface.split_once('/').map(|(package, _)| package) {
            Some("wasi:io") | None => false,
            Some("wasi:sockets") => has_rows && self == Self::ComponentizePy,
            Some("wasi:http") => has_rows && self == Self::ComponentizeJs,
            Some(_) => has_rows,
        }
    }

    /// The WASI versions that the toolchain's releases of this profile write into their import strings. Another version
    /// means that the component was made by something else.
    #[must_use]
    pub const fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Std => WASI_VERSIONS,
            Self::ComponentizePy => &["0.2.9"],
            Self::ComponentizeJs => &["0.2.10", "0.2.12"],
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const fn row(interface: &'static str, function: &'static str, answer: Answer) -> AdapterRow {
    AdapterRow {
        interface,
        function,
        answer,
    }
}

/// The interfaces that define resources and no function.
const RESOURCE_ONLY: [&str; 2] = ["wasi:cli/terminal-input", "wasi:cli/terminal-output"];

/// The interfaces of the table, each once.
pub fn interfaces() -> impl Iterator<Item = &'static str> {
    let starts = TABLE.iter().enumerate().filter(|(index, row)| {
        index
            .checked_sub(1)
            .and_then(|before| TABLE.get(before))
            .is_none_or(|before| before.interface != row.interface)
    });
    starts.map(|(_, row)| row.interface).chain(RESOURCE_ONLY)
}

/// The answer for a function of an adapted interface; `None` when the table does not know it.
#[must_use]
pub fn answer(interface: &str, function: &str) -> Option<Answer> {
    TABLE
        .iter()
        .find(|row| row.interface == interface && row.function == function)
        .map(|row| row.answer)
}

use Answer::{Empty, End, Error, Virtual};

/// Every function of the WASI 0.2.12 imports worlds of `wasi:cli` and `wasi:http`, grouped by interface. The empty case of an
/// error is that of a result whose error carries nothing.
#[rustfmt::skip]
pub const TABLE: &[AdapterRow] = &[
    row("wasi:io/error", "[method]error.to-debug-string", Empty),
    row("wasi:io/poll", "[method]pollable.ready", Virtual),
    row("wasi:io/poll", "[method]pollable.block", Virtual),
    row("wasi:io/poll", "poll", Virtual),
    row("wasi:io/streams", "[method]input-stream.read", Error("closed")),
    row("wasi:io/streams", "[method]input-stream.blocking-read", Error("closed")),
    row("wasi:io/streams", "[method]input-stream.skip", Error("closed")),
    row("wasi:io/streams", "[method]input-stream.blocking-skip", Error("closed")),
    row("wasi:io/streams", "[method]input-stream.subscribe", Virtual),
    row("wasi:io/streams", "[method]output-stream.check-write", Error("closed")),
    row("wasi:io/streams", "[method]output-stream.write", Error("closed")),
    row("wasi:io/streams", "[method]output-stream.blocking-write-and-flush", Error("closed")),
    row("wasi:io/streams", "[method]output-stream.flush", Error("closed")),
    row("wasi:io/streams", "[method]output-stream.blocking-flush", Error("closed")),
    row("wasi:io/streams", "[method]output-stream.subscribe", Virtual),
    row("wasi:io/streams", "[method]output-stream.write-zeroes", Error("closed")),
    row("wasi:io/streams", "[method]output-stream.blocking-write-zeroes-and-flush", Error("closed")),
    row("wasi:io/streams", "[method]output-stream.splice", Error("closed")),
    row("wasi:io/streams", "[method]output-stream.blocking-splice", Error("closed")),
    row("wasi:cli/environment", "get-environment", Empty),
    row("wasi:cli/environment", "get-arguments", Empty),
    row("wasi:cli/environment", "initial-cwd", Empty),
    row("wasi:cli/exit", "exit", End),
    row("wasi:cli/exit", "exit-with-code", End),
    row("wasi:cli/stdin", "get-stdin", Empty),
    row("wasi:cli/stdout", "get-stdout", Empty),
    row("wasi:cli/stderr", "get-stderr", Empty),
    row("wasi:cli/terminal-stdin", "get-terminal-stdin", Empty),
    row("wasi:cli/terminal-stdout", "get-terminal-stdout", Empty),
    row("wasi:cli/terminal-stderr", "get-terminal-stderr", Empty),
    row("wasi:clocks/monotonic-clock", "now", Virtual),
    row("wasi:clocks/monotonic-clock", "resolution", Virtual),
    row("wasi:clocks/monotonic-clock", "subscribe-instant", Virtual),
    row("wasi:clocks/monotonic-clock", "subscribe-duration", Virtual),
    row("wasi:clocks/wall-clock", "now", Virtual),
    row("wasi:clocks/wall-clock", "resolution", Virtual),
    row("wasi:clocks/timezone", "display", Virtual),
    row("wasi:clocks/timezone", "utc-offset", Virtual),
    row("wasi:filesystem/types", "[method]descriptor.read-via-stream", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.write-via-stream", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.append-via-stream", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.advise", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.sync-data", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.get-flags", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.get-type", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.set-size", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.set-times", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.read", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.write", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.read-directory", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.sync", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.create-directory-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.stat", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.stat-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.set-times-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.link-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.open-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.readlink-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.remove-directory-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.rename-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.symlink-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.unlink-file-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.is-same-object", Empty),
    row("wasi:filesystem/types", "[method]descriptor.metadata-hash", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]descriptor.metadata-hash-at", Error("not-permitted")),
    row("wasi:filesystem/types", "[method]directory-entry-stream.read-directory-entry", Error("not-permitted")),
    row("wasi:filesystem/types", "filesystem-error-code", Empty),
    row("wasi:filesystem/preopens", "get-directories", Empty),
    row("wasi:random/insecure-seed", "insecure-seed", Virtual),
    row("wasi:random/insecure", "get-insecure-random-bytes", Virtual),
    row("wasi:random/insecure", "get-insecure-random-u64", Virtual),
    row("wasi:random/random", "get-random-bytes", Virtual),
    row("wasi:random/random", "get-random-u64", Virtual),
    row("wasi:sockets/network", "network-error-code", Empty),
    row("wasi:sockets/instance-network", "instance-network", Virtual),
    row("wasi:sockets/ip-name-lookup", "[method]resolve-address-stream.resolve-next-address", Error("access-denied")),
    row("wasi:sockets/ip-name-lookup", "[method]resolve-address-stream.subscribe", Virtual),
    row("wasi:sockets/ip-name-lookup", "resolve-addresses", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.start-bind", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.finish-bind", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.start-connect", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.finish-connect", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.start-listen", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.finish-listen", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.accept", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.local-address", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.remote-address", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.is-listening", Empty),
    row("wasi:sockets/tcp", "[method]tcp-socket.address-family", Empty),
    row("wasi:sockets/tcp", "[method]tcp-socket.set-listen-backlog-size", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.keep-alive-enabled", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.set-keep-alive-enabled", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.keep-alive-idle-time", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.set-keep-alive-idle-time", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.keep-alive-interval", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.set-keep-alive-interval", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.keep-alive-count", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.set-keep-alive-count", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.hop-limit", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.set-hop-limit", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.receive-buffer-size", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.set-receive-buffer-size", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.send-buffer-size", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.set-send-buffer-size", Error("access-denied")),
    row("wasi:sockets/tcp", "[method]tcp-socket.subscribe", Virtual),
    row("wasi:sockets/tcp", "[method]tcp-socket.shutdown", Error("access-denied")),
    row("wasi:sockets/tcp-create-socket", "create-tcp-socket", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.start-bind", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.finish-bind", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.stream", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.local-address", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.remote-address", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.address-family", Empty),
    row("wasi:sockets/udp", "[method]udp-socket.unicast-hop-limit", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.set-unicast-hop-limit", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.receive-buffer-size", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.set-receive-buffer-size", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.send-buffer-size", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.set-send-buffer-size", Error("access-denied")),
    row("wasi:sockets/udp", "[method]udp-socket.subscribe", Virtual),
    row("wasi:sockets/udp", "[method]incoming-datagram-stream.receive", Error("access-denied")),
    row("wasi:sockets/udp", "[method]incoming-datagram-stream.subscribe", Virtual),
    row("wasi:sockets/udp", "[method]outgoing-datagram-stream.check-send", Error("access-denied")),
    row("wasi:sockets/udp", "[method]outgoing-datagram-stream.send", Error("access-denied")),
    row("wasi:sockets/udp", "[method]outgoing-datagram-stream.subscribe", Virtual),
    row("wasi:sockets/udp-create-socket", "create-udp-socket", Error("access-denied")),
    row("wasi:http/types", "[constructor]fields", Virtual),
    row("wasi:http/types", "[static]fields.from-list", Error("forbidden")),
    row("wasi:http/types", "[method]fields.get", Empty),
    row("wasi:http/types", "[method]fields.has", Empty),
    row("wasi:http/types", "[method]fields.set", Error("immutable")),
    row("wasi:http/types", "[method]fields.delete", Error("immutable")),
    row("wasi:http/types", "[method]fields.append", Error("immutable")),
    row("wasi:http/types", "[method]fields.entries", Empty),
    row("wasi:http/types", "[method]fields.clone", Virtual),
    row("wasi:http/types", "[method]incoming-request.method", Empty),
    row("wasi:http/types", "[method]incoming-request.path-with-query", Empty),
    row("wasi:http/types", "[method]incoming-request.scheme", Empty),
    row("wasi:http/types", "[method]incoming-request.authority", Empty),
    row("wasi:http/types", "[method]incoming-request.headers", Virtual),
    row("wasi:http/types", "[method]incoming-request.consume", Error("")),
    row("wasi:http/types", "[constructor]outgoing-request", Virtual),
    row("wasi:http/types", "[method]outgoing-request.body", Error("")),
    row("wasi:http/types", "[method]outgoing-request.method", Empty),
    row("wasi:http/types", "[method]outgoing-request.set-method", Empty),
    row("wasi:http/types", "[method]outgoing-request.path-with-query", Empty),
    row("wasi:http/types", "[method]outgoing-request.set-path-with-query", Empty),
    row("wasi:http/types", "[method]outgoing-request.scheme", Empty),
    row("wasi:http/types", "[method]outgoing-request.set-scheme", Empty),
    row("wasi:http/types", "[method]outgoing-request.authority", Empty),
    row("wasi:http/types", "[method]outgoing-request.set-authority", Empty),
    row("wasi:http/types", "[method]outgoing-request.headers", Virtual),
    row("wasi:http/types", "[constructor]request-options", Virtual),
    row("wasi:http/types", "[method]request-options.connect-timeout", Empty),
    row("wasi:http/types", "[method]request-options.set-connect-timeout", Empty),
    row("wasi:http/types", "[method]request-options.first-byte-timeout", Empty),
    row("wasi:http/types", "[method]request-options.set-first-byte-timeout", Empty),
    row("wasi:http/types", "[method]request-options.between-bytes-timeout", Empty),
    row("wasi:http/types", "[method]request-options.set-between-bytes-timeout", Empty),
    row("wasi:http/types", "[method]response-outparam.send-informational", Error("HTTP-request-denied")),
    row("wasi:http/types", "[static]response-outparam.set", Empty),
    row("wasi:http/types", "[method]incoming-response.status", Empty),
    row("wasi:http/types", "[method]incoming-response.headers", Virtual),
    row("wasi:http/types", "[method]incoming-response.consume", Error("")),
    row("wasi:http/types", "[method]incoming-body.stream", Error("")),
    row("wasi:http/types", "[static]incoming-body.finish", Virtual),
    row("wasi:http/types", "[method]future-trailers.subscribe", Virtual),
    row("wasi:http/types", "[method]future-trailers.get", Empty),
    row("wasi:http/types", "[constructor]outgoing-response", Virtual),
    row("wasi:http/types", "[method]outgoing-response.status-code", Empty),
    row("wasi:http/types", "[method]outgoing-response.set-status-code", Empty),
    row("wasi:http/types", "[method]outgoing-response.headers", Virtual),
    row("wasi:http/types", "[method]outgoing-response.body", Error("")),
    row("wasi:http/types", "[method]outgoing-body.write", Error("")),
    row("wasi:http/types", "[static]outgoing-body.finish", Error("HTTP-request-denied")),
    row("wasi:http/types", "[method]future-incoming-response.subscribe", Virtual),
    row("wasi:http/types", "[method]future-incoming-response.get", Empty),
    row("wasi:http/types", "http-error-code", Empty),
    row("wasi:http/outgoing-handler", "handle", Error("HTTP-request-denied")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, vec::Vec};

    #[test]
    fn no_function_has_two_rows_and_interfaces_are_grouped() {
        let mut seen = BTreeSet::new();
        for row in TABLE {
            assert!(seen.insert((row.interface, row.function)), "{row:?}");
        }
        let listed: Vec<_> = interfaces().collect();
        let unique: BTreeSet<_> = listed.iter().collect();
        assert_eq!(listed.len(), unique.len());
    }

    #[test]
    fn no_profile_adapts_plumbing_or_what_is_unknown_only_python_sockets_and_only_javascript_http()
    {
        for profile in Profile::ALL {
            assert!(!profile.covers("wasi:io/streams"));
            assert!(!profile.covers("wasi:http/incoming-handler"));
            assert_eq!(
                profile.covers("wasi:http/types"),
                profile == Profile::ComponentizeJs
            );
            assert!(
                profile
                    .versions()
                    .iter()
                    .all(|version| WASI_VERSIONS.contains(version))
            );
            assert!(!profile.covers("aim:log/log"));
            assert_eq!(
                profile.covers("wasi:sockets/tcp"),
                profile == Profile::ComponentizePy
            );
            assert!(profile.covers("wasi:cli/terminal-input"));
            assert_eq!(Profile::parse(profile.name()), Some(profile));
        }
        assert_eq!(Profile::parse("std"), None);
    }

    /// Negative control: with `empty` in place of every answer, this fails.
    #[test]
    fn nothing_grants_by_answering() {
        assert_eq!(
            answer("wasi:filesystem/types", "[method]descriptor.open-at"),
            Some(Error("not-permitted"))
        );
        assert_eq!(
            answer("wasi:sockets/tcp-create-socket", "create-tcp-socket"),
            Some(Error("access-denied"))
        );
        assert_eq!(
            answer("wasi:cli/environment", "get-environment"),
            Some(Empty)
        );
        assert_eq!(answer("wasi:cli/exit", "exit"), Some(End));
        assert_eq!(
            answer("wasi:http/outgoing-handler", "handle"),
            Some(Error("HTTP-request-denied"))
        );
    }
}
