//! `aimctl replay` as a user runs it: equal, diverged, compared with another component, and with something missing.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use aim_core::digest::{Digest, decode_hex};
use aim_trust::key::{KeyRole, SecretKey};
use serde_json::Value;

use crate::{
    runs::{assert_verified, deployment},
    support::{Came, Place, guest},
};

/// A deployment of two echoes, and one run of it.
fn echoes() -> Place {
    let place = deployment();
    let came = place.run(&["run", "plan.acl", "-i", "word=hello"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    place
}

fn standings(came: &Came) -> Vec<(String, String)> {
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    let documents = came.documents();
    let shown = documents.iter();
    shown
        .map(|one| (text(one, "step"), text(one, "standing")))
        .collect()
}

fn log(place: &Place) -> Vec<u8> {
    fs::read(place.path(".aim/log/evidence.log")).unwrap()
}

#[test]
fn a_run_replays_equal_as_often_as_one_likes_and_its_log_stays_as_it_is() {
    let place = echoes();
    let before = log(&place);
    for _ in 0..2 {
        let came = place.run(&["replay", "last", "-o", "json"]);
        assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
        let equal = |step: &str| (step.to_owned(), "equal".to_owned());
        assert_eq!(standings(&came), [equal("one"), equal("two")]);
    }
    let came = place.run(&["replay", "last", "--step", "two"]);
    assert_eq!(
        (came.code, came.text().lines().count()),
        (0, 1),
        "{}",
        came.text()
    );
    assert_eq!(log(&place), before);
    place
        .run(&["replay", "last", "--step", "three"])
        .assert_refused(6, "AIM-C046");
}

#[test]
fn a_component_that_was_exchanged_is_missing_and_can_be_given_from_elsewhere() {
    let place = echoes();
    place.write(
        "kept/old.wasm",
        fs::read(guest("conformance-echo.wasm")).unwrap(),
    );
    let mut other = fs::read(guest("conformance-echo.wasm")).unwrap();
    other.extend_from_slice(&[0, 5, 4, b'n', b'o', b't', b'e']);
    place.write("components/echo.wasm", &other);
    let came = place.run(&["replay", "last"]);
    assert_eq!(came.code, 8, "{}{}", came.text(), came.stderr);
    assert!(came.text().contains("AIM-R080"), "{}", came.text());
    let came = place.run(&["replay", "last", "--components", "kept"]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    let against = ["replay", "last", "--step", "one", "--components", "kept"];
    let with = |component: &str| {
        let more = ["--against", component, "-o", "json"];
        place.run(&[against.as_slice(), &more].concat())
    };
    let came = with("components/echo.wasm");
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    place.write(
        "other.wasm",
        fs::read(guest("hostile-g27-nan.wasm")).unwrap(),
    );
    let before = log(&place);
    let came = with("other.wasm");
    assert_eq!(came.code, 7, "{}{}", came.text(), came.stderr);
    let document = &came.documents()[0];
    assert_eq!(document["code"], "ACL-D302");
    assert!(
        document["differences"][0]["field"].is_string(),
        "{document}"
    );
    assert_eq!(log(&place), before, "a comparison leaves nothing behind");
}

/// Every file below a folder with its bytes.
fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_replay_that_is_killed_at_work_leaves_the_data_as_it_was() {
    let place = echoes();
    let before = everything(&place.path(".aim"));
    for delay_ms in [10, 40, 90, 160, 250] {
        let mut child = place
            .command(&["replay", "last"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Wherever it is then: starting, compiling, replaying, or done.
        sleep(Duration::from_millis(delay_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(everything(&place.path(".aim")) == before, "{delay_ms}");
    }
    assert_eq!(place.run(&["replay", "last"]).code, 0);
    assert!(everything(&place.path(".aim")) == before);
}

/// Puts the code of another component into the cache in the place of the echo's, sealed with the machine's own key: what a
/// machine would do that lies about what it runs.
pub(crate) fn lie_in_the_cache(place: &Place, other: &str) {
    let profile = fs::read_dir(place.path("cache/native")).unwrap().next();
    let profile = profile.unwrap().unwrap().path();
    let digest = |file: &str| Digest::of(&fs::read(guest(file)).unwrap());
    let cached = |digest: Digest| profile.join(format!("{}.native", digest.hex()));
    let echo = digest("conformance-echo.wasm");
    let code = fs::read(cached(digest(other))).unwrap().split_off(72);
    let seed = place.read("keys/cache.key");
    let seed = decode_hex(seed.lines().nth(1).unwrap()).unwrap();
    let name = profile.file_name().unwrap().to_str().unwrap();
    let sealed = [
        b"aim:native-code:v1\0".as_slice(),
        &decode_hex::<32>(name).unwrap(),
        echo.as_bytes(),
        Digest::of(&code).as_bytes(),
    ]
    .concat();
    let seal = SecretKey::from_bytes(KeyRole::Cache, &seed).sign(&sealed);
    let file = [b"AIMNATV1".as_slice(), &seal, &code].concat();
    fs::remove_file(cached(echo)).unwrap();
    fs::write(cached(echo), file).unwrap();
}

#[test]
fn acl_d301_a_difference_exits_with_7_and_leaves_a_diagnostic_witness() {
    let place = echoes();
    let other = place.write(
        "other.wasm",
        fs::read(guest("hostile-g27-nan.wasm")).unwrap(),
    );
    let other = other.to_str().unwrap();
    let came = place.run(&["replay", "last", "--step", "one", "--against", other]);
    assert_eq!(came.code, 7, "{}{}", came.text(), came.stderr);
    lie_in_the_cache(&place, "hostile-g27-nan.wasm");
    let before = log(&place);
    let came = place.run(&["replay", "last", "--step", "one", "-o", "json"]);
    assert_eq!(came.code, 7, "{}{}", came.text(), came.stderr);
    let document = &came.documents()[0];
    assert_eq!(document["code"], "ACL-D301");
    let differences = document["differences"].as_array().unwrap();
    let out = |one: &Value| one["field"].as_str().unwrap().starts_with("out");
    assert!(differences.iter().any(out), "{document}");
    assert!(
        came.stderr.contains("diagnostic witness"),
        "{}",
        came.stderr
    );
    let after = log(&place);
    assert!(after.starts_with(&before) && after.len() > before.len());
    let shown = place.run(&["witness", "show", "last", "-o", "json"]);
    let statement = shown.documents().remove(0);
    assert_eq!(statement["predicate"]["code"], "ACL-D301");
    assert_eq!(
        statement["predicate"]["differences"],
        document["differences"]
    );
    assert_eq!(statement["predicate"]["witness"], document["witness"]);
    assert_verified(&place);
}

/// The limits that a gate judged under are pinned with its contract: with others it is another gate, and nothing is guessed.
#[test]
fn the_contract_of_a_gate_is_a_pin_as_that_of_a_step() {
    for file in ["contracts/ethical.yaml", "contracts/echo.yaml"] {
        let place = echoes();
        let contract = place.read(file);
        place.write(file, format!("{contract}limits: {{ fuel_max: 1000 }}\n"));
        let before = log(&place);
        let came = place.run(&["replay", "last", "--step", "one", "-o", "json"]);
        assert_eq!(came.code, 8, "{}{}", came.text(), came.stderr);
        let missing = &came.documents()[0]["missing"][0];
        assert_eq!(missing["code"], "AIM-R080", "{missing}");
        assert!(
            missing["what"].as_str().unwrap().contains("contract"),
            "{missing}"
        );
        assert_eq!(log(&place), before);
    }
}
