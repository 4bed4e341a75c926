//! The Merkle tree of RFC 6962: SHA-256, leaves under 0x00 and nodes under 0x01.
//!
//! A [`Frontier`] is all that a writer or a signer needs (a few hashes); a [`Tree`] holds every leaf and makes proofs; the
//! `verify_*` functions need neither.
//!
//! INVARIANT: a leaf and a node can never have one hash, since their first hashed bytes differ.

mod frontier;
mod full;
mod proof;

pub use frontier::{DecodeFrontierError, Frontier};
pub use full::Tree;
pub use proof::{ProofError, verify_consistency, verify_inclusion};

use aim_core::{
    frame::{Block, FrameBody},
    leaf::LEAF_BYTES,
};
use sha2::{Digest as _, Sha256};

/// A hash in the tree.
pub type Hash = [u8; 32];

/// Hashes an entry to a leaf of the tree (RFC 6962, 2.1).
#[must_use]
pub fn hash_leaf(entry: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(entry)
        .finalize()
        .into()
}

/// Hashes two neighbours to the node above them (RFC 6962, 2.1).
#[must_use]
pub fn hash_node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// Hashes a leaf record as the log's tree does: the entry is the record and, after it, the hash of the block before the
/// one that the record is in. This way a root stands for everything that was logged before its last leaf's block, records
/// without a leaf of their own included.
#[must_use]
pub fn hash_record(leaf: &[u8; LEAF_BYTES], previous_block: &Hash) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(leaf)
        .chain_update(previous_block)
        .finalize()
        .into()
}

/// Returns the hashes of a block's leaves, in order: what the block adds to the log's tree.
pub fn hash_records<'a>(block: &Block<'a>) -> impl Iterator<Item = Hash> + use<'a> {
    let previous = block.header().previous;
    block.frames().filter_map(move |frame| match frame.body {
        FrameBody::Witness(witness) => Some(hash_record(&witness.leaf.encode(), &previous)),
        _ => None,
    })
}

/// The root of a tree without leaves (RFC 6962, 2.1).
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::new().finalize().into()
}
