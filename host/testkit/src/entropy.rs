//! Bytes that look random and are the same every time.
//!
//! INVARIANT: two sources give the same bytes in the same order.

use std::sync::atomic::{AtomicU8, Ordering};

use aim_ports::{PortError, entropy::Entropy};

/// Counts upwards, byte by byte.
#[derive(Debug, Default)]
pub struct CountingEntropy(AtomicU8);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), PortError> {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
