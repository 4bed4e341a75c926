//! The host's door for attempts: one waits here until it may run, or is sent away.
//!
//! INVARIANT: a place is given back when its [`Place`] is dropped, however the attempt ended; a place is never lost between
//! being given and being taken.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aim_core::{
    name::TenantId,
    traffic::{BusyError, Ticket, Traffic, TrafficLimits},
};
use tokio::sync::oneshot;

/// Everybody who runs or waits at one host.
#[derive(Debug, Clone)]
pub struct Door(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    traffic: Traffic,
    calls: BTreeMap<Ticket, oneshot::Sender<()>>,
}

/// The right to run one attempt, given back when dropped.
#[derive(Debug)]
pub struct Place {
    door: Door,
    ticket: Ticket,
}

impl Door {
    /// A door with nobody behind it.
    #[must_use]
    pub fn new(limits: TrafficLimits) -> Self {
        Self(Arc::new(Mutex::new(State {
            traffic: Traffic::new(limits),
            calls: BTreeMap::new(),
        })))
    }

    /// Waits for a place. Whoever stops waiting leaves the queue.
    ///
    /// # Errors
    /// [`BusyError`] at once, when too many wait already or the attempt could never run.
    pub async fn enter(&self, tenant: &TenantId, memory_bytes: u64) -> Result<Place, BusyError> {
        let (place, called) = {
            let mut state = self.state();
            let ticket = state.traffic.enter(tenant, memory_bytes)?;
            // Made before anything is awaited: from here on dropping gives the place back.
            let place = Place {
                door: self.clone(),
                ticket,
            };
            if state.traffic.runs(ticket) {
                return Ok(place);
            }
            let (call, called) = oneshot::channel();
            state.calls.insert(ticket, call);
            (place, called)
        };
        // The caller's end lives in the state until the place is given, so this never fails.
        let _ = called.await;
        Ok(place)
    }

    /// How many attempts run and how many wait.
    #[must_use]
    pub fn counts(&self) -> (usize, u32) {
        self.state().traffic.counts()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.door.state();
        state.calls.remove(&self.ticket);
        for ticket in state.traffic.leave(self.ticket) {
            if let Some(call) = state.calls.remove(&ticket) {
                // A receiver that is gone belongs to a place that is being dropped, which gives it back.
                let _ = call.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TrafficLimits = TrafficLimits {
        attempts_max: 1,
        ..TrafficLimits::DEFAULT
    };

    fn tenant() -> TenantId {
        TenantId::parse("global").unwrap()
    }

    #[tokio::test]
    async fn the_next_enters_when_the_first_leaves() {
        let door = Door::new(ONE);
        let first = door.enter(&tenant(), 1).await.unwrap();
        let second = tokio::spawn({
            let door = door.clone();
            async move { door.enter(&tenant(), 1).await.map(drop) }
        });
        while door.counts() != (1, 1) {
            tokio::task::yield_now().await;
        }
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap().unwrap();
        assert_eq!(door.counts(), (0, 0));
    }

    #[tokio::test]
    async fn whoever_stops_waiting_does_not_keep_a_place() {
        let door = Door::new(ONE);
        let first = door.enter(&tenant(), 1).await.unwrap();
        let waiting = tokio::spawn({
            let door = door.clone();
            async move { door.enter(&tenant(), 1).await.map(drop) }
        });
        while door.counts() != (1, 1) {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(door.counts(), (1, 0));
        drop(first);
        assert_eq!(door.counts(), (0, 0));
    }
}
