//! A store with every limit armed, before anything of the guest can run.
//!
//! INVARIANT: instantiation already runs under fuel, deadline and limiter; a store serves one attempt.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aim_core::outcome::LimitKind;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use crate::{
    engine::Shared,
    guest::{Guest, Setup, Stop},
    lane::SLOW_AFTER_TICKS,
};

/// How long a cancelled guest has to finish by itself.
pub const CANCEL_GRACE: Duration = Duration::from_millis(100);

/// Makes the store of one attempt.
pub(crate) fn arm(shared: &Arc<Shared>, setup: Setup) -> wasmtime::Result<Store<Guest>> {
    let limits = setup.limits;
    let mut store = Store::new(&shared.engine, Guest::new(setup));
    store.limiter(|guest| &mut guest.limiter);
    store.set_fuel(limits.fuel_max)?;
    store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes_max)?);
    store.set_max_component_handles(usize::try_from(limits.handles_max)?);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(on_tick);
    Ok(store)
}

/// One tick: cancel, deadline, whether the guest has become long, and a turn for the others.
fn on_tick(mut cx: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    let guest = cx.data_mut();
    let now = Instant::now();
    if now >= guest.deadline {
        return Err(Stop::Limit(LimitKind::Deadline).error());
    }
    if guest.cancel.is_cancelled() {
        let since = *guest.cancelled_at.get_or_insert(now);
        if now.saturating_duration_since(since) >= CANCEL_GRACE {
            return Err(Stop::Cancelled.error());
        }
    }
    guest.ticks = guest.ticks.saturating_add(1);
    if guest.ticks == SLOW_AFTER_TICKS {
        guest.is_long.set();
    }
    Ok(UpdateDeadline::Yield(1))
}
