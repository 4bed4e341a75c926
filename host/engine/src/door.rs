//! The one door that every call of our own interfaces goes through: permit, charge, record, then act.
//!
//! INVARIANT: a call that is not recorded had no answer; a denial is a value with the index of its record, never a trap.

use aim_core::{
    access::{Capability, Mode, SpendError, action_name},
    outcome::LimitKind,
    transcript::{CallVerdict, Fields},
};
use aim_ports::{PortError, PortFault};
use wasmtime::{
    StoreContextMut,
    component::{ComponentType, LinkerInstance, Lower},
};

use crate::{
    guest::{Guest, Stop},
    wit,
};

/// What kind of work a call makes for the host.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Class {
    /// Tells the guest something that the host has at hand.
    Read,
    /// Keeps something of the guest's.
    Write,
    /// Waits for somebody else.
    Wait,
    /// An adapted function: counted, not recorded.
    Adapted,
}

impl Class {
    /// Fuel for the call itself.
    const fn fuel(self) -> u64 {
        match self {
            Self::Adapted => 200,
            Self::Read => 1_000,
            Self::Write => 2_000,
            Self::Wait => 10_000,
        }
    }
}

/// Fuel for each byte that crosses: copying and hashing it.
const FUEL_PER_BYTE: u64 = 4;
/// What an element of a list counts as, in bytes, whatever is in it: a list of nothing is work all the same.
const ELEMENT_BYTES: usize = 32;

/// Bytes that a list of so many elements stands for beside its contents.
pub(crate) const fn elements(count: usize) -> usize {
    count.saturating_mul(ELEMENT_BYTES)
}

type Cx<'a> = StoreContextMut<'a, Guest>;

/// Takes fuel for a call of `class` that moves `bytes`.
pub(crate) fn charge(cx: &mut Cx<'_>, class: Class, bytes: usize) -> wasmtime::Result<()> {
    let cost = (bytes as u64)
        .saturating_mul(FUEL_PER_BYTE)
        .saturating_add(class.fuel());
    let left = cx.get_fuel()?;
    if cost > left {
        cx.set_fuel(0)?;
        return Err(Stop::Limit(LimitKind::Fuel).error());
    }
    cx.set_fuel(left - cost)
}

/// Opens the door for a call that brings `bytes` from the guest.
pub(crate) fn begin(cx: &mut Cx<'_>, class: Class, bytes: usize) -> wasmtime::Result<()> {
    let guest = cx.data();
    if !guest.is_whole && matches!(class, Class::Write | Class::Wait) {
        return Err(Stop::TooEarly.error());
    }
    if guest.transcript.next_index() >= guest.limits.host_calls_max {
        return Err(Stop::Limit(LimitKind::HostCalls).error());
    }
    if bytes as u64 > u64::from(guest.limits.host_call_bytes_max) {
        return Err(Stop::Limit(LimitKind::HostCallBytes).error());
    }
    charge(cx, class, bytes)
}

/// Writes the call down.
pub(crate) fn record(
    guest: &mut Guest,
    function: &'static str,
    verdict: CallVerdict,
    request: Fields,
    response: Fields,
) -> wasmtime::Result<()> {
    let (request, response) = (request.finish(), response.finish());
    let bytes = (request.len() + response.len()) as u64;
    let Some(left) = guest.payload_left_bytes.checked_sub(bytes) else {
        return Err(Stop::Limit(LimitKind::HostCallBytes).error());
    };
    guest.payload_left_bytes = left;
    guest.transcript.push(function, verdict, request, response);
    Ok(())
}

/// Writes down a call with a typed result and hands the result on.
pub(crate) fn conclude<T>(
    guest: &mut Guest,
    function: &'static str,
    request: Fields,
    result: Result<T, wit::HostError>,
    show: impl FnOnce(&T) -> Fields,
) -> wasmtime::Result<(Result<T, wit::HostError>,)> {
    let (verdict, response) = match &result {
        Ok(value) => (CallVerdict::Ok, show(value)),
        Err(error @ wit::HostError::Denied(_)) => (CallVerdict::Denied, shown(error)),
        Err(error) => (CallVerdict::Error, shown(error)),
    };
    if verdict == CallVerdict::Denied {
        guest.denials = guest.denials.saturating_add(1);
    }
    record(guest, function, verdict, request, response)?;
    Ok((result,))
}

/// Spends one call of `bytes` of the capability token for this use.
///
/// # Errors
/// The denial that the guest gets: no token covers the use, or the one that does expired or is used up.
pub(crate) fn spend(
    guest: &mut Guest,
    (capability, mode, name): (Capability, Option<Mode>, &str),
    bytes: usize,
    action: &str,
) -> Result<(), wit::HostError> {
    let call = guest.transcript.next_index();
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let spent = guest.purse.as_mut().map(|purse| {
        let now = purse.clock.now();
        purse
            .wallet
            .spend((capability, mode, name), bytes, call, now)
    });
    let wanted = action_name(capability, mode);
    match spent {
        Some(Ok(_)) => Ok(()),
        Some(Err(error @ SpendError::Missing { .. })) => {
            Err(denied(guest, &wanted, action, &error.to_string()))
        }
        Some(Err(error)) => Err(denied(guest, error.rule(), action, &error.to_string())),
        None => Err(denied(guest, &wanted, action, name)),
    }
}

/// A denial by the grant, citing the call that is about to be recorded.
pub(crate) fn denied(guest: &Guest, rule: &str, action: &str, target: &str) -> wit::HostError {
    wit::HostError::Denied(wit::Denial {
        rule: rule.to_owned(),
        action: action.to_owned(),
        target: target.to_owned(),
        call_index: guest.transcript.next_index(),
    })
}

fn shown(error: &wit::HostError) -> Fields {
    let fields = Fields::new();
    match error {
        wit::HostError::Denied(denial) => fields
            .text("denied")
            .text(&denial.rule)
            .text(&denial.action)
            .text(&denial.target)
            .number(u64::from(denial.call_index)),
        wit::HostError::NotFound(what) => fields.text("not-found").text(what),
        wit::HostError::InvalidArgument(what) => fields.text("invalid-argument").text(what),
        wit::HostError::Exhausted(what) => fields.text("exhausted").text(what),
        wit::HostError::Timeout => fields.text("timeout"),
        wit::HostError::Cancelled => fields.text("cancelled"),
        wit::HostError::Conflict(what) => fields.text("conflict").text(what),
        wit::HostError::Unavailable(what) => fields.text("unavailable").text(what),
        wit::HostError::Other(fault) => fields.text("other").text(&fault.code).text(&fault.message),
    }
}

/// A port's failure as a guest may see it: the kind, never the host's own words.
pub(crate) fn port_error(error: &PortError, what: &str) -> wit::HostError {
    match error.fault {
        PortFault::NotFound => wit::HostError::NotFound(what.to_owned()),
        PortFault::Exhausted => wit::HostError::Exhausted(what.to_owned()),
        PortFault::Unavailable | PortFault::Busy | PortFault::FailStop => {
            wit::HostError::Unavailable(what.to_owned())
        }
        PortFault::Forbidden | PortFault::Corrupt => wit::HostError::Other(wit::Fault {
            code: "AIM-R010".to_owned(),
            message: format!("the host could not serve {what}"),
        }),
    }
}

/// Links a function without arguments that tells the guest something and can not fail.
pub(crate) fn tell<R>(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &'static str,
    get: fn(&Cx<'_>) -> wasmtime::Result<R>,
    show: fn(&R) -> Fields,
) -> wasmtime::Result<()>
where
    R: ComponentType + Lower + Send + Sync + 'static,
{
    let name = function.rsplit_once('.').map_or(function, |(_, name)| name);
    instance.func_wrap(name, move |mut cx: Cx<'_>, (): ()| {
        begin(&mut cx, Class::Read, 0)?;
        let value = get(&cx)?;
        record(
            cx.data_mut(),
            function,
            CallVerdict::Ok,
            Fields::new(),
            show(&value),
        )?;
        Ok((value,))
    })
}
