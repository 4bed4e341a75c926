//! Secrets by name: a host call uses one, nobody reads it.
//! INVARIANT: no function here gives a secret; a placeholder is the name between two marks.

use crate::bindings::imports::aim::secret::handles;
use crate::types::HostError;

/// The names of the secrets that are granted.
#[must_use]
pub fn names() -> Vec<String> {
    handles::names()
}

/// The text that stands for a secret in the value of a header.
///
/// # Errors
/// `denied` for a name that is not granted.
pub fn placeholder(name: &str) -> Result<String, HostError> {
    handles::placeholder(name)
}
