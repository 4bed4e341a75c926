//! Logs that are read by their own signer, who remembers a root: what that stands for, and what it does not.

use aim_core::{
    frame::{ChainPosition, FrameKind, scan},
    leaf::SigningMode,
};
use aim_ports::signer::SignedTree;
use aim_trust::{
    tree::Tree,
    verify::{LogVerifier, Report, VerifyOptions},
};

use crate::logs::{Log, Loose, ORIGIN, Signer, build, intent, put_together, take_apart};

const ENTRIES: u64 = 40;

fn log(mode: SigningMode) -> Log {
    build(ORIGIN, mode, ENTRIES, Signer::new(1))
}

/// The first `size` leaves, as the signer remembers them.
fn remembered(tree: &Tree, size: u64) -> SignedTree {
    SignedTree {
        size,
        root: tree.root(size).unwrap(),
    }
}

/// Reads a log as its own host does, without a checkpoint beside it: whoever changes the log takes that away.
fn read(bytes: &[u8], signer: &Signer, known: Option<SignedTree>) -> Report {
    let keys = signer.keys();
    let mut verifier = LogVerifier::new(&VerifyOptions {
        keys: Some(&keys),
        ..VerifyOptions::default()
    });
    if let Some(tree) = known {
        verifier = verifier.knowing(tree);
    }
    for block in scan(bytes, ChainPosition::START) {
        verifier.block(&block.unwrap());
    }
    verifier.end()
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.faults.iter().map(|fault| fault.code()).collect()
}

/// The log without its intents, so that no attempt has effects to be held against its witness.
fn without_intents(log: &Log) -> Vec<Vec<Loose>> {
    let mut blocks = take_apart(&log.bytes);
    for frames in &mut blocks {
        frames.retain(|frame| !matches!(frame, Loose::Note(FrameKind::Intent, _)));
        frames.retain(|frame| !matches!(frame, Loose::Note(FrameKind::Checkpoint, _)));
    }
    blocks
}

/// Changes the witness with this number.
fn change(blocks: &mut [Vec<Loose>], number: usize, act: impl FnOnce(&mut Loose)) {
    let mut witnesses = blocks
        .iter_mut()
        .flatten()
        .filter(|frame| matches!(frame, Loose::Witness(..)));
    act(witnesses.nth(number).unwrap());
}

#[test]
fn a_log_that_leads_to_the_remembered_root_is_believed_wherever_that_ends() {
    for mode in [SigningMode::Each, SigningMode::Batch] {
        let log = log(mode);
        for size in 1..=ENTRIES {
            let report = read(&log.bytes, &log.signer, Some(remembered(&log.tree, size)));
            assert_eq!(codes(&report), [""; 0], "{mode:?} {size}");
            assert!(report.leaves_covered >= size, "{mode:?} {size}");
            let is_whole = mode == SigningMode::Each || size == ENTRIES;
            assert!(report.authenticated || !is_whole, "{mode:?} {size}");
        }
    }
}

// Negative control: with every leaf taken for known in `judge`, the bad signature behind the remembered root is believed (seen).
#[test]
fn under_the_remembered_root_no_signature_is_asked_for_and_behind_it_every_one_is() {
    let log = log(SigningMode::Each);
    for (number, is_found) in [(10, false), (19, false), (20, true), (39, true)] {
        let mut blocks = without_intents(&log);
        change(&mut blocks, number, |witness| {
            if let Loose::Witness(leaf, _) = witness {
                leaf.signature = [7; 64];
            }
        });
        let (bytes, tree) = put_together(&blocks);
        let alone = read(&bytes, &log.signer, None);
        assert_eq!(codes(&alone), ["AIM-E005"], "{number}");
        let known = read(&bytes, &log.signer, Some(remembered(&tree, 20)));
        let expected: &[&str] = if is_found { &["AIM-E005"] } else { &[] };
        assert_eq!(codes(&known), expected, "{number}");
        assert_eq!(known.authenticated, !is_found, "{number}");
    }
}

// Negative control: with the remembered root not expected of the tree, these are believed (seen). Without memory
// the first three are: their signatures are genuine, and what is not signed is not covered.
#[test]
fn what_was_changed_under_the_remembered_root_is_found_though_every_signature_is_genuine() {
    let log = log(SigningMode::Each);
    type Change = fn(&mut Vec<Vec<Loose>>);
    let swap: Change = |blocks| blocks.swap(3, 5);
    let drop_one: Change = |blocks| {
        blocks.remove(3);
    };
    let told_otherwise: Change = |blocks| blocks[3].push(Loose::Note(FrameKind::Intent, intent(9)));
    let again: Change = |blocks| {
        let copy = blocks[3].clone();
        blocks.insert(4, copy);
    };
    let cases = [
        ("two blocks swapped", swap, true),
        ("a block left out", drop_one, true),
        ("an intent that nobody had", told_otherwise, true),
        ("a block told twice", again, true),
    ];
    for (what, act, is_believed_alone) in cases {
        let mut blocks = without_intents(&log);
        let known = remembered(&put_together(&blocks).1, 30);
        act(&mut blocks);
        let (bytes, _) = put_together(&blocks);
        let alone = read(&bytes, &log.signer, None);
        assert_eq!(alone.authenticated, is_believed_alone, "{what}");
        let report = read(&bytes, &log.signer, Some(known));
        assert_eq!(codes(&report), ["AIM-E009"], "{what}");
        assert!(!report.authenticated, "{what}");
    }
}

// Negative control: with the digest not compared in `judge_known`, the statements of the last known block are believed whatever
// they say (seen).
#[test]
fn every_statement_is_bound_by_the_remembered_root_up_to_its_last_leaf() {
    let log = log(SigningMode::Each);
    let blocks = without_intents(&log);
    let (_, tree) = put_together(&blocks);
    for size in [1, 7, 20, 21, 22, 23, 24, ENTRIES] {
        for number in 0..size {
            let mut changed = blocks.clone();
            change(&mut changed, usize::try_from(number).unwrap(), |witness| {
                if let Loose::Witness(_, statement) = witness {
                    statement.push(b' ');
                }
            });
            let (bytes, _) = put_together(&changed);
            let report = read(&bytes, &log.signer, Some(remembered(&tree, size)));
            let first = codes(&report).first().copied();
            let is_found = matches!(first, Some("AIM-E004" | "AIM-E009"));
            assert!(is_found, "{size} {number}: {first:?}");
        }
    }
}

#[test]
fn memory_of_more_leaves_or_of_another_log_is_a_fault() {
    let log = log(SigningMode::Each);
    let longer = SignedTree {
        size: ENTRIES + 1,
        root: [7; 32],
    };
    let report = read(&log.bytes, &log.signer, Some(longer));
    assert_eq!(codes(&report), ["AIM-E002"]);
    for size in [1, 20, ENTRIES] {
        let other = SignedTree {
            size,
            root: [7; 32],
        };
        let report = read(&log.bytes, &log.signer, Some(other));
        assert_eq!(codes(&report), ["AIM-E009"], "{size}");
        assert!(!report.authenticated, "{size}");
    }
}
