//! What a real run left behind: read, exported, verified, and tampered with.
//!
//! INVARIANT: every case has a run of its own, and may spoil what it left.

use std::{fs, path::Path};

use crate::support::{Came, Place, guest};

/// A place in which the incident triage has run: its data in `data`, the public keys in `aim.pub`.
fn ran() -> Place {
    let _is_built = guest("triage-ingest.wasm");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/incident-triage");
    let (plan, logs) = (example.join("plan.acl"), example.join("logs/upstream-down"));
    let logs = format!("logs=@{}", logs.display());
    let place = Place::new();
    let came = place.run(&[
        "run",
        plan.to_str().unwrap(),
        "--data-dir=data",
        "-i",
        &logs,
    ]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    place.write("aim.pub", place.run(&["keys", "show"]).stdout);
    place
}

fn assert_invalid(came: &Came, code: &str) {
    assert_eq!(came.code, 4, "{}", came.stderr);
    assert!(came.text().contains(code), "{}", came.text());
    assert!(came.text().ends_with("\nINVALID\n"), "{}", came.text());
}

#[test]
fn evidence_is_verified_with_the_right_key_only() {
    let place = ran();
    let with_key = place.run(&["verify", "data", "--key=aim.pub"]);
    assert_eq!(with_key.code, 0, "{}", with_key.text());
    assert!(
        with_key.text().ends_with("\nVERIFIED\n"),
        "{}",
        with_key.text()
    );
    assert!(
        with_key.text().contains("not proven"),
        "{}",
        with_key.text()
    );
    let without = place.run(&["verify", "data"]);
    assert_eq!(without.code, 4);
    assert!(
        without
            .text()
            .ends_with("\nCONSISTENT, NOT AUTHENTICATED\n"),
        "{}",
        without.text()
    );
    let other = Place::new();
    other.run(&["keys", "init"]);
    place.write("other.pub", other.run(&["keys", "show"]).stdout);
    assert_invalid(
        &place.run(&["verify", "data", "--key=other.pub"]),
        "AIM-E006",
    );
}

// The case above is the control: the same evidence, unspoiled, is VERIFIED. Without the look at the artifact store the
// changed artifact was not found.
#[test]
fn a_flipped_bit_a_cut_log_and_a_changed_artifact_are_found() {
    let verify = |place: &Place| place.run(&["verify", "data", "--key=aim.pub"]);
    let place = ran();
    let log = place.path("data/log/evidence.log");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    // Behind the 68 bytes of the first block's header: the first record.
    bytes[100] ^= 1;
    fs::write(&log, &bytes).unwrap();
    assert_invalid(&verify(&place), "AIM-E001");
    bytes[100] ^= 1;
    fs::write(&log, &bytes[..middle]).unwrap();
    assert_invalid(&verify(&place), "AIM-E002");
    fs::write(&log, &bytes).unwrap();
    let shard = fs::read_dir(place.path("data/artifacts"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let artifact = fs::read_dir(shard.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::remove_file(&artifact).unwrap();
    fs::write(&artifact, "other bytes").unwrap();
    assert_invalid(&verify(&place), "AIM-E011");
}

#[test]
fn an_export_is_verified_far_from_its_log() {
    let place = ran();
    let made = place.run(&[
        "witness",
        "export",
        "--data-dir=data",
        "--payloads",
        "-f",
        "run.json",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.stdout.is_empty());
    fs::remove_dir_all(place.path("data")).unwrap();
    let verified = place.run(&["verify", "run.json", "--key=aim.pub"]);
    assert_eq!(verified.code, 0, "{}", verified.text());
    assert!(verified.text().ends_with("\nVERIFIED\n"));
    let whole = fs::read(place.path("run.json")).unwrap();
    place.write("cut.json", &whole[..whole.len() - 100]);
    assert_invalid(
        &place.run(&["verify", "cut.json", "--key=aim.pub"]),
        "AIM-E013",
    );
}

#[test]
fn logs_tell_a_run_from_its_intent_to_its_end() {
    let place = ran();
    let events = place
        .run(&["logs", "--data-dir=data", "--run=last", "-ojson"])
        .documents();
    assert!(events.iter().all(|event| event["$type"] == "aim.event/v1"));
    assert_eq!(events.first().unwrap()["event_type"], "intent.received");
    assert_eq!(events.last().unwrap()["event_type"], "run.completed");
    let text = place.run(&["logs", "--data-dir=data"]).text();
    assert_eq!(text.lines().count(), events.len());
    let run = events[0]["attributes"]["run"].as_str().unwrap();
    let by_run = place.run(&["logs", "--data-dir=data", "--run", run.get(..12).unwrap()]);
    assert_eq!(by_run.text(), text);
    place
        .run(&["logs", "--data-dir=data", "--run=run_0"])
        .assert_refused(6, "AIM-C046");
}

#[test]
fn a_witness_is_shown_with_claims_apart_or_byte_for_byte() {
    let place = ran();
    let show =
        |id: &str, output: &str| place.run(&["witness", "show", "--data-dir=data", id, output]);
    let texts: Vec<String> = (0..11)
        .map(|index| show(&index.to_string(), "-otext").text())
        .collect();
    assert!(texts.iter().any(|text| {
        let claims = text.split_once("claims of the guest; the host checked none of them:\n");
        claims.is_some_and(|(host, guest)| host.contains("\ngates ") && guest.contains("  sure "))
    }));
    let last = show("last", "-ojson").stdout;
    let (_, statement) = last.split_last().unwrap();
    let digest = aim_core::digest::Digest::of(statement).to_string();
    assert!(show(&digest, "-otext").text().contains(&digest));
    assert_eq!(show(digest.get(..15).unwrap(), "-ojson").stdout, last);
    place
        .run(&["witness", "show", "--data-dir=data", "99"])
        .assert_refused(6, "AIM-C046");
}
