//! Checking proofs as RFC 9162 (2.1.3.2 and 2.1.4.2) lays it down.
//!
//! INVARIANT: a proof is accepted only if it is used up exactly.

use super::{Hash, hash_node};

/// Why a proof was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index or the sizes make no sense.
    #[error("proof is for an impossible position")]
    Position,
    /// Too few or too many hashes.
    #[error("proof has the wrong number of hashes")]
    Length,
    /// The hashes give another root.
    #[error("proof leads to another root")]
    Root,
}

/// Checks that `leaf` is leaf `index` of the tree of `size` leaves under `root`.
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Position);
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for step in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place % 2 == 1 || place == last {
            hash = hash_node(step, &hash);
            (place, last) = climb_to_right_child(place, last);
        } else {
            hash = hash_node(&hash, step);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Checks that the tree of `old` leaves under `old_root` is the start of the tree of `new` leaves under `new_root`. Every
/// tree starts with the empty one.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Position);
    }
    if old == 0 || old == new {
        let is_same = old == 0 || old_root == new_root;
        return match (proof.is_empty(), is_same) {
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Root),
            (true, true) => Ok(()),
        };
    }
    let (first, steps) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::Length)?
    };
    let shift = (old - 1).trailing_ones();
    let (mut place, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for step in steps {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place % 2 == 1 || place == last {
            old_hash = hash_node(step, &old_hash);
            new_hash = hash_node(step, &new_hash);
            (place, last) = climb_to_right_child(place, last);
        } else {
            new_hash = hash_node(&new_hash, step);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if old_hash == *old_root && new_hash == *new_root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Skips the levels at which the right edge has no sibling.
const fn climb_to_right_child(place: u64, last: u64) -> (u64, u64) {
    if place % 2 == 1 || place == 0 {
        return (place, last);
    }
    let levels = place.trailing_zeros();
    (place >> levels, last >> levels)
}
