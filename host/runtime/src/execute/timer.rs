//! Waiting for a time, and for a state that lasts too long.
//!
//! INVARIANT: a wait is recorded before it begins, so a restart waits for the same moment.

use std::{fmt::Debug, time::Duration};

use aim_core::{stateflow::State, time::Timestamp};
use aim_ports::clock::Clock;
use async_trait::async_trait;

/// Waits.
#[async_trait]
pub trait Timer: Debug + Send + Sync {
    /// Returns once `clock` shows `due` or later.
    async fn until(&self, due: Timestamp, clock: &dyn Clock);

    /// Returns once a step has been in `state` for `most`: what the state's row says then fires.
    async fn lasts(&self, state: State, most: Duration);
}

/// Waits in real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealTimer;

#[async_trait]
impl Timer for RealTimer {
    async fn until(&self, due: Timestamp, clock: &dyn Clock) {
        let left = due.millis().saturating_sub(clock.now().millis());
        tokio::time::sleep(Duration::from_millis(left)).await;
    }

    async fn lasts(&self, _: State, most: Duration) {
        tokio::time::sleep(most).await;
    }
}
