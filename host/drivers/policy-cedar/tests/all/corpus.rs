//! Every row of `tests/policy`, decided by the library; `aimctl policy test` decides the same rows in the tests of the
//! command line.

use std::{collections::BTreeSet, fs, path::PathBuf};

use aim_policy_cedar::cases::Cases;

/// The files of the corpus, in the order of names.
fn files() -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/policy");
    let mut files: Vec<(PathBuf, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The test below turns the expectations round and sees rows differ.
#[test]
fn every_row_of_the_corpus_gets_the_verdict_it_names() {
    let mut rows = 0;
    for (path, text) in files() {
        let cases = Cases::parse(&text).unwrap();
        for result in cases.run(None).unwrap() {
            let (name, why) = (&result.name, &result.refusal);
            assert_eq!(
                result.differs,
                [""; 0],
                "{}: {name} ({why:?})",
                path.display()
            );
            rows += 1;
        }
    }
    assert!(rows >= 100, "{rows} rows");
}

/// Decides every row of one file and returns how many there were.
fn rows_of(file: &str) -> usize {
    let (_, text) = files()
        .into_iter()
        .find(|(path, _)| path.ends_with(file))
        .unwrap();
    let results = Cases::parse(&text).unwrap().run(None).unwrap();
    for result in &results {
        assert_eq!(result.differs, [""; 0], "{file}: {}", result.name);
    }
    results.len()
}

/// Negative control: with rules that forbid ignored where one permits, this fails.
#[test]
fn p12_a_rule_that_forbids_beats_every_rule_that_permits() {
    assert!(rows_of("combine.toml") >= 20);
}

/// Negative control: with files that do not parse left out, this fails.
#[test]
fn p13_no_policy_or_a_broken_file_among_many_denies_everything() {
    assert!(rows_of("broken.toml") >= 20);
}

/// Negative control: with requests that do not fit the schema permitted, this fails.
#[test]
fn p14_what_is_unknown_or_missing_is_denied() {
    assert!(rows_of("unknown.toml") >= 20);
}

/// Negative control: with names compared in lower case, this fails.
#[test]
fn p15_names_that_only_look_alike_are_denied() {
    assert!(rows_of("lookalike.toml") >= 20);
}

#[test]
fn no_two_rows_have_one_name_and_both_verdicts_are_there() {
    let mut names = BTreeSet::new();
    let mut verdicts = BTreeSet::new();
    for (path, text) in files() {
        for result in Cases::parse(&text).unwrap().run(None).unwrap() {
            assert!(
                names.insert((path.clone(), result.name.clone())),
                "{}",
                result.name
            );
            verdicts.insert(result.verdict);
        }
    }
    assert_eq!(verdicts.len(), 3);
}

#[test]
fn a_wrong_expectation_is_found_and_a_file_of_nothing_is_no_success() {
    let (_, text) = files()
        .into_iter()
        .find(|(path, _)| path.ends_with("combine.toml"))
        .unwrap();
    let wrong = text.replace("verdict = \"deny\"", "verdict = \"allow\"");
    let results = Cases::parse(&wrong).unwrap().run(None).unwrap();
    assert!(results.iter().filter(|one| !one.differs.is_empty()).count() >= 10);
    assert!(Cases::parse("").is_err());
    assert!(Cases::parse("[[case]]\nname = \"x\"\nverdict = \"maybe\"\n[case.request]\n").is_err());
    let no_policy =
        "[[case]]\nname = \"x\"\npolicy = [\"y\"]\nverdict = \"deny\"\n[case.request]\n";
    assert!(Cases::parse(no_policy).is_err());
    let none_tested = "[[case]]\nname = \"x\"\nverdict = \"deny\"\n[case.request]\n";
    assert!(Cases::parse(none_tested).unwrap().run(None).is_err());
}
