//! From the engine's error to a typed outcome: which limit, which trap, or the guest's own end.
//!
//! A trap that follows a refused growth of memory or tables counts as that limit: guests abort when they get no memory, and
//! the cause is what a reader needs.
//!
//! INVARIANT: every error has exactly one outcome; a limit is never reported as a trap of the guest.

use aim_core::outcome::{Failure, Fault, LimitKind, Outcome, Trap};
use wasmtime::component::ResourceTableError;

use crate::{
    error::shown,
    guest::{Guest, Stop},
};

/// What the engine says in errors that have no type of their own, and which limit that is.
const UNTYPED_LIMITS: [(&str, LimitKind); 5] = [
    (
        "too much data is being copied between the host and the guest",
        LimitKind::HostCallBytes,
    ),
    ("store handle limit exceeded", LimitKind::Handles),
    ("resource limit exceeded", LimitKind::Instances),
    ("exceeds memory limits", LimitKind::Memory),
    ("exceeds table limits", LimitKind::Tables),
];

/// Classifies `error`, which ended the guest of `guest`.
pub(crate) fn classify(error: &wasmtime::Error, guest: &Guest) -> (Outcome, Fault) {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stopped(stop);
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        return limit(LimitKind::Handles);
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        let message = "the host has no free instance slot".to_owned();
        return (
            Outcome::Failed(Failure::Transient),
            fault("AIM-R011", message),
        );
    }
    if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
        return trapped(*trap, guest);
    }
    if is_of_the_system(error) {
        let message = format!(
            "the host has no room for an instance: {}",
            shown(&error.root_cause())
        );
        return (
            Outcome::Failed(Failure::Transient),
            fault("AIM-R011", message),
        );
    }
    let text = format!("{error:#}");
    let untyped = UNTYPED_LIMITS
        .iter()
        .find(|(sentence, _)| text.contains(sentence));
    if let Some((_, kind)) = untyped {
        return limit(guest.limiter.refused().unwrap_or(*kind));
    }
    (
        Outcome::Trapped(Trap::Abi),
        fault("AIM-R012", shown(&error.root_cause())),
    )
}

/// True when the operating system refused the host something, as memory or a file to map: no guest can make such an error.
fn is_of_the_system(error: &wasmtime::Error) -> bool {
    let mut causes = error.chain();
    causes.any(|cause| cause.is::<std::io::Error>() || cause.is::<rustix::io::Errno>())
}

pub(crate) fn fault(code: &str, message: String) -> Fault {
    Fault {
        code: code.to_owned(),
        message,
    }
}

/// The outcome of a limit.
pub(crate) fn limit(kind: LimitKind) -> (Outcome, Fault) {
    let name = serde_json::to_value(kind).ok();
    let name = name.as_ref().and_then(serde_json::Value::as_str);
    let message = format!("the limit `{}` was reached", name.unwrap_or("unknown"));
    (Outcome::Limit(kind), fault("AIM-R013", message))
}

fn stopped(stop: &Stop) -> (Outcome, Fault) {
    match stop {
        Stop::Limit(kind) => limit(*kind),
        Stop::Cancelled => cancelled(),
        Stop::TooEarly => (
            Outcome::Trapped(Trap::Abi),
            fault(
                "AIM-R012",
                "the guest called the host before its instance was whole".to_owned(),
            ),
        ),
        Stop::Indeterminate(call) => aim_core::effect::indeterminate(*call),
        // A step that exits has not answered; a clean exit is a decision of its author, so it is no trap.
        Stop::Exit(0) => (
            Outcome::Failed(Failure::Permanent),
            fault("AIM-R015", "the guest exited before it answered".to_owned()),
        ),
        Stop::Exit(code) => (
            Outcome::Trapped(Trap::Exit),
            fault("AIM-R012", format!("the guest exited with code {code}")),
        ),
    }
}

/// The outcome of a cancelled run.
pub(crate) fn cancelled() -> (Outcome, Fault) {
    (
        Outcome::Cancelled,
        fault("AIM-R014", "the run was cancelled".to_owned()),
    )
}

fn trapped(trap: wasmtime::Trap, guest: &Guest) -> (Outcome, Fault) {
    use wasmtime::Trap as T;
    let kind = match trap {
        T::OutOfFuel => return limit(LimitKind::Fuel),
        T::Interrupt => return limit(LimitKind::Deadline),
        // The host calls into a guest only to write parameters and answers: a call from there is a call within a call.
        T::CannotEnterComponent | T::CannotLeaveComponent => return limit(LimitKind::Reentry),
        T::UnreachableCodeReached => Trap::Unreachable,
        T::StackOverflow => Trap::StackOverflow,
        T::MemoryOutOfBounds | T::TableOutOfBounds | T::ArrayOutOfBounds => Trap::OutOfBounds,
        T::IntegerOverflow | T::IntegerDivisionByZero | T::BadConversionToInteger => {
            Trap::Arithmetic
        }
        T::IndirectCallToNull | T::BadSignature | T::NullReference => Trap::IndirectCall,
        T::InvalidChar
        | T::StringOutOfBounds
        | T::ListOutOfBounds
        | T::InvalidDiscriminant
        | T::UnalignedPointer => Trap::Abi,
        _ => Trap::Other,
    };
    let gave_up = matches!(kind, Trap::Unreachable | Trap::OutOfBounds);
    if let (true, Some(refused)) = (gave_up, guest.limiter.refused()) {
        return limit(refused);
    }
    // The trap's own sentence: backtraces carry names that the guest chose.
    let message = crate::text::neutralise(&trap.to_string(), 200);
    (Outcome::Trapped(kind), fault("AIM-R012", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_the_host_is_no_trap_of_the_guest() {
        let refused = rustix::io::Errno::NOMEM;
        let of_map = wasmtime::Error::from(refused).context("making an instance");
        let of_file = wasmtime::Error::from(std::io::Error::from(refused));
        assert!(is_of_the_system(&of_map) && is_of_the_system(&of_file));
        let trap = wasmtime::Error::from(wasmtime::Trap::UnreachableCodeReached);
        assert!(!is_of_the_system(
            &trap.context("Cannot allocate memory (os error 12)")
        ));
    }
}
