//! Full disks, failed syncs, lost signers: at every point of a run, then again from what is left.

use aim_core::{digest::Digest, name::StepName, outcome::Exit};
use aim_runtime::{
    attempt::AttemptError, commit::CommitError, execute::ExecuteError, host::OpenError,
};
use aim_testkit::{AppendFault, CoreSigner};

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
