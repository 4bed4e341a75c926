//! Time that moves only when a test says so.
//!
//! INVARIANT: the time of day may be set anywhere; elapsed time never goes back.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aim_core::time::Timestamp;
use aim_ports::clock::Clock;

/// A clock that a test sets. Clones share one time.
#[derive(Debug, Clone)]
pub struct SimClock(Arc<Mutex<Readings>>);

#[derive(Debug)]
struct Readings {
    now: Timestamp,
    elapsed: Duration,
}

impl SimClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Readings {
            now,
            elapsed: Duration::ZERO,
        })))
    }

    /// Moves both readings on.
    pub fn advance(&self, by: Duration) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        readings.now = Timestamp::from_millis(readings.now.millis().saturating_add(millis));
        readings.elapsed = readings.elapsed.saturating_add(by);
    }

    /// Sets the time of day, also backwards; elapsed time stays.
    pub fn set(&self, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now = now;
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::at(Timestamp::from_millis(0))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now
    }

    fn elapsed(&self) -> Duration {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_the_day_back_leaves_elapsed_time_alone() {
        let clock = SimClock::at(Timestamp::from_millis(5_000));
        clock.advance(Duration::from_secs(1));
        clock.set(Timestamp::from_millis(0));
        assert_eq!(clock.now().millis(), 0);
        assert_eq!(clock.elapsed(), Duration::from_secs(1));
    }
}
