//! The five logs, who writes them, and who asks whom.
//! INVARIANT: the order of the variants is the order in which the files are read, from the customer down.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Log {
    /// What the customers saw.
    #[serde(rename = "client.log")]
    Client,
    /// What nginx answered.
    #[serde(rename = "nginx-access.log")]
    Access,
    /// What nginx could not do; its clock has whole seconds.
    #[serde(rename = "nginx-error.log")]
    Nginx,
    /// What the application did.
    #[serde(rename = "app.log")]
    App,
    /// What the database did; it doesn't know request ids.
    #[serde(rename = "postgres.log")]
    Postgres,
}

/// A part of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// The customers.
    Client,
    /// The web server.
    Nginx,
    /// The application.
    App,
    /// The database.
    Postgres,
}

impl Log {
    /// All logs, in reading order.
    pub const ALL: [Self; 5] = [
        Self::Client,
        Self::Access,
        Self::Nginx,
        Self::App,
        Self::Postgres,
    ];

    /// The file's name.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Client => "client.log",
            Self::Access => "nginx-access.log",
            Self::Nginx => "nginx-error.log",
            Self::App => "app.log",
            Self::Postgres => "postgres.log",
        }
    }

    /// The log of that file name.
    #[must_use]
    pub fn of_file(file: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|log| log.file() == file)
    }

    /// Who writes it. Components are ordered from the customer down: a greater one is asked by a lesser one.
    #[must_use]
    pub const fn component(self) -> Component {
        match self {
            Self::Client => Component::Client,
            Self::Access | Self::Nginx => Component::Nginx,
            Self::App => Component::App,
            Self::Postgres => Component::Postgres,
        }
    }

    /// How exact its clock is, in milliseconds.
    #[must_use]
    pub const fn resolution_ms(self) -> u64 {
        match self {
            Self::Nginx => 1000,
            _ => 1,
        }
    }
}

impl Component {
    /// The component's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Nginx => "nginx",
            Self::App => "app",
            Self::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Log {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.file())
    }
}

impl fmt::Display for Component {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
