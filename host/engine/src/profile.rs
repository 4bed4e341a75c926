//! Every engine setting, written out: what compiles a component and what may run it.
//!
//! INVARIANT: nothing about the engine is left to a default that decides what a guest can do; `fingerprint` changes with
//! any setting that shapes code, so that cached code of another setting is never loaded.

use core::num::NonZeroUsize;

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    ProfilingStrategy, RegallocAlgorithm, Strategy, WasmBacktraceDetails,
};

/// The engine's own version; pinned in the workspace.
pub const ENGINE_VERSION: &str = "48.0.8";

/// Every setting of the engine that is a number or a switch. What is not here is set by `config`: one compiler, the
/// backtracking allocator of registers, no profiler, no compilation cache, no source locations in backtraces. Component
/// async, guest debugging, core dumps and the text format are not even compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The component model.
    pub component_model: bool,
    /// Part of WebAssembly 2.0.
    pub reference_types: bool,
    /// Part of WebAssembly 2.0.
    pub bulk_memory: bool,
    /// Part of WebAssembly 2.0.
    pub multi_value: bool,
    /// Part of WebAssembly 2.0.
    pub simd: bool,
    /// Several memories: components of `std` guests have them.
    pub multi_memory: bool,
    /// Tail calls.
    pub tail_call: bool,
    /// Arithmetic in constant expressions.
    pub extended_const: bool,
    /// Off: results differ between machines.
    pub relaxed_simd: bool,
    /// Were it on, it would still be deterministic.
    pub relaxed_simd_deterministic: bool,
    /// Off.
    pub threads: bool,
    /// Off.
    pub shared_everything_threads: bool,
    /// Off.
    pub shared_memory: bool,
    /// Off: a memory is at most 4 GiB.
    pub memory64: bool,
    /// Off.
    pub custom_page_sizes: bool,
    /// Off.
    pub wide_arithmetic: bool,
    /// Off.
    pub function_references: bool,
    /// Off.
    pub gc: bool,
    /// Off.
    pub exceptions: bool,
    /// Off.
    pub stack_switching: bool,
    /// Off.
    pub branch_hinting: bool,
    /// Off.
    pub component_gc: bool,
    /// Off.
    pub component_map: bool,
    /// Off.
    pub component_memory64: bool,
    /// Off.
    pub component_fixed_length_lists: bool,
    /// Off.
    pub component_implements: bool,
    /// Off: WASI 0.2 guests have no tasks, and it costs time on every call.
    pub concurrency_support: bool,
    /// Every NaN has the same bits.
    pub nan_canonicalization: bool,
    /// The compiler's own checks.
    pub debug_verifier: bool,
    /// No debugger interface.
    pub debug_info: bool,
    /// Traps are unwound through native frames.
    pub native_unwind_info: bool,
    /// Traps name their place.
    pub generate_address_map: bool,
    /// Computation is counted, the same on every run.
    pub consume_fuel: bool,
    /// The tick interrupts.
    pub epoch_interruption: bool,
    /// Guard pages instead of checks.
    pub signals_based_traps: bool,
    /// A guest's own stack.
    pub max_wasm_stack_bytes: usize,
    /// The stack that a guest and its host calls run on.
    pub async_stack_bytes: usize,
    /// Stacks are the host's memory; guests can not read below their frames.
    pub async_stack_zeroing: bool,
    /// Address space for each memory: all that 32 bits can name, so code needs no bounds checks.
    pub memory_reservation_bytes: u64,
    /// None: the reservation is whole.
    pub memory_reservation_for_growth_bytes: u64,
    /// Unmapped bytes after each memory.
    pub memory_guard_bytes: u64,
    /// Unmapped bytes before each memory as well.
    pub guard_before_memory: bool,
    /// Memories stay where they are.
    pub memory_may_move: bool,
    /// Initial memory is mapped copy-on-write.
    pub memory_init_cow: bool,
    /// From wherever the image is.
    pub force_memory_init_memfd: bool,
    /// Largest image that is mapped even when it has holes.
    pub memory_dense_image_bytes: u64,
    /// Table entries are made when they are used.
    pub table_lazy_init: bool,
    /// Frames of a backtrace.
    pub backtrace_frames_max: usize,
}

/// The settings for WASI 0.2 guests.
pub const WASI_02: Settings = Settings {
    component_model: true,
    reference_types: true,
    bulk_memory: true,
    multi_value: true,
    simd: true,
    multi_memory: true,
    tail_call: true,
    extended_const: true,
    relaxed_simd: false,
    relaxed_simd_deterministic: true,
    threads: false,
    shared_everything_threads: false,
    shared_memory: false,
    memory64: false,
    custom_page_sizes: false,
    wide_arithmetic: false,
    function_references: false,
    gc: false,
    exceptions: false,
    stack_switching: false,
    branch_hinting: false,
    component_gc: false,
    component_map: false,
    component_memory64: false,
    component_fixed_length_lists: false,
    component_implements: false,
    concurrency_support: false,
    nan_canonicalization: true,
    debug_verifier: false,
    debug_info: false,
    native_unwind_info: true,
    generate_address_map: true,
    consume_fuel: true,
    epoch_interruption: true,
    signals_based_traps: true,
    max_wasm_stack_bytes: 512 * 1024,
    async_stack_bytes: 2 * 1024 * 1024,
    async_stack_zeroing: false,
    memory_reservation_bytes: 4 << 30,
    memory_reservation_for_growth_bytes: 0,
    memory_guard_bytes: 32 << 20,
    guard_before_memory: true,
    memory_may_move: false,
    memory_init_cow: true,
    force_memory_init_memfd: false,
    memory_dense_image_bytes: 16 << 20,
    table_lazy_init: true,
    backtrace_frames_max: 32,
};

/// A set of engine settings for one WASI generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EngineProfile {
    /// WASI 0.2 components; nothing asynchronous inside the guest.
    #[default]
    Wasi02,
}

/// Where instances live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Allocator {
    /// Reserved slots, reset by scanning which pages were touched.
    PooledPagemapScan,
    /// Reserved slots, reset by zeroing and unmapping.
    Pooled,
    /// Mapped and unmapped for each instance.
    OnDemand,
}

impl Allocator {
    /// The word used in evidence and `inspect`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PooledPagemapScan => "pooled-pagemap-scan",
            Self::Pooled => "pooled",
            Self::OnDemand => "on-demand",
        }
    }
}

/// How many instances the pooled allocator reserves room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Components alive at the same time.
    pub components: u32,
    /// Core instances, memories and tables over all of them.
    pub parts: u32,
}

impl Default for PoolSize {
    fn default() -> Self {
        Self {
            components: 256,
            parts: 1_024,
        }
    }
}

impl EngineProfile {
    /// The word used in the cache key and in evidence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wasi02 => "wasi-0.2",
        }
    }

    /// The settings.
    #[must_use]
    pub const fn settings(self) -> Settings {
        match self {
            Self::Wasi02 => WASI_02,
        }
    }

    /// Everything that shapes native code, in one line: engine version, compiler, settings and machine.
    #[must_use]
    pub fn fingerprint(self) -> String {
        format!(
            "{} wasmtime={ENGINE_VERSION} compiler=cranelift opt=speed machine={}-{} {:?}",
            self.word(),
            std::env::consts::ARCH,
            std::env::consts::OS,
            self.settings(),
        )
    }

    /// The settings without an allocator, as the compile worker uses them: the allocator shapes no code.
    #[must_use]
    pub fn config(self) -> Config {
        let settings = self.settings();
        let mut config = Config::new();
        config
            .strategy(Strategy::Cranelift)
            .cranelift_opt_level(OptLevel::Speed)
            .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
            .profiler(ProfilingStrategy::None)
            .wasm_backtrace_max_frames(NonZeroUsize::new(settings.backtrace_frames_max))
            .wasm_backtrace_details(WasmBacktraceDetails::Disable);
        apply_features(&mut config, &settings);
        apply_machine(&mut config, &settings);
        config
    }

    /// The settings with `allocator`.
    #[must_use]
    pub fn config_with(self, allocator: Allocator, size: PoolSize) -> Config {
        let mut config = self.config();
        config.allocation_strategy(match allocator {
            Allocator::OnDemand => InstanceAllocationStrategy::OnDemand,
            Allocator::Pooled => pool(size, Enabled::No).into(),
            Allocator::PooledPagemapScan => pool(size, Enabled::Yes).into(),
        });
        config
    }
}

/// What a guest may be made of.
fn apply_features(config: &mut Config, settings: &Settings) {
    config
        .wasm_component_model(settings.component_model)
        .wasm_reference_types(settings.reference_types)
        .wasm_bulk_memory(settings.bulk_memory)
        .wasm_multi_value(settings.multi_value)
        .wasm_simd(settings.simd)
        .wasm_multi_memory(settings.multi_memory)
        .wasm_tail_call(settings.tail_call)
        .wasm_extended_const(settings.extended_const)
        .wasm_relaxed_simd(settings.relaxed_simd)
        .relaxed_simd_deterministic(settings.relaxed_simd_deterministic)
        .wasm_threads(settings.threads)
        .wasm_shared_everything_threads(settings.shared_everything_threads)
        .shared_memory(settings.shared_memory)
        .wasm_memory64(settings.memory64)
        .wasm_custom_page_sizes(settings.custom_page_sizes)
        .wasm_wide_arithmetic(settings.wide_arithmetic)
        .wasm_function_references(settings.function_references)
        .wasm_gc(settings.gc)
        .wasm_exceptions(settings.exceptions)
        .wasm_stack_switching(settings.stack_switching)
        .wasm_branch_hinting(settings.branch_hinting)
        .wasm_component_model_gc(settings.component_gc)
        .wasm_component_model_map(settings.component_map)
        .wasm_component_model_memory64(settings.component_memory64)
        .wasm_component_model_fixed_length_lists(settings.component_fixed_length_lists)
        .wasm_component_model_implements(settings.component_implements)
        .concurrency_support(settings.concurrency_support);
}

/// How it is compiled, where it lives and what stops it.
fn apply_machine(config: &mut Config, settings: &Settings) {
    config
        .cranelift_nan_canonicalization(settings.nan_canonicalization)
        .cranelift_debug_verifier(settings.debug_verifier)
        .debug_info(settings.debug_info)
        .native_unwind_info(settings.native_unwind_info)
        .generate_address_map(settings.generate_address_map)
        .consume_fuel(settings.consume_fuel)
        .epoch_interruption(settings.epoch_interruption)
        .signals_based_traps(settings.signals_based_traps)
        .max_wasm_stack(settings.max_wasm_stack_bytes)
        .async_stack_size(settings.async_stack_bytes)
        .async_stack_zeroing(settings.async_stack_zeroing)
        .memory_reservation(settings.memory_reservation_bytes)
        .memory_reservation_for_growth(settings.memory_reservation_for_growth_bytes)
        .memory_guard_size(settings.memory_guard_bytes)
        .guard_before_linear_memory(settings.guard_before_memory)
        .memory_may_move(settings.memory_may_move)
        .memory_init_cow(settings.memory_init_cow)
        .force_memory_init_memfd(settings.force_memory_init_memfd)
        .memory_guaranteed_dense_image_size(settings.memory_dense_image_bytes)
        .table_lazy_init(settings.table_lazy_init);
}

/// Slots hold up to the ceiling of `aim_core::limits`; the limiter of each store holds its guest to less.
fn pool(size: PoolSize, scan: Enabled) -> PoolingAllocationConfig {
    let ceiling = aim_core::limits::Limits::CEILING;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(size.components)
        .total_core_instances(size.parts)
        .total_memories(size.parts)
        .total_tables(size.parts)
        .total_stacks(size.components)
        .max_core_instances_per_component(ceiling.instances_max)
        .max_memories_per_component(ceiling.memories_max)
        // One module may have them all: what counts is the sum.
        .max_memories_per_module(ceiling.memories_max)
        .max_tables_per_module(ceiling.tables_max)
        .max_tables_per_component(ceiling.tables_max)
        .max_memory_size(usize::try_from(ceiling.memory_bytes_max).unwrap_or(usize::MAX))
        .table_elements(usize::try_from(ceiling.table_elements_max).unwrap_or(usize::MAX))
        .max_unused_warm_slots(size.components)
        .linear_memory_keep_resident(if matches!(scan, Enabled::Yes) {
            2 << 20
        } else {
            0
        })
        .table_keep_resident(if matches!(scan, Enabled::Yes) {
            64 << 10
        } else {
            0
        })
        .pagemap_scan(scan);
    pool
}

#[cfg(test)]
mod tests;
