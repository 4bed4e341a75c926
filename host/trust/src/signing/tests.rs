//! What the signer signs, and what it refuses to sign twice.

use super::*;
use crate::{
    key::{KeySet, PublicKey},
    tree::{Hash, Tree, hash_leaf},
};

const ORIGIN: &str = "aim.test/laptop/1";

fn core() -> KeysSigningCore {
    KeysSigningCore::new(
        SecretKey::from_bytes(KeyRole::Step, &[1; 32]),
        SecretKey::from_bytes(KeyRole::Log, &[2; 32]),
    )
    .unwrap()
}

fn leaves(range: core::ops::Range<u64>) -> Vec<[u8; 32]> {
    range.map(|at| hash_leaf(&at.to_le_bytes())).collect()
}

fn request(range: core::ops::Range<u64>) -> CheckpointRequest {
    CheckpointRequest {
        origin: ORIGIN.into(),
        first_index: range.start,
        leaf_hashes: leaves(range),
    }
}

fn ask(
    state: Option<&[u8]>,
    range: core::ops::Range<u64>,
) -> Result<(Vec<u8>, Vec<u8>), PortError> {
    core().sign_checkpoint(state, &request(range))
}

fn signed(state: &[u8]) -> Result<(u64, Hash), PortError> {
    let tree = core().signed_tree(ORIGIN, state)?;
    Ok((tree.size, tree.root))
}

fn keys() -> KeySet {
    KeySet::of(&core().public_keys()).unwrap()
}

#[test]
fn a_statement_is_signed_as_a_statement_and_as_nothing_else() {
    let signature = core().sign_statements(&[b"{}"]).unwrap()[0];
    let key = PublicKey::from_bytes(KeyRole::Step, &core().public_keys().step).unwrap();
    assert_eq!(key.verify(&pae(PAYLOAD_TYPE, b"{}"), &signature), Ok(()));
    assert!(key.verify(b"{}", &signature).is_err());
    assert!(key.verify(&pae("text/plain", b"{}"), &signature).is_err());
}

#[test]
fn checkpoints_follow_the_tree_leaf_by_leaf() {
    let mut tree = Tree::new();
    tree.extend(leaves(0..40));
    let mut state = None;
    for (from, to) in [(0, 3), (3, 3), (3, 4), (4, 17), (17, 40)] {
        let (note, next) = ask(state.as_deref(), from..to).unwrap();
        let checkpoint = Checkpoint::verify(&note, &keys()).unwrap();
        assert_eq!(checkpoint.origin, ORIGIN);
        assert_eq!(
            (checkpoint.size, Some(checkpoint.root)),
            (to, tree.root(to))
        );
        assert_eq!(signed(&next), Ok((to, tree.root(to).unwrap())));
        state = Some(next);
    }
}

#[test]
fn the_same_request_again_gives_the_same_checkpoint() {
    let (_, first) = ask(None, 0..3).unwrap();
    let (note, second) = ask(Some(&first), 3..9).unwrap();
    for range in [3..9, 0..9, 9..9] {
        let (again, state) = ask(Some(&second), range).unwrap();
        assert_eq!((&again, &state), (&note, &second));
    }
    let (_, grown) = ask(Some(&second), 3..12).unwrap();
    assert_eq!(signed(&grown).unwrap().0, 12);
}

// Negative control: with `is_continued` set to true this test fails.
#[test]
fn w8_never_signs_two_roots_for_one_size() {
    let (_, first) = ask(None, 0..3).unwrap();
    let (_, second) = ask(Some(&first), 3..9).unwrap();
    for (start, count) in [(3, 6), (0, 9), (3, 7), (0, 12)] {
        let mut other = request(start..start + count);
        other.leaf_hashes[1] = [9; 32];
        let error = core().sign_checkpoint(Some(&second), &other).unwrap_err();
        assert_eq!(error.fault, PortFault::Corrupt);
    }
}

/// Negative control: with `is_continued` ignored, this fails.
#[test]
fn refuses_gaps_cuts_and_overlaps_it_can_not_compare() {
    let (_, first) = ask(None, 0..3).unwrap();
    let (_, second) = ask(Some(&first), 3..9).unwrap();
    for range in [10..12, 0..2, 3..5, 5..9, 1..12] {
        let error = ask(Some(&second), range).unwrap_err();
        assert_eq!(error.fault, PortFault::Corrupt);
    }
    assert!(ask(None, 1..2).is_err());
}

#[test]
fn refuses_the_state_of_another_log_and_a_damaged_one() {
    let (_, state) = ask(None, 0..5).unwrap();
    let mut other = request(5..6);
    other.origin = "aim.test/other/1".into();
    assert!(core().sign_checkpoint(Some(&state), &other).is_err());
    for at in 0..state.len() {
        let mut bad = state.clone();
        bad[at] ^= 1;
        // The frontier from before the last request is not under the root, so only its size is checked.
        let is_before = (6 + ORIGIN.len()..14 + ORIGIN.len()).contains(&at);
        assert!(is_before || ask(Some(&bad), 5..6).is_err(), "byte {at}");
    }
    assert!(signed(&state[1..]).is_err());
    assert!(signed(&[]).is_err());
}

// Negative control: with the origin inside of the state not compared, the tree of one log is told as another's (seen).
#[test]
fn the_memory_of_one_log_says_nothing_about_another() {
    let (_, state) = ask(None, 0..5).unwrap();
    assert_eq!(signed(&state).unwrap().0, 5);
    let other = core().signed_tree("aim.test/other/1", &state).unwrap_err();
    assert_eq!(other.fault, PortFault::Corrupt);
}

#[test]
fn refuses_origins_that_can_not_stand_in_a_note() {
    for origin in ["", "two words", "a+b", "line\nfeed", &"x".repeat(201)] {
        let mut bad = request(0..1);
        bad.origin = origin.into();
        assert!(core().sign_checkpoint(None, &bad).is_err(), "{origin}");
    }
}

#[test]
fn one_key_can_not_serve_both_roles() {
    let step = || SecretKey::from_bytes(KeyRole::Step, &[1; 32]);
    let log = |byte| SecretKey::from_bytes(KeyRole::Log, &[byte; 32]);
    assert!(KeysSigningCore::new(step(), log(1)).is_err());
    assert!(KeysSigningCore::new(step(), step()).is_err());
    assert!(KeysSigningCore::new(step(), log(2)).is_ok());
}
