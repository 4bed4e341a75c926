//! `aimctl run` from the outside: results, refusals, full disks, and a host that is killed at work.
//!
//! INVARIANT: whatever a case does to a run, what is left verifies, and running again finishes it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{Came, Place, guest};

const PLAN: &str = r#"
PLAN chain v1.0:
  QUIP "An echo never had an idea of its own."
  ROLE a: custom(node="echo")
  STEP one:
    ASSIGN a: "say it"
    BUDGET tokens=1, time=30s, tools=1
  STEP two:
    ASSIGN a: "say it again"
    REQUIRES one
    BUDGET tokens=1, time=30s, tools=1
"#;

const DEPLOYMENT: &str = "probes = { off = [\"all\"] }\ncontracts = [\"contracts\"]\ncomponents = [\"components\"]\n[gates]\nethical = \"ethical\"\ncodex_keys = \"publisher.pub\"\n";

pub(crate) const ECHO: &str =
    "kind: compute\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\n";

/// A deployment of two echoes and the shipped gate.
pub(crate) fn deployment() -> Place {
    let place = Place::new();
    place.write("plan.acl", PLAN);
    place.write("aim.toml", DEPLOYMENT);
    place.write("contracts/echo.yaml", ECHO);
    place.write_gate();
    place.write(
        "components/echo.wasm",
        fs::read(guest("conformance-echo.wasm")).unwrap(),
    );
    place
}

fn run(place: &Place, more: &[&str]) -> Came {
    let mut arguments = vec!["run", "plan.acl", "-i", "word=hello"];
    arguments.extend(more);
    place.run(&arguments)
}

pub(crate) fn assert_verified(place: &Place) {
    place.write("aim.pub", place.run(&["keys", "show"]).stdout);
    let came = place.run(&["verify", ".aim", "--key=aim.pub"]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
}

#[test]
fn a_run_prints_its_outputs_and_leaves_evidence_beside_the_plan() {
    let place = deployment();
    let came = run(&place, &[]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let output = came.text().lines().next().unwrap().to_owned();
    let body = fs::read_to_string(place.path(&output)).unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["word"]["value"], "hello");
    assert!(
        came.stderr.contains("one") && came.stderr.contains("pass"),
        "{}",
        came.stderr
    );
    assert!(place.path(".aim/log/evidence.log").is_file());
    assert_verified(&place);
}

#[test]
fn a_finished_run_asked_again_gives_its_stored_result_and_again_executes_anew() {
    let place = deployment();
    let asked = |more: &[&str]| {
        let came = run(&place, &[&["-o", "json"], more].concat());
        assert_eq!(came.code, 0, "{}", came.stderr);
        came.documents().remove(0)
    };
    let (first, second, anew) = (asked(&[]), asked(&[]), asked(&["--again"]));
    assert_eq!(first["$type"], "aim.run/v1");
    assert_eq!(
        (&first["is_stored"], &second["is_stored"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    assert_eq!(first["execution"], second["execution"]);
    assert_eq!(first["run"], anew["run"], "the same question");
    assert_ne!(first["execution"], anew["execution"], "another try");
    assert_eq!(
        asked(&["--seed", "7"])["is_stored"],
        Value::Bool(false),
        "another question"
    );
    assert_verified(&place);
}

/// Negative control: with `Plan::input_faults` always empty, the runs start and exit with 0 (seen).
#[test]
fn a_run_without_the_inputs_that_its_plan_declares_does_not_start() {
    const DECLARED: &str = r#"
pipeline "declared" {
  header { inputs: { count: number, text: string } }
  role a: custom { node: "echo" }
  step one: a { inputs: { n: input.count } budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
}
"#;
    let place = deployment();
    place.write("plan.acl", DECLARED);
    let none = place.run(&["run", "plan.acl"]);
    none.assert_refused(
        2,
        "AIM-C050: input `count` is missing; the plan declares it as number",
    );
    none.assert_refused(2, "AIM-C050: input `text` is missing");
    let wrong = [
        "run",
        "plan.acl",
        "-i",
        "count=many",
        "-i",
        "text=a",
        "-i",
        "more=b",
    ];
    let wrong = place.run(&wrong);
    wrong.assert_refused(2, "input `count` is not of the type number");
    wrong.assert_refused(2, "input `more` is none that the plan declares");
    assert!(!wrong.stderr.contains("many"), "{}", wrong.stderr);
    assert!(!place.path(".aim").exists(), "nothing was started");
    let came = place.run(&["run", "plan.acl", "-i", "count=3", "-i", "text=a"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let output = came.text().lines().next().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&fs::read(place.path(&output)).unwrap()).unwrap();
    assert_eq!(body["n"]["value"], "3");
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
}

/// A step that names an input is given that one, so a run that does not have it would give it something else.
///
/// Negative control: with `Plan::unanswered` empty, the run starts, `one` gets all inputs, and it exits with 0 (seen).
#[test]
fn a_run_without_an_input_that_a_step_names_does_not_start() {
    const NAMED: &str = r#"
pipeline "named" {
  role a: custom { node: "echo" }
  step one: a { inputs: { lines: input.logz } budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
}
"#;
    let place = deployment();
    place.write("plan.acl", NAMED);
    let came = place.run(&["run", "plan.acl", "-i", "logs=a"]);
    came.assert_refused(
        2,
        "AIM-C050: input `logz` is missing; step `one` is to be given it",
    );
    assert!(!place.path(".aim").exists(), "nothing was started");
}

/// Negative control: with the header's seed left aside in `inputs::seed`, the second run is another question (seen).
#[test]
fn a_plans_seed_is_the_runs_and_another_one_is_refused() {
    const SEEDED: &str = r#"
pipeline "seeded" {
  header { seeds: 7 }
  role a: custom { node: "echo" }
  step one: a { budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
}
"#;
    let place = deployment();
    place.write("plan.acl", SEEDED);
    let came = run(&place, &[]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let same = run(&place, &["--seed", "7", "-o", "json"]);
    assert_eq!(
        same.documents().pop().unwrap()["is_stored"],
        Value::Bool(true)
    );
    run(&place, &["--seed", "8"])
        .assert_refused(2, "AIM-C051: the plan's seed is 7, and `--seed` says 8");
}

/// Kills the run, and with it nothing but the host, once it has said `word`; answers whether it was still at work. A run that was
/// over before has said nothing of the sort.
fn killed_after(place: &Place, arguments: &[&str], word: &str) -> bool {
    let mut child = place
        .command(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let talk = BufReader::new(child.stderr.take().unwrap());
    let said = talk
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains(word));
    child.kill().unwrap();
    let is_over = child.wait().unwrap().success();
    assert!(said || is_over, "the run never said `{word}`");
    !is_over
}

/// Released attempts by step, from the evidence.
fn released(place: &Place) -> Vec<String> {
    let events = place.run(&["logs", "-o", "json"]);
    assert_eq!(events.code, 0, "{}", events.stderr);
    let delivered = events.documents().into_iter();
    let mut steps: Vec<String> = delivered
        .filter(|event| event["event_type"] == "artifact.delivered")
        .map(|event| event["attributes"]["step"].as_str().unwrap().to_owned())
        .collect();
    steps.sort();
    steps
}

// Negative control: with `resume` answering that nothing was done, steps are released twice and this fails (seen).
#[test]
fn d2_a_host_killed_at_work_resumes_without_repeating_a_step_and_the_evidence_verifies() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/incident-triage");
    let _is_built = guest("triage-ingest.wasm");
    let plan = example.join("plan.acl").display().to_string();
    let logs = format!("logs=@{}", example.join("logs/upstream-down").display());
    let arguments = ["run", &plan, "--data-dir=.aim", "-i", &logs];
    let interrupted = || {
        let place = Place::new();
        let words = ["running", "ingest", "retrieve", "verify"];
        let kills = words.map(|word| killed_after(&place, &arguments, word));
        kills.contains(&true).then_some(place)
    };
    // Whoever kills may be given no turn until all is done; hardly ever twice.
    let place = (0..20).find_map(|_| interrupted()).unwrap();
    let came = place.run(&arguments);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let steps = [
        "ingest", "order", "rare", "rate", "redact", "report", "retrieve", "verify",
    ];
    let (probes, own): (Vec<_>, Vec<_>) =
        (released(&place).into_iter()).partition(|step| step.starts_with("probe_"));
    assert_eq!(own, steps, "each step was released once");
    let distinct: std::collections::BTreeSet<&String> = probes.iter().collect();
    assert_eq!((probes.len(), distinct.len()), (14, 14), "and each probe");
    assert_verified(&place);
}

#[test]
fn w10_a_second_process_on_the_same_data_directory_is_refused_with_the_holder() {
    let place = deployment();
    assert_eq!(run(&place, &[]).code, 0);
    let lock = fs::File::options()
        .write(true)
        .open(place.path(".aim/lock"))
        .unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    run(&place, &["--again"]).assert_refused(2, "AIM-D003");
    let reading = place.run(&["logs"]);
    assert_eq!(reading.code, 0, "readers never lock: {}", reading.stderr);
    drop(lock);
    assert_eq!(run(&place, &["--again"]).code, 0);
}

#[test]
fn d7_a_full_disk_is_said_with_its_code_and_the_run_goes_on_when_there_is_room() {
    let place = deployment();
    assert_eq!(run(&place, &[]).code, 0);
    let blocks = fs::metadata(place.path(".aim/log/evidence.log"))
        .unwrap()
        .len()
        / 512;
    let script = format!("ulimit -f {blocks}; exec \"$@\"");
    let aimctl = env!("CARGO_BIN_EXE_aimctl");
    let full = Command::new("sh")
        .args([
            "-c",
            &script,
            "sh",
            aimctl,
            "run",
            "plan.acl",
            "-i",
            "word=other",
        ])
        .current_dir(place.path("."))
        .env_clear()
        .env("AIM_KEYS_DIR", place.path("keys"))
        .env("AIM_CACHE_DIR", place.path("cache"))
        .output()
        .unwrap();
    let full = Came::from(full);
    full.assert_refused(70, "AIM-W001");
    assert_verified(&place);
    let came = place.run(&["run", "plan.acl", "-i", "word=other"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert_verified(&place);
}

/// Negative control: with no check of the mode, this fails.
#[test]
fn s6_keys_that_others_can_read_are_refused_and_nothing_is_run() {
    let place = deployment();
    assert_eq!(run(&place, &[]).code, 0);
    let key = place.path("keys/step.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    run(&place, &["--again"]).assert_refused(2, "AIM-K");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(run(&place, &["--again"]).code, 0);
}

#[test]
fn what_is_missing_or_broken_is_named_with_its_code_and_place() {
    let place = deployment();
    place
        .run(&["run", "absent.acl"])
        .assert_refused(6, "AIM-C041");
    place.write("bad.acl", "PLAN p:\n  STEP s:\n    ASSIGN nobody: \"x\"\n");
    let came = place.run(&["run", "bad.acl"]);
    came.assert_refused(2, "ACL-E");
    assert!(came.stderr.contains("nobody"), "{}", came.stderr);
    place
        .run(&["run", "plan.acl", "-i", "word=@absent"])
        .assert_refused(6, "AIM-C044");
    place
        .run(&["run", "plan.acl", "-i", "word"])
        .assert_refused(2, "AIM-C043");
    place
        .run(&["run", "plan.acl", "--policy", "absent.cedar"])
        .assert_refused(6, "AIM-C001");

    place.write("contracts/echo.yaml", ECHO.replace("version", "verzion"));
    let came = run(&place, &[]);
    came.assert_refused(2, "AIM-C");
    assert!(came.stderr.contains("echo.yaml:3"), "{}", came.stderr);
    fs::remove_file(place.path("aim.toml")).unwrap();
    run(&place, &[]).assert_refused(6, "AIM-C001");
    assert!(!place.path(".aim/runs").exists(), "nothing was run");
}

/// Control: with an absent section taken for an empty switch, the run completed without a probe and this failed.
#[test]
fn a_deployment_that_does_not_say_who_watches_runs_nothing() {
    let place = deployment();
    let silent = DEPLOYMENT.replace("probes = { off = [\"all\"] }\n", "");
    place.write("aim.toml", &silent);
    run(&place, &[]).assert_refused(2, "AIM-C048");
    place
        .run(&["plan", "plan.acl"])
        .assert_refused(2, "AIM-C048");
    assert!(!place.path(".aim").exists() && !place.path("keys").exists());
    // Naming a node that nobody knows is no answer either.
    place.write(
        "aim.toml",
        format!("probes = {{ node = \"nobody\" }}\n{silent}"),
    );
    run(&place, &[]).assert_refused(2, "AIM-C015");
}

/// Two steps that put artifacts; the second one only under `strict`, the whole plan under `house`.
const OWN: &str = r#"
import policy "house.aclp" as house
import policy "strict.aclp" as strict
pipeline "own" {
  header { policy: house, quip: "The cook may take salt out of the recipe, never add it to the guest's plate." }
  role a: custom { node: "echo" }
  step one: a { does: "say it", budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
  step two: a { depends one, policy: strict, does: "say it again", budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
}
"#;

/// Control: with `own::lessen` handing the grant through, the second run completed and this failed.
#[test]
fn a_plans_own_policy_takes_away_from_what_the_operator_grants_and_never_adds() {
    let place = deployment();
    place.write("plan.acl", OWN);
    let asks = "asks: [{ capability: artifact, modes: [put] }]\n";
    place.write("contracts/echo.yaml", format!("{ECHO}{asks}"));
    place.write("aim.toml", format!("policy = \"p.cedar\"\n{DEPLOYMENT}"));
    let all = "permit (principal, action, resource);\n";
    for file in ["p.cedar", "house.aclp", "strict.aclp"] {
        place.write(file, all);
    }
    assert_eq!(run(&place, &[]).code, 0);
    assert_verified(&place);

    let no_put =
        "@id(\"no-put\") forbid (principal, action == Aim::Action::\"artifact.put\", resource);\n";
    place.write("strict.aclp", format!("{all}{no_put}"));
    let came = run(&place, &[]);
    came.assert_refused(3, "AIM-A002");
    assert!(
        came.stderr
            .contains("plan's own policy refuses it: strict: no-put"),
        "{}",
        came.stderr
    );
    assert!(
        came.stderr.contains("two") && !came.stderr.contains("house"),
        "{}",
        came.stderr
    );
    let shown = place.run(&["plan", "plan.acl"]);
    assert_eq!(shown.code, 3, "{}", shown.stderr);

    // The header's holds for both, and what it does not permit is refused.
    place.write("strict.aclp", all);
    place.write(
        "house.aclp",
        "permit (principal, action == Aim::Action::\"log\", resource);\n",
    );
    let came = run(&place, &[]);
    came.assert_refused(3, "house: no rule permits it");

    // It never grants what the operator does not.
    place.write("house.aclp", all);
    place.write("p.cedar", no_put);
    run(&place, &[]).assert_refused(3, "no-put");
}

#[test]
fn a_policy_that_is_none_is_no_import() {
    let place = deployment();
    place.write("plan.acl", OWN);
    place.write("house.aclp", "permit (");
    place.write(
        "strict.aclp",
        "permit (principal, action == Aim::Action::\"fly\", resource);\n",
    );
    let came = place.run(&["lint", "plan.acl"]);
    assert_eq!(came.code, 2, "{}", came.stderr);
    assert_eq!(
        came.text().matches("ACL-E055").count(),
        2,
        "{}",
        came.text()
    );
    run(&place, &[]).assert_refused(2, "ACL-E055");
}

#[test]
fn a_component_that_does_not_fit_is_refused_and_leaves_a_leaf() {
    let place = deployment();
    let whole = fs::read(place.path("components/echo.wasm")).unwrap();
    place.write("components/echo.wasm", &whole[..whole.len() / 2]);
    run(&place, &[]).assert_refused(2, "AIM-A0");
    place.write(
        "components/echo.wasm",
        fs::read(place.path("components/gate.wasm")).unwrap(),
    );
    run(&place, &[]).assert_refused(2, "AIM-A010");
    place.write(
        "components/echo.wasm",
        fs::read(guest("hostile-l1-undeclared.wasm")).unwrap(),
    );
    run(&place, &[]).assert_refused(2, "AIM-A001");
    let leaves = place.run(&["witness", "show", "last"]);
    assert!(leaves.text().contains("denied-load"), "{}", leaves.text());
    let events = place.run(&["logs"]);
    assert_eq!(
        events.text().matches("load.denied").count(),
        6,
        "{}",
        events.text()
    );
    place.write("components/echo.wasm", whole);
    assert_eq!(run(&place, &[]).code, 0);
    assert_verified(&place);
}

/// Negative control: with `text::neutralise` of the engine handing text through, the escapes are on the terminal and this fails.
#[test]
fn s1_text_of_guests_never_reaches_the_terminal_raw() {
    let place = deployment();
    place.write(
        "components/echo.wasm",
        fs::read(guest("hostile.wasm")).unwrap(),
    );
    let asks = "asks: [{ capability: context }, { capability: budget }, { capability: attest }, { capability: consult }, { capability: log }, { capability: artifact, modes: [read, put] }]\n";
    place.write("contracts/echo.yaml", format!("{ECHO}{asks}"));
    place.write("aim.toml", format!("policy = \"p.cedar\"\n{DEPLOYMENT}"));
    let all = "@id(\"all\") permit (principal, action, resource);\n";
    place.write("p.cedar", all);
    let shown_by = |attack: &str| {
        let came = run(&place, &["-i", &format!("attack={attack}")]);
        let witness = place.run(&["witness", "show", "-o", "text"]);
        let logs = place.run(&["logs"]);
        let all = [&came.stderr, &came.text(), &witness.text(), &logs.text()];
        let all = all.map(String::as_str).concat();
        assert!(!all.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{all:?}");
        all
    };
    shown_by("s1-terminal-escapes");
    let shown = shown_by("g29-error-text bytes=100");
    assert!(shown.contains("\\u{1b}E"), "it is told, visibly: {shown}");
}

#[test]
fn a_run_that_is_interrupted_says_so_with_witnesses_and_is_no_answer() {
    let place = deployment();
    place.write(
        "components/spin.wasm",
        fs::read(guest("hostile-g2-start-loop.wasm")).unwrap(),
    );
    let spin = ECHO
        .replace("node_id: echo", "node_id: spin")
        .replace("echo.wasm", "spin.wasm");
    let unlimited = "limits: { fuel_max: 1000000000000, deadline_ms_max: 600000 }\n";
    place.write("contracts/spin.yaml", format!("{spin}{unlimited}"));
    let step = "  STEP spin:\n    ASSIGN b: \"x\"\n    BUDGET tokens=1, time=10m, tools=1\n";
    let role = "  ROLE b: custom(node=\"spin\")\n  STEP one:";
    place.write(
        "plan.acl",
        format!("{}{step}", PLAN.replace("  STEP one:", role)),
    );
    for tries in 1..=2 {
        let mut command = place.command(&["run", "plan.acl", "-i", "word=hello"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut talk = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(talk.any(|line| line.unwrap().contains("✓ two")));
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        drop(talk.map_while(Result::ok).last());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let events = place.run(&["logs"]).text();
        assert_eq!(events.matches("intent.received").count(), tries, "{events}");
        assert_eq!(events.matches("cancelled").count(), tries, "{events}");
    }
    assert_verified(&place);
}
