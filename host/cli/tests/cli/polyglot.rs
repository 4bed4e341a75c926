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

/// The Python step of another version: the words it writes in its log and over its answer, spelled otherwise.
fn respelled() -> Vec<u8> {
    let mut bytes = fs::read(guest("languages/python-summarise.wasm")).unwrap();
    let (from, to) = (b"summarised", b"summarized");
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter_map(|(place, one)| (one == from).then_some(place))
        .collect();
    assert!(!places.is_empty(), "the word is not in the component");
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    bytes
}

/// Controls: with the old version as the other one, the comparison is equal and exits with 0; with only the other version at
/// hand, the pin is missing (both in here).
#[test]
fn steps_in_every_language_replay_equal_and_another_version_of_one_is_told_apart() {
    built();
    let (home, place) = (Home::open(), Place::new());
    let came = run(&home, &place, &[]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let config = example("aim.toml");
    let replay = |more: &[&str]| {
        let all = ["replay", "last", "--data-dir=data", "-o", "json"];
        home.run(&place, &[all.as_slice(), more].concat())
    };
    let with = |more: &[&str]| replay(&[&["--config", config.to_str().unwrap()], more].concat());
    let came = with(&[]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    let documents = came.documents();
    // The probes that watch the run are attempts too.
    assert_eq!(documents.len(), 3 + 14);
    assert!(documents.iter().all(|one| one["standing"] == "equal"));
    let other = place.write("other/summarise.wasm", respelled());
    let python = guest("languages/python-summarise.wasm");
    let against = |component: &str| with(&["--step", "summarise", "--against", component]);
    assert_eq!(against(&python).code, 0);
    let came = against(other.to_str().unwrap());
    assert_eq!(came.code, 7, "{}{}", came.text(), came.stderr);
    let document = came.documents().remove(0);
    assert_eq!(document["code"], "ACL-D302");
    let differences = document["differences"].as_array().unwrap();
    let fields: Vec<&str> = differences
        .iter()
        .map(|one| one["field"].as_str().unwrap())
        .collect();
    assert!(
        fields.iter().any(|field| field.starts_with("call ")),
        "{fields:?}"
    );
    assert!(
        fields.iter().any(|field| field.starts_with("out")),
        "{fields:?}"
    );
    let came = replay(&["--step", "summarise", "--components", "other"]);
    assert_eq!(came.code, 8, "{}{}", came.text(), came.stderr);
    assert_eq!(came.documents()[0]["missing"][0]["code"], "AIM-R080");
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
