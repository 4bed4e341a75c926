//! `inspect`, on components that the guests' workspace built.

use std::fs;

use aim_core::digest::{Digest, Sha256};

use crate::support::{Place, guest};

#[test]
fn a_component_is_told_with_world_imports_digests_and_untrusted_producers() {
    let path = guest("conformance-functions.wasm");
    let bytes = fs::read(&path).unwrap();
    let came = Place::new().run(&["inspect", &path]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let text = came.text();
    assert!(
        text.starts_with("fits      aim:step/handler@0.1.0\n"),
        "{text}"
    );
    assert!(
        text.contains("aim:artifact/store@0.1.0  (asks artifact)"),
        "{text}"
    );
    assert!(text.contains(&Digest::of(&bytes).to_string()), "{text}");
    assert!(text.contains(&Sha256::of(&bytes).to_string()), "{text}");
    assert!(text.contains(&format!("{} bytes", bytes.len())), "{text}");
    for line in text.lines().filter(|line| line.starts_with("made by")) {
        assert!(line.ends_with("(untrusted)"), "{line}");
    }
}

#[test]
fn as_json_every_import_has_its_exact_string_and_functions() {
    let came = Place::new().run(&["inspect", &guest("conformance-functions.wasm"), "-ojson"]);
    let documents = came.documents();
    let [document] = documents.as_slice() else {
        panic!("{}", came.text())
    };
    assert_eq!(document["$type"], "aim.inspect/v1");
    let imports = document["imports"].as_array().unwrap();
    let store = imports
        .iter()
        .find(|one| one["name"] == "aim:artifact/store@0.1.0")
        .unwrap();
    assert_eq!(store["capability"], "artifact");
    assert!(
        store["functions"]
            .as_array()
            .unwrap()
            .contains(&"put".into())
    );
}

#[test]
fn imports_that_no_host_serves_are_told_so() {
    let came = Place::new().run(&["inspect", &guest("hostile-l2-wasi-version.wasm")]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    assert!(
        came.text().contains("(not served by this host)"),
        "{}",
        came.text()
    );
}

#[test]
fn what_is_no_component_is_refused_with_what_it_is() {
    let place = Place::new();
    place
        .run(&["inspect", &guest("hostile-l7-core-module.wasm")])
        .assert_refused(2, "AIM-A022");
    let whole = fs::read(guest("conformance-echo.wasm")).unwrap();
    let cut = place.write("cut.wasm", &whole[..whole.len() / 2]);
    place
        .run(&["inspect", cut.to_str().unwrap()])
        .assert_refused(2, "AIM-A023");
    place.write("text.wasm", "(component)");
    place
        .run(&["inspect", "text.wasm"])
        .assert_refused(2, "AIM-A021");
    place.write("empty.wasm", "");
    place
        .run(&["inspect", "empty.wasm"])
        .assert_refused(2, "AIM-A021");
}
