//! The tree against published roots, against a plain reading of RFC 6962, and against wrong proofs.

use aim_trust::tree::{
    Frontier, Hash, ProofError, Tree, empty_root, hash_leaf, hash_node, verify_consistency,
    verify_inclusion,
};
use proptest::prelude::*;

/// RFC 6962, 2.1, word by word.
fn plain_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(split(many.len()));
            hash_node(&plain_root(left), &plain_root(right))
        }
    }
}

/// RFC 6962, 2.1.1.
fn plain_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if index < left.len() {
        [plain_path(index, left), vec![plain_root(right)]].concat()
    } else {
        [
            plain_path(index - left.len(), right),
            vec![plain_root(left)],
        ]
        .concat()
    }
}

/// RFC 6962, 2.1.2.
fn plain_consistency(old: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if is_whole {
            Vec::new()
        } else {
            vec![plain_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if old <= left.len() {
        [
            plain_consistency(old, left, is_whole),
            vec![plain_root(right)],
        ]
        .concat()
    } else {
        let rest = plain_consistency(old - left.len(), right, false);
        [rest, vec![plain_root(left)]].concat()
    }
}

fn split(length: usize) -> usize {
    let mut power = 1;
    while power * 2 < length {
        power *= 2;
    }
    power
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|at| hash_leaf(&at.to_le_bytes())).collect()
}

fn tree(count: u64) -> Tree {
    let mut tree = Tree::new();
    tree.extend(leaves(count));
    tree
}

/// Negative control: with the prefix of nodes before leaves, this fails.
#[test]
fn roots_are_those_that_certificate_transparency_publishes() {
    let entries = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let hex = |bytes: &[u8]| aim_core::digest::encode_hex(bytes);
    assert_eq!(
        hex(&empty_root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let mut frontier = Frontier::new();
    let mut tree = Tree::new();
    for (entry, root) in entries.iter().zip(roots) {
        let bytes: Vec<u8> = entry
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        frontier.append(hash_leaf(&bytes));
        tree.append(hash_leaf(&bytes));
        assert_eq!(hex(&frontier.root()), root);
        assert_eq!(tree.root(tree.size()), Some(frontier.root()));
    }
}

/// Negative control: with a proof that is too short let pass, or with any position let pass, this fails.
#[test]
fn w21_wrong_index_size_or_hashes_are_refused() {
    let tree = tree(23);
    let root = tree.root(23).unwrap();
    for index in 0..23 {
        let leaf = tree.leaf(index).unwrap();
        let proof = tree.inclusion(index, 23).unwrap();
        let check =
            |index, size, proof: &[Hash]| verify_inclusion(&leaf, index, size, proof, &root);
        assert_eq!(check(index, 23, &proof), Ok(()));
        for other in (0..30).filter(|other| *other != index) {
            assert!(check(other, 23, &proof).is_err(), "{index} as {other}");
        }
        for size in [0, 1, 16, 64, u64::MAX] {
            assert!(check(index, size, &proof).is_err(), "{index} in {size}");
        }
        let longer = [proof.as_slice(), &[root]].concat();
        assert_eq!(check(index, 23, &longer), Err(ProofError::Length));
        assert!(check(index, 23, &proof[1..]).is_err());
        assert!(check(index, 23, &[]).is_err());
        for at in 0..proof.len() {
            let mut bad = proof.clone();
            bad[at][0] ^= 1;
            assert_eq!(check(index, 23, &bad), Err(ProofError::Root));
        }
    }
}

/// Negative control: with the prefix of nodes before leaves, this fails.
#[test]
fn w21_a_node_can_not_pass_as_a_leaf() {
    let tree = tree(2);
    let (left, right) = (tree.leaf(0).unwrap(), tree.leaf(1).unwrap());
    let node = [left, right].concat();
    assert_ne!(hash_leaf(&node), hash_node(&left, &right));
    let root = tree.root(2).unwrap();
    assert!(verify_inclusion(&hash_leaf(&node), 0, 1, &[], &root).is_err());
}

/// Negative control: with no comparison of the old root, or with a proof for equal sizes let pass, this fails.
#[test]
fn w22_impossible_consistency_is_refused() {
    let tree = tree(23);
    let root = |size| tree.root(size).unwrap();
    let proof = tree.consistency(9, 23).unwrap();
    let check = |old, old_root, new, new_root, proof: &[Hash]| {
        verify_consistency(old, &old_root, new, &new_root, proof)
    };
    assert_eq!(check(9, root(9), 23, root(23), &proof), Ok(()));
    assert_eq!(
        check(23, root(23), 9, root(9), &proof),
        Err(ProofError::Position)
    );
    assert_eq!(
        check(0, empty_root(), 23, root(23), &proof),
        Err(ProofError::Length)
    );
    assert_eq!(check(0, empty_root(), 23, root(23), &[]), Ok(()));
    assert_eq!(
        check(23, root(23), 23, root(23), &proof),
        Err(ProofError::Length)
    );
    assert_eq!(check(23, root(9), 23, root(23), &[]), Err(ProofError::Root));
    assert_eq!(
        check(9, root(23), 23, root(23), &proof),
        Err(ProofError::Root)
    );
    assert_eq!(
        check(9, root(9), 23, root(9), &proof),
        Err(ProofError::Root)
    );
    assert!(check(10, root(10), 23, root(23), &proof).is_err());
    assert!(check(9, root(9), 22, root(22), &proof).is_err());
    assert!(check(9, root(9), 23, root(23), &proof[1..]).is_err());
    assert!(check(9, root(9), 23, root(23), &[]).is_err());
    let longer = [proof.as_slice(), &[root(1)]].concat();
    assert!(check(9, root(9), 23, root(23), &longer).is_err());
    assert!(check(1 << 63, root(9), u64::MAX, root(23), &proof).is_err());
}

#[test]
fn every_proof_of_small_trees_is_the_one_of_the_rfc() {
    for size in 1..=33_u64 {
        let all = leaves(size);
        let tree = tree(size);
        let root = plain_root(&all);
        assert_eq!(tree.root(size), Some(root));
        for (index, leaf) in (0..size).zip(&all) {
            let proof = tree.inclusion(index, size).unwrap();
            assert_eq!(proof, plain_path(usize::try_from(index).unwrap(), &all));
            assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
        }
        for old in 1..=size {
            let length = usize::try_from(old).unwrap();
            let proof = tree.consistency(old, size).unwrap();
            assert_eq!(proof, plain_consistency(length, &all, true));
            let old_root = plain_root(&all[..length]);
            assert_eq!(
                verify_consistency(old, &old_root, size, &root, &proof),
                Ok(())
            );
        }
    }
}

#[test]
fn a_tree_makes_no_proof_of_what_it_does_not_hold() {
    let tree = tree(5);
    assert_eq!(tree.inclusion(5, 5), None);
    assert_eq!(tree.inclusion(0, 6), None);
    assert_eq!(tree.consistency(4, 3), None);
    assert_eq!(tree.consistency(4, 6), None);
    assert_eq!(tree.root(6), None);
}

proptest! {
    #[test]
    fn frontier_and_tree_agree_and_a_stored_frontier_goes_on(size in 0_u64..300, more in 0_u64..50) {
        let all = leaves(size + more);
        let mut frontier = Frontier::new();
        frontier.extend(all[..usize::try_from(size).unwrap()].iter().copied());
        let bytes = frontier.encode();
        let (mut read, rest) = Frontier::decode(&bytes).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(&read, &frontier);
        read.extend(all[usize::try_from(size).unwrap()..].iter().copied());
        prop_assert_eq!(read.root(), plain_root(&all));
        prop_assert!(Frontier::decode(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn arbitrary_proofs_never_panic(
        index in any::<u64>(),
        size in any::<u64>(),
        proof in proptest::collection::vec(any::<Hash>(), 0..70),
        root in any::<Hash>(),
    ) {
        prop_assert!(verify_inclusion(&root, index, size, &proof, &[0; 32]).is_err());
        let _ = verify_consistency(index, &root, size, &root, &proof);
        let _ = Frontier::decode(proof.as_flattened());
    }

    #[test]
    fn larger_trees_prove_themselves(size in 2_u64..2000, old in 1_u64..2000, index in 0_u64..2000) {
        let (old, index) = (1 + old % size, index % size);
        let tree = tree(size);
        let root = tree.root(size).unwrap();
        let path = tree.inclusion(index, size).unwrap();
        let leaf = tree.leaf(index).unwrap();
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &path, &root), Ok(()));
        let proof = tree.consistency(old, size).unwrap();
        let old_root = tree.root(old).unwrap();
        prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
    }
}
