//! `core`, `acl`, `ports` and `trust` can't do I/O: shown for their own lines and for what is linked into them.
//!
//! Their own lines: `#![no_std]` takes files, sockets, clocks, threads and the environment out of reach, and the compiler
//! enforces it; this module checks that the attribute is there, that nothing brings `std` back, and that the compiler
//! really refuses. What is linked in: the closure of normal dependencies stays under a reviewed list.
//!
//! INVARIANT: the list is closed; a new crate in the closure is a finding until somebody has read it and added it.

use std::{fs, process::Command};

use crate::{
    finding::{Finding, assert_found, assert_none},
    metadata::{self, Graph, Kind, Row, made_up},
    source::{self, Token},
    tree,
};

/// Crate and folder of everything that must stay pure.
const PURE: [(&str, &str); 4] = [
    ("aim-core", "host/core"),
    ("aim-acl", "host/acl"),
    ("aim-ports", "host/ports"),
    ("aim-trust", "host/trust"),
];

/// What may be linked into a pure crate: arithmetic, formats and digests, none of which opens, waits or asks.
const LINKED: [&str; 45] = [
    "aim-core",
    "aim-ports",
    // Digests.
    "arrayvec",
    "blake3",
    "block-buffer",
    "cfg-if",
    "constant_time_eq",
    "cpufeatures",
    "crypto-common",
    "digest",
    "hybrid-array",
    "sha2",
    "typenum",
    // Signatures: no random source is linked, keys come in as bytes.
    "base64",
    "base64ct",
    "const-oid",
    "curve25519-dalek",
    "der",
    "ed25519",
    "ed25519-dalek",
    "pkcs8",
    "rand_core",
    "signature",
    "spki",
    "subtle",
    "zeroize",
    // Data formats; the YAML reader gives events with places and knows no files.
    "arraydeque",
    "granit-parser",
    "smallvec",
    "dyn-clone",
    "itoa",
    "memchr",
    "ref-cast",
    "schemars",
    "semver",
    "serde",
    "serde_core",
    "serde_json",
    "thiserror",
    "zmij",
    // Maps that keep their order: a feature of serde_json that the policy engine switches on for the whole build.
    "allocator-api2",
    "equivalent",
    "foldhash",
    "hashbrown",
    "indexmap",
];

fn check_own_lines(path: &str, text: &str) -> Vec<Finding> {
    let compact: String = text.split_whitespace().collect();
    let wants = ["#![no_std]", "#![forbid(unsafe_code)]"];
    let missing = wants.iter().filter(|want| !compact.contains(**want));
    missing
        .map(|want| Finding::new(path, format!("lacks {want}")))
        .collect()
}

fn check_no_way_back(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for pair in tokens.windows(3) {
        let words = [
            pair[0].text.as_str(),
            pair[1].text.as_str(),
            pair[2].text.as_str(),
        ];
        if words == ["extern", "crate", "std"] {
            let says = "brings std back with an extern crate item";
            findings.push(Finding::new(format!("{path}:{}", pair[0].line), says));
        }
    }
    let hidden = tokens.iter().filter(|t| t.text.starts_with("__private"));
    findings.extend(hidden.map(|t| {
        Finding::new(
            format!("{path}:{}", t.line),
            "reaches for a hidden module of a dependency",
        )
    }));
    findings
}

fn check_closure(graph: &Graph) -> Vec<Finding> {
    let pure = graph
        .members()
        .filter(|p| PURE.iter().any(|(name, _)| *name == p.name));
    pure.flat_map(|package| {
        let linked = graph.linked(package);
        let strangers = linked
            .into_iter()
            .filter(|name| !LINKED.contains(&name.as_str()));
        strangers.map(|name| {
            let says =
                format!("links {name}, which is not on the reviewed list of pure dependencies");
            Finding::new(&package.name, says)
        })
    })
    .collect()
}

/// Compiles one source file as a library and returns whether the compiler took it.
fn compiles(text: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fixture.rs");
    fs::write(&path, text).unwrap();
    let out = Command::new(metadata::rustc())
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
            "--out-dir",
        ])
        .arg(folder.path())
        .arg(&path)
        .output()
        .unwrap();
    out.status.success()
}

#[test]
fn pure_crates_have_no_std_and_no_unsafe_code() {
    let roots = PURE
        .iter()
        .map(|(_, folder)| format!("{folder}/src/lib.rs"));
    let findings = roots.flat_map(|path| {
        let text = tree::read(&path).unwrap();
        check_own_lines(&path, &text)
    });
    assert_none(findings.collect());
}

#[test]
fn pure_crates_have_no_way_back_to_std() {
    let mut findings = Vec::new();
    for (path, text) in source::sources() {
        if PURE
            .iter()
            .any(|(_, folder)| path.starts_with(&format!("{folder}/src/")))
        {
            match source::tokens(&path, &text, false) {
                Ok(tokens) => findings.extend(check_no_way_back(&path, &tokens)),
                Err(finding) => findings.push(finding),
            }
        }
    }
    assert_none(findings);
}

#[test]
fn pure_crates_link_only_what_was_reviewed() {
    assert_none(check_closure(&metadata::of("Cargo.toml")));
}

/// The protection and its removal side by side: the same two lines compile once `no_std` is gone, so it is `no_std` that
/// keeps the file system away and not some other mistake in the fixture.
#[test]
fn the_compiler_refuses_to_read_a_file_without_std() {
    let fixture = tree::read("tests/tidy/fixtures/reads_a_file.rs").unwrap();
    assert!(fixture.contains("#![no_std]"));
    assert!(!compiles(&fixture), "a no_std crate could read a file");
    assert!(
        compiles(&fixture.replace("#![no_std]", "")),
        "the fixture is broken"
    );
}

#[test]
fn finds_a_crate_root_without_no_std() {
    let found = check_own_lines("host/core/src/lib.rs", "//! x\n#![forbid(unsafe_code)]\n");
    assert_found(&found, "host/core", "lacks #![no_std]");
}

#[test]
fn finds_std_coming_back_and_hidden_modules() {
    let text = "extern crate std;\nuse serde::__private229::de;";
    let tokens = source::tokens("x.rs", text, false).unwrap();
    let found = check_no_way_back("x.rs", &tokens);
    assert_found(&found, "x.rs:1", "brings std back");
    assert_found(&found, "x.rs:2", "hidden module");
}

#[test]
fn finds_a_dependency_of_a_dependency_that_can_wait() {
    let rows: &[Row] = &[
        ("aim-core", true, &[("serde", Kind::Normal)]),
        (
            "serde",
            false,
            &[("tokio", Kind::Normal), ("proptest", Kind::Dev)],
        ),
        ("tokio", false, &[]),
        ("proptest", false, &[]),
    ];
    let found = check_closure(&made_up(rows));
    assert_found(&found, "aim-core", "links tokio");
    assert_eq!(found.len(), 1, "dev-dependencies are not linked");
}
