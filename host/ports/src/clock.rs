//! The time of day and elapsed time.

use core::{fmt::Debug, time::Duration};

use aim_core::time::Timestamp;

/// A source of time. Readings go into evidence as the host's claim and order nothing.
pub trait Clock: Debug + Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;
}
