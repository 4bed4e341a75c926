//! Names that people write: node ids, step names, tenants. Parsed once, then known to be harmless.
//!
//! INVARIANT: a name never needs escaping in a path, a topic, a terminal or JSON.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}` must be {rule}")]
pub struct NameError {
    what: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $accept:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Parses a name.
            ///
            /// # Errors
            /// [`NameError`] says which rule the text broke.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let accept: fn(&str) -> bool = $accept;
                if accept(text) {
                    return Ok(Self(text.to_owned()));
                }
                let shown: String = text.chars().take(40).flat_map(char::escape_default).collect();
                Err(NameError { what: $what, text: shown, rule: $rule })
            }

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    };
}

name_type!(
    /// A node's slug, unique in a deployment.
    NodeId,
    "node id",
    "1 to 128 of `a-z 0-9 . -`, starting and ending with a letter or digit, without `..`",
    is_slug
);
name_type!(
    /// A tenant's slug; `global` when there is only one.
    TenantId,
    "tenant",
    "1 to 128 of `a-z 0-9 . -`, starting and ending with a letter or digit, without `..`",
    is_slug
);
name_type!(
    /// A step's, role's or gate's name inside a plan.
    StepName,
    "name",
    "1 to 64 of `A-Z a-z 0-9 _`",
    is_word
);

fn is_slug(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 128
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && !text.contains("..")
        && text
            .chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-'))
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn refuses_look_alikes_traversal_and_control_characters() {
        for bad in [
            "", "Echo", "еcho", "a..b", "../x", "a/b", "a\0", ".a", "a.", "a b", "-a",
        ] {
            assert!(NodeId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(NodeId::parse("echo-node.v1").is_ok());
        assert!(NodeId::parse(&"a".repeat(129)).is_err());
    }

    #[test]
    fn an_error_never_repeats_raw_control_bytes() {
        let error = NodeId::parse("x\u{1b}[31m").unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn step_names_are_words() {
        assert!(StepName::parse("verify_2").is_ok());
        assert!(StepName::parse("verify-2").is_err());
    }
}
