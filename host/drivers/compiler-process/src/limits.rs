//! What compiling one component may cost. Limits grow with the component.
//!
//! INVARIANT: no compilation is without a limit on CPU, memory and time.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// Limits of the compile worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Address space whatever the component's size.
    pub memory_bytes_base: u64,
    /// Address space for each byte of the component.
    pub memory_bytes_each: u64,
    /// Address space at most.
    pub memory_bytes_max: u64,
    /// CPU seconds whatever the component's size.
    pub cpu_s_base: u64,
    /// CPU seconds for each started MiB of the component.
    pub cpu_s_each_mib: u64,
    /// How often the CPU allowance may pass on the clock before the worker counts as hung.
    pub wall_factor: u32,
}

impl WorkerLimits {
    /// 10 s and 4 s per MiB of CPU, ten times that on the clock, since others may want the CPU as well; 1 GiB and 64 bytes per byte of address space, 8 GiB
    /// at most.
    ///
    /// Measured with wasmtime 48 and Cranelift: a step of 0.2 MiB needs 36 MB and 0.8 s, 18 MB in 30,000 functions need
    /// 0.4 GB and 16 s, and one function of 7 MB, which no toolchain makes, needs 1.7 GB and is refused.
    pub const DEFAULT: Self = Self {
        memory_bytes_base: 1024 * MIB,
        memory_bytes_each: 64,
        memory_bytes_max: 8 * 1024 * MIB,
        cpu_s_base: 10,
        cpu_s_each_mib: 4,
        wall_factor: 10,
    };

    /// Address space for a component of that size.
    #[must_use]
    pub fn memory_bytes(&self, component_bytes: usize) -> u64 {
        self.memory_bytes_each
            .saturating_mul(component_bytes as u64)
            .saturating_add(self.memory_bytes_base)
            .min(self.memory_bytes_max)
    }

    /// CPU seconds for a component of that size.
    #[must_use]
    pub fn cpu_s(&self, component_bytes: usize) -> u64 {
        (component_bytes as u64)
            .div_ceil(MIB)
            .saturating_mul(self.cpu_s_each_mib)
            .saturating_add(self.cpu_s_base)
    }

    /// Time on the clock for a component of that size.
    #[must_use]
    pub fn wall(&self, component_bytes: usize) -> Duration {
        Duration::from_secs(self.cpu_s(component_bytes)).saturating_mul(self.wall_factor)
    }
}

impl Default for WorkerLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_grow_with_the_component_and_end() {
        let limits = WorkerLimits::DEFAULT;
        assert_eq!(limits.cpu_s(0), 10);
        assert_eq!(limits.cpu_s(1), 14);
        assert_eq!(limits.cpu_s(18 * 1024 * 1024), 82);
        assert_eq!(limits.wall(1), Duration::from_secs(140));
        assert_eq!(limits.memory_bytes(0), 1024 * MIB);
        assert_eq!(limits.memory_bytes(18 * 1024 * 1024), 2176 * MIB);
        assert!(limits.memory_bytes(7_000_000) < 1_688_636 * 1024);
        assert_eq!(limits.memory_bytes(usize::MAX), 8 * 1024 * MIB);
    }
}
