//! Time as a guest sees it: it starts at zero, moves with what the guest does, and is the same on every run.
//!
//! The monotonic clock gains [`READ_NS`] on every reading and jumps to the awaited instant when the guest waits; the wall
//! clock always shows the instant that the run's pins name. Waiting past the deadline ends the attempt.
//!
//! INVARIANT: no reading depends on the machine's time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;
use wasmtime_wasi_io::{async_trait, poll::Pollable};

/// What one reading of the monotonic clock costs, in virtual nanoseconds.
pub const READ_NS: u64 = 1_000;
const NS_PER_MS: u64 = 1_000_000;

/// The virtual monotonic clock of one attempt.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    now_ns: AtomicU64,
    deadline_ns: u64,
    is_overslept: AtomicBool,
    overslept: Notify,
}

impl VirtualClock {
    pub(crate) fn new(deadline_ms: u64) -> Self {
        Self {
            now_ns: AtomicU64::new(0),
            deadline_ns: deadline_ms.saturating_mul(NS_PER_MS),
            is_overslept: AtomicBool::new(false),
            overslept: Notify::new(),
        }
    }

    /// Reads the clock, which moves it.
    pub(crate) fn read(&self) -> u64 {
        self.now_ns
            .fetch_add(READ_NS, Ordering::Relaxed)
            .saturating_add(READ_NS)
    }

    /// Reads without moving.
    pub(crate) fn peek(&self) -> u64 {
        self.now_ns.load(Ordering::Relaxed)
    }

    /// Waits until `when_ns`: jumps there at once, or never returns when that is past the deadline.
    async fn sleep_until(&self, when_ns: u64) {
        if when_ns <= self.deadline_ns {
            self.now_ns.fetch_max(when_ns, Ordering::Relaxed);
            return;
        }
        self.is_overslept.store(true, Ordering::Release);
        self.overslept.notify_one();
        std::future::pending::<()>().await;
    }

    /// Returns once the guest has waited past its deadline.
    pub(crate) async fn overslept(&self) {
        while !self.is_overslept.load(Ordering::Acquire) {
            self.overslept.notified().await;
        }
    }
}

/// What `subscribe-instant` and `subscribe-duration` give.
pub(crate) struct Sleep {
    pub(crate) clock: std::sync::Arc<VirtualClock>,
    pub(crate) when_ns: u64,
}

#[async_trait]
impl Pollable for Sleep {
    async fn ready(&mut self) {
        self.clock.sleep_until(self.when_ns).await;
    }
}
