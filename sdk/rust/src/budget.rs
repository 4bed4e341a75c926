//! What is left to spend; `None` where the plan set no limit.
//! INVARIANT: reading a budget spends none of it but the call itself.

pub use crate::bindings::imports::aim::host::budget::{
    calls, cost_micros, fuel, is_cancelled, tokens, wall_ms,
};
