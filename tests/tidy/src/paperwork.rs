//! Files that must be there and what they must say: lock files, the licence, the two commands of the README.
//!
//! INVARIANT: what a fresh clone needs is in the tree, not on somebody's machine.

use std::collections::BTreeMap;

use crate::{
    finding::{Finding, assert_found, assert_none},
    tree,
};

/// A file and what its text holds.
const WANTED: &[(&str, &[&str])] = &[
    ("Cargo.lock", &["[[package]]"]),
    ("guests/Cargo.lock", &["[[package]]"]),
    ("LICENSE", &["Apache License", "Version 2.0"]),
    ("README.md", &["cargo xtask demo", "cargo xtask test"]),
    ("CHANGELOG.md", &["## [Unreleased]"]),
    ("SECURITY.md", &["working days"]),
    (
        "deny.toml",
        &["[licenses]", "[bans]", "[sources]", "[advisories]"],
    ),
    (".config/nextest.toml", &["slow-timeout"]),
    (
        "docs/README.md",
        &[
            "ARCHITECTURE.md",
            "GLOSSARY.md",
            "STYLE.md",
            "SECURITY-MODEL.md",
        ],
    ),
    ("docs/GLOSSARY.md", &["**envelope**", "**witness**"]),
];

/// `docs/ARCHITECTURE.md` stays short enough to be read.
const ARCHITECTURE_LINES_MAX: usize = 400;

fn check(files: &BTreeMap<String, String>, wanted: &[(&str, &[&str])]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, words) in wanted {
        match files.get(*path) {
            None => findings.push(Finding::new(*path, "is not in the tree")),
            Some(text) => {
                let missing = words.iter().filter(|word| !text.contains(**word));
                findings.extend(missing.map(|word| Finding::new(*path, format!("lacks `{word}`"))));
            }
        }
    }
    findings
}

/// A crate of the code map without an invariant line, or the other way round.
fn check_invariants(document: &str) -> Vec<Finding> {
    let map = document
        .split_once("## Code map")
        .map_or("", |(_, rest)| rest);
    let map = map.split_once("\n## ").map_or(map, |(map, _)| map);
    let entries: Vec<&str> = map.split("\n### ").skip(1).collect();
    let silent = entries
        .iter()
        .filter(|entry| !entry.contains("**Invariant:**"));
    let mut findings: Vec<Finding> = silent
        .map(|entry| {
            Finding::new(
                entry.lines().next().unwrap_or(""),
                "has no **Invariant:** line",
            )
        })
        .collect();
    if entries.is_empty() {
        findings.push(Finding::new("docs/ARCHITECTURE.md", "has no code map"));
    }
    findings
}

#[test]
fn what_a_fresh_clone_needs_is_in_the_tree() {
    let listed = tree::files();
    let wanted = WANTED
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .filter(|p| listed.contains(p));
    let files = wanted.map(|path| {
        let text = tree::read(&path).unwrap();
        (path, text)
    });
    assert_none(check(&files.collect(), WANTED));
}

#[test]
fn the_architecture_is_short_and_each_crate_has_an_invariant() {
    let text = tree::read("docs/ARCHITECTURE.md").unwrap();
    assert!(text.lines().count() < ARCHITECTURE_LINES_MAX);
    assert_none(check_invariants(&text));
}

#[test]
fn finds_a_missing_file_and_a_missing_word() {
    let files = [("a".to_owned(), "text".to_owned())].into();
    let found = check(&files, &[("a", &["word"]), ("b", &[])]);
    assert_found(&found, "a", "lacks `word`");
    assert_found(&found, "b", "not in the tree");
}

#[test]
fn finds_a_crate_without_an_invariant() {
    let text = "## Code map\n\n### `a`\n\n**Invariant:** x\n\n### `b`\n\nwords\n\n## Next\n";
    let found = check_invariants(text);
    assert_found(&found, "`b`", "Invariant");
    assert_eq!(found.len(), 1);
}
