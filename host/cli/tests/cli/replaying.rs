//! `aimctl replay` as a user runs it: equal, diverged, compared with another component, and with something missing.

use std::fs;

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

/// The limits of a gate's contract are not pinned; with less fuel it gives no answer any more, and that is a difference.
#[test]
fn acl_d301_a_difference_exits_with_7_and_leaves_a_diagnostic_witness() {
    let place = echoes();
    let contract = place.read("contracts/ethical.yaml");
    place.write(
        "contracts/ethical.yaml",
        format!("{contract}limits: {{ fuel_max: 1000 }}\n"),
    );
    let before = log(&place);
    let came = place.run(&["replay", "last", "--step", "one", "-o", "json"]);
    assert_eq!(came.code, 7, "{}{}", came.text(), came.stderr);
    let document = &came.documents()[0];
    assert_eq!(document["code"], "ACL-D301");
    let field = document["differences"][0]["field"].as_str().unwrap();
    assert!(field.starts_with("gate ethical ingress"), "{field}");
    assert!(
        came.stderr.contains("diagnostic witness"),
        "{}",
        came.stderr
    );
    let after = log(&place);
    assert!(after.starts_with(&before) && after.len() > before.len());
    let shown = place.run(&["witness", "show", "last", "-o", "json"]);
    assert!(
        shown.text().contains("ACL-D301"),
        "{}{}",
        shown.text(),
        shown.stderr
    );
    assert_verified(&place);
}
