//! A grant compiled for the hot path: is this use within the granted scopes, and by which ask?
//!
//! Policy is not asked here. What it allowed is in the grant already; a match is a look at one short list and a few
//! comparisons of bytes.
//!
//! INVARIANT: a matcher permits nothing that its grant does not hold, and everything it does not know is refused.

use alloc::{boxed::Box, vec::Vec};

use super::{Capability, Grant, Mode};

/// One granted ask, ready to compare.
#[derive(Debug, Clone)]
struct Row {
    capability: Capability,
    /// One bit for each mode; [`PLAIN`] for a capability without modes.
    modes: u32,
    /// Index of the ask in the grant.
    ask: usize,
    scope: Box<[Box<str>]>,
}

/// The bit of a use without a mode.
const PLAIN: u32 = 1;

/// A compiled grant.
#[derive(Debug, Clone, Default)]
pub struct GrantMatcher {
    rows: Box<[Row]>,
}

impl GrantMatcher {
    /// Compiles a grant.
    #[must_use]
    pub fn compile(grant: &Grant) -> Self {
        let row = |(ask, granted): (usize, &super::Ask)| Row {
            capability: granted.capability,
            modes: if granted.modes.is_empty() {
                PLAIN
            } else {
                (granted.modes.iter()).fold(0, |bits, mode| bits | bit(Some(*mode)))
            },
            ask,
            scope: granted
                .scope
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
        };
        let rows: Vec<Row> = grant.asks.iter().enumerate().map(row).collect();
        Self { rows: rows.into() }
    }

    /// The granted ask, by its place in the grant, that covers this use; `None` when none does.
    ///
    /// `name` is what the call is about, of the capability's resource kind; it is not looked at where that is the host.
    #[must_use]
    pub fn find(&self, capability: Capability, mode: Option<Mode>, name: &str) -> Option<usize> {
        let wanted = bit(mode);
        let kind = capability.resource_kind();
        self.rows
            .iter()
            .find(|row| {
                row.capability == capability
                    && row.modes & wanted != 0
                    && (!kind.is_scoped()
                        || row.scope.iter().any(|granted| kind.covers(granted, name)))
            })
            .map(|row| row.ask)
    }

    /// True when some granted ask covers this use.
    #[must_use]
    pub fn permits(&self, capability: Capability, mode: Option<Mode>, name: &str) -> bool {
        self.find(capability, mode, name).is_some()
    }
}

const fn bit(mode: Option<Mode>) -> u32 {
    match mode {
        None => PLAIN,
        Some(mode) => PLAIN << (1 + mode as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Ask;
    use alloc::{string::ToString, vec};

    #[test]
    fn what_the_grant_holds_matches_and_nothing_else_does() {
        let logs = Ask {
            modes: [Mode::Read].into(),
            scope: ["logs".to_string()].into(),
            ..Ask::plain(Capability::Filesystem)
        };
        let grant = Grant {
            asks: vec![Ask::plain(Capability::Log), logs],
            policy: None,
        };
        let matcher = GrantMatcher::compile(&grant);
        let read = Some(Mode::Read);
        assert_eq!(matcher.find(Capability::Log, None, "any"), Some(0));
        assert_eq!(matcher.find(Capability::Filesystem, read, "logs"), Some(1));
        for (capability, mode, name) in [
            (Capability::Filesystem, Some(Mode::Put), "logs"),
            (Capability::Filesystem, None, "logs"),
            (Capability::Filesystem, read, "Logs"),
            (Capability::Filesystem, read, "log"),
            (Capability::Filesystem, read, "logs2"),
            (Capability::Filesystem, read, ""),
            (Capability::Filesystem, read, "l\u{43e}gs"),
            (Capability::Log, read, "any"),
            (Capability::Budget, None, "any"),
        ] {
            assert!(
                !matcher.permits(capability, mode, name),
                "{capability} {name}"
            );
        }
        assert!(!GrantMatcher::default().permits(Capability::Log, None, "any"));
    }
}
