//! A signer without a wall: the core runs in the caller's own process.
//!
//! INVARIANT: as in a driver, a state is kept before the signature that it covers is handed out.

use std::collections::BTreeMap;

use aim_ports::{
    PortError, PortFault,
    signer::{CheckpointRequest, PublicKeys, SignedTree, Signer, SigningCore},
};

/// Carries requests straight to a core and keeps its states in a map.
#[derive(Debug)]
pub struct CoreSigner<C> {
    core: C,
    states: BTreeMap<String, Vec<u8>>,
    calls_left: Option<u64>,
}

impl<C: SigningCore> CoreSigner<C> {
    /// A signer that never fails by itself.
    pub const fn new(core: C) -> Self {
        Self {
            core,
            states: BTreeMap::new(),
            calls_left: None,
        }
    }

    /// A signer that is gone after `calls` calls.
    pub const fn gone_after(core: C, calls: u64) -> Self {
        Self {
            core,
            states: BTreeMap::new(),
            calls_left: Some(calls),
        }
    }

    /// Forgets everything about one log, as a restored old backup would.
    pub fn forget(&mut self, origin: &str) {
        self.states.remove(origin);
    }

    fn count(&mut self) -> Result<(), PortError> {
        match self.calls_left.as_mut() {
            None => Ok(()),
            Some(0) => Err(PortError::new(
                PortFault::Unavailable,
                "ask the signer",
                "it is gone",
            )),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl<C: SigningCore> Signer for CoreSigner<C> {
    fn public_keys(&self) -> PublicKeys {
        self.core.public_keys()
    }

    fn sign_statements(&mut self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError> {
        self.count()?;
        self.core.sign_statements(payloads)
    }

    fn sign_checkpoint(&mut self, request: &CheckpointRequest) -> Result<Vec<u8>, PortError> {
        self.count()?;
        let state = self.states.get(&request.origin).map(Vec::as_slice);
        let (note, state) = self.core.sign_checkpoint(state, request)?;
        self.states.insert(request.origin.clone(), state);
        Ok(note)
    }

    fn signed_tree(&mut self, origin: &str) -> Result<Option<SignedTree>, PortError> {
        self.count()?;
        let state = self.states.get(origin);
        state
            .map(|state| self.core.signed_tree(origin, state))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{self, CountingCore};

    #[test]
    fn behaves_as_the_port_says() {
        suite::signer(&mut CoreSigner::new(CountingCore::default()));
    }

    #[test]
    fn is_gone_after_as_many_calls_as_it_was_told() {
        let mut signer = CoreSigner::gone_after(CountingCore::default(), 1);
        assert!(signer.sign_statements(&[b"x"]).is_ok());
        let gone = signer.sign_statements(&[b"x"]).unwrap_err();
        assert_eq!(gone.fault, PortFault::Unavailable);
    }
}
