//! Random bytes of the machine.

use core::fmt::Debug;

use crate::PortError;

/// A source of bytes that nobody can predict.
pub trait Entropy: Debug + Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`crate::PortFault::Unavailable`]; nothing about `bytes` is known then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), PortError>;
}
