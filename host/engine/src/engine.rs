//! The engine of this process: one configuration, and an allocator for each class of components.
//!
//! Reserved slots are all of one size, and slots that hold a language runtime would be too large to have many. So the big
//! class maps what it needs, for each instance, in an engine of its own that is made when the first one is loaded. Native
//! code is the same for both.
//!
//! INVARIANT: a component runs in the engine of its class; the allocator of the standard one is known and recorded.

use std::sync::{Arc, OnceLock};

use aim_core::class::Class;

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
    pub(crate) allocator: Allocator,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.ticker.stop();
    }
}

/// The engine.
#[derive(Clone)]
pub struct Engine {
    standard: Arc<Shared>,
    big: Arc<OnceLock<Arc<Shared>>>,
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine")
            .field("profile", &self.standard.profile)
            .field("allocator", &self.standard.allocator)
            .finish_non_exhaustive()
    }
}

fn shared(
    profile: EngineProfile,
    allocator: Allocator,
    size: PoolSize,
) -> wasmtime::Result<Arc<Shared>> {
    let engine = wasmtime::Engine::new(&profile.config_with(allocator, size))?;
    Ok(Arc::new(Shared {
        engine,
        ticker: Ticker::new(),
        slow_lane: SlowLane::default(),
        profile,
        allocator,
    }))
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
            match shared(profile, *allocator, size) {
                Ok(standard) => {
                    return Ok(Self {
                        standard,
                        big: Arc::default(),
                    });
                }
                Err(error) => reason = shown(&error),
            }
        }
        Err(EngineError::Config(reason))
    }

    /// What components of `class` are loaded into.
    pub(crate) fn shared(&self, class: Class) -> Result<&Arc<Shared>, EngineError> {
        if class == Class::Standard || self.standard.allocator == Allocator::OnDemand {
            return Ok(&self.standard);
        }
        if let Some(big) = self.big.get() {
            return Ok(big);
        }
        let made = shared(self.profile(), Allocator::OnDemand, PoolSize::default())
            .map_err(|error| EngineError::Config(shown(&error)))?;
        Ok(self.big.get_or_init(|| made))
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> EngineProfile {
        self.standard.profile
    }

    /// The allocator that components of the standard class live in; the big class always maps on demand.
    #[must_use]
    pub fn allocator(&self) -> Allocator {
        self.standard.allocator
    }
}
