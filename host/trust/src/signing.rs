//! What the signer does with its keys, and what it remembers so that it never contradicts itself.
//!
//! The signer builds the signed bytes itself: a statement is always signed as a statement and a checkpoint always as a
//! checkpoint, each with its own key, whatever the asker sends. For each log it remembers the tree's right edge, now and
//! before the last request, so that the same request can be repeated after a crash and a different one is refused.
//!
//! INVARIANT: for one origin and one size there is at most one root that this code signs, as long as the states that it
//! returns are kept.

use alloc::{format, string::String, vec::Vec};

use aim_ports::{
    PortError, PortFault,
    signer::{CheckpointRequest, PublicKeys, SignedTree, SigningCore},
};

use crate::{
    checkpoint::{Checkpoint, is_origin},
    dsse::{PAYLOAD_TYPE, pae},
    key::{KeyRole, SecretKey},
    tree::Frontier,
};

const STATE_MAGIC: [u8; 4] = *b"AIMS";
const STATE_VERSION: u8 = 1;

/// A key that was offered for a role that it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signer needs one step key and one log key, and they must differ")]
pub struct KeyRolesError;

/// The signer's decisions, keys in hand.
#[derive(Debug)]
pub struct KeysSigningCore {
    step: SecretKey,
    log: SecretKey,
}

impl KeysSigningCore {
    /// Takes the keys.
    ///
    /// # Errors
    /// [`KeyRolesError`].
    pub fn new(step: SecretKey, log: SecretKey) -> Result<Self, KeyRolesError> {
        let is_right = step.role() == KeyRole::Step
            && log.role() == KeyRole::Log
            && step.public_bytes() != log.public_bytes();
        if is_right {
            Ok(Self { step, log })
        } else {
            Err(KeyRolesError)
        }
    }
}

impl SigningCore for KeysSigningCore {
    fn public_keys(&self) -> PublicKeys {
        PublicKeys {
            step: self.step.public_bytes(),
            log: self.log.public_bytes(),
        }
    }

    fn sign_statements(&self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError> {
        let sign = |payload: &&[u8]| self.step.sign(&pae(PAYLOAD_TYPE, payload));
        Ok(payloads.iter().map(sign).collect())
    }

    fn sign_checkpoint(
        &self,
        state: Option<&[u8]>,
        request: &CheckpointRequest,
    ) -> Result<(Vec<u8>, Vec<u8>), PortError> {
        let refuse = |detail: &str| corrupt(&request.origin, detail);
        if !is_origin(&request.origin) {
            return Err(refuse("origin can not name a log"));
        }
        let known = match state {
            Some(bytes) => SignerState::decode(bytes)
                .ok_or_else(|| refuse("stored signer state can not be read"))?,
            None => SignerState::new(&request.origin),
        };
        let next = known.after(request).map_err(refuse)?;
        let checkpoint = Checkpoint {
            origin: request.origin.clone(),
            size: next.current.size(),
            root: next.current.root(),
        };
        let note = checkpoint
            .sign(&self.log)
            .map_err(|error| refuse(&format!("{error}")))?;
        Ok((note.into_bytes(), next.encode()))
    }

    fn signed_tree(&self, origin: &str, state: &[u8]) -> Result<SignedTree, PortError> {
        let state = SignerState::decode(state)
            .ok_or_else(|| corrupt(origin, "stored signer state can not be read"))?;
        if state.origin != origin {
            return Err(corrupt(origin, "stored signer state is about another log"));
        }
        Ok(SignedTree {
            size: state.current.size(),
            root: state.current.root(),
        })
    }
}

fn corrupt(subject: &str, detail: &str) -> PortError {
    PortError::new(
        PortFault::Corrupt,
        format!("checkpoint of {subject}"),
        detail,
    )
}

/// What the signer remembers about one log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SignerState {
    origin: String,
    /// The tree before the last request that made it grow.
    before: Frontier,
    /// The largest tree that was signed.
    current: Frontier,
}

impl SignerState {
    fn new(origin: &str) -> Self {
        Self {
            origin: origin.into(),
            before: Frontier::new(),
            current: Frontier::new(),
        }
    }

    /// Decides about a request. The leaves must start at the end of what was signed, or at a place from which they can be
    /// compared with it: the start of the last request or the start of the log.
    fn after(self, request: &CheckpointRequest) -> Result<Self, &'static str> {
        if self.origin != request.origin {
            return Err("stored signer state is about another log");
        }
        let first = request.first_index;
        let start = if first == self.current.size() {
            self.current.clone()
        } else if first == self.before.size() {
            self.before.clone()
        } else if first == 0 {
            Frontier::new()
        } else if first > self.current.size() {
            return Err("leaves are missing between those signed before and these: send them all");
        } else {
            return Err(
                "leaves start where they can not be compared: start at the signed size or at 0",
            );
        };
        let known = self.current.size();
        let mut tree = start;
        let mut is_continued = tree.size() == known;
        for leaf in &request.leaf_hashes {
            tree.append(*leaf);
            is_continued |= tree.size() == known && tree == self.current;
        }
        if !is_continued {
            return Err("leaves are not those that were signed before: the log was changed or cut");
        }
        if tree.size() == known {
            return Ok(self);
        }
        Ok(Self {
            origin: self.origin,
            before: self.current,
            current: tree,
        })
    }

    /// Layout: `AIMS`, version 1, length of the origin (1 byte), origin, frontier before, frontier now, root now.
    fn encode(&self) -> Vec<u8> {
        let length = u8::try_from(self.origin.len()).unwrap_or(u8::MAX);
        [
            STATE_MAGIC.as_slice(),
            &[STATE_VERSION, length],
            self.origin.as_bytes(),
            &self.before.encode(),
            &self.current.encode(),
            &self.current.root(),
        ]
        .concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&STATE_MAGIC)?;
        let ([version, length], rest) = rest.split_first_chunk::<2>()?;
        let (origin, rest) = rest.split_at_checked(usize::from(*length))?;
        let (before, rest) = Frontier::decode(rest).ok()?;
        let (current, rest) = Frontier::decode(rest).ok()?;
        let origin = core::str::from_utf8(origin).ok()?;
        let is_right = *version == STATE_VERSION
            && is_origin(origin)
            && before.size() <= current.size()
            && rest == current.root();
        is_right.then(|| Self {
            origin: origin.into(),
            before,
            current,
        })
    }
}

#[cfg(test)]
mod tests;
