//! The settings as wasmtime itself reports them, for each allocator that works here.

use wasmtime::WasmFeatures;

use super::*;

fn engines() -> Vec<wasmtime::Engine> {
    let profile = EngineProfile::Wasi02;
    [
        Allocator::OnDemand,
        Allocator::Pooled,
        Allocator::PooledPagemapScan,
    ]
    .into_iter()
    .filter_map(|allocator| {
        wasmtime::Engine::new(&profile.config_with(allocator, PoolSize::default())).ok()
    })
    .collect()
}

#[test]
fn stoppers_are_on() {
    let engines = engines();
    assert!(!engines.is_empty());
    for engine in engines {
        assert!(engine.get_consume_fuel());
        assert!(engine.get_epoch_interruption());
        assert!(engine.get_signals_based_traps());
        assert_eq!(engine.get_max_wasm_stack(), 512 * 1024);
        assert_eq!(engine.get_async_stack_size(), 2 * 1024 * 1024);
        assert_eq!(engine.get_wasm_backtrace_max_frames(), 32);
    }
}

#[test]
fn results_do_not_depend_on_the_machine() {
    for engine in engines() {
        assert_eq!(engine.get_cranelift_nan_canonicalization(), Some(true));
        assert!(engine.get_relaxed_simd_deterministic());
        assert!(
            !engine
                .get_wasm_features()
                .contains(WasmFeatures::RELAXED_SIMD)
        );
    }
}

#[test]
fn only_these_proposals_are_on() {
    let off = [
        WasmFeatures::THREADS,
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        WasmFeatures::MEMORY64,
        WasmFeatures::CUSTOM_PAGE_SIZES,
        WasmFeatures::WIDE_ARITHMETIC,
        WasmFeatures::FUNCTION_REFERENCES,
        WasmFeatures::GC,
        WasmFeatures::EXCEPTIONS,
        WasmFeatures::LEGACY_EXCEPTIONS,
        WasmFeatures::STACK_SWITCHING,
        WasmFeatures::MEMORY_CONTROL,
        WasmFeatures::CM_ASYNC,
        WasmFeatures::CM_ASYNC_STACKFUL,
        WasmFeatures::CM_MORE_ASYNC_BUILTINS,
        WasmFeatures::CM_THREADING,
        WasmFeatures::CM_ERROR_CONTEXT,
        WasmFeatures::CM_GC,
        WasmFeatures::CM_MAP,
        WasmFeatures::CM_FIXED_LENGTH_LISTS,
        WasmFeatures::CM_IMPLEMENTS,
        WasmFeatures::CM_VALUES,
        WasmFeatures::CM_NESTED_NAMES,
    ];
    for engine in engines() {
        let on = engine.get_wasm_features();
        for proposal in off {
            assert!(!on.contains(proposal), "{proposal:?} is on");
        }
        assert!(!engine.get_concurrency_support());
        assert!(!engine.get_shared_memory());
    }
}

#[test]
fn memories_are_reserved_whole_and_mapped_on_write() {
    for engine in engines() {
        assert_eq!(engine.get_memory_reservation(), 4 << 30);
        assert_eq!(engine.get_memory_guard_size(), 32 << 20);
        assert!(!engine.get_memory_may_move());
        assert!(engine.get_memory_init_cow());
        assert!(engine.get_guard_before_linear_memory());
    }
}

#[test]
fn nothing_is_compiled_for_debugging() {
    for engine in engines() {
        assert!(!engine.get_debug_info());
        assert!(!engine.get_guest_debug());
        assert_eq!(engine.get_cranelift_debug_verifier(), Some(false));
    }
}

#[test]
fn slots_hold_the_ceiling_and_the_scanning_pool_keeps_pages() {
    let config =
        EngineProfile::Wasi02.config_with(Allocator::PooledPagemapScan, PoolSize::default());
    let Ok(engine) = wasmtime::Engine::new(&config) else {
        // The kernel has no page map scan: the engine falls back, which `Engine::new` records.
        return;
    };
    let pool = engine.get_pooling_config().unwrap();
    assert_eq!(pool.get_memory_keep_resident(), 2 << 20);
    assert_eq!(pool.get_table_keep_resident(), 64 << 10);
    assert_eq!(pool.get_max_memory_size(), 1 << 30);
    assert_eq!(pool.get_max_core_instances_per_component(), 64);
    assert_eq!(pool.get_max_memories_per_component(), 4);
    assert_eq!(pool.get_max_tables_per_component(), 16);
    assert_eq!(pool.get_max_memories_per_module(), 4);
    assert_eq!(pool.get_max_tables_per_module(), 16);
}

#[test]
fn a_setting_changes_the_fingerprint() {
    let line = EngineProfile::Wasi02.fingerprint();
    assert!(line.contains("concurrency_support: false"), "{line}");
    assert_eq!(line, EngineProfile::Wasi02.fingerprint());
    assert!(!line.contains('\n'));
}
