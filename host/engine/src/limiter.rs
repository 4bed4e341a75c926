//! Memory and table growth of one store, summed over everything inside it.
//!
//! INVARIANT: the sums never exceed the limits; a refused growth is remembered, so that the trap it leads to has a cause.

use aim_core::{limits::Limits, outcome::LimitKind};
use wasmtime::ResourceLimiter;

/// Counts what the guest holds.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: u64,
    memory_peak_bytes: u64,
    table_elements: u64,
    last_growth_bytes: u64,
    limits: Limits,
    refused: Option<LimitKind>,
}

impl Limiter {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_peak_bytes: 0,
            table_elements: 0,
            last_growth_bytes: 0,
            limits,
            refused: None,
        }
    }

    pub(crate) const fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak_bytes
    }

    /// The last growth that was refused.
    pub(crate) const fn refused(&self) -> Option<LimitKind> {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // The memory's own declared maximum: the guest's rule, not ours.
            return Ok(false);
        }
        let growth = desired.saturating_sub(current) as u64;
        let total = self.memory_bytes.saturating_add(growth);
        if total > self.limits.memory_bytes_max {
            self.refused = Some(LimitKind::Memory);
            return Ok(false);
        }
        self.memory_bytes = total;
        self.last_growth_bytes = growth;
        self.memory_peak_bytes = self.memory_peak_bytes.max(total);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_bytes = self.memory_bytes.saturating_sub(self.last_growth_bytes);
        self.last_growth_bytes = 0;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let growth = desired.saturating_sub(current) as u64;
        let total = self.table_elements.saturating_add(growth);
        if total > u64::from(self.limits.table_elements_max) {
            self.refused = Some(LimitKind::Tables);
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        count(self.limits.instances_max)
    }

    fn tables(&self) -> usize {
        count(self.limits.tables_max)
    }

    fn memories(&self) -> usize {
        count(self.limits.memories_max)
    }
}

fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
