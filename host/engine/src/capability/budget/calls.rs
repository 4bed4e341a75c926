//! The functions of `aim:host/budget`.
//!
//! INVARIANT: every answer is recorded, and a replay gives the recorded one: what is left depends on the rest of the run.

use std::time::Instant;

use aim_core::{access::Capability, transcript::Fields};
use wasmtime::component::LinkerInstance;

use crate::{
    door::{played_numbers, tell},
    guest::Guest,
};

const FUEL: &str = "aim:host/budget.fuel";
const CALLS: &str = "aim:host/budget.calls";
const TOKENS: &str = "aim:host/budget.tokens";
const COST: &str = "aim:host/budget.cost-micros";
const WALL: &str = "aim:host/budget.wall-ms";
const CANCELLED: &str = "aim:host/budget.is-cancelled";

/// The recorded answer, where there is one; else the live one.
fn left(guest: &Guest, function: &str, live: Option<u64>) -> Option<u64> {
    match played_numbers(guest, function).as_deref() {
        Some([1, value]) => Some(*value),
        Some([0]) => None,
        _ => live,
    }
}

/// The recorded number, where there is one.
fn played_one(guest: &Guest, function: &str) -> Option<u64> {
    match played_numbers(guest, function).as_deref() {
        Some([only]) => Some(*only),
        _ => None,
    }
}

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
        FUEL,
        |cx| Ok(left(cx.data(), FUEL, Some(cx.get_fuel()?))),
        number,
    )?;
    tell(
        instance,
        Capability::Budget,
        CALLS,
        |cx| Ok(left(cx.data(), CALLS, cx.data().meter().calls)),
        number,
    )?;
    tell(
        instance,
        Capability::Budget,
        TOKENS,
        |cx| Ok(left(cx.data(), TOKENS, cx.data().meter().tokens)),
        number,
    )?;
    tell(
        instance,
        Capability::Budget,
        COST,
        |cx| Ok(left(cx.data(), COST, cx.data().meter().cost_micros)),
        number,
    )?;
    tell(
        instance,
        Capability::Budget,
        WALL,
        |cx| {
            if let Some(recorded) = played_one(cx.data(), WALL) {
                return Ok(recorded);
            }
            let left = cx.data().deadline.saturating_duration_since(Instant::now());
            Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
        },
        |value| Fields::new().number(*value),
    )?;
    tell(
        instance,
        Capability::Budget,
        CANCELLED,
        |cx| {
            let recorded = played_one(cx.data(), CANCELLED);
            Ok(recorded.map_or_else(|| cx.data().cancel.is_cancelled(), |flag| flag == 1))
        },
        |value| Fields::new().number(u64::from(*value)),
    )
}
