//! Rust, Python and JavaScript in one plan, as a user runs it, and what happens when the operator did not agree to the size.
//!
//! INVARIANT: the components are compiled once for all tests: keys and code cache of whole runs are shared and locked.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::{Came, Place, guest};

fn example(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/polyglot")
        .join(path)
}

/// Keys and compiled code that outlive a test; held by one at a time.
struct Home {
    folder: PathBuf,
    _lock: File,
}

impl Home {
    fn open() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/aimctl");
        fs::create_dir_all(&folder).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        Self {
            folder,
            _lock: lock,
        }
    }

    fn run(&self, place: &Place, arguments: &[&str]) -> Came {
        place
            .command(arguments)
            .env("AIM_KEYS_DIR", self.folder.join("keys"))
            .env("AIM_CACHE_DIR", self.folder.join("cache"))
            .output()
            .unwrap()
            .into()
    }
}

fn built() {
    for name in [
        "polyglot-parse.wasm",
        "languages/python-summarise.wasm",
        "languages/js-report.wasm",
    ] {
        let _is_built = guest(name);
    }
}

fn run(home: &Home, place: &Place, more: &[&str]) -> Came {
    let (plan, orders) = (example("plan.acl"), example("orders.jsonl"));
    let orders = format!("orders=@{}", orders.display());
    let mut arguments = vec!["run", plan.to_str().unwrap(), "--data-dir=data", "-i"];
    arguments.push(&orders);
    arguments.extend(more);
    home.run(place, &arguments)
}

/// Every statement of a kind that the data directory holds, oldest first.
fn statements(home: &Home, place: &Place, kind: &str) -> Vec<Value> {
    let show = |index: usize| {
        let index = index.to_string();
        home.run(
            place,
            &["-o", "json", "witness", "show", "--data-dir=data", &index],
        )
    };
    (0..)
        .map(show)
        .take_while(|shown| shown.code == 0)
        .map(|shown| shown.documents().remove(0))
        .filter(|statement| statement["predicateType"].as_str().unwrap().contains(kind))
        .collect()
}

fn first_output(place: &Place, came: &Came) -> Vec<u8> {
    let text = came.text();
    fs::read(place.path(text.lines().next().unwrap())).unwrap()
}

/// P8.
#[test]
fn three_languages_give_the_expected_answer_twice_with_the_same_transcripts_and_counted_adapters() {
    built();
    let (home, place) = (Home::open(), Place::new());
    let first = run(&home, &place, &[]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let body = first_output(&place, &first);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let expected: Value =
        serde_json::from_slice(&fs::read(example("expected/report.json")).unwrap()).unwrap();
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&answer[field], value, "{field}: {answer}");
    }
    let page = first.text().lines().nth(1).unwrap().to_owned();
    assert_eq!(
        fs::read_to_string(place.path(&page)).unwrap(),
        fs::read_to_string(example("expected/report.md")).unwrap()
    );

    let again = run(&home, &place, &["--again"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(first_output(&place, &again), body);
    let mut attempts = statements(&home, &place, "attempt");
    assert_eq!(attempts.len(), 2 * (3 + 14), "steps and probes");
    attempts.retain(|one| one["predicate"]["node"] != "probe-invariants");
    assert_eq!(attempts.len(), 6);
    for (one, two) in attempts.iter().zip(&attempts[3..]) {
        let calls = |of: &Value| of["predicate"]["hostCalls"].clone();
        assert_eq!(calls(one), calls(two), "the same transcript, call by call");
    }
    let counted = |step: &str, function: &str| {
        let attempt = attempts.iter().find(|one| one["predicate"]["node"] == step);
        attempt.unwrap()["predicate"]["hostCalls"]["adapters"][function].as_u64()
    };
    let reads = counted("polyglot.summarise", "wasi:cli/environment.get-environment");
    assert!(reads.is_some_and(|count| count > 0), "{attempts:#?}");
    let never = counted(
        "polyglot.summarise",
        "wasi:sockets/tcp-create-socket.create-tcp-socket",
    );
    assert_eq!(never, None, "zero is left out");
    let allocator = |step: &str| {
        let attempt = attempts.iter().find(|one| one["predicate"]["node"] == step);
        attempt.unwrap()["predicate"]["engine"]["allocator"].clone()
    };
    assert_eq!(allocator("polyglot.report"), "on-demand");
    assert_eq!(
        counted("polyglot.parse", "wasi:cli/environment.get-environment"),
        None
    );
}

/// The example in a place of its own, where a test may change it.
fn copied() -> Place {
    built();
    let place = Place::new();
    for folder in ["contracts", "policy"] {
        for entry in fs::read_dir(example(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            let text = fs::read_to_string(&path).unwrap();
            place.write(&name, text.replace("../../../contracts/codex", ".."));
        }
    }
    let codex = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/codex");
    for name in ["default.json", "default.json.dsse", "publisher.pub"] {
        place.write(name, fs::read(codex.join(name)).unwrap());
    }
    place.write("plan.acl", fs::read(example("plan.acl")).unwrap());
    for name in [
        "polyglot-parse.wasm",
        "gate-mcel.wasm",
        "probe-invariants.wasm",
        "languages/python-summarise.wasm",
        "languages/js-report.wasm",
    ] {
        let file = name.rsplit('/').next().unwrap();
        place.write(
            &format!("components/{file}"),
            fs::read(guest(name)).unwrap(),
        );
    }
    configure(
        &place,
        "big = [\"polyglot.summarise\", \"polyglot.report\"]",
    );
    place
}

fn configure(place: &Place, operator: &str) {
    let text = fs::read_to_string(example("aim.toml")).unwrap();
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("root") && !line.starts_with("big"))
        .map(|line| {
            if line.starts_with("components") {
                "components = [\"components\"]"
            } else if line.starts_with("codex_keys") {
                "codex_keys = \"publisher.pub\""
            } else {
                line
            }
        })
        .collect();
    place.write("aim.toml", format!("{}\n{operator}\n", kept.join("\n")));
}

fn refused(place: &Place) -> Came {
    place.run(&["run", "plan.acl", "-i", "orders={}"])
}

#[test]
fn without_the_operators_word_large_components_are_refused_by_name_with_the_way_out() {
    let place = copied();
    configure(&place, "");
    let came = refused(&place);
    came.assert_refused(2, "AIM-A050");
    for node in ["polyglot.summarise", "polyglot.report"] {
        assert!(
            came.stderr.contains(&format!("big = [\"{node}\"]")),
            "{}",
            came.stderr
        );
    }
    configure(&place, "big = [\"polyglot.sumarise\"]");
    refused(&place).assert_refused(2, "AIM-C015");
}

#[test]
fn a_profile_of_another_toolchain_and_one_that_nobody_knows_are_refused() {
    let place = copied();
    let contract = place.path("contracts/summarise.yaml");
    let text = fs::read_to_string(&contract).unwrap();
    let with = |profile: &str| {
        fs::write(&contract, text.replace("componentize-py-0.25", profile)).unwrap();
        refused(&place)
    };
    with("componentize-js-0.23").assert_refused(2, "AIM-A051");
    with("std-0.2.12").assert_refused(2, "AIM-A006");
    with("componentize-py-0.26").assert_refused(2, "AIM-A007");
}
