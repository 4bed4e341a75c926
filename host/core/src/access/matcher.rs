//! A grant compiled for the hot path: is this use within the granted scopes, and by which ask?
//!
//! Policy is not asked here. What it allowed is in the grant already; a match is a look at one short list and a few
//! comparisons of bytes.
//!
//! INVARIANT: a matcher permits nothing that its grant does not hold, and everything it does not know is refused.

use alloc::{boxed::Box, vec::Vec};

use super::{Capability, Grant, Mode};

/// One granted use, ready to compare.
#[derive(Debug, Clone)]
struct Row {
    capability: Capability,
    mode: Option<Mode>,
    name: Box<str>,
}

/// A compiled grant: one row for each use in [`Grant::uses`], in the same order.
#[derive(Debug, Clone, Default)]
pub struct GrantMatcher {
    rows: Box<[Row]>,
}

impl GrantMatcher {
    /// Compiles a grant.
    #[must_use]
    pub fn compile(grant: &Grant) -> Self {
        let rows: Vec<Row> = grant
            .uses()
            .map(|one| Row {
                capability: one.capability,
                mode: one.mode,
                name: one.resource.name.into(),
            })
            .collect();
        Self { rows: rows.into() }
    }

    /// The granted use, by its place in [`Grant::uses`], that covers this one; `None` when none does.
    ///
    /// `name` is what the call is about, of the capability's resource kind; it is not looked at where that is the host.
    #[must_use]
    pub fn find(&self, capability: Capability, mode: Option<Mode>, name: &str) -> Option<usize> {
        let kind = capability.resource_kind();
        self.rows.iter().position(|row| {
            row.capability == capability
                && row.mode == mode
                && (!kind.is_scoped() || kind.covers(&row.name, name))
        })
    }

    /// True when some granted use covers this one.
    #[must_use]
    pub fn permits(&self, capability: Capability, mode: Option<Mode>, name: &str) -> bool {
        self.find(capability, mode, name).is_some()
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
