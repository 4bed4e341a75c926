//! A tree with all its whole subtrees, for making proofs.
//!
//! INVARIANT: level `n` holds the hashes of all whole subtrees of 2^n leaves, left to right.

use alloc::vec::Vec;

use super::{Hash, empty_root, hash_node};

/// A tree that can make proofs. Takes 64 bytes a leaf.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Starts with an empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Returns how many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels
            .first()
            .map_or(0, |leaves| u64::try_from(leaves.len()).unwrap_or(u64::MAX))
    }

    /// Appends a leaf by its hash.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(level) else {
                return;
            };
            row.push(node);
            let [.., left, right] = row.as_slice() else {
                return;
            };
            if row.len() % 2 == 1 {
                return;
            }
            node = hash_node(left, right);
            level += 1;
        }
    }

    /// Returns the hash of leaf `index`.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.levels
            .first()?
            .get(usize::try_from(index).ok()?)
            .copied()
    }

    /// Returns the root over the first `size` leaves; `None` when there are fewer.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<Hash> {
        match size {
            0 => Some(empty_root()),
            _ if size > self.size() => None,
            _ => self.range(0, size),
        }
    }

    /// Returns the inclusion proof of leaf `index` in the first `size` leaves (RFC 6962, 2.1.1); `None` when there is none.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let mut proof = Vec::new();
        let (mut low, mut high) = (0, size);
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                proof.push(self.range(middle, high)?);
                high = middle;
            } else {
                proof.push(self.range(low, middle)?);
                low = middle;
            }
        }
        proof.reverse();
        Some(proof)
    }

    /// Returns the proof that the first `old` leaves are the start of the first `new` leaves (RFC 6962, 2.1.2); `None` when
    /// there is none. Empty when `old` is 0 or `new`.
    #[must_use]
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old > new || new > self.size() {
            return None;
        }
        if old == 0 || old == new {
            return Some(Vec::new());
        }
        let mut proof = Vec::new();
        let (mut low, mut high) = (0, new);
        while high != old {
            let middle = low + split(high - low);
            if old <= middle {
                proof.push(self.range(middle, high)?);
                high = middle;
            } else {
                proof.push(self.range(low, middle)?);
                low = middle;
            }
        }
        if low != 0 {
            proof.push(self.range(low, high)?);
        }
        proof.reverse();
        Some(proof)
    }

    /// Hashes the leaves from `low` to before `high`, at least one.
    fn range(&self, low: u64, high: u64) -> Option<Hash> {
        let width = high.checked_sub(low)?;
        if width.is_power_of_two() && low.is_multiple_of(width) {
            let level = usize::try_from(width.trailing_zeros()).ok()?;
            let place = usize::try_from(low / width).ok()?;
            return self.levels.get(level)?.get(place).copied();
        }
        // BOUND: each level splits off one whole subtree, so this is at most 64 deep.
        let middle = low + split(width);
        Some(hash_node(
            &self.range(low, middle)?,
            &self.range(middle, high)?,
        ))
    }
}

impl Extend<Hash> for Tree {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.append(leaf));
    }
}

/// The largest power of two below `width`, which is at least 2.
const fn split(width: u64) -> u64 {
    1 << (63 - (width - 1).leading_zeros())
}
