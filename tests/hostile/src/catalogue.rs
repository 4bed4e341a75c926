//! The catalogue of attacks and the test of each: ninety entries, found by their names in the sources of the tests, and held
//! against the table of `README.md`, which says of each test what was taken away to see it fail.
//!
//! INVARIANT: an entry without a test or without a row is a failure; there is no list of excuses.

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

/// True for `g12` and the like.
fn is_code(word: &str) -> bool {
    let digits = word.get(1..).unwrap_or_default();
    word.starts_with(|c| GROUPS.iter().any(|(group, _)| *group == c))
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The codes that a test's name begins with: `f2_f3_x` is of two entries.
fn codes_of(name: &str) -> impl Iterator<Item = &str> {
    name.split('_').take_while(|word| is_code(word))
}

/// The names of all tests of the catalogue in a source text: `fn g12_…`, in a file that holds tests.
fn names_in(text: &str) -> BTreeSet<String> {
    let names = text.split("fn ").skip(1);
    let names = names.filter_map(|rest| rest.split_once('(').map(|(name, _)| name));
    names
        .filter(|name| name.contains('_') && codes_of(name).next().is_some())
        .filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        .map(str::to_owned)
        .collect()
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_this = path.ends_with("catalogue.rs");
            if !is_this && (text.contains("#[test]") || text.contains("#[tokio::test")) {
                names.extend(names_in(&text));
            }
        }
    }
}

/// Every test of the catalogue.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS {
        collect(&repository(folder), &mut names);
    }
    names
}

/// Tests in the table of `README.md`, each with what was taken away.
fn rows(text: &str) -> Vec<(String, String)> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let (_, test, control) = (cells.next()?, cells.next()?, cells.next()?);
        let test = test.split('`').nth(1)?;
        Some((test.to_owned(), control.trim().to_owned()))
    });
    rows.collect()
}

/// Negative control: with the name of any test changed, its entry is missing here.
#[test]
fn every_entry_of_the_catalogue_has_a_test_of_its_name() {
    let tests = tests();
    let codes: BTreeSet<&str> = tests.iter().flat_map(|name| codes_of(name)).collect();
    let missing: Vec<String> = entries()
        .filter(|entry| !codes.contains(entry.as_str()))
        .collect();
    assert!(missing.is_empty(), "no test for {missing:?}");
}

/// Negative control: with the rows of an entry taken out, or a test renamed, this fails.
#[test]
fn every_entry_of_the_catalogue_has_a_row_that_says_what_was_taken_away() {
    let text = std::fs::read_to_string(repository("tests/hostile/README.md")).unwrap();
    let rows = rows(&text);
    let codes: BTreeSet<&str> = rows.iter().flat_map(|(test, _)| codes_of(test)).collect();
    let missing: Vec<String> = entries()
        .filter(|entry| !codes.contains(entry.as_str()))
        .collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    let tests = tests();
    let gone: Vec<_> = rows
        .iter()
        .filter(|(test, _)| !tests.contains(test))
        .collect();
    assert!(gone.is_empty(), "rows without a test: {gone:?}");
    for (test, control) in rows {
        assert!(control.len() > 10, "what was taken away for `{test}`?");
    }
}

#[test]
fn there_are_ninety_entries() {
    assert_eq!(entries().count(), 90);
}

#[test]
fn a_name_is_found_and_what_only_looks_like_one_is_not() {
    let text =
        "#[test]\nfn g12_x() {}\nasync fn s1_f2_y() {}\nfn gx_z() {}\nfn g_a() {}\nfn helper() {}";
    let found: Vec<String> = names_in(text).into_iter().collect();
    assert_eq!(found, ["g12_x", "s1_f2_y"]);
    let codes: Vec<&str> = codes_of("s1_f2_y").collect();
    assert_eq!(codes, ["s1", "f2"]);
    let table = "| entry | test | control |\n| --- | --- | --- |\n| G1 | `g1_x` (a) | no fuel |\n";
    assert_eq!(rows(table), [("g1_x".to_owned(), "no fuel".to_owned())]);
}
