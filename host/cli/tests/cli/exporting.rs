//! Exports that are replayed where neither the log nor the deployment is.
//!
//! INVARIANT: the auditor's place holds an export, the public keys and nothing else of the place that made them.

use std::fs;

use aim_trust::{
    export::{Export, open_export},
    key::KeySet,
};
use serde_json::{Value, json};

use crate::{
    http, orchestrating,
    runs::deployment,
    support::{Came, Place, guest},
};

/// One run of two echoes.
fn echoes() -> Place {
    let place = deployment();
    let came = place.run(&["run", "plan.acl", "-i", "word=hello"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    place
}

/// The newest run of `place`, exported to be replayed, in a place of its own.
fn exported(place: &Place, more: &[&str]) -> Place {
    let made = ["witness", "export", "--replayable", "-f", "run.json"];
    let made = place.run(&[made.as_slice(), more].concat());
    assert_eq!(made.code, 0, "{}", made.stderr);
    let auditor = Place::new();
    auditor.write("run.json", fs::read(place.path("run.json")).unwrap());
    auditor.write("aim.pub", place.run(&["keys", "show"]).stdout);
    auditor
}

const REPLAY: [&str; 6] = ["replay", "run.json", "--key", "aim.pub", "-o", "json"];

fn replay(auditor: &Place, more: &[&str]) -> Came {
    auditor.run(&[REPLAY.as_slice(), more].concat())
}

fn standings(came: &Came) -> Vec<String> {
    let documents = came.documents();
    let standing = |one: &Value| one["standing"].as_str().unwrap().to_owned();
    documents.iter().map(standing).collect()
}

fn read(auditor: &Place) -> Export {
    let bytes = fs::read(auditor.path("run.json")).unwrap();
    open_export(&bytes, None, None).1.unwrap()
}

#[test]
fn an_auditor_replays_an_export_with_nothing_but_a_key() {
    let auditor = exported(&echoes(), &[]);
    let came = replay(&auditor, &[]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    assert_eq!(standings(&came), ["equal", "equal"]);
    assert!(came.stderr.contains("VERIFIED"), "{}", came.stderr);
    let came = replay(&auditor, &["--step", "two"]);
    assert_eq!((came.code, standings(&came).len()), (0, 1));
    let came = auditor.run(&["verify", "run.json", "--key", "aim.pub"]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    // Whoever made it: nobody's word without a key.
    let came = auditor.run(&["replay", "run.json"]);
    assert_eq!(came.code, 4, "{}{}", came.text(), came.stderr);
    assert!(came.stderr.contains("NOT AUTHENTICATED"), "{}", came.stderr);
    assert!(!auditor.path(".aim").exists(), "nothing is logged");
    let other = auditor.write(
        "other.wasm",
        fs::read(guest("hostile-g27-nan.wasm")).unwrap(),
    );
    let came = replay(
        &auditor,
        &["--step", "one", "--against", other.to_str().unwrap()],
    );
    assert_eq!(came.code, 7, "{}{}", came.text(), came.stderr);
    assert_eq!(came.documents()[0]["code"], "ACL-D302");
    auditor
        .run(&["replay", "last", "--key", "aim.pub"])
        .assert_refused(2, "AIM-R087");
    auditor
        .run(&["replay", "./none.json"])
        .assert_refused(6, "AIM-C041");
}

#[test]
fn what_an_export_does_not_carry_is_named_and_never_guessed() {
    let place = echoes();
    let auditor = exported(&place, &["--without-components"]);
    let came = replay(&auditor, &[]);
    assert_eq!(came.code, 8, "{}{}", came.text(), came.stderr);
    let first = &came.documents()[0];
    assert_eq!(first["code"], "AIM-R080", "{first}");
    for file in ["gate-mcel.wasm", "conformance-echo.wasm"] {
        auditor.write(&format!("kept/{file}"), fs::read(guest(file)).unwrap());
    }
    let came = replay(&auditor, &["--components", "kept"]);
    assert_eq!(
        (came.code, standings(&came)),
        (0, vec!["equal".to_owned(); 2])
    );
    // A payload that was withheld: nothing vouches for it being there.
    let mut document: Value = serde_json::from_str(&auditor.read("run.json")).unwrap();
    let input = document["replay"]["start"]["inputs"]["word"]["digest"].clone();
    let payloads = document["payloads"].as_array_mut().unwrap();
    let before = payloads.len();
    payloads.retain(|one| one["digest"] != input);
    assert_eq!(payloads.len(), before - 1);
    auditor.write("run.json", document.to_string());
    let came = replay(&auditor, &["--components", "kept"]);
    assert_eq!(came.code, 8, "{}{}", came.text(), came.stderr);
    assert_eq!(came.documents()[0]["missing"][0]["code"], "AIM-R081");
    // An export of the plain kind is for checking only.
    place.run(&["witness", "export", "-f", "plain.json"]);
    place
        .run(&["replay", "plain.json"])
        .assert_refused(2, "AIM-R085");
}

type Change = Box<dyn Fn(&mut Value)>;

/// Another value in a field of the beginning.
fn start(field: &'static str, with: Value) -> Change {
    Box::new(move |one| one["replay"]["start"][field] = with.clone())
}

/// Other words in a text of the replay part.
fn words(path: &'static str, from: &'static str, to: &'static str) -> Change {
    Box::new(move |one| {
        let place = one["replay"].pointer_mut(path).unwrap();
        let changed = place.as_str().unwrap().replace(from, to);
        assert!(changed.as_str() != *place, "{path} has no {from}");
        *place = Value::String(changed);
    })
}

/// A change for everything that an export carries, and the code that names it.
fn changes() -> Vec<(&'static str, Change)> {
    let policy = json!({ "p.cedar": "permit (principal, action, resource);" });
    let retry = (
        "\"retry\":{\"attempts_max\":1",
        "\"retry\":{\"attempts_max\":2",
    );
    vec![
        ("AIM-R084", start("seed", json!(7))),
        ("AIM-R084", start("actor", json!("uid:4711"))),
        ("AIM-R084", start("number", json!(2))),
        ("AIM-R084", start("tenant", json!("other"))),
        ("AIM-R084", start("plan_name", json!("other"))),
        (
            "AIM-R084",
            start("started_at", json!("2001-01-01T00:00:00.000Z")),
        ),
        (
            "AIM-R084",
            words("/start/plan", "say it again", "say it later"),
        ),
        ("AIM-R084", words("/contracts/0", retry.0, retry.1)),
        (
            "AIM-R084",
            Box::new(|one| one["replay"]["rules"]["isQuarantining"] = json!(true)),
        ),
        (
            "AIM-R084",
            Box::new(move |one| one["replay"]["policy"] = policy.clone()),
        ),
        (
            "AIM-R084",
            Box::new(|one| drop(one["witnesses"].as_array_mut().unwrap().remove(1))),
        ),
        (
            "AIM-R084",
            Box::new(|one| one["replay"]["start"]["inputs"]["word"]["size_bytes"] = json!(1)),
        ),
        (
            "AIM-E004",
            Box::new(|one| {
                let other = one["witnesses"][1]["envelope"]["payload"].clone();
                one["witnesses"][0]["envelope"]["payload"] = other;
            }),
        ),
        (
            "AIM-E011",
            Box::new(|one| {
                let other = one["payloads"][1]["bytes"].clone();
                one["payloads"][0]["bytes"] = other;
            }),
        ),
        ("AIM-E013", Box::new(|one| one["replay"]["more"] = json!(1))),
    ]
}

/// Control: with the replay part not held against the witnesses, the first change ends in an abstention, and this fails (seen).
#[test]
fn a_tampered_export_exits_with_4_before_anything_is_run() {
    let auditor = exported(&echoes(), &[]);
    let whole: Value = serde_json::from_str(&auditor.read("run.json")).unwrap();
    for (number, (code, change)) in changes().into_iter().enumerate() {
        let mut changed = whole.clone();
        change(&mut changed);
        assert!(changed != whole, "change {number}");
        auditor.write("run.json", changed.to_string());
        let came = replay(&auditor, &[]);
        assert_eq!(came.code, 4, "{number}: {}{}", came.text(), came.stderr);
        assert!(came.stderr.contains(code), "{number}: {}", came.stderr);
        assert!(came.stdout.is_empty(), "{number}");
        let came = auditor.run(&["verify", "run.json", "--key", "aim.pub"]);
        assert_eq!(came.code, 4, "{number}: {}", came.text());
    }
    assert!(!auditor.path("cache").exists(), "nothing was compiled");
    let other = Place::new();
    other.run(&["keys", "init"]);
    auditor.write("run.json", whole.to_string());
    auditor.write("aim.pub", other.run(&["keys", "show"]).stdout);
    let came = replay(&auditor, &[]);
    assert_eq!(came.code, 4, "{}{}", came.text(), came.stderr);
    assert!(came.stderr.contains("AIM-E006"), "{}", came.stderr);
}

#[test]
fn an_export_is_refused_when_the_deployment_has_changed_and_says_what_is_missing() {
    let place = echoes();
    let refused = |more: &[&str]| {
        let export = ["witness", "export", "--replayable", "-f", "run.json"];
        let came = place.run(&[export.as_slice(), more].concat());
        came.assert_refused(6, "AIM-R086");
        assert!(!place.path("run.json").exists());
        came.stderr
    };
    let mut other = fs::read(guest("conformance-echo.wasm")).unwrap();
    other.extend_from_slice(&[0, 5, 4, b'n', b'o', b't', b'e']);
    place.write("components/echo.wasm", &other);
    assert!(refused(&[]).contains("component blake3:"));
    let contract = place.read("contracts/echo.yaml");
    place.write(
        "contracts/echo.yaml",
        format!("{contract}idempotent: true\n"),
    );
    let said = refused(&["--without-components"]);
    assert!(
        said.contains("contract blake3:") && said.contains("`echo`"),
        "{said}"
    );
    place.write("contracts/echo.yaml", contract);
    place.write(
        "kept/old.wasm",
        fs::read(guest("conformance-echo.wasm")).unwrap(),
    );
    let auditor = exported(&place, &["--components", "kept"]);
    assert_eq!(replay(&auditor, &[]).code, 0);
}

/// A run that waits, and the same run once it was answered: the answer is in the export, and what it let go is replayed.
#[test]
fn a_run_is_exported_while_it_waits_and_after_a_person_has_answered() {
    let place = orchestrating::place(orchestrating::ASKING);
    let run = || place.run(&["run", "plan.acl", "-i", "word=hello"]);
    assert_eq!(run().code, 9);
    let came = replay(&exported(&place, &[]), &[]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    assert_eq!(standings(&came), ["equal"]);
    let question = orchestrating::question(&place);
    let came = orchestrating::answer(&place, &question, "yes");
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_eq!(run().code, 0);
    let auditor = exported(&place, &[]);
    let came = replay(&auditor, &[]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    assert_eq!(standings(&came), ["equal"; 3]);
    // Without the answer nobody has let anything go, and nothing is guessed.
    let mut document: Value = serde_json::from_str(&auditor.read("run.json")).unwrap();
    let witnesses = document["witnesses"].as_array_mut().unwrap();
    let before = witnesses.len();
    let kind = |one: &Value| one["leaf"].as_str().unwrap().starts_with("AQgB");
    witnesses.retain(|one| !kind(one));
    assert_eq!(witnesses.len(), before - 1);
    auditor.write("run.json", document.to_string());
    let came = replay(&auditor, &[]);
    assert_eq!(came.code, 8, "{}{}", came.text(), came.stderr);
    assert!(came.text().contains("AIM-R082"), "{}", came.text());
}

/// Whatever is flipped, the export is refused, or what it hands on is what it was. Keys in it are for people to read.
#[test]
fn no_flipped_bit_of_an_export_changes_what_is_replayed() {
    let auditor = exported(&echoes(), &["--without-components"]);
    let whole = fs::read(auditor.path("run.json")).unwrap();
    let keys = KeySet::parse(&auditor.read("aim.pub")).unwrap();
    let open = |bytes: &[u8]| open_export(bytes, Some(&keys), None).1;
    let export = open(&whole).unwrap();
    let mut refused = 0;
    for place in (0..whole.len()).step_by(whole.len() / 400) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 7);
        let Some(other) = open(&bytes) else {
            refused += 1;
            continue;
        };
        let same = (
            &other.origin,
            &other.witnesses,
            &other.payloads,
            &other.replay,
        ) == (
            &export.origin,
            &export.witnesses,
            &export.payloads,
            &export.replay,
        );
        assert!(same, "byte {place}");
    }
    assert!(refused > 300, "{refused}");
}

/// What a request answered is in the export; what it was sent with is not, and nobody is asked again.
/// The same search does find the path and the answer.
#[test]
fn s3_a_secret_is_in_no_export_and_a_request_is_answered_from_it() {
    let (place, seen) = http::paid();
    let auditor = exported(&place, &[]);
    let export = read(&auditor);
    let statements = export.witnesses.iter().map(|(_, statement)| statement);
    let part = serde_json::to_vec(&export.replay).unwrap();
    let mut all: Vec<&[u8]> = statements.map(Vec::as_slice).collect();
    all.extend(export.payloads.values().map(Vec::as_slice));
    all.push(&part);
    let holds = |what: &str| {
        let found = |bytes: &&[u8]| bytes.windows(what.len()).any(|one| one == what.as_bytes());
        all.iter().filter(|bytes| found(bytes)).count()
    };
    assert_eq!(holds(http::CANARY), 0);
    assert!(holds("/v1/pay") > 0 && holds("paid") > 0);
    let whole = auditor.read("run.json");
    assert!(!whole.contains(http::CANARY));
    let before = seen();
    let came = replay(&auditor, &[]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    assert_eq!(standings(&came), ["equal"]);
    assert_eq!(seen(), before, "a replay sends nothing");
}

const COUNTER: &str = "kind: effect\nnode_id: counter\nversion: \"0.1.0\"\ncomponent: { path: state.wasm }\n\
    asks:\n  - capability: config\n    scope: [region]\n    values: { region: eu }\n  - capability: keyvalue\n    modes: [read, write]\n    scope: [state]\n";

/// A counter of three runs: the third finds two, in a place where the first two never ran.
/// Control: without the earlier witnesses of the bucket in the export, the replay counts 1 and this fails (seen).
#[test]
fn a_bucket_is_replayed_on_what_earlier_runs_had_put_into_it() {
    let place = deployment();
    place.write("plan.acl", "PLAN count v1.0:\n  QUIP \"One, two, many.\"\n  ROLE a: custom(node=\"counter\")\n  STEP one:\n    ASSIGN a: \"count\"\n");
    place.write("contracts/counter.yaml", COUNTER);
    place.write("policy.cedar", "permit (principal, action, resource);\n");
    let config = place.read("aim.toml");
    place.write("aim.toml", format!("policy = \"policy.cedar\"\n{config}"));
    place.write(
        "components/state.wasm",
        fs::read(guest("conformance-state.wasm")).unwrap(),
    );
    let calls = r#"calls=[{"do":"increment","bucket":"state","key":"n"},{"do":"get","bucket":"state","key":"n"}]"#;
    for _ in 0..3 {
        let came = place.run(&["run", "plan.acl", "--again", "-i", calls]);
        assert_eq!(came.code, 0, "{}", came.stderr);
    }
    let auditor = exported(&place, &[]);
    let came = replay(&auditor, &[]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    assert_eq!(standings(&came), ["equal"]);
    assert!(!read(&auditor).replay.unwrap().policy.is_empty());
}
