//! Room that several things of one attempt share: each takes what it holds and gives it back.
//!
//! INVARIANT: what is taken at one moment is never more than the room had at the start.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that may still be taken, together by all who have this room.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Mutex<u64>>);

impl Room {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    fn left(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room; false, and nothing is taken, when there is not enough.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let mut left = self.left();
        let rest = left.checked_sub(bytes as u64);
        *left = rest.unwrap_or(*left);
        rest.is_some()
    }

    /// Gives back what was taken.
    pub(crate) fn give(&self, bytes: usize) {
        let mut left = self.left();
        *left = left.saturating_add(bytes as u64);
    }
}
