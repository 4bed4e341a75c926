//! The machine's clocks and its source of random bytes. What clocks say goes into evidence as the host's claim; nothing is
//! ordered by it.
//!
//! INVARIANT: reading a clock never fails; an impossible time of day becomes the nearest possible one.

#![forbid(unsafe_code)]

mod entropy;

pub use entropy::SystemEntropy;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aim_core::time::Timestamp;
use aim_ports::clock::Clock;

/// The system's time of day, and monotonic time since this value was made.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts counting elapsed time.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        timestamp(SystemTime::now())
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A machine whose clock was never set can stand before 1970; that counts as 1970.
fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_or_far_ahead_gives_the_nearest_instant() {
        let before = timestamp(UNIX_EPOCH - Duration::from_hours(1));
        assert_eq!(before.to_string(), "1970-01-01T00:00:00.000Z");
        let ahead = timestamp(UNIX_EPOCH + Duration::from_hours(24 * 366 * 9_000));
        assert_eq!(ahead.to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn elapsed_time_never_goes_back_and_the_day_is_after_this_was_written() {
        let clock = SystemClock::start();
        let readings: Vec<Duration> = (0..1_000).map(|_| clock.elapsed()).collect();
        assert!(readings.is_sorted());
        assert!(clock.now() > Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap());
    }
}
