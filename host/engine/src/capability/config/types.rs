//! The types of `wasi:config/store` at 0.2.0-rc.1.
//!
//! INVARIANT: shapes are checked against the component when it is loaded.

use wasmtime::component::{ComponentType, Lift, Lower};

/// `wasi:config/store.error`. Values are at hand before the attempt begins, so the only fault is a token that
/// does not cover the call.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(variant)]
pub(super) enum Error {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}
