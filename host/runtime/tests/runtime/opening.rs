//! Opening a log that this machine's signer remembers: what it signed for is believed as it was, nothing else is, and a log that
//! was changed with every signature genuine is found.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use aim_core::{
    event::ExecutionStart,
    frame::{ChainPosition, FrameBody, scan},
    leaf::SigningMode,
};
use aim_ports::{
    PortError, PortFault,
    log::{LogReader, LogWriter as _},
    signer::{CheckpointRequest, PublicKeys, SignedTree, Signer, SigningCore as _},
};
use aim_testkit::{CoreSigner, MemoryLog};
use aim_trust::{
    checkpoint::Checkpoint,
    key::{KeyRole, key_id},
    sequence::{NewFrame, Sequencer, Signing},
    tree::Tree,
};

use crate::{
    crash::{of, signer_of},
    rig::Rig,
    runs::chain,
};

const INPUTS: &[(&str, &str)] = &[("word", "hello")];

/// A signer with a memory of its own making.
#[derive(Debug)]
struct Remembers {
    signer: Box<dyn Signer>,
    memory: Result<Option<SignedTree>, PortError>,
}

impl Signer for Remembers {
    fn public_keys(&self) -> PublicKeys {
        self.signer.public_keys()
    }

    fn sign_statements(&mut self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError> {
        self.signer.sign_statements(payloads)
    }

    fn sign_checkpoint(&mut self, request: &CheckpointRequest) -> Result<Vec<u8>, PortError> {
        self.signer.sign_checkpoint(request)
    }

    fn signed_tree(&mut self, _: &str) -> Result<Option<SignedTree>, PortError> {
        self.memory.clone()
    }
}

/// The log of a finished run, and the signer that remembers its first `leaves` leaves.
fn finished(mode: SigningMode) -> Rig {
    let mut rig = chain();
    rig.mode = mode;
    rig.run(INPUTS).unwrap();
    rig
}

fn knowing(rig: &Rig, leaves: usize) -> Box<dyn Signer> {
    let ledger = rig.ledger();
    signer_of(ledger.origin(), &ledger.leaf_hashes()[..leaves]).0
}

fn knowing_all(rig: &Rig) -> Box<dyn Signer> {
    knowing(rig, rig.ledger().leaf_hashes().len())
}

/// The log of a finished run, and the signer that remembers all of it.
fn remembered() -> (Rig, Box<dyn Signer>) {
    let rig = finished(SigningMode::Each);
    let signer = knowing_all(&rig);
    (rig, signer)
}

fn code(rig: &Rig, signer: Box<dyn Signer>) -> &'static str {
    match rig.open_with(signer) {
        Ok((host, _)) => {
            host.committer.close().unwrap();
            "opened"
        }
        Err(error) => error.code(),
    }
}

/// The frames of a block, each with the genuine signature where it has one.
type Loose<'a> = Vec<(NewFrame<'a>, [u8; 64])>;

/// Puts the log together again with other frames, as somebody without the keys can: every signature is the genuine one, every
/// hash is right, and there is no checkpoint beside it.
fn rewritten(rig: &mut Rig, change: &dyn Fn(&mut Vec<Loose<'_>>)) {
    let genuine = rig.log.bytes();
    let key = key_id(KeyRole::Step, &Rig::core().public_keys().step);
    let blocks: Vec<_> = scan(&genuine, ChainPosition::START)
        .map(Result::unwrap)
        .collect();
    let mut frames = blocks
        .iter()
        .map(|block| {
            let signed = block.frames().map(|frame| match frame.body {
                FrameBody::Witness(witness) => (of(frame.body), witness.leaf.signature),
                _ => (of(frame.body), [0; 64]),
            });
            signed.collect()
        })
        .collect();
    change(&mut frames);
    let mut sequencer = Sequencer::start();
    let mut bytes = Vec::new();
    for block in frames {
        let is_witness = |frame: &&(NewFrame<'_>, _)| matches!(frame.0, NewFrame::Witness { .. });
        let signatures: Vec<[u8; 64]> = block.iter().filter(is_witness).map(|one| one.1).collect();
        let frames = block.iter().map(|one| one.0).collect();
        let prepared = sequencer.prepare(frames).unwrap();
        let signing = Signing::Each {
            key,
            signatures: &signatures,
        };
        let finished = sequencer.finish(&prepared, &signing).unwrap();
        bytes.extend_from_slice(&finished.bytes);
        sequencer.advance(&finished).unwrap();
    }
    rig.log = MemoryLog::default();
    rig.log.damage(|log| *log = bytes);
}

// Negative control: with the memory not brought to the verifier, the first of these is opened and the signer is asked to go on with
// it (seen).
#[test]
fn a_log_of_genuine_signatures_that_was_rearranged_or_told_otherwise_is_not_opened() {
    let other_actor = |json: &[u8]| {
        let mut start: ExecutionStart = serde_json::from_slice(json).unwrap();
        start.actor = "mallory".to_owned();
        serde_json::to_vec(&start).unwrap()
    };
    let (mut rig, signer) = remembered();
    assert_eq!(code(&rig, signer), "opened", "as it is");

    let signer = knowing_all(&rig);
    let told = scan(&rig.log.bytes(), ChainPosition::START)
        .flat_map(|block| block.unwrap().frames().collect::<Vec<_>>())
        .find_map(|frame| match frame.body {
            FrameBody::ExecutionStart(json) => Some(other_actor(json)),
            _ => None,
        })
        .unwrap();
    rewritten(&mut rig, &|blocks| {
        for (frame, _) in blocks.iter_mut().flatten() {
            if let NewFrame::Note { kind, body } = frame
                && *kind == aim_core::frame::FrameKind::ExecutionStart
            {
                // The rewritten log lives as long as this test.
                *body = Box::leak(told.clone().into_boxed_slice());
            }
        }
    });
    assert_eq!(code(&rig, signer), "AIM-E025", "another actor");

    let (mut rig, signer) = remembered();
    rewritten(&mut rig, &|blocks| {
        let last = blocks.len() - 1;
        blocks.swap(last - 1, last);
    });
    assert_eq!(code(&rig, signer), "AIM-E025", "the last two swapped");

    let (mut rig, signer) = remembered();
    rewritten(&mut rig, &|blocks| {
        let twice = *blocks[0].last().unwrap();
        blocks[0].push(twice);
    });
    assert_eq!(code(&rig, signer), "AIM-E025", "a statement told twice");
}

#[test]
fn memory_of_any_part_of_the_log_opens_it_and_is_brought_up_to_date() {
    for mode in [SigningMode::Each, SigningMode::Batch] {
        let rig = finished(mode);
        let leaves = rig.ledger().leaf_hashes().len();
        for known in 1..=leaves {
            assert_eq!(
                code(&rig, knowing(&rig, known)),
                "opened",
                "{mode:?} {known}"
            );
            let report = rig.verify();
            assert!(report.authenticated, "{mode:?} {known}");
            assert_eq!(report.leaves_covered, leaves as u64, "{mode:?} {known}");
        }
    }
}

// Negative control: with the published checkpoint's size not compared with the memory's, the old checkpoint stays (seen).
#[test]
fn a_checkpoint_that_a_crash_kept_back_is_published_when_the_host_opens() {
    let rig = finished(SigningMode::Each);
    let ledger = rig.ledger();
    let (_, old) = signer_of(ledger.origin(), &ledger.leaf_hashes()[..1]);
    let mut publisher = rig.log.writer().unwrap().publisher().unwrap();
    publisher.publish(&old).unwrap();
    let (host, _) = rig
        .open_with(knowing(&rig, ledger.leaf_hashes().len()))
        .unwrap();
    let note = rig.log.reader().checkpoint().unwrap().unwrap();
    let published = Checkpoint::parse_unchecked(&note).unwrap();
    assert_eq!(published.size, ledger.leaf_hashes().len() as u64);
    host.committer.close().unwrap();
}

// Negative control: with every leaf taken for known, the forged tail is believed (seen).
#[test]
fn a_forged_statement_behind_what_the_signer_remembers_is_found() {
    let mut rig = finished(SigningMode::Each);
    let leaves = rig.ledger().leaf_hashes().len();
    rewritten(&mut rig, &|blocks| {
        let last = blocks.last_mut().unwrap().last_mut().unwrap();
        last.1 = [7; 64];
    });
    let signer = knowing(&rig, leaves - 1);
    assert_eq!(code(&rig, signer), "AIM-E025");
}

#[test]
fn memory_that_is_absent_newer_of_another_log_or_unreadable_never_opens_what_it_does_not_fit() {
    let rig = finished(SigningMode::Each);
    let ledger = rig.ledger();
    let size = ledger.leaf_hashes().len() as u64;
    let mut tree = Tree::new();
    tree.extend(ledger.leaf_hashes().iter().copied());
    let root = tree.root(size).unwrap();
    let damaged = PortError::new(PortFault::Corrupt, "signer state", "it can not be read");
    let cases = [
        ("absent: every signature is checked", Ok(None), "opened"),
        ("empty", Ok(Some(SignedTree { size: 0, root })), "opened"),
        (
            "newer: the log was cut or rolled back",
            Ok(Some(SignedTree {
                size: size + 1,
                root,
            })),
            "AIM-E023",
        ),
        (
            "of another log",
            Ok(Some(SignedTree {
                size,
                root: [7; 32],
            })),
            "AIM-E025",
        ),
        (
            "of another log, and older",
            Ok(Some(SignedTree {
                size: 1,
                root: [7; 32],
            })),
            "AIM-E025",
        ),
        ("unreadable", Err(damaged), "AIM-D020"),
    ];
    for (what, memory, expected) in cases {
        let before = rig.log.bytes();
        let signer = Box::new(Remembers {
            signer: Box::new(CoreSigner::new(Rig::core())),
            memory,
        });
        assert_eq!(code(&rig, signer), expected, "{what}");
        assert!(rig.log.bytes() == before, "{what}: nothing was added");
    }
    let mut rig = rig;
    rewritten(&mut rig, &|blocks| {
        blocks.last_mut().unwrap().last_mut().unwrap().1 = [7; 64];
    });
    let nobody = Box::new(CoreSigner::new(Rig::core()));
    assert_eq!(code(&rig, nobody), "AIM-E025", "absent, and one is forged");
}

/// A log that looks empty at the first look.
#[derive(Debug)]
struct Hides {
    log: Arc<dyn LogReader>,
    was_seen: AtomicBool,
}

impl LogReader for Hides {
    fn read(&self, offset_bytes: u64, length_bytes_max: usize) -> Result<Vec<u8>, PortError> {
        if self.was_seen.swap(true, Ordering::Relaxed) {
            self.log.read(offset_bytes, length_bytes_max)
        } else {
            Ok(Vec::new())
        }
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, PortError> {
        self.log.checkpoint()
    }
}

// The memory is found by the origin, so a log without one at the first look would be judged by its signatures alone.
// Negative control: with the second look at the origin left out of `read_and_recover`, the swapped log is opened (seen).
#[test]
fn a_log_whose_origin_is_another_one_at_the_second_look_is_not_opened() {
    let (mut rig, signer) = remembered();
    rewritten(&mut rig, &|blocks| {
        let last = blocks.len() - 1;
        blocks.swap(last - 1, last);
    });
    let reader = Hides {
        log: Arc::new(rig.log.reader()),
        was_seen: AtomicBool::new(false),
    };
    let found = match rig.open_through(Arc::new(reader), signer) {
        Ok(_) => "opened",
        Err(error) => error.code(),
    };
    assert_eq!(found, "AIM-E025");
}
