//! The system's source of random bytes.
//!
//! INVARIANT: bytes come whole from the kernel's generator or not at all.

use aim_ports::{PortError, PortFault, entropy::Entropy};
use rustix::rand::{GetRandomFlags, getrandom};

/// The kernel's random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), PortError> {
        let mut rest = bytes;
        // BOUND: every turn fills at least one byte.
        while !rest.is_empty() {
            let taken = match getrandom(&mut *rest, GetRandomFlags::empty()) {
                Ok(taken) if taken > 0 => taken,
                Ok(_) => return Err(unavailable("it gave nothing")),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(unavailable(&error.to_string())),
            };
            rest = rest.get_mut(taken..).unwrap_or_default();
        }
        Ok(())
    }
}

fn unavailable(detail: &str) -> PortError {
    PortError::new(
        PortFault::Unavailable,
        "the system's random numbers",
        detail,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_of_many_bytes_differ() {
        let draw = |len| {
            let mut bytes = vec![0; len];
            SystemEntropy.fill(&mut bytes).unwrap();
            bytes
        };
        assert_ne!(draw(4_096), draw(4_096));
        assert!(draw(0).is_empty());
    }
}
