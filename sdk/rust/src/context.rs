//! Who asked, and where this step runs. Read-only; nothing here fails or has an effect.
//! INVARIANT: a step learns its identity here and sets none of it.

pub use crate::bindings::imports::aim::host::context::{
    actor, attempt, causation_id, component, correlation_id, label, plan, role, run_id, seed,
    step_name, tenant, traceparent,
};
