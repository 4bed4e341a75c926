//! The one reviewed table from a capability to the interfaces it opens, and of what the host serves at all.
//!
//! INVARIANT: an interface that is not in this file or in `adapter` is never linked; versions are compared as whole
//! strings, so no tolerance between versions can decide anything.

use crate::{access::Capability, adapter};

/// The version of every `aim` package that is served.
pub const AIM_VERSIONS: &[&str] = &["0.1.0"];

/// The WASI 0.2 versions that are served: their interfaces have the same shape for every function in the table.
pub const WASI_VERSIONS: &[&str] = &[
    "0.2.0", "0.2.1", "0.2.2", "0.2.3", "0.2.4", "0.2.5", "0.2.6", "0.2.7", "0.2.8", "0.2.9",
    "0.2.10", "0.2.11", "0.2.12",
];

/// An interface that a capability opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedInterface {
    /// `package/interface`, without a version.
    pub interface: &'static str,
    /// The functions that the host implements; for WASI interfaces the adapter table has them.
    pub functions: &'static [&'static str],
    /// The resources that the host implements.
    pub resources: &'static [&'static str],
}

const CONTEXT: &[ServedInterface] = &[ServedInterface {
    interface: "aim:host/context",
    functions: &[
        "run-id",
        "step-name",
        "role",
        "attempt",
        "tenant",
        "actor",
        "correlation-id",
        "causation-id",
        "traceparent",
        "label",
        "plan",
        "component",
        "seed",
    ],
    resources: &[],
}];
const BUDGET: &[ServedInterface] = &[ServedInterface {
    interface: "aim:host/budget",
    functions: &[
        "fuel",
        "calls",
        "tokens",
        "cost-micros",
        "wall-ms",
        "is-cancelled",
    ],
    resources: &[],
}];
const ATTEST: &[ServedInterface] = &[ServedInterface {
    interface: "aim:witness/attest",
    functions: &[
        "claim",
        "cite",
        "set-confidence",
        "set-doubt",
        "declare-impact",
        "set-quip",
    ],
    resources: &[],
}];
const CONSULT: &[ServedInterface] = &[ServedInterface {
    interface: "aim:gate/consult",
    functions: &["check"],
    resources: &[],
}];
const LOG: &[ServedInterface] = &[ServedInterface {
    interface: "aim:log/log",
    functions: &["write"],
    resources: &[],
}];
const ARTIFACT: &[ServedInterface] = &[ServedInterface {
    interface: "aim:artifact/store",
    functions: &[
        "read",
        "put",
        "[static]writer.create",
        "[method]writer.append",
        "[static]writer.finish",
    ],
    resources: &["writer"],
}];
const FILESYSTEM: &[ServedInterface] = &[
    ServedInterface {
        interface: "wasi:filesystem/types",
        functions: &[],
        resources: &["descriptor", "directory-entry-stream"],
    },
    ServedInterface {
        interface: "wasi:filesystem/preopens",
        functions: &[],
        resources: &[],
    },
];
const CODEX: &[ServedInterface] = &[ServedInterface {
    interface: "aim:gate/codex",
    functions: &["document"],
    resources: &[],
}];

/// Everything that `capability` opens, and nothing else.
#[must_use]
pub const fn closure(capability: Capability) -> &'static [ServedInterface] {
    match capability {
        Capability::Context => CONTEXT,
        Capability::Budget => BUDGET,
        Capability::Attest => ATTEST,
        Capability::Consult => CONSULT,
        Capability::Log => LOG,
        Capability::Artifact => ARTIFACT,
        Capability::Filesystem => FILESYSTEM,
        Capability::Codex => CODEX,
    }
}

/// Follows from whatever is granted or adapted; never asked for.
pub const PLUMBING: &[&str] = &["wasi:io/error", "wasi:io/poll", "wasi:io/streams"];

/// Packages whose types may be imported freely.
pub const PACKAGES: &[&str] = &[
    "aim:types",
    "aim:host",
    "aim:witness",
    "aim:gate",
    "aim:log",
    "aim:artifact",
    "aim:step",
    "wasi:io",
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:random",
    "wasi:sockets",
];

/// A parsed import string, `package/interface@version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportName<'a> {
    /// `namespace:package`.
    pub package: &'a str,
    /// `namespace:package/interface`.
    pub interface: &'a str,
    /// The text after `@`; empty when there is none.
    pub version: &'a str,
}

impl<'a> ImportName<'a> {
    /// Splits an import string; `None` when it names no package.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (interface, version) = text.split_once('@').unwrap_or((text, ""));
        let (package, name) = interface.split_once('/')?;
        let is_whole = package.contains(':') && !name.is_empty() && !name.contains('/');
        is_whole.then_some(Self {
            package,
            interface,
            version,
        })
    }

    /// True when the host serves the package in exactly this version.
    #[must_use]
    pub fn has_served_version(&self) -> bool {
        self.served_versions().contains(&self.version)
    }

    /// The versions in which the host serves the package; none for unknown packages.
    #[must_use]
    pub fn served_versions(&self) -> &'static [&'static str] {
        if !PACKAGES.contains(&self.package) {
            return &[];
        }
        if self.package.starts_with("aim:") {
            AIM_VERSIONS
        } else {
            WASI_VERSIONS
        }
    }

    /// The capability that opens this interface, with its row.
    #[must_use]
    pub fn capability(&self) -> Option<(Capability, &'static ServedInterface)> {
        Capability::ALL.into_iter().find_map(|capability| {
            closure(capability)
                .iter()
                .find(|row| row.interface == self.interface)
                .map(|row| (capability, row))
        })
    }

    /// True when the host knows the interface in any role.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.capability().is_some()
            || PLUMBING.contains(&self.interface)
            || adapter::interfaces().any(|interface| interface == self.interface)
    }
}

impl ServedInterface {
    /// True when the host implements `function` of this interface.
    #[must_use]
    pub fn has_function(&self, function: &str) -> bool {
        self.functions.contains(&function) || adapter::answer(self.interface, function).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_capability_opens_something_and_no_interface_belongs_to_two() {
        let mut seen = BTreeSet::new();
        for capability in Capability::ALL {
            assert!(!closure(capability).is_empty());
            for row in closure(capability) {
                assert!(seen.insert(row.interface), "{} twice", row.interface);
                assert!(!PLUMBING.contains(&row.interface));
            }
        }
    }

    #[test]
    fn only_whole_version_strings_are_served() {
        let served = |text| ImportName::parse(text).is_some_and(|name| name.has_served_version());
        assert!(served("aim:host/context@0.1.0"));
        assert!(served("wasi:io/poll@0.2.9"));
        for bad in [
            "aim:host/context@0.1.1",
            "aim:host/context@0.1",
            "aim:host/context",
            "aim:host/context@0.1.0-rc",
            "aim:host/context@0.1.0@0.1.0",
            "wasi:io/poll@0.2.13",
            "wasi:io/poll@0.3.0",
            "wasi:http/types@0.2.0",
            "context",
        ] {
            assert!(!served(bad), "{bad}");
        }
    }
}
