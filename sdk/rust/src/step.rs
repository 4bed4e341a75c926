//! What a step author writes: one function from an envelope to emissions.
//! INVARIANT: the exported function does nothing of its own; what a step answers is what the host gets.

use crate::types::{Emission, Envelope, StepError};

/// A step.
pub trait Step {
    /// Handles one envelope. A fresh instance serves each call, so statics start anew every time.
    ///
    /// # Errors
    /// Says why there is no ordinary result: [`StepError`] tells what the host does with each case.
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError>;
}

/// Makes a type that implements [`Step`] the component's `aim:step/handler`, and sets its memory up.
///
/// `export_step!(Mine)` takes an arena of [`ARENA_BYTES_DEFAULT`](crate::memory::ARENA_BYTES_DEFAULT);
/// `export_step!(Mine, arena: 4 * MIB)` chooses one. Pick what a normal call needs, inputs and outputs included.
#[macro_export]
macro_rules! export_step {
    ($step:ty) => {
        $crate::export_step!($step, arena: $crate::memory::ARENA_BYTES_DEFAULT);
    };
    ($step:ty, arena: $bytes:expr) => {
        $crate::memory!($bytes);
        struct AimStepExport;
        impl $crate::bindings::step::exports::aim::step::handler::Guest for AimStepExport {
            fn handle(
                input: $crate::types::Envelope,
            ) -> ::core::result::Result<::std::vec::Vec<$crate::types::Emission>, $crate::types::StepError>
            {
                <$step as $crate::Step>::handle(input)
            }
        }
        $crate::bindings::step::export_handler!(AimStepExport);
    };
}
