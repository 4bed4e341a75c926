//! The right edge of a tree: enough to append and to tell the root, nothing else.
//!
//! INVARIANT: there is one hash for each bit that is set in the size, the largest subtree first.

use alloc::vec::Vec;

use super::{Hash, empty_root, hash_node};

/// Why bytes are not a frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frontier must be a size and one hash for each bit set in it")]
pub struct DecodeFrontierError;

/// The right edge of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// Starts with an empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            nodes: Vec::new(),
        }
    }

    /// Returns how many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            // INVARIANT: each trailing one has its hash, so there is always one to take.
            if let Some(left) = self.nodes.pop() {
                node = hash_node(&left, &node);
            }
        }
        self.nodes.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// Returns the root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.nodes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| hash_node(&left, &right))
            .unwrap_or_else(empty_root)
    }

    /// Writes the frontier: the size (8 bytes, little endian), then the hashes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.size.to_le_bytes().to_vec();
        out.extend_from_slice(self.nodes.as_flattened());
        out
    }

    /// Reads a frontier off the front of `bytes` and returns what follows it.
    ///
    /// # Errors
    /// [`DecodeFrontierError`] when the bytes end too early.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeFrontierError> {
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or(DecodeFrontierError)?;
        let size = u64::from_le_bytes(*size);
        let count = usize::try_from(size.count_ones()).map_err(|_| DecodeFrontierError)?;
        let (nodes, rest) = rest
            .split_at_checked(count * 32)
            .ok_or(DecodeFrontierError)?;
        let (nodes, _) = nodes.as_chunks::<32>();
        let nodes = nodes.to_vec();
        Ok((Self { size, nodes }, rest))
    }
}

impl Extend<Hash> for Frontier {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.append(leaf));
    }
}
