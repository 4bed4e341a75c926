//! What the worker signs: this code is what this component became under this profile.
//!
//! INVARIANT: the signed bytes begin with a type, so that a signature of this key means nothing anywhere else.

use aim_core::digest::Digest;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Begins what is signed; a change of the layout changes it.
const TYPE: &[u8] = b"aim:native-code:v1\0";

/// What a piece of native code belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Digest of the engine profile's fingerprint.
    pub(crate) profile: Digest,
    /// Digest of the component's bytes.
    pub(crate) component: Digest,
}

impl Subject {
    pub(crate) fn new(profile: &str, component: &[u8]) -> Self {
        Self {
            profile: Digest::derive("engine-profile", &[profile.as_bytes()]),
            component: Digest::of(component),
        }
    }

    fn message(&self, code: &[u8]) -> Vec<u8> {
        let mut message = TYPE.to_vec();
        message.extend_from_slice(self.profile.as_bytes());
        message.extend_from_slice(self.component.as_bytes());
        message.extend_from_slice(Digest::of(code).as_bytes());
        message
    }

    pub(crate) fn sign(&self, code: &[u8], key: &SigningKey) -> [u8; 64] {
        key.sign(&self.message(code)).to_bytes()
    }

    /// True when the worker's key signed exactly these bytes for this subject.
    pub(crate) fn verifies(&self, code: &[u8], signature: &[u8; 64], key: &VerifyingKey) -> bool {
        let signature = Signature::from_bytes(signature);
        key.verify_strict(&self.message(code), &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_its_own_subject_code_and_key_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let subject = Subject::new("p", b"component");
        let signature = subject.sign(b"code", &key);
        let public = key.verifying_key();
        assert!(subject.verifies(b"code", &signature, &public));
        assert!(!subject.verifies(b"codE", &signature, &public));
        assert!(!Subject::new("q", b"component").verifies(b"code", &signature, &public));
        assert!(!Subject::new("p", b"other").verifies(b"code", &signature, &public));
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert!(!subject.verifies(b"code", &signature, &other));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!subject.verifies(b"code", &flipped, &public));
        }
    }
}
