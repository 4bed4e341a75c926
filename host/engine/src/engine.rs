//! The engine of this process: one configuration, one allocator, one tick.
//!
//! INVARIANT: all components of a process are loaded into one engine; the allocator in use is known and recorded.

use std::sync::Arc;

use crate::{
    deadline::Ticker,
    error::{EngineError, shown},
    lane::SlowLane,
    profile::{Allocator, EngineProfile, PoolSize},
};

/// Which allocator to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocatorPreference {
    /// The fastest that works here.
    Fastest(PoolSize),
    /// This one or none.
    Only(Allocator, PoolSize),
}

impl Default for AllocatorPreference {
    fn default() -> Self {
        Self::Fastest(PoolSize::default())
    }
}

/// What an engine and its loaded components share.
pub(crate) struct Shared {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) ticker: Ticker,
    pub(crate) slow_lane: SlowLane,
    profile: EngineProfile,
    allocator: Allocator,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.ticker.stop();
    }
}

/// The engine.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Shared>);

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine")
            .field("profile", &self.0.profile)
            .field("allocator", &self.0.allocator)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Sets an engine up. Allocators are tried from the fastest on; what the machine does not have is left out.
    ///
    /// # Errors
    /// [`EngineError::Config`] with the last allocator's reason when none works.
    pub fn new(
        profile: EngineProfile,
        preference: AllocatorPreference,
    ) -> Result<Self, EngineError> {
        let (candidates, size): (&[Allocator], PoolSize) = match &preference {
            AllocatorPreference::Fastest(size) => (
                &[
                    Allocator::PooledPagemapScan,
                    Allocator::Pooled,
                    Allocator::OnDemand,
                ],
                *size,
            ),
            AllocatorPreference::Only(allocator, size) => (std::slice::from_ref(allocator), *size),
        };
        let mut reason = String::new();
        for allocator in candidates {
            match wasmtime::Engine::new(&profile.config_with(*allocator, size)) {
                Ok(engine) => {
                    return Ok(Self(Arc::new(Shared {
                        engine,
                        ticker: Ticker::new(),
                        slow_lane: SlowLane::default(),
                        profile,
                        allocator: *allocator,
                    })));
                }
                Err(error) => reason = shown(&error),
            }
        }
        Err(EngineError::Config(reason))
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> EngineProfile {
        self.0.profile
    }

    /// The allocator that is in use.
    #[must_use]
    pub fn allocator(&self) -> Allocator {
        self.0.allocator
    }
}
