//! The one append-only file that evidence lives in, and the checkpoint beside it.
//!
//! The runtime decides what is written; a driver makes it durable.

use alloc::{boxed::Box, vec::Vec};
use core::fmt::Debug;

use crate::PortError;

/// Exclusive write access to one log. There is at most one holder in the world.
pub trait LogWriter: Debug + Send {
    /// Appends `bytes` and returns once they are durable. After an error nothing may be written any more: the driver
    /// refuses every later call with [`crate::PortFault::FailStop`], except after [`crate::PortFault::Exhausted`], where
    /// the driver has durably cut the file back to its length before the call.
    ///
    /// # Errors
    /// [`crate::PortFault::Exhausted`] when there is no space and nothing was kept; else [`crate::PortFault::FailStop`].
    fn append(&mut self, bytes: &[u8]) -> Result<(), PortError>;

    /// Cuts the file to `length_bytes`, durably. For recovery only.
    ///
    /// # Errors
    /// [`crate::PortFault::FailStop`].
    fn cut(&mut self, length_bytes: u64) -> Result<(), PortError>;

    /// A publisher of this log's checkpoints, to be used beside the writer.
    ///
    /// # Errors
    /// [`crate::PortFault::Unavailable`].
    fn publisher(&self) -> Result<Box<dyn CheckpointWriter>, PortError>;
}

/// Publishes checkpoints of one log. Never waits for the writer and never holds it up.
pub trait CheckpointWriter: Debug + Send {
    /// Replaces the published checkpoint atomically.
    ///
    /// # Errors
    /// Any; publication is retried with the next checkpoint.
    fn publish(&mut self, checkpoint: &[u8]) -> Result<(), PortError>;
}

/// Read access; never locks and never waits for a writer.
pub trait LogReader: Debug + Send + Sync {
    /// Reads up to `length_bytes_max` bytes from `offset_bytes`; fewer at the end, none past it.
    ///
    /// # Errors
    /// [`crate::PortFault::NotFound`] when there is no log; [`crate::PortFault::Unavailable`] on a read error.
    fn read(&self, offset_bytes: u64, length_bytes_max: usize) -> Result<Vec<u8>, PortError>;

    /// The newest published checkpoint; `None` before the first.
    ///
    /// # Errors
    /// [`crate::PortFault::Unavailable`] on a read error.
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, PortError>;
}
