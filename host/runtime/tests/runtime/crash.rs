//! Full disks, failed syncs, lost signers: at every point of a run, then again from what is left.

use aim_core::{
    digest::Digest,
    frame::{ChainPosition, FrameBody, FrameKind, scan},
    leaf::SigningMode,
    name::StepName,
    outcome::Exit,
};
use aim_ports::{
    log::{LogReader as _, LogWriter as _},
    signer::{CheckpointRequest, Signer, SigningCore as _},
};
use aim_runtime::{
    attempt::AttemptError, commit::CommitError, execute::ExecuteError, host::OpenError,
};
use aim_testkit::{AppendFault, CoreSigner, MemoryLog};
use aim_trust::{
    key::{KeyRole, key_id},
    sequence::{NewFrame, Sequencer, Signing},
};

use crate::{rig::Rig, runs::chain};

const INPUTS: &[(&str, &str)] = &[("word", "hello")];

/// Output digests by step, in plan order.
fn outputs(rig: &Rig) -> Vec<(StepName, Digest)> {
    let mut found: Vec<_> = rig
        .attempts()
        .into_iter()
        .filter(|attempt| attempt.released)
        .map(|attempt| (attempt.step, attempt.outputs[0].body))
        .collect();
    found.sort();
    found
}

/// How many appends an undisturbed run takes.
fn appends() -> u64 {
    let rig = chain();
    rig.run(INPUTS).unwrap();
    rig.log.appends()
}

// Negative control: with the result of the append ignored in `Pen::write`, steps are released that the log does not hold
// and this fails, as does d7; with `resume` answering that nothing was done, steps are released twice (both seen).
#[test]
fn d6_a_failed_sync_at_any_append_stops_the_host_and_the_run_resumes_to_the_same_outputs() {
    let expected = {
        let rig = chain();
        rig.run(INPUTS).unwrap();
        outputs(&rig)
    };
    for number in 1..appends() {
        for kept_bytes in [0, 1, 200] {
            let rig = chain();
            rig.log
                .fail_append(number, AppendFault::FailStop { kept_bytes });
            let error = rig.run(INPUTS).unwrap_err();
            let is_stop = matches!(
                error,
                ExecuteError::Commit(CommitError::FailStop(_))
                    | ExecuteError::Attempt(AttemptError::Commit(CommitError::FailStop(_)))
            );
            assert!(is_stop, "append {number}: {error}");
            let before = outputs(&rig);
            let report = rig.run(INPUTS).unwrap();
            assert_eq!(report.exit, Exit::Ok, "append {number}");
            assert_eq!(
                outputs(&rig),
                expected,
                "no step is lost and none is repeated"
            );
            assert!(before.iter().all(|done| expected.contains(done)));
            let verified = rig.verify();
            assert!(verified.authenticated, "append {number}: {verified:?}");
        }
    }
}

#[test]
fn d7_a_full_disk_keeps_nothing_of_the_commit_and_the_run_resumes() {
    let rig = chain();
    rig.log.fail_append(2, AppendFault::Exhausted);
    let error = rig.run(INPUTS).unwrap_err();
    assert!(error.to_string().contains("told to"), "{error}");
    assert_eq!(rig.run(INPUTS).unwrap().exit, Exit::Ok);
    assert_eq!(rig.standings(), ["equal"; 3], "resumed");
    assert!(rig.verify().authenticated);
}

#[test]
fn w24_without_a_signature_nothing_is_written() {
    let rig = chain();
    // The genesis takes two calls: the epoch's signature and the size it has signed for.
    let signer = CoreSigner::gone_after(Rig::core(), 0);
    assert!(matches!(
        rig.open_with(Box::new(signer)),
        Err(OpenError::Commit(_))
    ));
    assert!(rig.log.bytes().is_empty(), "no unsigned evidence");
}

#[test]
fn d4_a_torn_last_block_is_cut_and_nothing_acknowledged_was_in_it() {
    let rig = chain();
    rig.run(INPUTS).unwrap();
    let whole = rig.log.bytes().len();
    let leaves = rig.ledger().entries().len();
    // Forget the published checkpoint's claim by tearing only bytes that were appended after it.
    rig.log
        .damage(|bytes| bytes.extend_from_slice(b"AIMB\x01\0\0\0"));
    drop(rig.open().unwrap());
    assert_eq!(
        rig.log.bytes().len(),
        whole,
        "the torn tail is cut, nothing else"
    );
    assert_eq!(rig.ledger().entries().len(), leaves);
}

#[test]
fn d5_a_flipped_bit_in_the_middle_stops_the_host_with_its_place() {
    let rig = chain();
    rig.run(INPUTS).unwrap();
    rig.log.damage(|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
    });
    let Err(error) = rig.open() else {
        panic!("a damaged log was opened")
    };
    assert_eq!(error.code(), "AIM-E022", "{error}");
}

// Negative control: with `leaves_known` answering 0, the host opens the cut log as if nothing had been in it (seen).
#[test]
fn w3_a_log_that_was_cut_behind_its_checkpoint_is_not_continued() {
    let rig = chain();
    rig.run(INPUTS).unwrap();
    let position = rig.ledger().position().offset;
    let half = usize::try_from(position).unwrap() / 2;
    rig.log.damage(|bytes| bytes.truncate(half));
    let Err(error) = rig.open() else {
        panic!("a cut log was continued")
    };
    assert!(matches!(error.code(), "AIM-E022" | "AIM-E023"), "{error}");
}

/// The log of a finished run, written anew by somebody without the keys: it names them, every hash is right, and the result is
/// whatever that somebody wants it to be.
fn made_up(mode: SigningMode) -> Rig {
    let mut rig = chain();
    rig.run(INPUTS).unwrap();
    let genuine = rig.log.bytes();
    let keys = Rig::core().public_keys();
    let mut sequencer = Sequencer::start();
    let mut forged = Vec::new();
    for block in scan(&genuine, ChainPosition::START) {
        let block = block.unwrap();
        let frames = block.frames().map(|frame| of(frame.body)).collect();
        let prepared = sequencer.prepare(frames).unwrap();
        let signatures = vec![[7; 64]; prepared.statements().len()];
        let signing = match mode {
            SigningMode::Each => Signing::Each {
                key: key_id(KeyRole::Step, &keys.step),
                signatures: &signatures,
            },
            SigningMode::Batch => Signing::Batch {
                key: key_id(KeyRole::Log, &keys.log),
            },
        };
        let finished = sequencer.finish(&prepared, &signing).unwrap();
        forged.extend_from_slice(&finished.bytes);
        sequencer.advance(&finished).unwrap();
    }
    rig.log = MemoryLog::default();
    rig.log.damage(|bytes| *bytes = forged);
    rig
}

/// A frame as it is written.
pub(crate) fn of(body: FrameBody<'_>) -> NewFrame<'_> {
    let note = |kind, body| NewFrame::Note { kind, body };
    match body {
        FrameBody::Genesis(body) => note(FrameKind::Genesis, body),
        FrameBody::ExecutionStart(body) => note(FrameKind::ExecutionStart, body),
        FrameBody::Intent(body) => note(FrameKind::Intent, body),
        FrameBody::EffectOutcome(body) => note(FrameKind::EffectOutcome, body),
        FrameBody::Checkpoint(body) => note(FrameKind::Checkpoint, body),
        FrameBody::EventNote(body) => note(FrameKind::EventNote, body),
        FrameBody::Witness(witness) => NewFrame::Witness {
            kind: witness.leaf.kind,
            statement: witness.statement,
        },
        FrameBody::Blob(blob) => NewFrame::Blob {
            digest: blob.digest,
            bytes: blob.bytes,
        },
    }
}

// Negative control: with `check_vouched` left out of `Host::open` the host opens the log, takes the made-up result for its
// own, and its signer vouches for all of it.
#[test]
fn a_log_that_names_our_keys_and_that_others_made_up_is_not_opened_and_not_signed() {
    for mode in [SigningMode::Each, SigningMode::Batch] {
        let mut rig = made_up(mode);
        rig.mode = mode;
        assert_eq!(rig.ledger().executions().len(), 1, "it is whole");
        let before = rig.log.bytes();
        let Err(error) = rig.open() else {
            panic!("{mode:?}: a made-up log was opened")
        };
        assert_eq!(error.code(), "AIM-E025", "{mode:?}: {error}");
        assert!(rig.log.bytes() == before, "nothing was added");
        assert!(rig.log.reader().checkpoint().unwrap().is_none(), "{mode:?}");
    }
}

/// A signer that has signed for a tree of these leaves, and the checkpoint.
pub(crate) fn signer_of(origin: &str, leaf_hashes: &[[u8; 32]]) -> (Box<dyn Signer>, Vec<u8>) {
    let mut signer = CoreSigner::new(Rig::core());
    let request = CheckpointRequest {
        origin: origin.to_owned(),
        first_index: 0,
        leaf_hashes: leaf_hashes.to_vec(),
    };
    let note = signer.sign_checkpoint(&request).unwrap();
    (Box::new(signer), note)
}

// Negative control: with every log without faults taken for vouched for, the second part opens it; with the tree not compared,
// the third does.
#[test]
fn leaves_without_a_checkpoint_count_only_in_a_log_that_the_signer_knows() {
    let mut rig = chain();
    rig.mode = SigningMode::Batch;
    rig.run(INPUTS).unwrap();
    let ledger = rig.ledger();
    let first = &ledger.leaf_hashes()[..1];
    let (known, checkpoint) = signer_of(ledger.origin(), first);
    // As a crash leaves it: the checkpoint beside the log is the first one.
    let cut_back = || {
        let mut writer = rig.log.writer().unwrap().publisher().unwrap();
        writer.publish(&checkpoint).unwrap();
    };
    let code = |signer: Box<dyn Signer>| match rig.open_with(signer) {
        Ok((host, _)) => {
            host.committer.close().unwrap();
            "opened"
        }
        Err(error) => error.code(),
    };
    cut_back();
    assert_eq!(code(known), "opened");
    assert!(rig.verify().authenticated, "and caught up with");
    cut_back();
    let nobody = Box::new(CoreSigner::new(Rig::core()));
    assert_eq!(
        code(nobody),
        "AIM-E025",
        "a signer that knows nothing of it"
    );
    let (other, _) = signer_of(ledger.origin(), &[[9; 32]]);
    assert_eq!(code(other), "AIM-E025", "a signer that knows other leaves");
}
