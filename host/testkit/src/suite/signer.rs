//! What every signer does, whatever signs behind it.
//!
//! INVARIANT: answers belong to the questions in order, and the size of a log never goes back.

use aim_ports::{
    PortError, PortFault,
    signer::{CheckpointRequest, PublicKeys, SignedTree, Signer, SigningCore},
};

/// A core without keys whose answers show what it was asked: a "signature" repeats the payload's length and first
/// bytes, a "checkpoint" is the number of leaves so far in decimal.
#[derive(Debug, Clone, Default)]
pub struct CountingCore {
    /// Stands in for the public keys.
    pub keys: [u8; 2],
}

impl SigningCore for CountingCore {
    fn public_keys(&self) -> PublicKeys {
        let [step, log] = self.keys;
        PublicKeys {
            step: [step; 32],
            log: [log; 32],
        }
    }

    fn sign_statements(&self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError> {
        Ok(payloads.iter().map(|payload| mark(payload)).collect())
    }

    fn sign_checkpoint(
        &self,
        state: Option<&[u8]>,
        request: &CheckpointRequest,
    ) -> Result<(Vec<u8>, Vec<u8>), PortError> {
        let known = state.map(|state| self.signed_tree(&request.origin, state));
        let size = known.transpose()?.map_or(0, |tree| tree.size);
        if request.first_index != size {
            let detail = format!("{size} leaves were signed for, not {}", request.first_index);
            return Err(PortError::new(
                PortFault::Corrupt,
                "sign a checkpoint",
                detail,
            ));
        }
        let size = size.saturating_add(request.leaf_hashes.len() as u64);
        Ok((size.to_string().into_bytes(), size.to_le_bytes().to_vec()))
    }

    fn signed_tree(&self, _: &str, state: &[u8]) -> Result<SignedTree, PortError> {
        let size = <[u8; 8]>::try_from(state)
            .map(u64::from_le_bytes)
            .map_err(|_| {
                PortError::new(PortFault::Corrupt, "read the signer's state", "not 8 bytes")
            })?;
        let root = [9; 32];
        Ok(SignedTree { size, root })
    }
}

fn mark(payload: &[u8]) -> [u8; 64] {
    let mut signature = [0; 64];
    let length = (payload.len() as u64).to_le_bytes();
    for (slot, byte) in signature.iter_mut().zip(length.iter().chain(payload)) {
        *slot = *byte;
    }
    signature
}

/// Runs the suite on a signer with a [`CountingCore`] behind it that knows no log yet.
pub fn signer(signer: &mut dyn Signer) {
    let none = signer.sign_statements(&[]);
    assert_eq!(none, Ok(Vec::new()), "nothing asked, nothing signed");
    let large = vec![5; 200_000];
    let payloads: [&[u8]; 4] = [b"one", b"", &large, b"two"];
    let expected: Vec<[u8; 64]> = payloads.iter().map(|payload| mark(payload)).collect();
    let signed = signer.sign_statements(&payloads);
    assert_eq!(
        signed,
        Ok(expected),
        "signatures come in the order of the payloads"
    );

    let request = |origin: &str, first_index, count| CheckpointRequest {
        origin: origin.to_owned(),
        first_index,
        leaf_hashes: vec![[9; 32]; count],
    };
    assert_eq!(signer.signed_tree("a"), Ok(None), "nothing is known of it");
    let first = signer.sign_checkpoint(&request("a", 0, 3));
    assert_eq!(
        first,
        Ok(b"3".to_vec()),
        "a checkpoint covers the new leaves"
    );
    let second = signer.sign_checkpoint(&request("a", 3, 2));
    assert_eq!(second, Ok(b"5".to_vec()), "leaves continue what was signed");
    for wrong in [0, 3, 4, 6, u64::MAX] {
        let fault = signer
            .sign_checkpoint(&request("a", wrong, 1))
            .map_err(|error| error.fault);
        assert_eq!(
            fault,
            Err(PortFault::Corrupt),
            "leaves from {wrong} do not continue"
        );
    }
    let size = |tree: Option<SignedTree>| tree.map(|tree| tree.size);
    let known = signer.signed_tree("a").map(size);
    assert_eq!(known, Ok(Some(5)), "a refusal changes nothing");
    assert_eq!(signer.signed_tree("b"), Ok(None), "logs do not mix");
    let empty = signer.sign_checkpoint(&request("b", 0, 0));
    assert_eq!(
        empty,
        Ok(b"0".to_vec()),
        "a log without leaves can be signed for"
    );
}
