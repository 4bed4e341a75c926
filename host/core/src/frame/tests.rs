//! The block codec against arbitrary bytes, every flip, every cut.

use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{
    digest::{Digest, Sha256},
    leaf::{KeyId, LEAF_BYTES, Leaf, LeafKind, SigningMode},
};

fn leaf(index: u64) -> [u8; LEAF_BYTES] {
    Leaf {
        kind: LeafKind::Attempt,
        mode: SigningMode::Batch,
        index,
        statement: Sha256::of(&index.to_le_bytes()),
        key: KeyId::from_bytes([3; 8]),
        signature: [0; 64],
    }
    .encode()
}

/// A log of `blocks` blocks: genesis, then in each block a start, a witness and a payload.
fn log(blocks: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = ChainPosition::START;
    for number in 0..blocks {
        let payload = vec![u8::try_from(number).unwrap_or(1) | 1; 40];
        let mut block = BlockBuilder::default();
        if number == 0 {
            block.push(FrameKind::Genesis, b"{}").unwrap();
        }
        block.push(FrameKind::ExecutionStart, b"start").unwrap();
        block.push_witness(&leaf(number), b"statement").unwrap();
        block.push_blob(Digest::of(&payload), &payload).unwrap();
        let block = block.finish(at.previous, at.next_sequence);
        at.offset += block.bytes.len() as u64;
        at.next_sequence += u64::from(block.frame_count);
        at.previous = block.hash;
        bytes.extend_from_slice(&block.bytes);
    }
    bytes
}

fn first_fault(bytes: &[u8]) -> Option<FrameFault> {
    scan(bytes, ChainPosition::START).find_map(Result::err)
}

fn length_of(blocks: u64) -> usize {
    log(blocks).len()
}

#[test]
fn what_was_written_is_what_is_read() {
    let bytes = log(3);
    let blocks: Vec<_> = scan(&bytes, ChainPosition::START)
        .collect::<Result<_, _>>()
        .unwrap();
    let frames: Vec<_> = blocks.iter().flat_map(Block::frames).collect();
    assert_eq!(frames.len(), 10);
    assert!(
        frames
            .iter()
            .zip(0_u64..)
            .all(|(frame, at)| frame.sequence == at)
    );
    assert!(matches!(frames[0].body, FrameBody::Genesis(b"{}")));
    let FrameBody::Witness(witness) = frames[5].body else {
        panic!("frame 5 is {:?}", frames[5]);
    };
    assert_eq!(
        (witness.leaf.index, witness.statement),
        (1, b"statement".as_slice())
    );
    assert_eq!(witness.leaf_bytes, leaf(1));
    let FrameBody::Blob(blob) = frames[9].body else {
        panic!("frame 9 is {:?}", frames[9]);
    };
    assert_eq!(
        (blob.state, blob.bytes),
        (BlobState::Present, [3_u8; 40].as_slice())
    );
    let at = usize::try_from(blob.offset).unwrap();
    assert_eq!(bytes[at..at + 40], [3; 40]);
}

// Negative control: with the hash comparison taken out of `Block::read` this test fails.
#[test]
fn every_flipped_bit_is_found_in_the_block_that_holds_it() {
    let good = log(3);
    let borders = [0, length_of(1), length_of(2), good.len()];
    let sequences = [0, 4, 7, 10];
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let fault = first_fault(&bad).expect("a flip must be found");
            let block = borders.iter().filter(|border| **border <= at).count() - 1;
            assert_eq!(fault.offset, borders[block] as u64, "byte {at} bit {bit}");
            assert!((sequences[block]..sequences[block + 1]).contains(&fault.sequence));
        }
    }
}

// Negative control: with `frame_mark` made to ignore the body this test fails.
#[test]
fn a_flip_inside_a_frame_or_its_payload_names_that_frame() {
    let good = log(2);
    let mut at = BLOCK_HEADER_BYTES;
    for (sequence, body) in [(0, 2), (1, 5), (2, LEAF_BYTES + 9), (3, 40)] {
        for place in at..at + FRAME_HEAD_BYTES + body {
            let mut bad = good.clone();
            bad[place] ^= 0x10;
            assert_eq!(
                first_fault(&bad).unwrap().sequence,
                sequence,
                "byte {place}"
            );
        }
        at += FRAME_HEAD_BYTES + body;
    }
    for place in at..at + 41 {
        let mut bad = good.clone();
        bad[place] ^= 0x10;
        assert_eq!(
            first_fault(&bad).unwrap().sequence,
            3,
            "payload byte {place}"
        );
    }
}

/// Negative control: with no look at payloads in `check_frame`, this fails.
#[test]
fn w27_an_erased_payload_leaves_the_log_verifying_and_is_told_apart() {
    let mut bytes = log(2);
    let blob = scan(&bytes, ChainPosition::START)
        .flatten()
        .flat_map(|block| block.frames())
        .find_map(|frame| match frame.body {
            FrameBody::Blob(blob) => Some((blob.offset, blob.bytes.len())),
            _ => None,
        });
    let (offset, length) = blob.unwrap();
    let start = usize::try_from(offset).unwrap();
    bytes[start..start + length].fill(0);
    assert_eq!(
        first_fault(&bytes).unwrap().reason,
        FrameFaultReason::Payload
    );
    bytes[start - 1] = BLOB_REDACTED;
    assert_eq!(first_fault(&bytes), None);
    let states: Vec<_> = scan(&bytes, ChainPosition::START)
        .flatten()
        .flat_map(|block| block.frames())
        .filter_map(|frame| match frame.body {
            FrameBody::Blob(blob) => Some(blob.state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [BlobState::Redacted, BlobState::Present]);
}

/// Negative control: with no comparison of sequences, this fails.
#[test]
fn refuses_blocks_that_are_swapped_repeated_or_left_out() {
    let good = log(3);
    let (one, two) = (length_of(1), length_of(2));
    let left_out = [&good[..one], &good[two..]].concat();
    assert_eq!(
        first_fault(&left_out).unwrap().reason,
        FrameFaultReason::Sequence
    );
    let repeated = [&good[..two], &good[one..]].concat();
    assert_eq!(
        first_fault(&repeated).unwrap().reason,
        FrameFaultReason::Sequence
    );
    let swapped = [&good[..one], &good[two..], &good[one..two]].concat();
    assert_eq!(first_fault(&swapped).unwrap().sequence, 4);
}

/// Negative control: with no comparison with the block before, this fails.
#[test]
fn refuses_a_block_from_another_chain() {
    let mut block = BlockBuilder::default();
    block.push(FrameKind::Intent, b"x").unwrap();
    let foreign = block.finish([9; 32], 4).bytes;
    let bytes = [log(1), foreign].concat();
    assert_eq!(first_fault(&bytes).unwrap().reason, FrameFaultReason::Chain);
}

/// Negative control: with no look for the genesis, this fails.
#[test]
fn refuses_a_second_genesis_and_a_log_without_one() {
    let mut block = BlockBuilder::default();
    block.push(FrameKind::Intent, b"x").unwrap();
    let none = block.finish([0; 32], 0).bytes;
    assert_eq!(
        first_fault(&none).unwrap().reason,
        FrameFaultReason::Genesis
    );
    let mut block = BlockBuilder::default();
    block.push(FrameKind::Genesis, b"{}").unwrap();
    block.push(FrameKind::Genesis, b"{}").unwrap();
    let two = block.finish([0; 32], 0).bytes;
    let fault = first_fault(&two).unwrap();
    assert_eq!(
        (fault.sequence, fault.reason),
        (1, FrameFaultReason::Genesis)
    );
}

/// Negative control: with no look at the place of a leaf, this fails.
#[test]
fn refuses_a_leaf_that_is_not_at_its_place() {
    let mut block = BlockBuilder::default();
    block.push(FrameKind::Genesis, b"{}").unwrap();
    block.push_witness(&leaf(1), b"s").unwrap();
    let bytes = block.finish([0; 32], 0).bytes;
    let fault = first_fault(&bytes).unwrap();
    assert_eq!(
        (fault.sequence, fault.reason),
        (1, FrameFaultReason::LeafIndex)
    );
}

#[test]
fn refuses_to_build_or_read_a_block_over_the_limit() {
    let large = vec![0; BLOCK_BYTES_MAX];
    let mut block = BlockBuilder::default();
    assert_eq!(block.push(FrameKind::Intent, &large), Err(BlockFullError));
    assert_eq!(
        block.push_blob(Digest::of(b""), &large),
        Err(BlockFullError)
    );
    assert_eq!(block.frame_count(), 0);
    let header = BlockHeader {
        record_bytes: u32::MAX,
        frame_count: 1,
        blob_bytes: u64::MAX,
        first_sequence: 0,
        previous: [0; 32],
    };
    let fault = first_fault(&header.encode()).unwrap();
    assert_eq!(fault.reason, FrameFaultReason::Size);
}

#[test]
fn recovery_cuts_an_unfinished_last_block_at_every_length() {
    let good = log(3);
    let two = length_of(2);
    for end in two + 1..good.len() {
        let Recovery::Torn { position, .. } = recover(&good[..end], ChainPosition::START, 2) else {
            panic!("cut at {end} was not seen as torn");
        };
        assert_eq!((position.offset, position.next_leaf), (two as u64, 2));
    }
    let whole = recover(&good, ChainPosition::START, 3);
    assert!(matches!(whole, Recovery::Clean(at) if at.next_sequence == 10));
}

#[test]
fn recovery_cuts_room_that_was_never_written() {
    let padded = [log(2), vec![0; 5000]].concat();
    let found = recover(&padded, ChainPosition::START, 2);
    assert!(matches!(found, Recovery::Torn { position, .. } if position.next_leaf == 2));
}

// Negative control: without the comparison with `leaves_known` in `recover` this test fails.
#[test]
fn recovery_never_cuts_what_is_known_to_have_been_durable() {
    let good = log(3);
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let torn = recover(&flipped, ChainPosition::START, 2);
    assert!(matches!(torn, Recovery::Torn { .. }));
    let corrupt = recover(&flipped, ChainPosition::START, 3);
    assert!(matches!(corrupt, Recovery::Corrupt(fault) if fault.sequence == 7));
    let shortened = recover(&good[..length_of(2)], ChainPosition::START, 3);
    assert!(matches!(shortened, Recovery::Corrupt(fault) if fault.sequence == 7));
}

/// Negative control: with everything taken for an unfinished block, this fails.
#[test]
fn recovery_stops_at_damage_before_the_last_block_and_at_foreign_bytes() {
    let mut early = log(3);
    early[BLOCK_HEADER_BYTES + FRAME_HEAD_BYTES] ^= 1;
    let found = recover(&early, ChainPosition::START, 0);
    assert!(matches!(found, Recovery::Corrupt(fault) if fault.sequence == 0));
    for foreign in [b"notes".as_slice(), &[7; 4000]] {
        let tail = [log(2).as_slice(), foreign].concat();
        let found = recover(&tail, ChainPosition::START, 0);
        assert!(matches!(found, Recovery::Corrupt(fault) if fault.sequence == 7));
    }
}

#[test]
fn a_mark_changes_with_every_byte() {
    let body: Vec<u8> = (0..=40).collect();
    let good = frame_mark(1, 41, &body);
    for at in 0..body.len() {
        let mut other = body.clone();
        other[at] ^= 0x80;
        assert_ne!(frame_mark(1, 41, &other), good);
    }
    assert_ne!(frame_mark(2, 41, &body), good);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = first_fault(&bytes);
        let _ = recover(&bytes, ChainPosition::START, 0);
    }

    /// Negative control: with no comparison of the hash in `Block::read`, this fails.
    #[test]
    fn a_mutated_log_never_panics_and_never_passes(
        at in 0_usize..900,
        byte in any::<u8>(),
        cut in 0_usize..900,
    ) {
        let good = log(2);
        let mut bad = good.clone();
        let at = at % bad.len();
        bad[at] = byte;
        prop_assert_eq!(first_fault(&bad).is_none(), bad == good);
        bad.truncate(cut);
        let _ = recover(&bad, ChainPosition::START, 0);
    }

    #[test]
    fn frames_of_any_content_round_trip(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..12),
    ) {
        let mut block = BlockBuilder::default();
        block.push(FrameKind::Genesis, b"{}").unwrap();
        for (at, body) in bodies.iter().enumerate() {
            match at % 3 {
                0 => block.push(FrameKind::Intent, body).unwrap(),
                1 => block.push_blob(Digest::of(body), body).unwrap(),
                _ => block.push_witness(&leaf((at / 3) as u64), body).unwrap(),
            }
        }
        let bytes = block.finish([0; 32], 0).bytes;
        let block = Block::read(&bytes, &ChainPosition::START).unwrap();
        let read: Vec<&[u8]> = block.frames().skip(1).map(|frame| match frame.body {
            FrameBody::Intent(body) => body,
            FrameBody::Blob(blob) => blob.bytes,
            FrameBody::Witness(witness) => witness.statement,
            other => panic!("unexpected {other:?}"),
        }).collect();
        prop_assert_eq!(read, bodies);
    }
}
