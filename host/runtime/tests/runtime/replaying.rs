//! Replays: what a run did comes out again, whatever has changed since; what does not is named, and what is missing too.
//!
//! Beside these, every run of every other test here is replayed by the rig and has to come out equal.

use aim_core::{digest::Digest, http::HttpResponse, outcome::Exit, witness::EngineRecord};
use aim_engine::EngineProfile;
use aim_ports::{
    PortError, PortFault,
    compiler::{CompileRequest, Compiler},
    http::HttpCall,
};
use aim_runtime::{
    outside::{EFFECTS_AT_ONCE, Outside, SecretBook},
    replay::{Library, Replay, Standing},
};
use aim_testkit::{MemoryFolder, TestHttp};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::{
    rig::{Rig, guest},
    runs::chain,
};

const WORK: &str = r#"
PLAN work v1.0:
  QUIP "A parrot is a tape recorder with feathers."
  ROLE a: custom(node="work")
  STEP work:
    ASSIGN a: "do it"
"#;

/// A component that imports nothing and answers otherwise than `conformance-echo`.
const OTHER: &str = "hostile-g27-nan";

fn std_guest(asks: Value) -> Rig {
    let more = json!({ "asks": asks, "adapt": "std-0.2.12" });
    Rig::new(WORK).node("work", "conformance-std", more)
}

fn run_std(rig: &Rig, operation: &str) -> String {
    let call = json!({ "operation": operation }).to_string();
    let report = rig.run(&[("call", &call)]).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{:?}", report.steps);
    let released = report.steps[0].released.as_ref().unwrap();
    String::from_utf8(released.emissions[0].body.clone()).unwrap()
}

fn only(replays: &[Replay]) -> &Standing {
    let [one] = replays else {
        panic!("{replays:?}");
    };
    &one.standing
}

/// The same behaviour under another digest.
fn renamed(component: &str) -> Vec<u8> {
    let mut bytes = guest(component);
    bytes.extend_from_slice(&[0, 5, 4, b'n', b'o', b't', b'e']);
    bytes
}

fn fields(standing: &Standing) -> Vec<String> {
    match standing {
        Standing::Diverged(found) => found.iter().map(|one| one.field.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

fn missing(standing: &Standing) -> (&'static str, String) {
    match standing {
        Standing::Abstained(missing) => (missing[0].code, missing[0].what.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_replay_of_a_replayed_run_is_the_same_and_leaves_the_log_as_it_was() {
    let rig = chain();
    rig.run(&[("word", "hello")]).unwrap();
    let before = rig.log.bytes();
    for _ in 0..2 {
        let replays = rig.replay();
        let standings: Vec<&str> = replays.iter().map(|one| one.standing.word()).collect();
        assert_eq!(standings, ["equal", "equal", "equal"]);
    }
    assert_eq!(rig.log.bytes(), before);
    let two = rig.replay_with(&rig.library(), Some("two"), None).unwrap();
    assert_eq!((two.len(), two[0].path.as_str()), (1, "two"));
}

/// Real chance is recorded, so it comes out again although the machine's own has gone on.
/// Control: with the playback's answer left out of `capability/random`, other bytes reach the egress gates and this fails (seen).
#[test]
fn real_randomness_and_real_time_are_answered_by_the_record() {
    for (capability, operation) in [("random", "random"), ("clocks", "system-time")] {
        let rig = std_guest(json!([{ "capability": capability, "modes": ["real"] }]));
        let first = run_std(&rig, operation);
        rig.clock.advance(std::time::Duration::from_secs(86_400));
        assert_eq!(
            only(&rig.replay()),
            &Standing::Equal,
            "{operation}: {first}"
        );
    }
    let rig = std_guest(json!([{ "capability": "clocks", "modes": ["real"] }]));
    run_std(&rig, "sleep");
    assert_eq!(only(&rig.replay()), &Standing::Equal);
}

/// Buckets are replayed on what they held then, and what they hold now stays.
/// Control: with `rebuild` reading the whole log, the first increment finds 1, comes to 2 and this fails (seen).
#[test]
fn a_counter_is_replayed_on_its_state_of_then_and_is_not_counted_again() {
    let asks = json!([
        { "capability": "config", "scope": ["region"], "values": { "region": "eu" } },
        { "capability": "keyvalue", "modes": ["read", "write"], "scope": ["state"] },
    ]);
    let rig = Rig::new(WORK).node("work", "conformance-state", json!({ "asks": asks }));
    let calls = json!([
        { "do": "increment", "bucket": "state", "key": "n" },
        { "do": "get", "bucket": "state", "key": "n" },
        { "do": "list", "bucket": "state" },
        { "do": "config", "key": "region" },
        { "do": "config-all" },
    ])
    .to_string();
    let last = |rig: &Rig| {
        let report = rig.run(&[("calls", &calls)]).unwrap();
        let released = report.steps[0].released.as_ref().unwrap();
        let answers: Value = serde_json::from_slice(&released.emissions[0].body).unwrap();
        answers[0]["ok"].clone()
    };
    for count in 1..=3 {
        assert_eq!(last(&rig), count);
        assert_eq!(only(&rig.replay()), &Standing::Equal);
        assert_eq!(only(&rig.replay()), &Standing::Equal);
    }
}

/// What a step read in a folder that it may change is kept with its witness; the folder itself is not looked at again.
/// Controls: without the manifest in the statement, or with its bytes not kept, the replay abstains and this fails (both seen).
#[test]
fn a_folder_is_replayed_on_what_it_held_and_is_not_written_again() {
    let folder = MemoryFolder::default();
    folder.put("a.txt", b"first");
    folder.put("b.txt", b"second");
    let asks = json!([{ "capability": "filesystem", "modes": ["read", "write"], "folder": "out" }]);
    let mut rig = std_guest(asks);
    rig.folders.insert("out".to_owned(), folder.clone());
    for call in [
        json!({ "operation": "list-folder", "path": "/out" }),
        json!({ "operation": "read-file", "path": "/out/a.txt" }),
        json!({ "operation": "write-file", "path": "/out/c.txt", "text": "third" }),
    ] {
        let report = rig.run(&[("call", &call.to_string())]).unwrap();
        assert_eq!(report.exit, Exit::Ok);
        let writes = folder.writes();
        folder.put("a.txt", b"changed since");
        folder.put("z.txt", b"new since");
        assert_eq!(only(&rig.replay()), &Standing::Equal, "{call}");
        assert_eq!(folder.writes(), writes, "nothing is written by a replay");
        assert_eq!(folder.file("a.txt").unwrap(), b"changed since");
    }
}

fn calling(http: &TestHttp) -> Rig {
    let asks = json!([
        { "capability": "http", "modes": ["request"], "scope": ["POST https://api.example:443/v1/"] },
        { "capability": "secrets", "scope": ["api-token"] },
    ]);
    let more = json!({ "asks": asks, "adapt": "std-0.2.12" });
    let mut rig = Rig::new(WORK).node("work", "conformance-http", more);
    let http = Some(Arc::new(http.clone()) as _);
    rig.outside = Outside::new(http, SecretBook::default(), EFFECTS_AT_ONCE);
    rig
}

#[test]
fn a_request_is_judged_again_answered_from_the_record_and_never_sent_again() {
    let http = TestHttp::new(|_: &HttpCall| {
        Ok(HttpResponse {
            status: 201,
            headers: vec![],
            body: vec![b'x'; 100_000],
        })
    });
    let mut rig = calling(&http);
    let request = json!({
        "method": "POST", "scheme": "https", "authority": "api.example", "path": "/v1/pay", "body": "coin",
    });
    let report = rig.run(&[("request", &request.to_string())]).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{:?}", report.steps);
    assert_eq!(http.sent().len(), 1);
    rig.outside = Outside::nothing();
    assert_eq!(only(&rig.replay()), &Standing::Equal);
    assert_eq!(http.sent().len(), 1, "a replay sends nothing");
    // The answer is larger than what lies in the log; without it there is no replay.
    rig.store = Arc::default();
    let (code, what) = missing(only(&rig.replay()));
    assert_eq!(code, "AIM-R081");
    assert!(what.contains("the answer to call"), "{what}");
}

#[test]
fn an_attempt_that_failed_is_replayed_as_well() {
    let asks = json!([
        { "capability": "config", "scope": ["region"], "values": { "region": "eu" } },
        { "capability": "keyvalue", "modes": ["read", "write"], "scope": ["state"] },
    ]);
    for end in ["fail", "trap"] {
        let rig = Rig::new(WORK).node("work", "conformance-state", json!({ "asks": asks }));
        let calls = json!([
            { "do": "set", "bucket": "state", "key": "k", "value": "v" },
            { "do": "list", "bucket": "state" },
            { "do": end },
        ]);
        rig.run(&[("calls", &calls.to_string())]).unwrap();
        assert!(!rig.attempt("work").released);
        assert_eq!(only(&rig.replay()), &Standing::Equal, "{end}");
    }
}

/// Compiles another component than it is asked for, as a broken or dishonest machine would.
#[derive(Debug)]
struct Lying;

impl Compiler for Lying {
    fn native_code(&mut self, request: &CompileRequest<'_>) -> Result<Vec<u8>, PortError> {
        let other = guest(OTHER);
        let bytes = if Digest::of(request.component) == Digest::of(&guest("conformance-echo")) {
            &other
        } else {
            request.component
        };
        aim_engine::compile(EngineProfile::default(), bytes)
            .map_err(|error| PortError::new(PortFault::Corrupt, "compile", error.to_string()))
    }
}

/// Control: with the differences of outputs and outcome dropped, this and the next test fail (seen).
#[test]
fn acl_d301_what_the_record_does_not_say_is_named_field_by_field() {
    let rig = chain();
    rig.run(&[("word", "hello")]).unwrap();
    let honest = rig.library();
    let mut library = Library::new(rig.rules.clone());
    let wanted = rig.fill(&mut library);
    library.compile(wanted.into_iter(), &mut Lying, EngineProfile::default());
    let before = rig.log.bytes();
    let replays = rig.replay_with(&library, Some("one"), None).unwrap();
    let found = fields(only(&replays));
    assert!(
        found.iter().any(|field| field.starts_with("out")),
        "{found:?}"
    );
    assert_eq!(replays[0].standing.exit(), Exit::Diverged);
    assert_eq!(
        rig.log.bytes(),
        before,
        "saying so is somebody else's business"
    );
    let again = rig.replay_with(&honest, Some("one"), None).unwrap();
    assert_eq!(only(&again), &Standing::Equal);
}

#[test]
fn another_component_is_told_apart_by_what_it_does_and_not_by_its_digest() {
    let rig = chain();
    rig.run(&[("word", "hello")]).unwrap();
    let mut library = rig.library();
    let same = library.add_component(renamed("conformance-echo"));
    let other = library.add_component(guest(OTHER));
    let refused = library.add_component(guest("conformance-functions"));
    let wanted = [same, other, refused].into_iter();
    library.compile(wanted, &mut crate::rig::InProcess, EngineProfile::default());
    let against = |component| {
        let replays = rig.replay_with(&library, Some("one"), Some(component));
        only(&replays.unwrap()).clone()
    };
    assert_eq!(against(same), Standing::Equal);
    let found = fields(&against(other));
    assert!(
        found.iter().any(|field| field.starts_with("out")),
        "{found:?}"
    );
    assert_eq!(fields(&against(refused)), ["admission"]);
}

#[test]
fn a_missing_pin_abstains_and_names_the_digest() {
    let rig = chain();
    rig.run(&[("word", "hello")]).unwrap();
    let digest = Digest::of(&guest("conformance-echo")).to_string();
    // The same name with other bytes is not what ran.
    let mut library = Library::new(rig.rules.clone());
    let mut wanted = rig.fill_without(&mut library, "conformance-echo");
    wanted.push(library.add_component(renamed("conformance-echo")));
    library.compile(
        wanted.into_iter(),
        &mut crate::rig::InProcess,
        EngineProfile::default(),
    );
    let replays = rig.replay_with(&library, None, None).unwrap();
    assert_eq!(replays.len(), 3);
    for replay in &replays {
        let (code, what) = missing(&replay.standing);
        assert_eq!((code, what.contains(&digest)), ("AIM-R080", true), "{what}");
        assert_eq!(replay.standing.exit(), Exit::Abstained);
    }
    let empty = Library::new(rig.rules.clone());
    let replays = rig.replay_with(&empty, Some("one"), None).unwrap();
    let Standing::Abstained(all) = only(&replays) else {
        panic!("{replays:?}");
    };
    let all: Vec<&str> = all.iter().map(|one| one.what.as_str()).collect();
    for what in ["contract", "component", "codex"] {
        let is_named = all.iter().any(|one| one.contains(what));
        assert!(is_named || what == "codex", "{what}: {all:?}");
    }
}

/// Control: with the contract of a gate found by its name again, the row of it replays equal and this fails (seen).
#[test]
fn every_kind_of_pin_abstains_when_it_is_missing_and_is_named() {
    let rig = chain();
    rig.run(&[("word", "hello")]).unwrap();
    for (what, named) in [
        ("component echo", "component blake3:"),
        ("component ethical", "component blake3:"),
        ("contract echo", "contract blake3:"),
        ("contract ethical", "contract blake3:"),
        ("codex ethical", "codex blake3:"),
        ("rules", "rules about gates"),
    ] {
        let replays = rig
            .replay_with(&rig.library_without(what), Some("one"), None)
            .unwrap();
        let (code, said) = missing(only(&replays));
        assert_eq!(code, "AIM-R080", "{what}");
        assert!(said.contains(named), "{what}: {said}");
        assert_eq!(replays[0].standing.exit(), Exit::Abstained);
    }
    let nothing = rig.replay_with(&rig.library_without(""), Some("one"), None);
    assert_eq!(only(&nothing.unwrap()), &Standing::Equal);
    let other = EngineRecord {
        allocator: "test".to_owned(),
        profile: Digest::of(b"another profile"),
    };
    let replays = rig.replay_on(&rig.library(), Some("one"), None, other);
    let (code, said) = missing(only(&replays.unwrap()));
    assert_eq!((code, said.contains("engine profile")), ("AIM-R080", true));
}

/// Whatever an attempt was given has to be the recorded bytes: with the first step's output gone, the second abstains.
#[test]
fn a_missing_payload_abstains_and_names_it() {
    let rig = chain();
    let word = "x".repeat(70_000);
    rig.run(&[("word", &word)]).unwrap();
    assert!(
        rig.replay()
            .iter()
            .all(|one| one.standing == Standing::Equal)
    );
    let mut without = chain();
    without.log = rig.log.clone();
    let missing = without
        .replay_with(&without.library(), None, None)
        .unwrap_err();
    assert_eq!(missing[0].code, "AIM-R081");
    assert!(missing[0].what.contains("input `word`"), "{missing:?}");
}
