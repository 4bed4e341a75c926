//! Logs that somebody changed.

use std::ops::Range;

use aim_core::{
    digest::Digest,
    frame::{ChainPosition, FrameKind, scan},
    leaf::{LeafKind, SigningMode},
};
use aim_ports::signer::SigningCore as _;
use aim_trust::{
    checkpoint::Checkpoint,
    dsse::statement_digest,
    key::KeySet,
    tree::{Tree, hash_records},
    verify::{Anchored, KeySource, Place, Report, SliceLog, VerifyOptions, verify_log},
};

use crate::logs::{
    Log, Loose, ORIGIN, Signer, build, intent, payload_of, put_together, statement, take_apart,
    verify_with,
};

const ENTRIES: u64 = 100;

fn each() -> Log {
    build(ORIGIN, SigningMode::Each, ENTRIES, Signer::new(1))
}

fn batch() -> Log {
    build(ORIGIN, SigningMode::Batch, ENTRIES, Signer::new(1))
}

fn first_code(report: &Report) -> &'static str {
    report.faults.first().map_or("none", |fault| fault.code())
}

fn first_place(report: &Report) -> Place {
    report.faults[0].place
}

/// Where each frame's bytes are: read from the layout that docs/formats/log.md lays down, not with the reader under test.
fn places(bytes: &[u8]) -> Vec<(u64, Range<usize>)> {
    let number = |at: usize, width: usize| {
        let mut padded = [0; 8];
        padded[..width].copy_from_slice(&bytes[at..at + width]);
        usize::try_from(u64::from_le_bytes(padded)).unwrap()
    };
    let mut places = Vec::new();
    let (mut at, mut sequence) = (0, 0);
    while at < bytes.len() {
        let (records, frames, blobs) = (number(at + 8, 4), number(at + 12, 4), number(at + 16, 8));
        places.push((sequence, at..at + 68));
        let mut frame = at + 68;
        let mut blob = frame + records;
        let end = blob + blobs;
        for number_in_block in 0..frames {
            let sequence = sequence + number_in_block as u64;
            let length = number(frame + 1, 4);
            places.push((sequence, frame..frame + 9 + length));
            if bytes[frame] == FrameKind::Blob.byte() {
                let payload = number(frame + 9 + 32, 8);
                places.push((sequence, blob..blob + 1 + payload));
                blob += 1 + payload;
            }
            frame += 9 + length;
        }
        places.push((sequence, end..end + 32));
        sequence += frames as u64;
        at = end + 32;
    }
    places
}

fn check_flips(log: &Log, bits: &dyn Fn(usize) -> Vec<u8>) {
    let mut bytes = log.bytes.clone();
    let mut count = 0;
    for (sequence, range) in places(&log.bytes) {
        for at in range {
            for bit in bits(at) {
                bytes[at] ^= 1 << bit;
                let fault = scan(&bytes, ChainPosition::START).find_map(Result::err);
                let found = fault.map(|fault| fault.sequence);
                assert_eq!(found, Some(sequence), "byte {at} bit {bit}");
                bytes[at] ^= 1 << bit;
                count += 1;
            }
        }
    }
    assert!(count >= log.bytes.len());
    assert_eq!(bytes, log.bytes);
}

// The negative controls of hash and marks are with the codec's own tests in `aim_core::frame`.
#[test]
fn w1_every_flipped_byte_is_found_at_its_record() {
    let all_bits = std::env::var_os("AIM_SOAK").is_some();
    check_flips(&each(), &|at| {
        if all_bits {
            (0..8).collect()
        } else {
            vec![(at % 8).try_into().unwrap()]
        }
    });
}

/// Negative control: with no comparison of a frame's mark, this fails.
#[test]
fn w1_the_verifier_names_the_same_record() {
    let log = batch();
    let mut bytes = log.bytes.clone();
    for (sequence, range) in places(&log.bytes) {
        let at = range.start + range.len() / 2;
        bytes[at] ^= 4;
        let report = log.verify(&bytes);
        assert_eq!(first_place(&report), Place::Frame(sequence), "byte {at}");
        assert!(!report.authenticated);
        bytes[at] ^= 4;
    }
}

// Negative control: with `statement_digest` not compared in `Judge::judge`, statements changed in batch mode pass until the
// root is compared, and this test fails by the place.
#[test]
fn w1_a_changed_statement_is_found_when_every_hash_was_made_right_again() {
    for log in [each(), batch()] {
        let good = take_apart(&log.bytes);
        for (block, frames) in good.iter().enumerate().step_by(7) {
            for (at, frame) in frames.iter().enumerate() {
                let Loose::Witness(leaf, statement) = frame else {
                    continue;
                };
                let mut bad = good.clone();
                let mut changed = statement.clone();
                changed[90] ^= 1;
                bad[block][at] = Loose::Witness(*leaf, changed);
                let report = log.verify(&put_together(&bad).0);
                assert_eq!(first_code(&report), "AIM-E004");
                assert_eq!(first_place(&report), Place::Leaf(leaf.index));
            }
        }
    }
}

/// Negative control: with no verification of the signature, this fails.
#[test]
fn w1_a_changed_leaf_is_found_when_every_hash_was_made_right_again() {
    let log = each();
    let mut bad = take_apart(&log.bytes);
    let mut wanted = None;
    for frame in bad.iter_mut().flatten() {
        if let Loose::Witness(leaf, _) = frame
            && leaf.index == 42
        {
            leaf.signature[5] ^= 1;
            wanted = Some(leaf.index);
        }
    }
    let report = log.verify(&put_together(&bad).0);
    assert_eq!(first_code(&report), "AIM-E005");
    assert_eq!(first_place(&report).index(), wanted);
}

#[test]
fn an_untouched_log_is_authenticated_and_says_what_is_proven() {
    for log in [each(), batch()] {
        let report = log.verify(&log.bytes);
        assert_eq!(report.faults, []);
        assert!(report.authenticated);
        assert_eq!(
            (report.witnesses, report.leaves_covered),
            (ENTRIES, ENTRIES)
        );
        assert_eq!(Some(report.root), log.tree.root(ENTRIES));
        assert_eq!(report.origin.as_deref(), Some(ORIGIN));
        assert_eq!(report.anchored, Anchored::Checkpoint);
        assert_eq!(report.isolation, ["landlock"]);
        assert!(report.checkpoints > 5);
        let payloads = report.payloads;
        assert_eq!(
            (payloads.present, payloads.redacted, payloads.missing),
            (ENTRIES, 0, 0)
        );
    }
}

#[test]
fn a_tree_made_from_the_blocks_is_the_one_that_was_signed() {
    let log = each();
    let mut tree = Tree::new();
    for block in scan(&log.bytes, ChainPosition::START) {
        tree.extend(hash_records(&block.unwrap()));
    }
    let signed = Checkpoint::parse_unchecked(log.checkpoint.as_bytes()).unwrap();
    assert_eq!(
        (tree.size(), tree.root(ENTRIES)),
        (signed.size, Some(signed.root))
    );
}

/// Negative control: with keys of the data taken for keys from outside, this fails.
#[test]
fn without_keys_from_outside_a_log_is_consistent_and_not_authenticated() {
    let log = each();
    let report = verify_with(&log.bytes, None, Some(&log.checkpoint));
    assert!(report.is_consistent() && !report.authenticated);
    assert_eq!(report.keys.unwrap().source, KeySource::Data);
}

/// Negative control: with no look at what the checkpoint covers, this fails.
#[test]
fn batch_leaves_that_no_checkpoint_covers_are_not_authenticated() {
    let log = batch();
    let keys = log.signer.keys();
    let report = verify_with(&log.bytes, Some(&keys), None);
    assert!(report.is_consistent());
    assert!(report.leaves_covered < ENTRIES);
    assert!(!report.authenticated);
    let report = verify_with(&each().bytes, Some(&keys), None);
    assert!(report.authenticated);
    assert_eq!(report.anchored, Anchored::None);
}

fn witnesses(blocks: &[Vec<Loose>]) -> Vec<(usize, usize)> {
    let is_witness = |frame: &Loose| matches!(frame, Loose::Witness(..));
    blocks
        .iter()
        .enumerate()
        .flat_map(|(block, frames)| {
            let places = frames.iter().enumerate();
            places
                .filter(move |(_, frame)| is_witness(frame))
                .map(move |(at, _)| (block, at))
        })
        .collect()
}

// Every case makes all sequences, indices, marks and hashes right again: only what is signed can tell.
// Negative control: with no comparison of roots, this fails.
#[test]
fn w2_entries_deleted_inserted_swapped_or_repeated_are_found() {
    for log in [each(), batch()] {
        let good = take_apart(&log.bytes);
        let all = witnesses(&good);
        let (one, other) = (all[30], all[31]);
        let mut deleted = good.clone();
        deleted[one.0].remove(one.1);
        let mut repeated = good.clone();
        let twin = repeated[one.0][one.1].clone();
        repeated[one.0].insert(one.1, twin);
        let mut swapped = good.clone();
        let (first, second) = (good[one.0][one.1].clone(), good[other.0][other.1].clone());
        swapped[one.0][one.1] = second;
        swapped[other.0][other.1] = first;
        for bad in [deleted, repeated, swapped] {
            let (bytes, tree) = put_together(&bad);
            let report = log.verify(&bytes);
            assert!(!report.authenticated);
            assert_eq!(first_code(&report), "AIM-E009");
            let index = first_place(&report).index().unwrap();
            assert!(index <= 30 && index + 15 > 30, "named {index}");
            assert_ne!(tree.root(30), None);
        }
    }
}

/// Negative control: with no comparison of roots, this fails.
#[test]
fn w2_records_without_a_leaf_can_not_be_taken_out_either() {
    let log = each();
    let mut bad = take_apart(&log.bytes);
    let is_intent = |frame: &Loose| matches!(frame, Loose::Note(FrameKind::Intent, _));
    let place = bad[10].iter().position(is_intent).unwrap();
    bad[10].remove(place);
    let report = log.verify(&put_together(&bad).0);
    assert_eq!(first_code(&report), "AIM-E009");
    let mut changed = take_apart(&log.bytes);
    changed[10][place] = Loose::Note(FrameKind::Intent, intent(9_999));
    assert_eq!(
        first_code(&log.verify(&put_together(&changed).0)),
        "AIM-E009"
    );
}

/// Negative control: with no look for a checkpoint that is ahead, this fails.
#[test]
fn w3_a_cut_tail_is_found_against_the_checkpoint_and_against_an_anchor() {
    let log = each();
    let blocks = take_apart(&log.bytes);
    let whole_blocks = put_together(&blocks[..blocks.len() - 3]).0;
    let mut one_less = blocks.clone();
    let last = *witnesses(&one_less).last().unwrap();
    one_less[last.0].truncate(last.1);
    let one_entry = put_together(&one_less).0;
    let one_byte = log.bytes[..log.bytes.len() - 1].to_vec();
    let keys = log.signer.keys();
    for bytes in [whole_blocks, one_entry, one_byte] {
        let note = log.checkpoint.as_bytes();
        let published = VerifyOptions {
            keys: Some(&keys),
            checkpoint: Some(note),
            ..VerifyOptions::default()
        };
        let anchored = VerifyOptions {
            checkpoint: None,
            anchor: Some(note),
            ..published
        };
        for options in [published, anchored] {
            let report = verify_log(&SliceLog(&bytes), &options).unwrap();
            assert_eq!(first_code(&report), "AIM-E002");
            assert!(!report.authenticated);
            // A log in use may end in a block that is being written, but not before its checkpoint.
            let live = VerifyOptions {
                is_live: true,
                ..options
            };
            let report = verify_log(&SliceLog(&bytes), &live).unwrap();
            assert_eq!(first_code(&report), "AIM-E002");
            assert_eq!(first_place(&report), Place::Leaf(report.size));
        }
    }
}

/// Negative control: with an unfinished block a fault like any other, this fails.
#[test]
fn a_log_in_use_may_end_in_an_unfinished_block() {
    let log = each();
    let keys = log.signer.keys();
    let options = VerifyOptions {
        keys: Some(&keys),
        is_live: true,
        ..VerifyOptions::default()
    };
    let cut = &log.bytes[..log.bytes.len() - 1];
    let report = verify_log(&SliceLog(cut), &options).unwrap();
    assert!(report.is_consistent());
    assert_eq!(report.unfinished_tail_at, Some(report.log_bytes));
}

/// Negative control: with an empty log let pass, this fails.
#[test]
fn w4_an_empty_log_is_never_taken_for_a_good_one() {
    let log = each();
    let report = log.verify(&[]);
    assert_eq!(first_code(&report), "AIM-E012");
    assert!(!report.authenticated);
}

/// Negative control: with no look for a checkpoint that is ahead, this fails.
#[test]
fn w6_an_older_copy_is_found_against_an_anchor() {
    let log = each();
    let old = build(ORIGIN, SigningMode::Each, 40, Signer::new(1));
    let keys = log.signer.keys();
    let options = VerifyOptions {
        keys: Some(&keys),
        checkpoint: Some(old.checkpoint.as_bytes()),
        anchor: Some(log.checkpoint.as_bytes()),
        is_live: false,
    };
    let report = verify_log(&SliceLog(&old.bytes), &options).unwrap();
    assert_eq!(first_code(&report), "AIM-E002");
    assert_eq!(first_place(&report), Place::Leaf(40));
    let grown = VerifyOptions {
        checkpoint: None,
        anchor: Some(old.checkpoint.as_bytes()),
        ..options
    };
    let report = verify_log(&SliceLog(&log.bytes), &grown).unwrap();
    assert!(report.authenticated);
    assert_eq!(report.anchored, Anchored::External);
}

/// Negative control: with no verification of the signature, this fails.
#[test]
fn w12_a_log_signed_again_with_another_key_is_found() {
    let thief = build(ORIGIN, SigningMode::Each, 20, Signer::new(50));
    let keys = Signer::new(1).keys();
    let report = verify_with(&thief.bytes, Some(&keys), None);
    assert_eq!(first_code(&report), "AIM-E006");
    assert!(!report.authenticated);
    assert!(
        report
            .faults
            .iter()
            .any(|fault| fault.place == Place::Leaf(0))
    );
    // The thief keeps genesis and key names and changes nothing but the signatures.
    let honest = build(ORIGIN, SigningMode::Each, 20, Signer::new(1));
    let mut bad = take_apart(&honest.bytes);
    for frame in bad.iter_mut().flatten() {
        if let Loose::Witness(leaf, statement) = frame {
            let signed = thief.signer.core.sign_statements(&[statement]).unwrap();
            leaf.signature = signed[0];
        }
    }
    let report = honest.verify(&put_together(&bad).0);
    assert_eq!(first_code(&report), "AIM-E005");
    assert_eq!(first_place(&report), Place::Leaf(0));
}

// Negative control: without the comparison of the predicate type in `judge_content`, only the root tells, and this fails.
#[test]
fn w13_a_statement_lifted_into_another_kind_is_found() {
    let log = build(ORIGIN, SigningMode::Each, 5, Signer::new(1));
    let mut bad = take_apart(&log.bytes);
    for frame in bad.iter_mut().flatten() {
        if let Loose::Witness(leaf, _) = frame
            && leaf.index == 3
        {
            leaf.kind = LeafKind::Gate;
        }
    }
    let report = log.verify(&put_together(&bad).0);
    assert_eq!(first_code(&report), "AIM-E007");
    assert_eq!(first_place(&report), Place::Leaf(3));
}

// Negative control: without the comparison of the origin in `judge_content` this test fails.
#[test]
fn w14_evidence_of_one_log_presented_in_another_is_found() {
    let ours = build(ORIGIN, SigningMode::Each, 5, Signer::new(1));
    let theirs = build("aim.test/other/1", SigningMode::Each, 5, Signer::new(1));
    let mut bad = take_apart(&ours.bytes);
    let foreign = take_apart(&theirs.bytes);
    let (block, at) = witnesses(&bad)[2];
    bad[block][at] = foreign[block][at].clone();
    let report = ours.verify(&put_together(&bad).0);
    assert_eq!(first_code(&report), "AIM-E008");
    assert_eq!(first_place(&report), Place::Leaf(2));
    let report = verify_with(&ours.bytes, None, Some(&theirs.checkpoint));
    assert_eq!(first_code(&report), "AIM-E008");
    assert_eq!(first_place(&report), Place::Checkpoint);
}

/// Negative control: with no look at payloads in `check_frame`, this fails.
#[test]
fn w27_an_erased_payload_leaves_the_log_authenticated() {
    let log = each();
    let mut bytes = log.bytes.clone();
    let wanted = payload_of(7);
    let at = bytes
        .windows(wanted.len())
        .position(|part| part == wanted)
        .unwrap();
    bytes[at..at + wanted.len()].fill(0);
    assert_eq!(first_code(&log.verify(&bytes)), "AIM-E011");
    bytes[at - 1] = aim_core::frame::BLOB_REDACTED;
    let report = log.verify(&bytes);
    assert!(report.authenticated);
    assert_eq!(
        (report.payloads.present, report.payloads.redacted),
        (ENTRIES - 1, 1)
    );
}

/// Negative control: with no comparison of the predicate type, or with no comparison of the origin, this fails.
#[test]
fn a_statement_that_is_no_statement_is_found() {
    let log = build(ORIGIN, SigningMode::Batch, 3, Signer::new(1));
    let other_type = String::from_utf8(statement(ORIGIN, LeafKind::Attempt, 1)).unwrap();
    let other_type = other_type.replace("in-toto.io/Statement/v1", "in-toto.io/Statement/v2");
    for (bytes, code) in [
        (b"not json".to_vec(), "AIM-E015"),
        (other_type.into_bytes(), "AIM-E015"),
        (b"{}".to_vec(), "AIM-E015"),
        (statement("elsewhere", LeafKind::Attempt, 1), "AIM-E008"),
        (statement(ORIGIN, LeafKind::Plan, 1), "AIM-E007"),
    ] {
        let mut bad = take_apart(&log.bytes);
        let (block, at) = witnesses(&bad)[1];
        if let Loose::Witness(leaf, _) = bad[block][at].clone() {
            let leaf = aim_core::leaf::Leaf {
                statement: statement_digest(&bytes),
                ..leaf
            };
            bad[block][at] = Loose::Witness(leaf, bytes);
        }
        let report = log.verify(&put_together(&bad).0);
        assert_eq!(first_code(&report), code);
        assert_eq!(first_place(&report), Place::Leaf(1));
    }
}

/// Negative control: with no comparison of roots, this fails.
#[test]
fn a_forged_or_foreign_checkpoint_is_found() {
    let log = each();
    let thief = Signer::new(50);
    let forged = Checkpoint {
        origin: ORIGIN.into(),
        size: ENTRIES,
        root: [7; 32],
    };
    let by_thief = forged.sign(&thief.log_key()).unwrap();
    let by_us = forged.sign(&log.signer.log_key()).unwrap();
    let keys: KeySet = log.signer.keys();
    let check = |note: &str, code: &str| {
        let report = verify_with(&log.bytes, Some(&keys), Some(note));
        assert_eq!(first_code(&report), code);
    };
    check(&by_thief, "AIM-E006");
    check(&by_us, "AIM-E009");
    check("no note", "AIM-E010");
    check(&log.checkpoint.replace("100", "101"), "AIM-E010");
}

/// Negative control: with missing payloads not counted, this fails.
#[test]
fn a_payload_that_is_nowhere_is_reported_as_missing() {
    let log = each();
    let mut blocks = take_apart(&log.bytes);
    let wanted = Digest::of(&payload_of(9));
    for frames in &mut blocks {
        frames.retain(|frame| !matches!(frame, Loose::Blob(digest, _) if *digest == wanted));
    }
    let report = verify_with(&put_together(&blocks).0, None, None);
    assert_eq!(report.payloads.missing, 1);
}
