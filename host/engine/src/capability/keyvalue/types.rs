//! The types of `wasi:keyvalue/store` at 0.2.0-draft.
//!
//! INVARIANT: shapes are checked against the component when it is loaded.

use wasmtime::component::{ComponentType, Lift, Lower};

/// `wasi:keyvalue/store.error`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(variant)]
pub(super) enum Error {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

/// `wasi:keyvalue/store.key-response`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct KeyResponse {
    pub(super) keys: Vec<String>,
    pub(super) cursor: Option<u64>,
}
