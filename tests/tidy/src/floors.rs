//! The lowest version of a dependency that we accept, for reasons that a version requirement alone would not tell.
//!
//! Advisory databases lag behind and are not at hand without a network; `security/version-floors.toml` is kept by hand
//! from the advisories themselves and is held against both lock files.
//!
//! INVARIANT: a floor says why it is there; one under nothing says so with `may_be_absent`, so that a misspelt name shows.

use std::collections::BTreeSet;

use semver::Version;
use toml::Table;

use crate::{
    finding::{Finding, assert_found, assert_none},
    tree,
};

const FLOORS: &str = "security/version-floors.toml";

/// `(name, version)` of every package of a lock file.
fn locked(lock: &Table) -> BTreeSet<(String, String)> {
    let packages = lock.get("package").and_then(|v| v.as_array());
    let pair = |package: &toml::Value| {
        let name = package.get("name")?.as_str()?;
        let version = package.get("version")?.as_str()?;
        Some((name.to_owned(), version.to_owned()))
    };
    packages.into_iter().flatten().filter_map(pair).collect()
}

fn check(floors: &Table, locked: &BTreeSet<(String, String)>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, floor) in floors {
        let text = |key: &str| floor.get(key).and_then(|v| v.as_str()).unwrap_or("");
        let Ok(least) = Version::parse(text("at_least")) else {
            findings.push(Finding::new(
                FLOORS,
                format!("{name} has no readable at_least"),
            ));
            continue;
        };
        if text("reason").is_empty() {
            findings.push(Finding::new(FLOORS, format!("{name} has no reason")));
        }
        let mut versions = locked
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v)
            .peekable();
        let may_be_absent = floor.get("may_be_absent").and_then(toml::Value::as_bool);
        if versions.peek().is_none() && may_be_absent != Some(true) {
            findings.push(Finding::new(
                FLOORS,
                format!("{name} is in no lock file: remove its floor"),
            ));
        }
        let low = versions.filter(|v| Version::parse(v).is_ok_and(|v| v < least));
        findings.extend(low.map(|v| {
            Finding::new(
                format!("{name} {v}"),
                format!("is below the floor {least}: {}", text("reason")),
            )
        }));
    }
    findings
}

/// Cargo features that a floor wants compiled in, against the workspace's own requirement.
fn check_features(floors: &Table, workspace: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, floor) in floors {
        let asked = workspace
            .get("workspace")
            .and_then(|w| w.get("dependencies")?.get(name)?.get("features"));
        let missing = strings(floor.get("features"))
            .difference(&strings(asked))
            .cloned()
            .collect::<Vec<_>>();
        findings.extend(missing.into_iter().map(|feature| {
            Finding::new(
                name,
                format!("lacks the feature {feature} that {FLOORS} wants compiled in"),
            )
        }));
    }
    findings
}

fn strings(list: Option<&toml::Value>) -> BTreeSet<String> {
    let list = list.and_then(|v| v.as_array()).into_iter().flatten();
    list.filter_map(|v| v.as_str())
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn features_that_keep_the_engine_from_aborting_are_compiled_in() {
    let parse = |path: &str| tree::read(path).unwrap().parse::<Table>().unwrap();
    assert_none(check_features(&parse(FLOORS), &parse("Cargo.toml")));
}

#[test]
fn finds_a_feature_that_was_trimmed_away() {
    let floors = "[a]\nat_least = \"1.0.0\"\nreason = \"r\"\nfeatures = [\"x\", \"y\"]"
        .parse()
        .unwrap();
    let workspace = "[workspace.dependencies]\na = { version = \"1\", features = [\"x\"] }"
        .parse()
        .unwrap();
    let found = check_features(&floors, &workspace);
    assert_found(&found, "a", "lacks the feature y");
    assert_eq!(found.len(), 1);
}

#[test]
fn no_locked_version_is_below_its_floor() {
    let parse = |path: &str| tree::read(path).unwrap().parse::<Table>().unwrap();
    let mut all = locked(&parse("Cargo.lock"));
    all.extend(locked(&parse("guests/Cargo.lock")));
    assert!(all.len() > 50, "the lock files can't be read");
    assert_none(check(&parse(FLOORS), &all));
}

#[test]
fn finds_a_low_version_a_silent_floor_and_a_floor_under_nothing() {
    let lock = "[[package]]\nname = \"a\"\nversion = \"1.9.9\""
        .parse()
        .unwrap();
    let floors = "[a]\nat_least = \"1.10.0\"\nreason = \"leak\"\n[b]\nat_least = \"1.0.0\""
        .parse()
        .unwrap();
    let found = check(&floors, &locked(&lock));
    assert_found(&found, "a 1.9.9", "below the floor 1.10.0");
    assert_found(&found, FLOORS, "b has no reason");
    assert_found(&found, FLOORS, "b is in no lock file");
}
