//! What a gate author writes: one function from a request to a decision.
//! INVARIANT: a gate reaches nothing but its request and its codex; the host denies whatever a gate fails to judge.

use crate::types::Fault;

pub use crate::bindings::imports::aim::gate::types::{
    Consequence, Decision, Item, Phase, Request, Verdict,
};

/// A gate.
pub trait Gate {
    /// Judges one request. Deterministic: the same request and codex give the same decision.
    ///
    /// # Errors
    /// A gate that can not judge says so with a fault; the host then denies.
    fn evaluate(request: Request) -> Result<Decision, Fault>;
}

/// The codex document that the operator chose for this gate, as signed.
#[must_use]
pub fn codex() -> Vec<u8> {
    crate::bindings::imports::aim::gate::codex::document()
}

/// A gate that makes something cheaper of its codex once, instead of reading the document at every request: an instance
/// lives for one request only, so nothing it has read is there for the next.
pub trait Prepare {
    /// Makes of `document` what judging needs in `phase`. The same document and phase give the same bytes.
    ///
    /// # Errors
    /// A document that can not be used; the host then denies.
    fn prepare(document: &[u8], phase: Phase) -> Result<Vec<u8>, Fault>;
}

/// What [`Prepare::prepare`] made for the phase that is asked about; empty in a gate that was exported without it.
#[must_use]
pub fn prepared() -> Vec<u8> {
    crate::bindings::imports::aim::gate::codex::prepared()
}

/// Makes a type that implements [`Prepare`] the component's `aim:gate/prepare`; beside [`export_gate!`](crate::export_gate!).
#[macro_export]
macro_rules! export_prepare {
    ($gate:ty) => {
        struct AimPrepareExport;
        impl $crate::bindings::preparing::exports::aim::gate::prepare::Guest for AimPrepareExport {
            fn prepare(
                document: ::std::vec::Vec<u8>,
                phase: $crate::gate::Phase,
            ) -> ::core::result::Result<::std::vec::Vec<u8>, $crate::types::Fault> {
                <$gate as $crate::gate::Prepare>::prepare(&document, phase)
            }
        }
        $crate::bindings::preparing::export_prepare!(AimPrepareExport);
    };
}

/// Makes a type that implements [`Gate`] the component's `aim:gate/judge`, and sets its memory up as `export_step!` does.
#[macro_export]
macro_rules! export_gate {
    ($gate:ty) => {
        $crate::export_gate!($gate, arena: $crate::memory::ARENA_BYTES_DEFAULT);
    };
    ($gate:ty, arena: $bytes:expr) => {
        $crate::memory!($bytes);
        struct AimGateExport;
        impl $crate::bindings::gate::exports::aim::gate::judge::Guest for AimGateExport {
            fn evaluate(
                request: $crate::gate::Request,
            ) -> ::core::result::Result<$crate::gate::Decision, $crate::types::Fault> {
                <$gate as $crate::gate::Gate>::evaluate(request)
            }
        }
        $crate::bindings::gate::export_judge!(AimGateExport);
    };
}
