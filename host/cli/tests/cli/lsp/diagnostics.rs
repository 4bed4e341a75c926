//! What is said to be wrong, where, and until when.
//!
//! INVARIANT: a diagnostic is about the newest text that was sent, and goes when its cause does.

use std::fs;

use serde_json::{Value, json};

use super::{CONTRACT, Editor, PLAN, position, shop, uri, written};
use crate::support::Place;

#[test]
fn faults_are_told_with_code_page_place_and_remedy_and_go_when_they_are_mended() {
    let (place, uri) = shop();
    let mut editor = Editor::able(&place);
    let broken = PLAN
        .replace("REQUIRES gather", "REQUIRES gahter")
        .replace("STEP explain", "STEP gather");
    let told = editor.open(&uri, &broken);
    let one = |code: &str| told.iter().find(|one| one["code"] == code).unwrap();
    let unknown = one("ACL-E010");
    assert_eq!(
        (&unknown["severity"], &unknown["source"]),
        (&json!(1), &json!("aim"))
    );
    assert_eq!(written(&broken, &unknown["range"]), "gahter");
    assert!(
        unknown["message"]
            .as_str()
            .unwrap()
            .contains("did you mean `gather`?"),
        "{unknown}"
    );
    let page = unknown["codeDescription"]["href"].as_str().unwrap();
    let page = page.strip_prefix("file://").unwrap();
    assert!(
        fs::read_to_string(page).unwrap().contains("ACL-E010"),
        "{page}"
    );
    let twice = one("ACL-E006");
    let first = &twice["relatedInformation"][0];
    assert_eq!(first["location"]["uri"], uri.as_str());
    assert_eq!(written(&broken, &first["location"]["range"]), "gather");
    assert_eq!(
        editor.change(&uri, 2, json!([{ "text": PLAN }])),
        Vec::<Value>::new()
    );
    editor.say(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": uri } }),
    );
    assert_eq!(editor.diagnostics(&uri, None), Vec::<Value>::new());
    assert_eq!(editor.leave(), 0);
}

// Control: with columns counted in bytes whatever was agreed, the first of the two fails (seen).
#[test]
fn columns_count_what_was_agreed() {
    let source = "PLAN p:\nSTEP a:\n  ASSIGN builder: \"\u{1f980}\u{e9}\" x\n";
    let column = |capabilities: Value| {
        let place = Place::new();
        let mut editor = Editor::of(&place, capabilities);
        let told = editor.open("untitled:p", source);
        let fault = told.iter().find(|one| one["code"] == "ACL-E003").unwrap();
        fault["range"]["start"]["character"].as_u64().unwrap()
    };
    let line = "  ASSIGN builder: \"\u{1f980}\u{e9}\" ";
    let count = |units: usize| u64::try_from(units).unwrap();
    assert_eq!(column(json!({})), count(line.encode_utf16().count()));
    let offered = |encodings: &[&str]| json!({ "general": { "positionEncodings": encodings } });
    assert_eq!(column(offered(&["utf-8", "utf-16"])), count(line.len()));
    assert_eq!(
        column(offered(&["utf-7", "utf-32"])),
        count(line.chars().count())
    );
}

#[test]
fn a_change_of_a_part_is_made_where_the_editor_means_it() {
    let place = Place::new();
    let mut editor = Editor::able(&place);
    editor.open("untitled:p", PLAN);
    let part = PLAN.find(" collect").unwrap();
    let range = json!({ "start": position(PLAN, part), "end": position(PLAN, part + 8) });
    // The second change counts in the text that the first one leaves.
    let second =
        json!({ "start": { "line": 4, "character": 22 }, "end": { "line": 4, "character": 23 } });
    let changes = json!([
        { "range": range, "text": "\u{1f980}q x" },
        { "range": second, "text": "\u{1f980}\"" },
    ]);
    let told = editor.change("untitled:p", 2, changes);
    let fault = told.iter().find(|one| one["code"] == "ACL-E003").unwrap();
    // A quote, three crabs of two units each, a quote, a blank.
    let start = "  ASSIGN reader: ".len() + 9;
    assert_eq!(
        fault["range"]["start"],
        json!({ "line": 4, "character": start })
    );
}

#[test]
fn a_contract_with_faults_is_told_at_its_own_file_until_it_is_mended() {
    let (place, plan) = shop();
    let file = place.write(
        "contracts/reader.yaml",
        CONTRACT.replace("kind: compute", "kind: compte"),
    );
    let file = uri(&file);
    let mut editor = Editor::able(&place);
    editor.open(&plan, PLAN);
    let told = editor.diagnostics(&file, None);
    assert!(
        told[0]["code"].as_str().unwrap().starts_with("AIM-C"),
        "{told:?}"
    );
    place.write("contracts/reader.yaml", CONTRACT);
    editor.say("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    assert_eq!(editor.diagnostics(&file, None), Vec::<Value>::new());
    assert_eq!(editor.leave(), 0);
}
