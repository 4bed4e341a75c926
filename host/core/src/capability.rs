//! The one reviewed table from a capability to the interfaces it opens, of what the host serves at all, what the record of
//! each call holds, and how a replay answers it. `docs/formats/imports.md` is written from it.
//!
//! INVARIANT: an interface that is not in this file or in `adapter` is never linked; versions are compared as whole
//! strings, so no tolerance between versions can decide anything.

use crate::{access::Capability, adapter};

mod rows;

use rows::{
    ARTIFACT, ATTEST, BUDGET, CLI, CLOCKS, CODEX, CONFIG, CONSULT, CONTEXT, FILESYSTEM, HTTP,
    KEYVALUE, LOG, MODEL, RANDOM, SECRETS,
};

/// The version of every `aim` package that is served.
pub const AIM_VERSIONS: &[&str] = &["0.1.0"];

/// The WASI 0.2 versions that are served: their interfaces have the same shape for every function in the table.
pub const WASI_VERSIONS: &[&str] = &[
    "0.2.0", "0.2.1", "0.2.2", "0.2.3", "0.2.4", "0.2.5", "0.2.6", "0.2.7", "0.2.8", "0.2.9",
    "0.2.10", "0.2.11", "0.2.12",
];

/// How a replay answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Replay {
    /// From the run's pins, as the first time: the answer is a function of the lock, the inputs and the seed.
    Pinned,
    /// From the record: the transcript's payload is the answer.
    Recorded,
    /// From content that the record names by digest: an artifact, a file of a snapshot, a value.
    Content,
    /// By doing it again: it changes only what the attempt itself stages, and the outcome is held against the record.
    Redone,
}

impl Replay {
    /// The rule's name in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Recorded => "recorded",
            Self::Content => "content",
            Self::Redone => "redone",
        }
    }
}

/// One function that the host implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedFunction {
    /// The canonical name, `[method]resource.name` for methods.
    pub name: &'static str,
    /// What its record holds.
    pub records: &'static str,
    /// How a replay answers it.
    pub replay: Replay,
}

/// An interface that a capability opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedInterface {
    /// `package/interface`, without a version.
    pub interface: &'static str,
    /// The functions that the host implements.
    pub functions: &'static [ServedFunction],
    /// The resources that the host implements.
    pub resources: &'static [&'static str],
}

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
        Capability::Clocks => CLOCKS,
        Capability::Random => RANDOM,
        Capability::Cli => CLI,
        Capability::Config => CONFIG,
        Capability::Keyvalue => KEYVALUE,
        Capability::Model => MODEL,
        Capability::Http => HTTP,
        Capability::Secrets => SECRETS,
        Capability::Codex => CODEX,
    }
}

/// How a replay answers `function`, as a transcript writes it: `package/interface.function`; `None` for what is not served.
#[must_use]
pub fn replay_of(function: &str) -> Option<Replay> {
    // Only written down where it depends on the machine's time.
    if function.starts_with("wasi:io/poll.") {
        return Some(Replay::Recorded);
    }
    let rows = Capability::ALL.into_iter().flat_map(closure);
    rows.filter_map(|row| {
        Some((
            row,
            function.strip_prefix(row.interface)?.strip_prefix('.')?,
        ))
    })
    .find_map(|(row, name)| row.functions.iter().find(|one| one.name == name))
    .map(|served| served.replay)
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
    "aim:model",
    "aim:secret",
    "aim:step",
    "wasi:io",
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:http",
    "wasi:random",
    "wasi:sockets",
    "wasi:config",
    "wasi:keyvalue",
];

/// The version of the `wasi:config` draft that is served.
pub const CONFIG_VERSIONS: &[&str] = &["0.2.0-rc.1"];

/// The version of the `wasi:keyvalue` draft that is served: `store`, `atomics` and `batch`. Its `watcher` is an export and is
/// never called.
pub const KEYVALUE_VERSIONS: &[&str] = &["0.2.0-draft"];

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
        match self.package {
            "wasi:config" => CONFIG_VERSIONS,
            "wasi:keyvalue" => KEYVALUE_VERSIONS,
            package if package.starts_with("aim:") => AIM_VERSIONS,
            _ => WASI_VERSIONS,
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
        self.functions.iter().any(|served| served.name == function)
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
                let adapted = adapter::TABLE
                    .iter()
                    .filter(|known| known.interface == row.interface);
                for known in adapted {
                    assert!(row.has_function(known.function), "{known:?}");
                }
            }
        }
    }

    #[test]
    fn only_whole_version_strings_are_served() {
        let served = |text| ImportName::parse(text).is_some_and(|name| name.has_served_version());
        assert!(served("aim:host/context@0.1.0"));
        assert!(served("wasi:io/poll@0.2.9"));
        assert!(served("wasi:keyvalue/store@0.2.0-draft"));
        assert!(served("wasi:config/store@0.2.0-rc.1"));
        for bad in [
            "aim:host/context@0.1.1",
            "aim:host/context@0.1",
            "aim:host/context",
            "aim:host/context@0.1.0-rc",
            "aim:host/context@0.1.0@0.1.0",
            "wasi:io/poll@0.2.13",
            "wasi:io/poll@0.3.0",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:config/store@0.2.0-draft",
            "wasi:nn/graph@0.2.0",
            "wasi:http/types@0.3.0",
            "wasi:tls/types@0.2.0",
            "context",
        ] {
            assert!(!served(bad), "{bad}");
        }
    }
}
