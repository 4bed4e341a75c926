//! `plan --lock` and `run --locked`: one case for each kind of pin, each with one thing changed.
//!
//! INVARIANT: a run that is refused for its lock has started nothing and left nothing behind.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::support::{Place, guest};

const PLAN: &str = r#"
import policy "rules.aclp" as house
pipeline "chain" {
  header { quip: "An echo never had an idea of its own." policy: house }
  role a: custom { node: "echo", model: "m-large" }
  step one: a {
    does: "say it"
    tools: ["spell"]
    pins: { tool: "spell@1" seed: 7 }
    budget: { tokens: 1, wall_ms: 30000, calls: 1 }
  }
}
"#;

const ECHO: &str = "kind: compute\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\n\
                    asks: [{ capability: config, scope: [tone] }, { capability: attest }]\n";

const SIGN: [&str; 5] = [
    "codex",
    "sign",
    "codex.json",
    "--key-dir=publisher",
    "--codex-version=1.0.0",
];

/// A deployment of its own with everything that a lock pins, and its lock. Its step is done by `guest`.
fn locked_with(component: &str) -> Place {
    let place = crate::runs::deployment();
    place.write("plan.acl", PLAN);
    place.write(
        "rules.aclp",
        "@id(\"own\") permit(principal, action, resource);\n",
    );
    let public = place.run(&["keys", "new", "gate", "publisher"]).stdout;
    place.write("publisher.pub", public);
    let signed = place.run(&SIGN);
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    let deployment = place.read("aim.toml");
    let deployment = format!("policy = \"policy.cedar\"\n{deployment}[config]\ntone = \"calm\"\n");
    place.write("aim.toml", deployment);
    place.write(
        "policy.cedar",
        "@id(\"all\") permit(principal, action, resource);\n",
    );
    place.write("contracts/echo.yaml", ECHO);
    place.write("components/echo.wasm", fs::read(guest(component)).unwrap());
    let came = place.run(&["plan", "plan.acl", "--lock"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    place
}

fn locked() -> Place {
    locked_with("conformance-echo.wasm")
}

/// One thing that is changed.
enum Change {
    /// A text in a file.
    Text(&'static str, &'static str, &'static str),
    /// A custom section at the end of a component: other bytes that do the same.
    Section(&'static str),
    /// Another component in the place of one.
    Component(&'static str, &'static str),
    /// A codex of other bytes, signed by the same key.
    Codex,
    /// What the lock says: the host itself can not be changed here.
    Pinned(&'static str, &'static str),
}

use Change::{Codex, Component, Pinned, Section, Text};

/// What is changed, and the fields that are not what the lock pins. Every field of a lock is in one of these.
const CHANGES: [(Change, &[&str]); 25] = [
    (Text("plan.acl", "say it", "say this"), &["plan"]),
    (
        Text("plan.acl", "m-large", "m-small"),
        &["plan", "steps.one.model"],
    ),
    (
        Text("plan.acl", "[\"spell\"]", "[\"spell\", \"count\"]"),
        &["plan", "steps.one.tools"],
    ),
    (
        Text("plan.acl", "spell@1", "spell@2"),
        &["plan", "steps.one.pins.tool"],
    ),
    (
        Text("plan.acl", "seed: 7", "seed: 8"),
        &["plan", "steps.one.pins.seed"],
    ),
    (
        Text(
            "plan.acl",
            "seed: 7",
            "seed: 7 model: \"m@3\" index: \"i@4\"",
        ),
        &[
            "plan",
            "steps.one.model",
            "steps.one.pins.index",
            "steps.one.pins.model",
        ],
    ),
    (
        Text("rules.aclp", "own", "mine"),
        &["imports.house", "plan"],
    ),
    (Text("aim.toml", "calm", "curt"), &["steps.one.config"]),
    (
        Text(
            "aim.toml",
            "[gates]",
            "[operator]\nbig = [\"echo\"]\n[gates]",
        ),
        &["steps.one.class", "steps.one.contract"],
    ),
    (
        Text(
            "aim.toml",
            "[gates]",
            "[gates]\nfloors = { kappa_ppm = 600_000 }",
        ),
        &["gate_rules"],
    ),
    (
        Text("contracts/echo.yaml", "0.1.0", "0.1.1"),
        &["steps.one.contract", "steps.one.version"],
    ),
    (
        Text("contracts/echo.yaml", "asks:", "adapt: std-0.2.12\nasks:"),
        &["steps.one.adapt", "steps.one.contract"],
    ),
    (
        Text(
            "contracts/echo.yaml",
            "asks:",
            "limits: { fuel_max: 5000000 }\nasks:",
        ),
        &["steps.one.contract"],
    ),
    (Text("policy.cedar", "all", "any"), &["policy"]),
    (Section("components/echo.wasm"), &["steps.one.component"]),
    (
        Component("components/echo.wasm", "conformance-sure.wasm"),
        &["steps.one.component", "steps.one.wit.aim:witness"],
    ),
    (
        Section("components/gate.wasm"),
        &["gates.ethical.component"],
    ),
    (
        Text(
            "contracts/ethical.yaml",
            "codex:",
            "limits: { fuel_max: 900000000 }\ncodex:",
        ),
        &["gates.ethical.contract"],
    ),
    (
        Text("contracts/ethical.yaml", "\"0.1.0\"", "\"0.1.1\""),
        &["gates.ethical.contract", "gates.ethical.version"],
    ),
    (
        Text(
            "contracts/ethical.yaml",
            "codex:",
            "adapt: std-0.2.12\ncodex:",
        ),
        &["gates.ethical.adapt", "gates.ethical.contract"],
    ),
    (Codex, &["gates.ethical.codex"]),
    (
        Pinned("\"language\":\"1.0\"", "\"language\":\"1.1\""),
        &["compiler.language"],
    ),
    (
        Pinned("\"engine_profile\":\"blake3:", "blake3:0"),
        &["engine_profile"],
    ),
    (
        Pinned(",\"probe.vif.witness_integrity\"]", "]"),
        &["probes.off"],
    ),
    (
        Pinned("\"policy\":\"blake3:", "blake3:0"),
        &["probes.policy"],
    ),
];

impl Change {
    /// The files that it changes.
    fn files(&self) -> Vec<&'static str> {
        match self {
            Text(file, ..) | Section(file) | Component(file, _) => vec![file],
            Codex => vec!["codex.json", "codex.json.dsse"],
            Pinned(..) => vec!["plan.lock"],
        }
    }

    fn make(&self, place: &Place) {
        match self {
            Text(file, from, to) => {
                let text = place.read(file);
                assert!(text.contains(from), "{file}: {text}");
                place.write(file, text.replacen(from, to, 1));
            }
            Section(file) => {
                let bytes = fs::read(place.path(file)).unwrap();
                place.write(file, [bytes.as_slice(), &[0, 2, 1, b'x']].concat());
            }
            Component(file, other) => {
                place.write(file, fs::read(guest(other)).unwrap());
            }
            Codex => {
                let codex = place.read("codex.json");
                place.write("codex.json", codex + "\n");
                let signed = place.run(&SIGN);
                assert_eq!(signed.code, 0, "{}", signed.stderr);
            }
            Pinned(at, digest) if digest.starts_with("blake3:") => {
                // The last member of that name: the probes' switch stands behind the operator's policy.
                let lock = place.read("plan.lock");
                let start = lock.rfind(at).unwrap() + at.len();
                let other = if lock.get(start..).unwrap().starts_with('0') {
                    "1"
                } else {
                    "0"
                };
                let mut changed = lock.clone();
                changed.replace_range(start..=start, other);
                place.write("plan.lock", changed);
            }
            Pinned(from, to) => {
                let lock = place.read("plan.lock");
                assert!(lock.contains(from), "{lock}");
                place.write("plan.lock", lock.replace(from, to));
            }
        }
    }
}

/// What a locked run says of each field that has changed: what is pinned, and what is there.
fn drift(place: &Place) -> BTreeMap<String, (String, String)> {
    let came = place.run(&[
        "-o",
        "json",
        "run",
        "plan.acl",
        "-i",
        "word=hello",
        "--locked",
    ]);
    came.assert_refused(2, "ACL-E060");
    let mut fields = BTreeMap::new();
    for line in came.stderr.lines() {
        let one: Value = serde_json::from_str(line).unwrap();
        let message = one["message"].as_str().unwrap();
        if let Some((field, values)) = message.split_once(": pinned ") {
            let (pinned, present) = values.split_once(", present ").unwrap();
            fields.insert(field.to_owned(), (pinned.to_owned(), present.to_owned()));
        }
    }
    fields
}

/// Controls: with `lock::check` never called, the first change ran to exit 0 and this failed; with the contract of a gate left
/// out of the lock, its tighter limits run to exit 0 (seen).
#[test]
fn a_locked_run_refuses_every_drift_names_the_field_and_starts_nothing() {
    let place = locked();
    for (change, fields) in &CHANGES {
        let files = change.files();
        let before: Vec<Vec<u8>> = (files.iter())
            .map(|file| fs::read(place.path(file)).unwrap())
            .collect();
        change.make(&place);
        let drift = drift(&place);
        let named: Vec<&str> = drift.keys().map(String::as_str).collect();
        assert_eq!(named, *fields, "{drift:#?}");
        assert!(drift.values().all(|(pinned, present)| pinned != present));
        for (file, bytes) in files.iter().zip(before) {
            place.write(file, bytes);
        }
        for left in [".aim", "keys", "cache"] {
            assert!(!place.path(left).exists(), "{left} was made: {fields:?}");
        }
    }
    let came = place.run(&["run", "plan.acl", "-i", "word=hello", "--locked"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
}

#[test]
fn every_field_of_a_lock_is_changed_by_one_of_the_cases() {
    let place = locked();
    let lock: Value = serde_json::from_str(&place.read("plan.lock")).unwrap();
    let covered: Vec<&str> = CHANGES
        .iter()
        .flat_map(|(_, fields)| *fields)
        .copied()
        .collect();
    let mut open = vec![(String::new(), lock)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(members) => open.extend(members.into_iter().map(|(name, value)| {
                let path = if path.is_empty() {
                    name
                } else {
                    format!("{path}.{name}")
                };
                (path, value)
            })),
            _ => {
                // What no deployment can change alone: versions of this program, the names of nodes, and linked packages.
                let is_fixed = [
                    "compiler.schema",
                    "compiler.version",
                    "lock_version",
                    "steps.one.node",
                ];
                let is_package = path.contains(".wit.");
                assert!(
                    is_package
                        || is_fixed.contains(&path.as_str())
                        || covered.contains(&path.as_str()),
                    "{path} = {value}"
                );
            }
        }
    }
}

#[test]
fn a_drift_shows_what_is_pinned_and_what_is_there() {
    let place = locked();
    let contract = place.read("contracts/echo.yaml");
    place.write("contracts/echo.yaml", contract.replace("0.1.0", "0.1.1"));
    let came = place.run(&["run", "plan.acl", "-i", "word=hello", "--locked"]);
    came.assert_refused(2, "ACL-E060");
    assert!(
        came.stderr
            .contains("steps.one.version: pinned 0.1.0, present 0.1.1"),
        "{}",
        came.stderr
    );
    assert!(came.stderr.contains("steps.one.contract: pinned blake3:"));
    assert!(came.stderr.contains("aimctl plan <plan> --lock"));
}

#[test]
fn packages_that_a_component_is_linked_to_are_pinned_with_their_versions() {
    let place = locked_with("conformance-sure.wasm");
    place.write(
        "components/echo.wasm",
        fs::read(guest("conformance-echo.wasm")).unwrap(),
    );
    let drift = drift(&place);
    let gone = ("[\"0.1.0\"]".to_owned(), "nothing".to_owned());
    assert_eq!(drift["steps.one.wit.aim:witness"], gone);
}

#[test]
fn a_lock_is_the_same_on_every_run_and_a_missing_or_broken_one_is_refused() {
    let place = locked();
    let first = place.read("plan.lock");
    assert_eq!(place.run(&["plan", "plan.acl", "--lock"]).code, 0);
    assert_eq!(place.read("plan.lock"), first);
    assert_eq!(
        locked().read("plan.lock"),
        first,
        "another folder, the same lock"
    );
    let lock: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(lock["steps"]["one"]["wit"]["aim:types"][0], "0.1.0");
    assert!(lock["gates"]["ethical"]["codex"].is_string());
    assert!(lock["gates"]["ethical"]["contract"].is_string());
    place.write("plan.lock", first.replace(':', ": "));
    place
        .run(&["run", "plan.acl", "--locked"])
        .assert_refused(2, "ACL-E042");
    fs::remove_file(place.path("plan.lock")).unwrap();
    let came = place.run(&["run", "plan.acl", "--locked"]);
    came.assert_refused(6, "ACL-E061");
    assert!(came.stderr.contains("aimctl plan plan.acl --lock"));
    assert!(!place.path(".aim").exists());
}

#[test]
fn what_is_refused_gets_no_lock() {
    let place = locked();
    fs::remove_file(place.path("plan.lock")).unwrap();
    place.write(
        "policy.cedar",
        "@id(\"none\") forbid(principal, action, resource);\n",
    );
    let came = place.run(&["plan", "plan.acl", "--lock"]);
    assert_eq!(came.code, 3, "{}", came.stderr);
    assert!(!place.path("plan.lock").exists());
}
