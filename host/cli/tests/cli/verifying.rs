//! `verify`, on evidence that is missing, empty or broken. Evidence of real runs is checked with the runs.

use crate::support::Place;

const LAST: &str = "INVALID\n";

#[test]
fn evidence_that_is_not_there_exits_as_not_found() {
    let place = Place::new();
    place.run(&["verify"]).assert_refused(6, "AIM-C041");
    std::fs::create_dir(place.path(".aim")).unwrap();
    place.run(&["verify"]).assert_refused(6, "AIM-D004");
    place.write("export.json", "{}");
    place
        .run(&["verify", "export.json", "--key=no.pub"])
        .assert_refused(6, "AIM-C041");
}

#[test]
fn an_empty_or_broken_log_is_invalid_and_says_where() {
    let place = Place::new();
    place.write("empty/log/evidence.log", "");
    let came = place.run(&["verify", "empty"]);
    assert_eq!(came.code, 4);
    assert!(
        came.text().contains("AIM-E012") && came.text().ends_with(LAST),
        "{}",
        came.text()
    );
    place.write("broken/log/evidence.log", [7_u8; 5000]);
    let came = place.run(&["verify", "broken"]);
    assert_eq!(came.code, 4);
    assert!(came.text().contains("AIM-E001 frame 0"), "{}", came.text());
    assert!(came.text().ends_with(LAST), "{}", came.text());
    place
        .run(&["logs", "--data-dir=broken"])
        .assert_refused(4, "AIM-E020");
}

#[test]
fn a_broken_export_is_invalid_whatever_is_wrong_with_it() {
    let place = Place::new();
    for (index, bytes) in ["", "{", "[]", "{\"$type\":\"aim.export/v2\"}"]
        .iter()
        .enumerate()
    {
        let name = format!("export-{index}.json");
        place.write(&name, bytes);
        let came = place.run(&["verify", &name, "-ojson"]);
        assert_eq!(came.code, 4, "{}", came.stderr);
        let document = &came.documents()[0];
        assert_eq!(document["$type"], "aim.verify/v1");
        assert_eq!(document["finding"], "invalid");
        assert_eq!(document["faults"][0]["code"], "AIM-E013");
        assert!(!document["notProven"].as_array().unwrap().is_empty());
    }
}

#[test]
fn a_key_file_of_another_form_is_refused_before_anything_is_judged() {
    let place = Place::new();
    place.write("export.json", "{}");
    place.write("bad.pub", "ssh-ed25519 AAAA\n");
    place
        .run(&["verify", "export.json", "--key=bad.pub"])
        .assert_refused(2, "AIM-K011");
}
