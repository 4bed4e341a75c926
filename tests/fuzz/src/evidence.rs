//! Evidence that somebody else hands over: logs, envelopes, statements, checkpoints, exports, transcripts.
//!
//! INVARIANT: without a key from outside nothing is authenticated, whatever the bytes are.

use aim_core::{
    transcript::Transcript,
    witness::{AttemptPredicate, DeniedLoadPredicate, PlanPredicate, Statement},
};
use aim_trust::{
    checkpoint::Checkpoint,
    dsse::Envelope,
    export::verify_export,
    note,
    verify::{SliceLog, VerifyOptions, verify_log},
};

/// A whole log.
pub(crate) fn log(bytes: &[u8]) {
    let options = VerifyOptions {
        is_live: bytes.len().is_multiple_of(2),
        ..VerifyOptions::default()
    };
    let report = verify_log(&SliceLog(bytes), &options).expect("memory can be read");
    assert!(!report.authenticated, "authentic without a key");
}

/// A signed envelope, and the statement in it, or a statement alone.
pub(crate) fn witness(bytes: &[u8]) {
    statement(bytes);
    if let Ok(envelope) = Envelope::parse(bytes) {
        statement(envelope.payload_unchecked());
        let again = Envelope::parse(envelope.to_json().as_bytes()).expect("its own form");
        assert_eq!(envelope.payload_unchecked(), again.payload_unchecked());
    }
}

fn statement(bytes: &[u8]) {
    if let Ok(attempt) = serde_json::from_slice::<Statement<AttemptPredicate>>(bytes) {
        let written = attempt.payload();
        let again: Statement<AttemptPredicate> =
            serde_json::from_slice(&written).expect("its own form");
        assert_eq!(again.payload(), written, "one statement, two spellings");
    }
    if let Ok(plan) = serde_json::from_slice::<Statement<PlanPredicate>>(bytes) {
        assert!(serde_json::from_slice::<Statement<PlanPredicate>>(&plan.payload()).is_ok());
    }
    if let Ok(load) = serde_json::from_slice::<Statement<DeniedLoadPredicate>>(bytes) {
        assert!(serde_json::from_slice::<Statement<DeniedLoadPredicate>>(&load.payload()).is_ok());
    }
}

/// A signed note and what it says, or a key for one.
pub(crate) fn checkpoint(bytes: &[u8]) {
    if let Ok(checkpoint) = Checkpoint::parse_unchecked(bytes) {
        let text = checkpoint.to_text();
        let again = Checkpoint::parse_text(&text).expect("its own form");
        assert_eq!(again.to_text(), text);
    }
    if let Ok(text) = core::str::from_utf8(bytes) {
        let _is_key = note::parse_verifier_key(text.trim_end());
        let _is_checkpoint = Checkpoint::parse_text(text);
    }
}

/// Exported evidence.
pub(crate) fn export(bytes: &[u8]) {
    let report = verify_export(bytes, None, None);
    assert!(!report.authenticated, "authentic without a key");
}

/// The host calls of an attempt: what is read is written again to the same bytes.
pub(crate) fn transcript(bytes: &[u8]) {
    if let Ok(transcript) = Transcript::decode(bytes) {
        let written = transcript.encode();
        let again = Transcript::decode(&written).expect("its own form");
        assert_eq!(again.digest(), transcript.digest());
    }
}
