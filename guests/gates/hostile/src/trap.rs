//! P1: a gate that traps.
//! INVARIANT: it never returns.

/// Executes `unreachable`.
pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}
