//! The functions of `aim:host/budget`.
//!
//! INVARIANT: every answer is recorded, also where it is the same on every run.

use std::time::Instant;

use aim_core::{access::Capability, transcript::Fields};
use wasmtime::component::LinkerInstance;

use crate::{door::tell, guest::Guest};

fn number(value: &Option<u64>) -> Fields {
    match value {
        None => Fields::new().number(0),
        Some(value) => Fields::new().number(1).number(*value),
    }
}

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    tell(
        instance,
        Capability::Budget,
        "aim:host/budget.fuel",
        |cx| cx.get_fuel().map(Some),
        number,
    )?;
    tell(
        instance,
        Capability::Budget,
        "aim:host/budget.calls",
        |cx| Ok(cx.data().budget.calls),
        number,
    )?;
    tell(
        instance,
        Capability::Budget,
        "aim:host/budget.tokens",
        |cx| Ok(cx.data().budget.tokens),
        number,
    )?;
    tell(
        instance,
        Capability::Budget,
        "aim:host/budget.cost-micros",
        |cx| Ok(cx.data().budget.cost_micros),
        number,
    )?;
    tell(
        instance,
        Capability::Budget,
        "aim:host/budget.wall-ms",
        |cx| {
            let left = cx.data().deadline.saturating_duration_since(Instant::now());
            Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
        },
        |value| Fields::new().number(*value),
    )?;
    tell(
        instance,
        Capability::Budget,
        "aim:host/budget.is-cancelled",
        |cx| Ok(cx.data().cancel.is_cancelled()),
        |value| Fields::new().number(u64::from(*value)),
    )
}
