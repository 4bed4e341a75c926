//! The part of `deny.toml` that needs no tool of its own: sources, one version each, who may pull in what.
//!
//! The same file is read by cargo-deny where it is installed; here the rules hold on every machine that runs the tests.
//!
//! INVARIANT: every exception carries a reason and an exception that is no longer needed is a finding.

use std::collections::{BTreeMap, BTreeSet};

use semver::{Version, VersionReq};
use toml::Table;

use crate::{
    finding::{Finding, assert_found, assert_none},
    metadata::{self, Graph, Kind, Package, Row, made_up},
    tree,
};

/// Crates that are in the graph with several incompatible versions.
fn duplicates(graph: &Graph) -> BTreeMap<String, BTreeSet<String>> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in graph.packages.values() {
        versions
            .entry(package.name.clone())
            .or_default()
            .insert(package.version.clone());
    }
    versions.retain(|_, v| v.len() > 1);
    versions
}

/// The newest version of a set in the order of versions, not of text.
fn newest(versions: &BTreeSet<String>) -> &String {
    versions
        .iter()
        .max_by_key(|v| Version::parse(v).unwrap())
        .unwrap()
}

/// One exception to "once".
struct Skip {
    written: String,
    name: String,
    versions: VersionReq,
}

impl Skip {
    /// Reads `name@exact` or `name:range`, as cargo-deny does.
    fn parse(written: &str) -> Option<Self> {
        let (name, range) = match written.split_once('@') {
            Some((name, version)) => (name, format!("={}", version.trim_start_matches('='))),
            None => written
                .split_once(':')
                .map(|(name, range)| (name, range.to_owned()))?,
        };
        Some(Self {
            written: written.to_owned(),
            name: name.to_owned(),
            versions: VersionReq::parse(&range).ok()?,
        })
    }

    fn covers(&self, name: &str, version: &str) -> bool {
        self.name == name && Version::parse(version).is_ok_and(|v| self.versions.matches(&v))
    }
}

/// Every skip of `deny.toml`, and findings about the way they are written.
fn skips(deny: &Table) -> (Vec<Skip>, Vec<Finding>) {
    let (mut skips, mut findings) = (Vec::new(), Vec::new());
    for entry in list(deny, "bans", "skip") {
        let written = entry.get("crate").and_then(|v| v.as_str()).unwrap_or("");
        match Skip::parse(written) {
            Some(skip) => skips.push(skip),
            None => findings.push(Finding::new(
                "deny.toml",
                format!("skip `{written}` names no version"),
            )),
        }
        if entry
            .get("reason")
            .and_then(|v| v.as_str())
            .unwrap_or("")
            .is_empty()
        {
            findings.push(Finding::new(
                "deny.toml",
                format!("skip `{written}` has no reason"),
            ));
        }
    }
    (skips, findings)
}

fn list<'a>(deny: &'a Table, table: &str, key: &str) -> Vec<&'a Table> {
    let entries = deny
        .get(table)
        .and_then(|t| t.get(key))
        .and_then(|v| v.as_array());
    entries
        .into_iter()
        .flatten()
        .filter_map(|v| v.as_table())
        .collect()
}

fn check_duplicates(graph: &Graph, deny: &Table) -> Vec<Finding> {
    let (skips, mut findings) = skips(deny);
    let mut needed = BTreeSet::new();
    for (name, versions) in duplicates(graph) {
        for old in versions.iter().filter(|v| *v != newest(&versions)) {
            let covering = skips.iter().filter(|s| s.covers(&name, old));
            let before = needed.len();
            needed.extend(covering.map(|s| s.written.as_str()));
            if before == needed.len() {
                let says = format!(
                    "is there as {versions:?}: unify, or skip {name}@{old} with a reason in deny.toml"
                );
                findings.push(Finding::new(&name, says));
            }
        }
    }
    let unused = skips
        .iter()
        .filter(|s| !needed.contains(s.written.as_str()));
    findings.extend(unused.map(|s| {
        Finding::new(
            "deny.toml",
            format!("skip {} is no longer needed", s.written),
        )
    }));
    findings
}

fn check_bans(graph: &Graph, deny: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in list(deny, "bans", "deny") {
        let banned = entry.get("crate").and_then(|v| v.as_str()).unwrap_or("");
        let wrappers = entry.get("wrappers").and_then(|v| v.as_array());
        let wrappers: Vec<&str> = wrappers
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str())
            .collect();
        for package in graph
            .packages
            .values()
            .filter(|p| !wrappers.contains(&p.name.as_str()))
        {
            if graph
                .direct(package, &[Kind::Normal, Kind::Build, Kind::Dev])
                .contains(banned)
            {
                let says = format!("depends on {banned}, which deny.toml leaves to {wrappers:?}");
                findings.push(Finding::new(&package.name, says));
            }
        }
    }
    findings
}

/// What the triage example's components share with its test: in the tree, and in the workspace of the guests.
const SHARED_WITH_GUESTS: &str = "triage-method";

fn check_sources(graph: &Graph) -> Vec<Finding> {
    let is_shared = |p: &&Package| p.source.is_none() && p.name == SHARED_WITH_GUESTS;
    let outside = graph
        .packages
        .values()
        .filter(|p| !p.is_member && !is_shared(p));
    outside
        .filter(|p| {
            !p.source
                .as_deref()
                .is_some_and(|s| s.starts_with("registry+"))
        })
        .map(|p| {
            Finding::new(
                &p.name,
                format!("comes from {:?}, not from the registry", p.source),
            )
        })
        .collect()
}

fn deny() -> Table {
    tree::read("deny.toml").unwrap().parse().unwrap()
}

#[test]
fn every_crate_is_there_once_or_skipped_with_a_reason() {
    assert_none(check_duplicates(&metadata::of("Cargo.toml"), &deny()));
}

#[test]
fn only_the_named_wrappers_depend_on_banned_crates() {
    let deny = deny();
    assert!(!list(&deny, "bans", "deny").is_empty());
    assert_none(check_bans(&metadata::of("Cargo.toml"), &deny));
}

#[test]
fn every_dependency_comes_from_the_registry() {
    assert_none(check_sources(&metadata::of("Cargo.toml")));
}

#[test]
fn finds_a_second_version_and_a_stale_or_silent_skip() {
    let mut graph = made_up(&[("syn", false, &[])]);
    let mut old = graph.package("syn").clone();
    old.version = "0.9.0".to_owned();
    graph.packages.insert("syn old".to_owned(), old);
    assert_found(
        &check_duplicates(&graph, &Table::new()),
        "syn",
        "skip syn@0.9.0",
    );

    let deny = "[bans]\nskip = [{ crate = \"syn:^0.9\", reason = \"r\" }, { crate = \"x@1.0.0\" }]";
    let found = check_duplicates(&graph, &deny.parse().unwrap());
    assert_found(&found, "deny.toml", "x@1.0.0 is no longer needed");
    assert_found(&found, "deny.toml", "has no reason");
    assert!(!found.iter().any(|f| f.place == "syn"));
}

#[test]
fn finds_a_banned_crate_under_somebody_else() {
    let deny = "[bans]\ndeny = [{ crate = \"engine\", wrappers = [\"ours\"] }]"
        .parse()
        .unwrap();
    let rows: &[Row] = &[
        ("ours", true, &[("engine", Kind::Normal)]),
        ("other", true, &[("engine", Kind::Normal)]),
        ("engine", false, &[]),
    ];
    let found = check_bans(&made_up(rows), &deny);
    assert_found(&found, "other", "depends on engine");
    assert_eq!(found.len(), 1);
}

#[test]
fn finds_a_dependency_from_a_repository() {
    let mut graph = made_up(&[("x", false, &[])]);
    let package = graph.packages.get_mut("x").unwrap();
    package.source = Some("git+https://example.com/x".to_owned());
    assert_found(&check_sources(&graph), "x", "not from the registry");
}
