//! How any port can fail, told apart by what the caller must do next.

use alloc::string::String;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortFault {
    /// The named thing is not there.
    NotFound,
    /// No space, quota or handles left; may pass.
    Exhausted,
    /// The other side did not answer in time or is gone; may pass.
    Unavailable,
    /// Permissions or ownership are not as they must be.
    Forbidden,
    /// Bytes are not what their digest, signature or format says.
    Corrupt,
    /// Somebody else holds it.
    Busy,
    /// A write or sync failed: nothing after it can be trusted, the host must stop.
    FailStop,
}

/// A failed port call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {detail}")]
pub struct PortError {
    /// What kind of failure it is.
    pub fault: PortFault,
    /// What was being done to what.
    pub subject: String,
    /// What went wrong and what to do; never a secret.
    pub detail: String,
    /// The code of the page under `docs/errors/` that explains it, where there is one.
    pub code: Option<&'static str>,
}

impl PortError {
    /// Makes an error.
    #[must_use]
    pub fn new(fault: PortFault, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            fault,
            subject: subject.into(),
            detail: detail.into(),
            code: None,
        }
    }

    /// Names the page that explains the error.
    #[must_use]
    pub const fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }
}
