//! What can be wrong with a contract: which rule, at which field, and what to do about it.
//!
//! INVARIANT: codes are stable; a rule can be reworded, its code can not be given to another rule.

use alloc::string::String;
use core::fmt;

/// A rule that a document broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContractRule {
    /// A key is not known at this place.
    UnknownKey,
    /// A key that must be there is not.
    MissingKey,
    /// A value has another type or is not one of those allowed.
    Value,
    /// A name, version or digest is not written as it must be.
    Name,
    /// A limit is zero or above its ceiling.
    Limit,
    /// An ask is not one that can be granted.
    Ask,
    /// Two keys contradict each other.
    Contradiction,
    /// A key is known, and not supported by this version.
    Unsupported,
    /// A JSON Schema can not be used.
    Schema,
}

impl ContractRule {
    /// Every rule.
    pub const ALL: [Self; 9] = [
        Self::UnknownKey,
        Self::MissingKey,
        Self::Value,
        Self::Name,
        Self::Limit,
        Self::Ask,
        Self::Contradiction,
        Self::Unsupported,
        Self::Schema,
    ];

    /// The stable code, with a page of that name under `docs/errors`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownKey => "AIM-C005",
            Self::MissingKey => "AIM-C006",
            Self::Value => "AIM-C007",
            Self::Name => "AIM-C008",
            Self::Limit => "AIM-C009",
            Self::Ask => "AIM-C010",
            Self::Contradiction => "AIM-C011",
            Self::Unsupported => "AIM-C012",
            Self::Schema => "AIM-C013",
        }
    }

    /// What to do about it, in general.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::UnknownKey => {
                "remove the key or correct its spelling; `metadata` takes keys of your own"
            }
            Self::MissingKey => "add the key",
            Self::Value => "write one of the values that docs/formats/contract.md lists",
            Self::Name => "correct the spelling; docs/formats/contract.md gives the rule",
            Self::Limit => "write a whole number from 1 up to the ceiling",
            Self::Ask => "ask only for what docs/formats/contract.md lists, each once",
            Self::Contradiction => "keep one of the two",
            Self::Unsupported => "remove the key; it is refused rather than ignored",
            Self::Schema => "write a JSON Schema of draft 2020-12 that refers only to itself",
        }
    }
}

/// One broken rule in one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractFault {
    /// The rule.
    pub rule: ContractRule,
    /// The field, as a JSON pointer from the document's root: `/limits/fuel_max`.
    pub field: String,
    /// What is wrong, naming the value.
    pub message: String,
}

impl ContractFault {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.rule.code()
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.rule.help()
    }
}

impl fmt::Display for ContractFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl core::error::Error for ContractFault {}

/// Collects faults while a document is checked, so that the first one hides no other.
#[derive(Debug, Default)]
pub(super) struct Faults(alloc::vec::Vec<ContractFault>);

impl Faults {
    pub(super) fn add(
        &mut self,
        rule: ContractRule,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.0.push(ContractFault {
            rule,
            field: field.into(),
            message: message.into(),
        });
    }

    /// Keeps a value that was parsed, or notes why it was not.
    pub(super) fn take<T, E: fmt::Display>(
        &mut self,
        rule: ContractRule,
        field: impl Into<String>,
        parsed: Result<T, E>,
    ) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(rule, field, alloc::format!("{error}"));
                None
            }
        }
    }

    pub(super) fn into_vec(self) -> alloc::vec::Vec<ContractFault> {
        self.0
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
