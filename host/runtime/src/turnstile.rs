//! The queue in front of gates: a bounded number is judged at a time, a bounded number waits, the rest is denied at once.
//!
//! INVARIANT: a request that finds the queue full is never judged later, and never released.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests that gates judge at the same time at most.
pub const JUDGED_MAX: usize = 64;
/// Requests that wait for their turn at most.
pub const WAITING_MAX: usize = 1024;

/// A queue; clones share it.
#[derive(Debug, Clone)]
pub struct Turnstile {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
}

impl Default for Turnstile {
    fn default() -> Self {
        Self::new(JUDGED_MAX, WAITING_MAX)
    }
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue of the gates is full, so the request is denied unjudged")]
pub struct TurnstileError;

impl TurnstileError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        "AIM-G018"
    }
}

/// One who waits; leaves the queue however the wait ends, also when it is given up.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Turnstile {
    /// A queue for `judged_max` at a time and `waiting_max` behind them.
    #[must_use]
    pub fn new(judged_max: usize, waiting_max: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(judged_max)),
            waiting: Arc::default(),
            waiting_max,
        }
    }

    /// Waits for a turn, which lasts until the answer is dropped.
    ///
    /// # Errors
    /// [`TurnstileError`] at once when the queue is full.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit, TurnstileError> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(Arc::clone(&self.waiting));
        if before >= self.waiting_max {
            return Err(TurnstileError);
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        turn.map_err(|_| TurnstileError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_finds_the_queue_full_is_refused_at_once_and_the_others_get_their_turn() {
        let turnstile = Turnstile::new(1, 2);
        let first = turnstile.enter().await.unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let turnstile = turnstile.clone();
                tokio::spawn(async move { turnstile.enter().await.map(drop) })
            })
            .collect();
        while turnstile.waiting.load(Ordering::Acquire) < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(turnstile.enter().await.map(drop), Err(TurnstileError));
        drop(first);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
        assert!(
            turnstile.enter().await.is_ok(),
            "and then there is room again"
        );
    }

    #[tokio::test]
    async fn who_gives_up_waiting_makes_room() {
        let turnstile = Turnstile::new(1, 1);
        let _first = turnstile.enter().await.unwrap();
        let waiting = {
            let turnstile = turnstile.clone();
            tokio::spawn(async move { turnstile.enter().await.map(drop) })
        };
        while turnstile.waiting.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.is_err());
        assert_eq!(turnstile.waiting.load(Ordering::Acquire), 0);
    }
}
