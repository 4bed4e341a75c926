//! The fuzzer: one binary for all targets, with `AIM_FUZZ_TARGET` naming the one. `cargo xtask fuzz` builds and starts it.
//!
//! INVARIANT: what a target does with bytes is the library's; here they only arrive.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    aim_test_fuzz::chosen()(bytes);
});
