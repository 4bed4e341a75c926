//! The faults that the methods can name, and the words by which the servers announce them.
//! INVARIANT: an unknown message is no cause; a method then says what it saw and leaves the cause open.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::log::Component;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A volume of the database is full.
    DiskFull,
    /// The application's database password is wrong.
    WrongPassword,
    /// The application does not answer.
    UpstreamDown,
}

impl Cause {
    /// The cause that a message names. The texts are those of PostgreSQL (`mdextend`, `auth_failed`) and of nginx's
    /// upstream module; the system's own words for `ENOSPC` stand in the first.
    #[must_use]
    pub fn of_message(message: &str) -> Option<Self> {
        if let Some(cause) = Self::of_sqlstate(message) {
            return Some(cause);
        }
        if message.contains("No space left on device") || message.contains(": wrote only ") {
            Some(Self::DiskFull)
        } else if message.contains("password authentication failed") {
            Some(Self::WrongPassword)
        } else if message.contains("connect() failed")
            && message.contains("while connecting to upstream")
        {
            Some(Self::UpstreamDown)
        } else {
            None
        }
    }

    /// The cause that an SQLSTATE in the message names (PostgreSQL, appendix A): `53100` disk full, `28P01` invalid password.
    #[must_use]
    pub fn of_sqlstate(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once("sqlstate=")?;
        match rest.split_whitespace().next()? {
            "53100" => Some(Self::DiskFull),
            "28P01" => Some(Self::WrongPassword),
            _ => None,
        }
    }

    /// Where the fault lies. A wrong password is its owner's fault, not that of the database which refuses it.
    #[must_use]
    pub const fn component(self) -> Component {
        match self {
            Self::DiskFull => Component::Postgres,
            Self::WrongPassword | Self::UpstreamDown => Component::App,
        }
    }

    /// The cause's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DiskFull => "disk-full",
            Self::WrongPassword => "wrong-password",
            Self::UpstreamDown => "upstream-down",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::DiskFull => {
                "The volume that holds the database's tables is full, so nothing can be written."
            }
            Self::WrongPassword => {
                "The application signs in to the database with credentials that the database refuses."
            }
            Self::UpstreamDown => {
                "The application does not accept connections, so nginx has nobody to ask."
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
