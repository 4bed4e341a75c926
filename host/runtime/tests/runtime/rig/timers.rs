//! Waits of the tests: the clock moves on, a state lasts too long at once, or somebody cancels meanwhile.
//!
//! INVARIANT: no wait here takes real time.

use std::time::Duration;

use aim_core::{stateflow::State, time::Timestamp};
use aim_engine::Cancel;
use aim_ports::clock::Clock;
use aim_runtime::execute::Timer;
use aim_testkit::SimClock;

/// Waits by moving the clock on.
#[derive(Debug)]
pub(super) struct SimTimer(pub(super) SimClock);

#[async_trait::async_trait]
impl Timer for SimTimer {
    async fn until(&self, due: Timestamp, clock: &dyn Clock) {
        let left = due.millis().saturating_sub(clock.now().millis());
        self.0.advance(Duration::from_millis(left));
    }

    async fn lasts(&self, _: State, _: Duration) {
        std::future::pending().await
    }
}

/// Time that passes for one state only, and for that one at once.
#[derive(Debug)]
pub(super) struct Hasty(pub(super) State, pub(super) SimClock);

#[async_trait::async_trait]
impl Timer for Hasty {
    async fn until(&self, due: Timestamp, clock: &dyn Clock) {
        SimTimer(self.1.clone()).until(due, clock).await;
    }

    async fn lasts(&self, state: State, _: Duration) {
        if state != self.0 {
            std::future::pending().await
        }
    }
}

/// A wait during which somebody cancels, and that would never end by itself.
#[derive(Debug)]
pub(super) struct CutOff(pub(super) Cancel);

#[async_trait::async_trait]
impl Timer for CutOff {
    async fn until(&self, _: Timestamp, _: &dyn Clock) {
        self.0.cancel();
        std::future::pending().await
    }

    async fn lasts(&self, _: State, _: Duration) {
        std::future::pending().await
    }
}
