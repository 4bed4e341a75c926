//! The one door that every call of our own interfaces goes through: permit, charge, record, then act.
//!
//! INVARIANT: a call that is not recorded had no answer; a denial is a value with the index of its record, never a trap.

use std::sync::{Arc, PoisonError};

use aim_core::{
    access::{Capability, Mode, SpendError, action_name},
    id::CapId,
    outcome::LimitKind,
    pool::CallClass,
    transcript::{CallVerdict, Fields},
};
use aim_ports::{PortError, PortFault};
use wasmtime::{
    StoreContextMut,
    component::{ComponentType, LinkerInstance, Lower},
};

use crate::{
    guest::{Guest, Purse, SharedPurse, Stop, Uncovered},
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

/// Takes fuel for bookkeeping that moves `bytes` and leaves no record of its own.
pub(crate) fn charged(cx: &mut Cx<'_>, bytes: usize) -> wasmtime::Result<()> {
    if bytes as u64 > u64::from(cx.data().limits.host_call_bytes_max) {
        return Err(Stop::Limit(LimitKind::HostCallBytes).error());
    }
    charge(cx, Class::Adapted, bytes)
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
    if let Some(kind) = overrun(guest) {
        return Err(Stop::Limit(kind).error());
    }
    let (request, response) = (request.finish(), response.finish());
    let bytes = (request.len() + response.len()) as u64;
    let Some(left) = guest.payload_left_bytes.checked_sub(bytes) else {
        return Err(Stop::Limit(LimitKind::HostCallBytes).error());
    };
    guest.payload_left_bytes = left;
    guest.uncovered = None;
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

/// A way of using a capability on something by name.
pub(crate) type Wanted<'a> = (Capability, Option<Mode>, &'a str);

/// What a token says about `wanted`; the work is done under one lock.
fn pay(
    purse: Option<&SharedPurse>,
    (capability, mode, name): Wanted<'_>,
    spend: impl FnOnce(&mut Purse) -> Result<CapId, SpendError>,
) -> Result<(), Unpaid> {
    let spent = purse.map(|purse| spend(&mut purse.lock().unwrap_or_else(PoisonError::into_inner)));
    let wanted = || action_name(capability, mode);
    let (rule, target, limit) = match spent {
        Some(Ok(_)) => return Ok(()),
        Some(Err(error)) => {
            let limit = match &error {
                SpendError::Missing { .. } => None,
                SpendError::Expired { .. } => Some(LimitKind::Deadline),
                SpendError::Calls { .. } => Some(LimitKind::HostCalls),
                SpendError::Bytes { .. } => Some(LimitKind::HostCallBytes),
            };
            let rule = limit.map_or_else(wanted, |_| error.rule().to_owned());
            (rule, error.to_string(), limit)
        }
        None => (wanted(), name.to_owned(), None),
    };
    let why = Uncovered { rule, target };
    Err(Unpaid { why, limit })
}

/// A use that no token paid for, and the limit that ends the attempt where a call has no way to say no.
struct Unpaid {
    why: Uncovered,
    limit: Option<LimitKind>,
}

fn pay_call(guest: &Guest, wanted: Wanted<'_>, bytes: usize) -> Result<(), Unpaid> {
    pay_moving(guest, wanted, (bytes, 0))
}

/// As [`pay_call`], for a call that may move so many tokens of a model.
fn pay_moving(
    guest: &Guest,
    wanted: Wanted<'_>,
    (bytes, tokens): (usize, u64),
) -> Result<(), Unpaid> {
    let call = guest.transcript.next_index();
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    pay(guest.purse.as_ref(), wanted, |purse| {
        let now = purse.clock.now();
        purse.wallet.spend(wanted, bytes, call, now)
    })?;
    charge_budget(guest.purse.as_ref(), wanted, tokens)
}

/// What a use of a capability is to the plan's budget; `None` for calls that only tell the guest something.
const fn budget_class(capability: Capability) -> Option<CallClass> {
    match capability {
        Capability::Artifact => Some(CallClass::Artifact),
        Capability::Consult => Some(CallClass::Consult),
        Capability::Http => Some(CallClass::Http),
        Capability::Model => Some(CallClass::Model),
        Capability::Filesystem | Capability::Keyvalue => Some(CallClass::State),
        _ => None,
    }
}

/// Charges the plan's budget for one call. What would exceed it is refused like a use that no token covers, so nothing is
/// done; the record of the call then ends the attempt.
fn charge_budget(
    purse: Option<&SharedPurse>,
    wanted: Wanted<'_>,
    tokens: u64,
) -> Result<(), Unpaid> {
    let Some((purse, class)) = purse.zip(budget_class(wanted.0)) else {
        return Ok(());
    };
    let mut purse = purse.lock().unwrap_or_else(PoisonError::into_inner);
    purse.meter.charge(class, tokens).map_err(|kind| {
        purse.overrun = Some(kind);
        Unpaid {
            why: Uncovered {
                rule: "budget".to_owned(),
                target: wanted.2.to_owned(),
            },
            limit: Some(kind),
        }
    })
}

/// The part of the plan's budget that this call would have exceeded.
fn overrun(guest: &Guest) -> Option<LimitKind> {
    let purse = guest.purse.as_ref()?;
    purse.lock().unwrap_or_else(PoisonError::into_inner).overrun
}

/// Spends one call of `bytes` for an interface whose errors are not ours. When that is refused, the call must fail, and
/// its record says why.
pub(crate) fn take(guest: &mut Guest, wanted: Wanted<'_>, bytes: usize) -> bool {
    match pay_call(guest, wanted, bytes) {
        Ok(()) => true,
        Err(unpaid) => {
            guest.uncovered = Some(unpaid.why);
            false
        }
    }
}

/// Notes that nothing like `wanted` is granted, for the record of this call.
pub(crate) fn lack(guest: &mut Guest, (capability, mode, name): Wanted<'_>) {
    guest.uncovered = Some(Uncovered {
        rule: action_name(capability, mode),
        target: name.to_owned(),
    });
}

/// Spends one call of `bytes` for a function that has no way to say no: what is not covered ends the attempt.
pub(crate) fn spend_or_stop(
    guest: &Guest,
    wanted: Wanted<'_>,
    bytes: usize,
) -> wasmtime::Result<()> {
    pay_call(guest, wanted, bytes).map_err(|unpaid| match unpaid.limit {
        Some(limit) => Stop::Limit(limit).error(),
        None => wasmtime::format_err!("{}", unpaid.why.target),
    })
}

/// The way that a capability of time or chance is granted in; `None` for capabilities without modes.
pub(crate) const fn mode_of(guest: &Guest, capability: Capability) -> Option<Mode> {
    let is_real = match capability {
        Capability::Clocks => guest.held.wants_real_clock,
        Capability::Random => guest.held.wants_real_random,
        _ => return None,
    };
    Some(if is_real { Mode::Real } else { Mode::Virtual })
}

/// What a stream pays with while it is open: bytes of the token that it was opened under.
#[derive(Debug, Clone)]
pub(crate) struct Tap {
    purse: Option<SharedPurse>,
    capability: Capability,
    mode: Option<Mode>,
    name: Arc<str>,
}

impl Tap {
    /// A tap on the tokens of `guest`.
    pub(crate) fn new(guest: &Guest, (capability, mode, name): Wanted<'_>) -> Self {
        Self {
            purse: guest.purse.clone(),
            capability,
            mode,
            name: name.into(),
        }
    }

    /// Pays for `bytes`; false when they must be held back.
    pub(crate) fn draw(&self, bytes: usize) -> bool {
        self.pay(bytes).is_ok()
    }

    fn pay(&self, bytes: usize) -> Result<(), Unpaid> {
        let wanted = (self.capability, self.mode, &*self.name);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        pay(self.purse.as_ref(), wanted, |purse| {
            let now = purse.clock.now();
            purse.wallet.draw(wanted, bytes, now)
        })
    }
}

/// Pays for `bytes` of a call that is not recorded, as a stream does; a refusal is recorded as a denial of `function`.
pub(crate) fn draw(
    guest: &mut Guest,
    function: &'static str,
    wanted: Wanted<'_>,
    bytes: usize,
) -> wasmtime::Result<bool> {
    let Err(unpaid) = Tap::new(guest, wanted).pay(bytes) else {
        return Ok(true);
    };
    let (_, _, name) = wanted;
    guest.uncovered = Some(unpaid.why);
    let response = uncovered(guest, function).unwrap_or_default();
    guest.denials = guest.denials.saturating_add(1);
    let request = Fields::new().text(name).number(bytes as u64);
    record(guest, function, CallVerdict::Denied, request, response)?;
    Ok(false)
}

/// The words of a denial by a token or the grant, as the record of `function` keeps them; `None` when there was none.
pub(crate) fn uncovered(guest: &mut Guest, function: &str) -> Option<Fields> {
    let why = guest.uncovered.take()?;
    Some(shown(&denied(guest, &why.rule, function, &why.target)))
}

/// Spends one call of `bytes` of the capability token for this use.
///
/// # Errors
/// The denial that the guest gets: no token covers the use, or the one that does expired or is used up.
pub(crate) fn spend(
    guest: &Guest,
    wanted: Wanted<'_>,
    bytes: usize,
    action: &str,
) -> Result<(), wit::HostError> {
    pay_call(guest, wanted, bytes)
        .map_err(|unpaid| denied(guest, &unpaid.why.rule, action, &unpaid.why.target))
}

/// As [`spend`], for a call that may move up to `tokens` of a model: all of them are charged before it is made, and
/// [`give_back_tokens`] takes back those that it did not move.
///
/// # Errors
/// As [`spend`]. What the plan's budget does not hold is charged nowhere, and ends the attempt when the call is recorded.
pub(crate) fn spend_tokens(
    guest: &Guest,
    wanted: Wanted<'_>,
    (bytes, tokens): (usize, u64),
    action: &str,
) -> Result<(), wit::HostError> {
    pay_moving(guest, wanted, (bytes, tokens))
        .map_err(|unpaid| denied(guest, &unpaid.why.rule, action, &unpaid.why.target))
}

/// Gives back what was charged for tokens that a call did not move.
pub(crate) fn give_back_tokens(guest: &Guest, tokens: u64) {
    if let Some(purse) = &guest.purse {
        let mut purse = purse.lock().unwrap_or_else(PoisonError::into_inner);
        purse.meter.give_back_tokens(tokens);
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

/// What an earlier try of the attempt was answered at this very call of `function`: the numbers of the answer, in order.
/// `None` without a playback, and where that try called something else here.
pub(crate) fn played_numbers(guest: &Guest, function: &str) -> Option<Vec<u64>> {
    let number = |field: &[u8]| field.try_into().ok().map(u64::from_le_bytes);
    played(guest, function)?.into_iter().map(number).collect()
}

/// As [`played_numbers`], as bytes: the fields of the answer.
pub(crate) fn played<'a>(guest: &'a Guest, function: &str) -> Option<Vec<&'a [u8]>> {
    let transcript = guest.playback.as_ref()?;
    let index = usize::try_from(guest.transcript.next_index()).ok()?;
    let record = transcript.records().get(index)?;
    if record.function != function {
        return None;
    }
    Fields::read(transcript.payloads().get(&record.response.digest)?)
}

/// Links a function without arguments that tells the guest something and can not fail.
pub(crate) fn tell<R>(
    instance: &mut LinkerInstance<'_, Guest>,
    capability: Capability,
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
        let wanted = (capability, mode_of(cx.data(), capability), "any");
        spend_or_stop(cx.data(), wanted, 0)?;
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
