//! Exports: portable, and as strict as the log.

use aim_core::{
    digest::Digest,
    frame::{ChainPosition, FrameBody, scan},
    leaf::SigningMode,
};
use aim_trust::{
    checkpoint::Checkpoint,
    export::{ExportParts, ExportWitness, build_export, verify_export},
    verify::{Anchored, Place, Report},
};
use proptest::prelude::*;

use crate::logs::{Log, ORIGIN, Signer, build, payload_of};

fn log(mode: SigningMode) -> Log {
    build(ORIGIN, mode, 30, Signer::new(1))
}

/// Exports the witnesses 10 to 12 with the payload of the first two.
fn export(log: &Log) -> String {
    let mut witnesses = Vec::new();
    for block in scan(&log.bytes, ChainPosition::START).flatten() {
        for frame in block.frames() {
            if let FrameBody::Witness(witness) = frame.body
                && (10..13).contains(&witness.leaf.index)
            {
                witnesses.push(ExportWitness {
                    leaf: witness.leaf,
                    previous_block: block.header().previous,
                    statement: witness.statement,
                });
            }
        }
    }
    let payloads = [payload_of(10), payload_of(11)];
    let payloads = payloads
        .each_ref()
        .map(|bytes| (Digest::of(bytes), bytes.as_slice()));
    build_export(&ExportParts {
        checkpoint: &log.checkpoint,
        keys: &log.signer.public(),
        tree: &log.tree,
        witnesses: &witnesses,
        payloads: &payloads,
        replay: None,
    })
    .unwrap()
}

fn verify(log: &Log, json: &str) -> Report {
    verify_export(json.as_bytes(), Some(&log.signer.keys()), None)
}

fn first_code(report: &Report) -> &'static str {
    report.faults.first().map_or("none", |fault| fault.code())
}

#[test]
fn an_export_verifies_with_nothing_but_itself_and_a_key() {
    for mode in [SigningMode::Each, SigningMode::Batch] {
        let log = log(mode);
        let report = verify(&log, &export(&log));
        assert_eq!(report.faults, []);
        assert!(report.authenticated);
        assert_eq!((report.witnesses, report.size), (3, 30));
        assert_eq!(report.isolation, ["landlock"]);
        assert_eq!((report.payloads.present, report.payloads.missing), (2, 1));
        let report = verify_export(export(&log).as_bytes(), None, None);
        assert!(report.is_consistent() && !report.authenticated);
        let other = Signer::new(9).keys();
        let report = verify_export(export(&log).as_bytes(), Some(&other), None);
        assert_eq!(first_code(&report), "AIM-E006");
    }
}

/// Negative control: with no comparison with the anchor's root, this fails.
#[test]
fn an_export_is_held_against_an_anchor_of_its_size() {
    let log = log(SigningMode::Batch);
    let keys = log.signer.keys();
    let json = export(&log);
    let check = |anchor: &str| verify_export(json.as_bytes(), Some(&keys), Some(anchor.as_bytes()));
    assert_eq!(check(&log.checkpoint).anchored, Anchored::External);
    let older = build(ORIGIN, SigningMode::Batch, 20, Signer::new(1));
    let report = check(&older.checkpoint);
    assert!(!report.authenticated);
    assert_eq!(report.faults[0].place, Place::Anchor);
    let forged = Checkpoint {
        root: [7; 32],
        ..Checkpoint::parse_unchecked(log.checkpoint.as_bytes()).unwrap()
    };
    let report = check(&forged.sign(&log.signer.log_key()).unwrap());
    assert!(!report.authenticated);
    assert_eq!(first_code(&report), "AIM-E009");
    assert_eq!(report.faults[0].place, Place::Anchor);
}

// Negative control: with the inclusion proof not verified, changed leaves and statements of a batch pass, and this fails.
#[test]
fn whatever_is_changed_in_an_export_is_found() {
    let log = log(SigningMode::Batch);
    let json = export(&log);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut document = document.clone();
        change(&mut document);
        first_code(&verify(&log, &document.to_string()))
    };
    assert_eq!(changed(&|_| {}), "none");
    assert_eq!(
        changed(&|it| it["origin"] = "aim.test/other/1".into()),
        "AIM-E008"
    );
    assert_eq!(
        changed(&|it| it["$type"] = "aim.export/v2".into()),
        "AIM-E013"
    );
    assert_eq!(changed(&|it| it["more"] = 1.into()), "AIM-E013");
    assert_eq!(
        changed(&|it| it["witnesses"][0]["more"] = 1.into()),
        "AIM-E013"
    );
    let first = |it: &serde_json::Value| it["witnesses"][0].clone();
    assert_eq!(changed(&|it| it["witnesses"][1] = first(it)), "AIM-E013");
    assert_eq!(
        changed(&|it| it["witnesses"][1]["leaf"] = first(it)["leaf"].clone()),
        "AIM-E013"
    );
    let envelope = |it: &serde_json::Value| first(it)["envelope"].clone();
    assert_eq!(
        changed(&|it| it["witnesses"][1]["envelope"] = envelope(it)),
        "AIM-E004"
    );
    assert_eq!(
        changed(&|it| it["witnesses"][1]["proof"] = first(it)["proof"].clone()),
        "AIM-E014"
    );
    assert_eq!(
        changed(&|it| it["witnesses"][0]["proof"] = serde_json::json!([])),
        "AIM-E014"
    );
    let zeros = "00".repeat(32);
    assert_eq!(
        changed(&|it| it["witnesses"][0]["previousBlock"] = zeros.as_str().into()),
        "AIM-E014"
    );
    assert_eq!(
        changed(&|it| it["payloads"][0]["bytes"] = "AAAA".into()),
        "AIM-E011"
    );
    assert_eq!(
        changed(&|it| it["payloads"][0] = it["payloads"][1].clone()),
        "AIM-E013"
    );
    assert_eq!(
        changed(&|it| it["checkpoint"] = "no note".into()),
        "AIM-E010"
    );
    let twice = json.replacen("\"origin\"", "\"origin\":\"x\",\"origin\"", 1);
    assert_eq!(first_code(&verify(&log, &twice)), "AIM-E013");
    assert_eq!(first_code(&verify(&log, "")), "AIM-E013");
}

/// Negative control: with any signature in the envelope, this fails.
#[test]
fn the_envelope_must_carry_the_signature_of_its_leaf() {
    let log = log(SigningMode::Each);
    let mut document: serde_json::Value = serde_json::from_str(&export(&log)).unwrap();
    document["witnesses"][0]["envelope"]["signatures"] = serde_json::json!([]);
    assert_eq!(first_code(&verify(&log, &document.to_string())), "AIM-E013");
}

/// Negative control: with witnesses left out that the checkpoint does not cover, this fails.
#[test]
fn a_witness_that_the_checkpoint_does_not_cover_is_not_exported() {
    let log = log(SigningMode::Each);
    let older = build(ORIGIN, SigningMode::Each, 5, Signer::new(1));
    let block = scan(&log.bytes, ChainPosition::START)
        .flatten()
        .last()
        .unwrap();
    let witness = block.frames().find_map(|frame| match frame.body {
        FrameBody::Witness(witness) => Some(witness),
        _ => None,
    });
    let witness = witness.unwrap();
    let made = build_export(&ExportParts {
        checkpoint: &older.checkpoint,
        keys: &log.signer.public(),
        tree: &log.tree,
        witnesses: &[ExportWitness {
            leaf: witness.leaf,
            previous_block: block.header().previous,
            statement: witness.statement,
        }],
        payloads: &[],
        replay: None,
    });
    assert!(made.is_err());
}

proptest! {
    #[test]
    fn any_changed_byte_of_an_export_never_panics_and_never_adds_trust(
        at in 0_usize..8000,
        byte in 0x20_u8..0x7f,
    ) {
        let log = build(ORIGIN, SigningMode::Batch, 13, Signer::new(1));
        let good = export(&log);
        let mut bad = good.clone().into_bytes();
        let at = at % bad.len();
        bad[at] = byte;
        let report = verify_export(&bad, Some(&log.signer.keys()), None);
        // White space and the keys that are there to be read are the only bytes that may differ.
        if report.authenticated {
            let read = |bytes: &[u8]| {
                let mut document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                document["keys"] = serde_json::Value::Null;
                document
            };
            prop_assert_eq!(read(&bad), read(good.as_bytes()));
        }
    }
}
