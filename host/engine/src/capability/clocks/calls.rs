//! The functions of both clocks.
//!
//! INVARIANT: the machine's clock is read only under a grant of real time, and never waited for past the deadline.

use std::time::{Duration, Instant};

use aim_core::{
    access::Capability,
    time::Timestamp,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource},
};
use wasmtime_wasi_io::{
    async_trait,
    poll::{DynPollable, Pollable, subscribe},
};

use crate::{
    adapter,
    capability::filesystem::types::Datetime,
    clock::READ_NS,
    door::{self, Class},
    guest::Guest,
};

type Cx<'a> = StoreContextMut<'a, Guest>;

const NOW: &str = "wasi:clocks/monotonic-clock.now";
const RESOLUTION: &str = "wasi:clocks/monotonic-clock.resolution";
const INSTANT: &str = "wasi:clocks/monotonic-clock.subscribe-instant";
const DURATION: &str = "wasi:clocks/monotonic-clock.subscribe-duration";
const WALL_NOW: &str = "wasi:clocks/wall-clock.now";
const WALL_RESOLUTION: &str = "wasi:clocks/wall-clock.resolution";

pub(super) fn link_monotonic(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    door::tell(
        instance,
        Capability::Clocks,
        NOW,
        |cx| monotonic(cx.data()),
        number,
    )?;
    door::tell(
        instance,
        Capability::Clocks,
        RESOLUTION,
        |cx| Ok(resolution_ns(cx.data())),
        number,
    )?;
    instance.func_wrap("subscribe-instant", |cx: Cx<'_>, (when,): (u64,)| {
        subscribe_to(cx, INSTANT, when)
    })?;
    instance.func_wrap("subscribe-duration", |cx: Cx<'_>, (length,): (u64,)| {
        subscribe_to(cx, DURATION, length)
    })
}

pub(super) fn link_wall(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    door::tell(
        instance,
        Capability::Clocks,
        WALL_NOW,
        |cx| wall(cx.data()),
        instant,
    )?;
    let resolution = |_: &Cx<'_>| {
        Ok(Datetime {
            seconds: 0,
            nanoseconds: 1_000_000,
        })
    };
    door::tell(
        instance,
        Capability::Clocks,
        WALL_RESOLUTION,
        resolution,
        instant,
    )
}

fn number(value: &u64) -> Fields {
    Fields::new().number(*value)
}

fn instant(value: &Datetime) -> Fields {
    Fields::new()
        .number(value.seconds)
        .number(u64::from(value.nanoseconds))
}

fn resolution_ns(guest: &Guest) -> u64 {
    if guest.held.wants_real_clock {
        1
    } else {
        READ_NS
    }
}

/// Nanoseconds since the attempt began: of the machine under a real grant, else virtual.
fn monotonic(guest: &Guest) -> wasmtime::Result<u64> {
    if !guest.held.wants_real_clock {
        return Ok(guest.clock.read());
    }
    if guest.playback.is_some() {
        return Ok(match door::played_numbers(guest, NOW).as_deref() {
            Some([reading]) => *reading,
            _ => guest.clock.read(),
        });
    }
    let Some(real) = &guest.held.real_clock else {
        wasmtime::bail!("the host has no clock to grant");
    };
    let since = real.clock.elapsed().saturating_sub(real.start);
    Ok(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn wall(guest: &Guest) -> wasmtime::Result<Datetime> {
    if !guest.held.wants_real_clock {
        return Ok(datetime(guest.context.pinned_time));
    }
    if guest.playback.is_some() {
        return Ok(match door::played_numbers(guest, WALL_NOW).as_deref() {
            Some([seconds, nanoseconds]) => Datetime {
                seconds: *seconds,
                nanoseconds: u32::try_from(*nanoseconds).unwrap_or(0),
            },
            _ => datetime(guest.context.pinned_time),
        });
    }
    match &guest.held.real_clock {
        Some(real) => Ok(datetime(real.clock.now())),
        None => wasmtime::bail!("the host has no clock to grant"),
    }
}

/// An instant as the guest reads it.
pub(crate) fn datetime(at: Timestamp) -> Datetime {
    let millis = at.millis();
    Datetime {
        seconds: millis / 1000,
        nanoseconds: u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000,
    }
}

fn subscribe_to(
    mut cx: Cx<'_>,
    function: &'static str,
    when: u64,
) -> wasmtime::Result<(Resource<DynPollable>,)> {
    door::begin(&mut cx, Class::Read, 0)?;
    let mode = door::mode_of(cx.data(), Capability::Clocks);
    door::spend_or_stop(cx.data(), (Capability::Clocks, mode, "any"), 0)?;
    let guest = cx.data_mut();
    let request = Fields::new().number(when);
    door::record(guest, function, CallVerdict::Ok, request, Fields::new())?;
    let is_relative = function == DURATION;
    // Time that has passed once is not waited for again.
    if !guest.held.wants_real_clock || guest.playback.is_some() {
        return Ok((adapter::sleep(guest, when, is_relative)?,));
    }
    let now = if is_relative { 0 } else { monotonic(guest)? };
    let wait = Duration::from_nanos(when.saturating_sub(now));
    // Past the deadline nobody waits: the attempt ends there.
    let until = Instant::now().checked_add(wait).unwrap_or(guest.deadline);
    let alarm = guest
        .table
        .push(Alarm(until))
        .map_err(adapter::table_error)?;
    Ok((subscribe(&mut guest.table, alarm)?,))
}

/// A moment of the machine's clock.
struct Alarm(Instant);

#[async_trait]
impl Pollable for Alarm {
    async fn ready(&mut self) {
        tokio::time::sleep_until(self.0.into()).await;
    }
}
