//! The crate graph against the two tables of `docs/ARCHITECTURE.md`.
//!
//! The document is the law and the manifests are held against it: a crate without a row, a dependency without leave, an
//! external crate outside its place and a row without a crate are all findings.
//!
//! INVARIANT: what the tables don't mention is not allowed.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    finding::{Finding, assert_found, assert_none},
    metadata::{self, Graph, Kind, Package, Row, made_up},
    tree,
};

const DOCUMENT: &str = "docs/ARCHITECTURE.md";
const CRATES: &str = "crate-graph";
const EXTERNAL: &str = "external-crates";
const SDK: &str = "aim-sdk";

/// What one workspace crate may depend on.
#[derive(Debug, Default)]
struct Leave {
    normal: BTreeSet<String>,
    dev: BTreeSet<String>,
}

/// The tables as written.
#[derive(Debug, Default)]
struct Law {
    crates: BTreeMap<String, Leave>,
    /// Name, or prefix ending in `*`, to the crates that may use it.
    external: BTreeMap<String, BTreeSet<String>>,
}

fn parse_law(document: &str) -> Law {
    let mut law = Law::default();
    for row in rows(document, CRATES) {
        let leave = Leave {
            normal: names(row.get(1)),
            dev: names(row.get(2)),
        };
        for name in names(row.first()) {
            law.crates.insert(
                name,
                Leave {
                    normal: leave.normal.clone(),
                    dev: leave.dev.clone(),
                },
            );
        }
    }
    for row in rows(document, EXTERNAL) {
        for name in names(row.first()) {
            law.external.insert(name, names(row.get(1)));
        }
    }
    law
}

/// Body rows of the table between `<!-- <marker>: begin -->` and `<!-- <marker>: end -->`.
fn rows(document: &str, marker: &str) -> Vec<Vec<String>> {
    let begin = format!("<!-- {marker}: begin -->");
    let end = format!("<!-- {marker}: end -->");
    let Some((_, rest)) = document.split_once(&begin) else {
        return Vec::new();
    };
    let table = rest.split_once(&end).map_or("", |(table, _)| table);
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(2);
    lines
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

/// The names in back-quotes of one cell.
fn names(cell: Option<&String>) -> BTreeSet<String> {
    let cell = cell.map_or("", String::as_str);
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect()
}

fn check(law: &Law, graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    let members: BTreeSet<&str> = graph.members().map(|p| p.name.as_str()).collect();
    for name in law
        .crates
        .keys()
        .filter(|name| !members.contains(name.as_str()))
    {
        findings.push(Finding::new(
            name,
            format!("has a row in {DOCUMENT} and is no crate"),
        ));
    }
    for package in graph.members() {
        match law.crates.get(&package.name) {
            None => findings.push(Finding::new(
                &package.name,
                format!("has no row in {DOCUMENT}: say what it may depend on"),
            )),
            Some(leave) => findings.extend(check_inner(graph, package, leave, &members)),
        }
        findings.extend(check_external(graph, package, law));
    }
    findings
}

fn check_inner(
    graph: &Graph,
    package: &Package,
    leave: &Leave,
    members: &BTreeSet<&str>,
) -> Vec<Finding> {
    let normal = graph.direct(package, &[Kind::Normal, Kind::Build]);
    let dev = graph.direct(package, &[Kind::Dev]);
    let inner = |name: &&String| members.contains(name.as_str());
    let refused = normal
        .iter()
        .filter(inner)
        .filter(|n| !leave.normal.contains(*n));
    let refused_dev = dev
        .iter()
        .filter(inner)
        .filter(|n| !leave.normal.contains(*n) && !leave.dev.contains(*n));
    let say = |name: &String, what: &str| {
        Finding::new(
            &package.name,
            format!("may not depend on {name} ({what}, see {DOCUMENT})"),
        )
    };
    refused
        .map(|n| say(n, "dependency"))
        .chain(refused_dev.map(|n| say(n, "dev-dependency")))
        .collect()
}

fn check_external(graph: &Graph, package: &Package, law: &Law) -> Vec<Finding> {
    let used = graph.direct(package, &[Kind::Normal, Kind::Build, Kind::Dev]);
    let mut findings = Vec::new();
    for name in used {
        let places = law
            .external
            .iter()
            .find(|(pattern, _)| matches(pattern, &name));
        if let Some((_, places)) = places
            && !places.contains(&package.name)
        {
            findings.push(Finding::new(
                &package.name,
                format!("may not use {name}, whose place is {places:?} (see {DOCUMENT})"),
            ));
        }
    }
    findings
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// Guests stand outside of the table: of ours they may use the SDK and one another.
fn check_guests(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for guest in graph.members() {
        for id in guest.needs.keys() {
            let needed = graph.package(id);
            if needed.source.is_none() && !needed.is_member && needed.name != SDK {
                let says = format!(
                    "may not depend on {}: guests use {SDK} and nothing of the host",
                    needed.name
                );
                findings.push(Finding::new(&guest.name, says));
            }
        }
    }
    findings
}

#[test]
fn guests_use_nothing_of_the_host() {
    assert_none(check_guests(&metadata::of("guests/Cargo.toml")));
}

#[test]
fn the_crate_graph_is_the_one_in_the_architecture_document() {
    let law = parse_law(&tree::read(DOCUMENT).unwrap());
    assert!(
        law.crates.len() > 10 && law.external.len() > 5,
        "tables not found in {DOCUMENT}"
    );
    assert_none(check(&law, &metadata::of("Cargo.toml")));
}

#[cfg(test)]
mod controls {
    use super::*;

    const LAW: &str = "\
<!-- crate-graph: begin -->
| crate | may use | in tests |
| --- | --- | --- |
| `low` | - | `kit` |
| `high`, `kit` | `low` | - |
<!-- crate-graph: end -->
<!-- external-crates: begin -->
| external | only in |
| --- | --- |
| `engine*` | `high` |
<!-- external-crates: end -->
";

    fn findings(rows: &[Row]) -> Vec<Finding> {
        check(&parse_law(LAW), &made_up(rows))
    }

    #[test]
    fn a_graph_under_the_table_has_no_finding() {
        let rows: &[Row] = &[
            ("low", true, &[("kit", Kind::Dev)]),
            (
                "high",
                true,
                &[("low", Kind::Normal), ("engine-x", Kind::Normal)],
            ),
            ("kit", true, &[("low", Kind::Normal)]),
            ("engine-x", false, &[]),
        ];
        assert_none(findings(rows));
    }

    #[test]
    fn finds_an_edge_upwards() {
        let found = findings(&[
            ("low", true, &[("high", Kind::Normal)]),
            ("high", true, &[]),
        ]);
        assert_found(&found, "low", "may not depend on high");
    }

    #[test]
    fn finds_a_test_crate_outside_of_tests() {
        let found = findings(&[("low", true, &[("kit", Kind::Normal)]), ("kit", true, &[])]);
        assert_found(&found, "low", "may not depend on kit");
    }

    #[test]
    fn finds_an_external_crate_out_of_its_place() {
        let rows: &[Row] = &[
            ("low", true, &[("engine-x", Kind::Dev)]),
            ("engine-x", false, &[]),
        ];
        assert_found(&findings(rows), "low", "may not use engine-x");
    }

    #[test]
    fn finds_a_crate_without_a_row_and_a_row_without_a_crate() {
        let found = findings(&[("new", true, &[])]);
        assert_found(&found, "new", "no row");
        assert_found(&found, "high", "is no crate");
    }

    #[test]
    fn finds_a_guest_that_uses_the_host() {
        let rows: &[Row] = &[
            (
                "guest",
                true,
                &[("aim-sdk", Kind::Normal), ("aim-core", Kind::Normal)],
            ),
            ("aim-sdk", false, &[]),
            ("aim-core", false, &[]),
        ];
        let found = check_guests(&made_up(rows));
        assert_found(&found, "guest", "may not depend on aim-core");
        assert_eq!(found.len(), 1);
    }
}
