//! Words that no text file of the tree holds: paths of one machine, addresses, registry hosts, talk about how it was made.
//!
//! The lists are written backwards so that this file may be held against them too.
//!
//! INVARIANT: the tree speaks of what the project is; whoever reads it needs no knowledge of where it was written.

use crate::{
    finding::{Finding, assert_found, assert_none},
    tree,
};

/// Folders of somebody's machine, backwards.
const MACHINE_PATHS: [&str; 4] = ["/krow/", "/toor/", "/emoh/", "/sresU/"];

/// Hosts of package registries, backwards.
const REGISTRY_HOSTS: [&str; 6] = [
    "oi.setarc.xedni",
    "oi.setarc.citats",
    "xedni-oi.setarc",
    "gro.sjmpn.yrtsiger",
    "gro.detsohnohtyp",
    "gro.ipyp",
];

/// Words about the making instead of the thing, backwards.
const MAKING: [&str; 11] = [
    "edualc",
    "ciporhtna",
    "tolipoc",
    "tpgtahc",
    "tnegabus",
    "tnega-bus",
    "yb-derohtua-oc",
    "noisses siht",
    "tnirpeulb",
    "feirb eht",
    "2 eussi",
];

/// Domains that are reserved for examples.
const EXAMPLE_DOMAINS: [&str; 8] = [
    "example.com",
    "example.org",
    "example.net",
    ".example",
    ".test",
    ".invalid",
    ".internal",
    "localhost",
];

fn backwards(word: &str) -> String {
    word.chars().rev().collect()
}

fn check(path: &str, text: &str) -> Vec<Finding> {
    // Lock files are written by cargo and name where each package came from.
    let is_lock = path.ends_with("Cargo.lock");
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = || format!("{path}:{}", number + 1);
        let lower = line.to_lowercase();
        for word in MACHINE_PATHS
            .iter()
            .map(|w| backwards(w))
            .filter(|w| line.contains(w))
        {
            findings.push(Finding::new(
                place(),
                format!("holds the machine path {word}: say it relative to the tree"),
            ));
        }
        for word in REGISTRY_HOSTS
            .iter()
            .map(|w| backwards(w))
            .filter(|w| !is_lock && lower.contains(w))
        {
            findings.push(Finding::new(
                place(),
                format!("names the registry host {word}: name the package"),
            ));
        }
        for word in MAKING
            .iter()
            .map(|w| backwards(w))
            .filter(|w| holds_word(&lower, w))
        {
            findings.push(Finding::new(
                place(),
                format!("holds `{word}`: speak of the thing, not of its making"),
            ));
        }
        if let Some(address) = address(line) {
            findings.push(Finding::new(
                place(),
                format!("holds the address {address}: use one of example.com"),
            ));
        }
    }
    findings
}

/// True when `word` stands in `line` with nothing of a word on either side.
fn holds_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, rest) = line.split_at(at);
        let after = rest.strip_prefix(word).unwrap_or(rest);
        let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !touches(before.chars().next_back()) && !touches(after.chars().next())
    })
}

/// The first e-mail address of a line that is nobody's example.
fn address(line: &str) -> Option<String> {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    line.match_indices('@').find_map(|(at, _)| {
        let (before, rest) = line.split_at(at);
        let has_local_part = before.chars().next_back().is_some_and(|c| is_part(&c));
        let domain: String = rest.chars().skip(1).take_while(is_part).collect();
        let domain = domain.trim_end_matches('.');
        let (_, top) = domain.rsplit_once('.')?;
        let is_domain = top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic());
        let is_example = EXAMPLE_DOMAINS.iter().any(|e| domain.ends_with(e));
        (has_local_part && is_domain && !is_example).then(|| format!("@{domain}"))
    })
}

#[test]
fn no_text_speaks_of_a_machine_a_host_or_its_making() {
    let texts = tree::text_files();
    assert_none(
        texts
            .iter()
            .flat_map(|(path, text)| check(path, text))
            .collect(),
    );
}

#[test]
fn finds_every_listed_word() {
    for word in MACHINE_PATHS.iter().chain(&REGISTRY_HOSTS).chain(&MAKING) {
        let text = format!("first line\nsee {} there", backwards(word));
        assert_found(&check("a.md", &text), "a.md:2", &backwards(word));
    }
}

#[test]
fn finds_addresses_and_lets_examples_and_versions_pass() {
    let written = format!("mail somebody{}nowhere.org.", '@');
    assert_found(&check("a.md", &written), "a.md:1", "address");
    assert_none(check(
        "a.md",
        "a@example.com aim:types/types@0.1.0.{error} x @ Some(_) wit@0.254.2",
    ));
}

#[test]
fn parts_of_longer_words_are_left_alone() {
    let inside = format!("{}s", backwards(MAKING[0]));
    assert_none(check("a.md", &format!("x{inside}")));
}
