//! The catalogue of attacks and the test of each: ninety entries, found by their names in the sources of the tests.
//!
//! INVARIANT: an entry without a test is a failure; there is no list of excuses.

use std::{collections::BTreeSet, path::Path};

use crate::component::repository;

/// Groups and how many entries each has: guests, loading, files, gates and policy, secrets.
const GROUPS: [(char, u32); 5] = [('g', 29), ('l', 24), ('f', 10), ('p', 18), ('s', 9)];

/// Folders with tests in them.
const FOLDERS: [&str; 2] = ["host", "tests"];

fn entries() -> impl Iterator<Item = String> {
    GROUPS
        .into_iter()
        .flat_map(|(group, count)| (1..=count).map(move |number| format!("{group}{number}")))
}

/// The codes of all tests in a source text: `fn g12_…`, where an attribute before it makes it a test.
fn codes_in(text: &str) -> BTreeSet<String> {
    let names = text.split("fn ").skip(1);
    let codes = names.filter_map(|rest| {
        let (code, _) = rest.split_once('_')?;
        let digits = code.get(1..)?;
        let is_code = code.starts_with(|c| GROUPS.iter().any(|(group, _)| *group == c))
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| code.to_owned())
    });
    codes.collect()
}

fn collect(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            if text.contains("#[test]") || text.contains("#[tokio::test") {
                codes.extend(codes_in(&text));
            }
        }
    }
}

/// Negative control: with the name of any test changed, its entry is missing here.
#[test]
fn every_entry_of_the_catalogue_has_a_test_of_its_name() {
    let mut codes = BTreeSet::new();
    for folder in FOLDERS {
        collect(&repository(folder), &mut codes);
    }
    let missing: Vec<String> = entries().filter(|entry| !codes.contains(entry)).collect();
    assert!(missing.is_empty(), "no test for {missing:?}");
}

#[test]
fn there_are_ninety_entries() {
    assert_eq!(entries().count(), 90);
}

#[test]
fn a_name_is_found_and_what_only_looks_like_one_is_not() {
    let text =
        "#[test]\nfn g12_x() {}\nasync fn s1_y() {}\nfn gx_z() {}\nfn g_a() {}\nfn helper() {}";
    let found: Vec<String> = codes_in(text).into_iter().collect();
    assert_eq!(found, ["g12", "s1"]);
}
