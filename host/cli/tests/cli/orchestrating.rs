//! Runs that wait, try again and fan out, from the outside: killed at work, answered from another terminal, cancelled.
//!
//! INVARIANT: whatever happens to the process, each step is released once and the evidence verifies.

use std::{
    collections::BTreeSet,
    fs,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    deciding::type_at_a_terminal,
    http,
    runs::{ECHO, assert_verified, deployment},
    support::{Came, Place, guest},
};

pub(crate) const ASKING: &str = r#"
PLAN asking v1.0:
  QUIP "Two hands clap, and one of them is yours."
  ROLE a: custom(node="echo")
  STEP say:
    ASSIGN a: "say it"
    BUDGET tokens=1, time=30s, tools=1
    GATE long: output.word.size_bytes > 100
      ON_FAIL escalate "it is short"
  STEP next:
    ASSIGN a: "say it again"
    REQUIRES say
    BUDGET tokens=1, time=30s, tools=1
"#;

/// Each try ends at its gate; the waits between them are long enough to be met by whoever looks for them every second.
pub(crate) const TRYING: &str = r#"
pipeline "trying" {
  header { quip: "A clock that is wrong waits to be right twice a day." }
  role a: custom { node: "echo" }
  step say: a {
    does: "say it"
    budget: { tokens: 1, wall_ms: 30000, calls: 1 }
    retries: { max_attempts: 3, backoff_ms: 4000 }
    gate egress long { require output.word.size_bytes > 100; on_fail retry }
  }
}
"#;

/// Six instances, one after the other; each makes one call.
const FANNED: &str = r#"
pipeline "fanned" {
  header { quip: "Many cooks, one spoon each." }
  role a: custom { node: "caller" }
  role b: custom { node: "echo" }
  shard "main" {
    caps { max_parallel: 1 }
    step first: b { does: "hand it on", budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
    step each: a { does: "call", budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
    fanout first -> each[1..6]
  }
}
"#;

const RUN: [&str; 4] = ["run", "plan.acl", "-i", "word=hello"];

pub(crate) fn place(plan: &str) -> Place {
    let place = deployment();
    place.write("plan.acl", plan);
    place.list_approver("ann");
    place
}

pub(crate) fn answer(place: &Place, id: &str, says: &str) -> Came {
    let as_ann = ["--as", "ann", "--key-dir", "ann", "--yes"];
    let all: Vec<&str> = [&["answer", "last", id, says], &as_ann[..]].concat();
    place.run(&all)
}

pub(crate) fn begin(place: &Place) -> Child {
    let mut command = place.command(&RUN);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn events(place: &Place) -> Vec<Value> {
    let came = place.run(&["logs", "-o", "json"]);
    if came.code == 0 {
        came.documents()
    } else {
        Vec::new()
    }
}

pub(crate) fn count(place: &Place, is: impl Fn(&Value) -> bool) -> usize {
    events(place).iter().filter(|event| is(event)).count()
}

pub(crate) fn of_type(name: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event_type"] == name
}

pub(crate) fn made(name: &str) -> impl Fn(&Value) -> bool {
    move |event| event["attributes"]["event"] == name
}

/// Kills the run once the log holds so many events that `is` knows; answers whether it was still at work.
fn killed_at(place: &Place, least: usize, is: impl Fn(&Value) -> bool + Copy) -> bool {
    let mut child = begin(place);
    // BOUND: a run ends by itself.
    while count(place, is) < least && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

/// The question that is open, as `aimctl runs` shows it.
pub(crate) fn question(place: &Place) -> String {
    let runs = place.run(&["runs", "-o", "json"]);
    let run = runs.documents().pop().unwrap();
    assert_eq!(
        (&run["state"], &run["code"]),
        (&"waiting".into(), &"ACL-S204".into())
    );
    run["questions"][0][0].as_str().unwrap().to_owned()
}

pub(crate) fn state(place: &Place) -> (String, Value) {
    let run = place
        .run(&["runs", "-o", "json"])
        .documents()
        .pop()
        .unwrap();
    (
        run["state"].as_str().unwrap().to_owned(),
        run["code"].clone(),
    )
}

/// Three instances are answered, the fourth is not, and then the host is killed: what is to be done again is known exactly.
// Negative control: with the attempts of an interrupted try left out of `resume`, the first three call again and this fails
// (seen).
#[test]
fn a_run_killed_between_instances_of_a_fan_out_repeats_exactly_those_that_were_not_done() {
    let (asked, is_open) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let opened = Arc::clone(&is_open);
    let server = http::serve(move |_| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        let is_answered = number < 3 || opened.load(Ordering::SeqCst);
        is_answered.then(|| http::ok("done")).flatten()
    });
    let place = http::deployment(server.port, http::LOOPBACK, "idempotent: true\n");
    place.write("plan.acl", FANNED);
    place.write("contracts/echo.yaml", ECHO);
    place.write(
        "components/echo.wasm",
        fs::read(guest("conformance-echo.wasm")).unwrap(),
    );
    let input = http::input(&http::request(server.port, "/v1/pay"));
    let run = ["run", "plan.acl", "-i", &input];
    let mut command = place.command(&run);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    for _ in 0..4 {
        server.came.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        count(&place, made("VERDICT_PASS")),
        4,
        "the first and three instances are durable, the fourth is under way"
    );
    is_open.store(true, Ordering::SeqCst);
    let came = place.run(&run);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let keys: Vec<String> = server.seen().iter().map(|text| http::key(text)).collect();
    assert_eq!(
        keys.len(),
        7,
        "the fourth twice, every other once: {keys:?}"
    );
    assert_eq!(keys[3], keys[4], "and with the same key");
    let distinct: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), 6);
    assert_eq!(count(&place, made("VERDICT_PASS")), 7);
    assert_eq!(count(&place, of_type("dataplane.dispatched")), 7);
    assert_eq!(state(&place), ("succeeded".to_owned(), Value::Null));
    assert_verified(&place);
}

// Negative control: with the notes of an interrupted try left out of `resume`, waits are scheduled twice and this fails (seen).
#[test]
fn a_run_killed_between_two_tries_makes_each_try_once() {
    let place = place(TRYING);
    assert!(killed_at(&place, 1, &of_type("retry.scheduled")));
    assert!(killed_at(&place, 2, &of_type("retry.scheduled")));
    let came = place.run(&RUN);
    assert_eq!(came.code, 3, "{}", came.stderr);
    assert_eq!(count(&place, of_type("dataplane.dispatched")), 3);
    assert_eq!(count(&place, of_type("retry.scheduled")), 2);
    assert_eq!(count(&place, made("RETRY_LIMIT_EXCEEDED")), 1);
    assert_eq!(state(&place), ("failed".to_owned(), "ACL-S202".into()));
    assert_verified(&place);
}

#[test]
fn a_run_killed_while_a_question_is_open_asks_it_once_and_goes_on_with_the_answer() {
    let place = place(ASKING);
    killed_at(&place, 1, &of_type("question.asked"));
    for _ in 0..2 {
        let came = place.run(&RUN);
        assert_eq!(came.code, 9, "{}", came.stderr);
    }
    assert_eq!(count(&place, of_type("question.asked")), 1);
    let id = question(&place);
    let came = answer(&place, &id, "yes");
    assert_eq!(came.code, 0, "{}", came.stderr);
    answer(&place, &id, "no").assert_refused(6, "AIM-R072");
    let came = place.run(&RUN);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_eq!(count(&place, made("VERDICT_PASS")), 2);
    assert_eq!(count(&place, of_type("question.answered")), 1);
    assert_verified(&place);
}

#[test]
fn a_run_that_nobody_carries_on_is_ended_by_cancel() {
    let place = place(ASKING);
    assert_eq!(place.run(&RUN).code, 9);
    let id = question(&place);
    let came = place.run(&["cancel", "last"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_eq!(state(&place), ("cancelled".to_owned(), "ACL-S205".into()));
    answer(&place, &id, "yes").assert_refused(2, "AIM-R071");
    place.run(&["cancel", "last"]).assert_refused(2, "AIM-R071");
    assert_verified(&place);
}

const PLAYED: &str = r#"
pipeline "played" {
  header { quip: "The curtain has the last word." }
  role a: custom { node: "player" }
  shard "main" {
    step say: a { does: "say it", kappa: 0.7, budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
    step next: a { does: "go on", depends say, budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
    policy rewrite { on policy_violation => escalate "who allowed that?" }
  }
}
"#;

/// A deployment whose steps play the parts of a script, and may make one claim each.
pub(crate) fn stage(plan: &str) -> Place {
    let place = place(plan);
    place.write(
        "contracts/player.yaml",
        "kind: compute\nnode_id: player\nversion: \"0.1.0\"\ncomponent: { path: player.wasm }\n\
         limits: { fuel_max: 1000000000000, deadline_ms_max: 600000 }\n\
         asks: [{ capability: attest, calls_max: 1 }, { capability: budget }, { capability: context }]\n",
    );
    place.write(
        "components/player.wasm",
        fs::read(guest("conformance-player.wasm")).unwrap(),
    );
    place
}

/// The step wants more than its grant, or to send where it may not. Without a rule of the plan the run ends there; with one, a
/// person is asked first, and a no ends it as well.
// Negative control: with `is_violation` left out of `is_quarantine`, the run has failed (ACL-S202) and this fails; with the
// trigger of `PolicyViolation` left out of `trigger`, nobody is asked and this fails (seen).
#[test]
fn a_run_that_violates_its_policy_is_in_quarantine_and_a_person_is_asked_where_the_plan_says_so() {
    for part in [r#"{"claims":2}"#, r#"{"to":"reply","confidence":900000}"#] {
        let input = format!(r#"script={{"say":{part}}}"#);
        let run = ["run", "plan.acl", "-i", &input];
        let rule = "    policy rewrite { on policy_violation => escalate \"who allowed that?\" }\n";
        let ends = stage(&PLAYED.replace(rule, ""));
        let came = ends.run(&run);
        assert_eq!(came.code, 3, "{part}: {}", came.stderr);
        assert_eq!(state(&ends), ("quarantined".to_owned(), "ACL-S201".into()));
        assert_eq!(count(&ends, made("VERDICT_PASS")), 0);

        let asks = stage(PLAYED);
        assert_eq!(asks.run(&run).code, 9, "{part}");
        let came = answer(&asks, &question(&asks), "no");
        assert_eq!(came.code, 0, "{}", came.stderr);
        let came = asks.run(&run);
        assert_eq!(came.code, 3, "{part}: {}", came.stderr);
        assert_eq!(state(&asks), ("quarantined".to_owned(), "ACL-S201".into()));
        assert_verified(&asks);
    }
}

// Negative control: with the exit of an abstention taken for a failure in `of_end`, the code is ACL-S202 and this fails (seen).
#[test]
fn a_run_that_nobody_is_sure_about_has_abstained() {
    for part in [r#"{"confidence":600000}"#, r#"{"abstain":true}"#, "{}"] {
        let place = stage(PLAYED);
        let input = format!(r#"script={{"say":{part}}}"#);
        let came = place.run(&["run", "plan.acl", "-i", &input]);
        assert_eq!(came.code, 8, "{part}: {}", came.stderr);
        assert_eq!(state(&place), ("abstained".to_owned(), "ACL-S203".into()));
        assert_eq!(count(&place, made("VERDICT_PASS")), 0, "{part}");
        assert_verified(&place);
    }
}

/// A step that writes to a folder of the deployment, and then one that asks.
#[test]
fn a_run_that_writes_to_a_folder_goes_on_after_the_answer() {
    let writer = "  ROLE w: custom(node=\"writer\")\n  STEP write:\n    ASSIGN w: \"write it\"\n    \
                  BUDGET tokens=1, time=30s, tools=1\n  STEP say:";
    let place = place(&ASKING.replace("  STEP say:", writer));
    let toml = place.read("aim.toml");
    let toml = toml.replace(
        "[gates]",
        "policy = \"policy.cedar\"\n[folders]\nout = \"out\"\n[gates]",
    );
    place.write("aim.toml", toml);
    place.write("policy.cedar", "permit (principal, action, resource);\n");
    place.write("out/kept", "kept");
    place.write(
        "contracts/writer.yaml",
        "kind: compute\nnode_id: writer\nversion: \"0.1.0\"\nadapt: std-0.2.12\ncomponent: { path: std.wasm }\n\
         asks: [{ capability: filesystem, modes: [read, write], folder: out }]\n",
    );
    place.write(
        "components/std.wasm",
        fs::read(guest("conformance-std.wasm")).unwrap(),
    );
    let call = r#"call={"operation":"write-file","path":"/out/a.txt","text":"one"}"#;
    let run = ["run", "plan.acl", "-i", "word=hello", "-i", call];
    let came = place.run(&run);
    assert_eq!(came.code, 9, "{}", came.stderr);
    assert_eq!(place.read("out/a.txt"), "one", "the first step is over");
    place.write("out/a.txt", "changed by a person");
    let came = answer(&place, &question(&place), "yes");
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_eq!(
        place.read("out/a.txt"),
        "changed by a person",
        "an answer publishes nothing again"
    );
    let came = place.run(&run);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_eq!(place.read("out/kept"), "kept");
    assert_eq!(
        place.read("out/a.txt"),
        "changed by a person",
        "nor does going on"
    );
    assert_eq!(
        count(&place, made("VERDICT_PASS")),
        3,
        "nothing was done twice"
    );
    assert_verified(&place);
}

/// Negative controls: with every answer believed by `resume`, listed or not, the run goes on without the list; with answers left
/// out of what is verified, anybody's key will do for the reader's; either way this fails (both seen).
#[test]
fn only_a_listed_person_answers_and_their_signature_is_what_a_run_and_a_verifier_believe() {
    let place = place(ASKING);
    assert_eq!(place.run(&RUN).code, 9);
    let id = question(&place);
    let ben = place.run(&["keys", "new", "approver", "ben"]).text();
    let sign = |name: &str, key: &str, more: &[&str]| {
        let mut command = place.command(&["answer", "last", &id, "yes"]);
        command.args(["--as", name, "--key-dir", key]).args(more);
        Came::from(command.output().unwrap())
    };
    sign("ben", "ben", &["--yes"]).assert_refused(3, "AIM-G028");
    sign("ann", "ben", &["--yes"]).assert_refused(3, "AIM-G029");
    let came = sign("ann", "ann", &[]);
    came.assert_refused(3, "AIM-P037");
    assert!(came.stderr.contains("it is short"), "{}", came.stderr);
    assert_eq!(count(&place, of_type("question.answered")), 0);
    assert_eq!(place.run(&RUN).code, 9, "nothing was answered");
    let asked = [
        "answer",
        "last",
        &id,
        "yes",
        "--as",
        "ann",
        "--key-dir",
        "ann",
    ];
    let came = type_at_a_terminal(&place, &asked, "no\n");
    assert_eq!(came.code, 3, "{}", came.text());
    assert!(came.text().contains("sign this as ann?"), "{}", came.text());
    assert_eq!(count(&place, of_type("question.answered")), 0);

    let came = type_at_a_terminal(&place, &asked, "yes\n");
    assert_eq!(came.code, 0, "{}", came.text());
    let shown = place.run(&["witness", "show", "last"]).text();
    assert!(shown.contains("ann · operations"), "{shown}");
    // Whoever is taken off the list has answered nothing.
    let listed = place.read("aim.toml");
    let (without, ann) = listed.split_once("[gates.approvers").unwrap();
    place.write("aim.toml", without);
    assert_eq!(place.run(&RUN).code, 9);
    place.write("aim.toml", &listed);
    assert_eq!(place.run(&RUN).code, 0);

    // Whom the reader knows is said by the reader: the machine's keys alone vouch for nobody who answered.
    let machine = place.run(&["keys", "show"]).text();
    let verify = |keys: String| {
        place.write("known.pub", keys);
        place.run(&["verify", ".aim", "--key", "known.pub"])
    };
    let came = verify(machine.clone());
    assert_eq!(came.code, 0, "{}", came.text());
    assert!(
        came.text().contains("who gave 1 answers"),
        "{}",
        came.text()
    );
    let (_, ann) = ann.split_once("key = \"").unwrap();
    let came = verify(format!("{machine}approver {}\n", ann.get(..64).unwrap()));
    assert_eq!(came.code, 0, "{}", came.text());
    assert!(!came.text().contains("who gave"), "{}", came.text());
    let came = verify(format!("{machine}{}\n", ben.lines().nth(1).unwrap()));
    assert_eq!(came.code, 4, "{}", came.text());
    assert!(came.text().contains("AIM-E016"), "{}", came.text());
}
