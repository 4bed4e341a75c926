//! The tick that interrupts guests: one thread per engine, started with the first invocation, asleep when nothing runs.
//!
//! INVARIANT: while a guest runs the epoch advances; when the engine is dropped the thread ends.

use std::{
    sync::{
        Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::error::EngineError;

/// Time between two ticks.
pub const TICK: Duration = Duration::from_millis(1);
/// Ticks without a guest after which the thread goes to sleep: short gaps between two steps cost no wake-up.
const IDLE_TICKS: u32 = 100;

/// Advances the epoch of one engine.
#[derive(Debug)]
pub(crate) struct Ticker {
    running: AtomicUsize,
    thread: Mutex<Option<thread::Thread>>,
}

impl Ticker {
    pub(crate) const fn new() -> Self {
        Self {
            running: AtomicUsize::new(0),
            thread: Mutex::new(None),
        }
    }

    /// Takes part in keeping the epoch moving until the guard is dropped.
    pub(crate) fn run(
        shared: &std::sync::Arc<crate::engine::Shared>,
    ) -> Result<Running<'_>, EngineError> {
        let ticker = &shared.ticker;
        let before = ticker.running.fetch_add(1, Ordering::AcqRel);
        // Made first, so that a failure to wake takes the count back.
        let running = Running(ticker);
        if before == 0 {
            ticker.wake(shared)?;
        }
        Ok(running)
    }

    fn wake(&self, shared: &std::sync::Arc<crate::engine::Shared>) -> Result<(), EngineError> {
        let mut slot = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = slot.as_ref() {
            thread.unpark();
            return Ok(());
        }
        let weak = std::sync::Arc::downgrade(shared);
        let handle = thread::Builder::new()
            .name("aim-tick".to_owned())
            .spawn(move || tick(&weak))
            .map_err(|error| EngineError::Thread(error.to_string()))?;
        *slot = Some(handle.thread().clone());
        Ok(())
    }

    /// Wakes the thread so that it sees that its engine is gone.
    pub(crate) fn stop(&self) {
        let slot = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = slot.as_ref() {
            thread.unpark();
        }
    }
}

fn tick(engine: &Weak<crate::engine::Shared>) {
    let mut idle = 0;
    loop {
        let Some(shared) = engine.upgrade() else {
            return;
        };
        shared.engine.increment_epoch();
        let is_idle = shared.ticker.running.load(Ordering::Acquire) == 0;
        drop(shared);
        idle = if is_idle { idle + 1 } else { 0 };
        if idle > IDLE_TICKS {
            thread::park();
            idle = 0;
        } else {
            thread::sleep(TICK);
        }
    }
}

/// Keeps the epoch moving.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Ticker);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
