//! Every package that is linked or run carries a licence that `deny.toml` allows.
//!
//! INVARIANT: an expression that can't be read is refused, and so is a package without one.

use std::collections::BTreeSet;

use toml::Table;

use crate::{
    finding::{Finding, assert_found, assert_none},
    metadata::{self, Graph, made_up},
    tree,
};

/// Whether an SPDX expression can be met with the allowed licences alone.
struct Expression<'a> {
    words: Vec<String>,
    at: usize,
    allowed: &'a BTreeSet<String>,
}

impl<'a> Expression<'a> {
    fn is_allowed(text: &str, allowed: &'a BTreeSet<String>) -> Option<bool> {
        let spaced = text
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace('/', " OR ");
        let words = spaced.split_whitespace().map(ToOwned::to_owned).collect();
        let mut expression = Self {
            words,
            at: 0,
            allowed,
        };
        let answer = expression.any()?;
        (expression.at == expression.words.len()).then_some(answer)
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Option<bool> {
        let mut answer = self.all()?;
        // BOUND: each turn takes a word.
        while self.take("OR") {
            answer |= self.all()?;
        }
        Some(answer)
    }

    fn all(&mut self) -> Option<bool> {
        let mut answer = self.one()?;
        // BOUND: each turn takes a word.
        while self.take("AND") {
            answer &= self.one()?;
        }
        Some(answer)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let answer = self.any()?;
            return self.take(")").then_some(answer);
        }
        let mut name = self.words.get(self.at)?.clone();
        self.at += 1;
        if self.take("WITH") {
            name = format!("{name} WITH {}", self.words.get(self.at)?);
            self.at += 1;
        }
        Some(self.allowed.contains(&name))
    }
}

fn allowed(deny: &Table) -> BTreeSet<String> {
    let allow = deny
        .get("licenses")
        .and_then(|t| t.get("allow"))
        .and_then(|v| v.as_array());
    allow
        .into_iter()
        .flatten()
        .filter_map(|v| v.as_str())
        .map(ToOwned::to_owned)
        .collect()
}

fn check(graph: &Graph, allowed: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in graph.packages.values() {
        let says = match &package.licence {
            None => "has no licence".to_owned(),
            Some(text) => match Expression::is_allowed(text, allowed) {
                Some(true) => continue,
                Some(false) => format!("is under {text}, which deny.toml doesn't allow"),
                None => format!("has a licence expression that can't be read: {text}"),
            },
        };
        findings.push(Finding::new(
            format!("{} {}", package.name, package.version),
            says,
        ));
    }
    findings
}

#[test]
fn every_package_has_an_allowed_licence() {
    let allowed = allowed(&tree::read("deny.toml").unwrap().parse().unwrap());
    assert!(allowed.contains("Apache-2.0"));
    assert_none(check(&metadata::of("Cargo.toml"), &allowed));
    assert_none(check(&metadata::of("guests/Cargo.toml"), &allowed));
}

#[test]
fn reads_expressions_as_spdx_means_them() {
    let allowed: BTreeSet<String> = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        .map(String::from)
        .into();
    let answer = |text| Expression::is_allowed(text, &allowed);
    assert_eq!(answer("GPL-3.0 OR MIT"), Some(true));
    assert_eq!(answer("GPL-3.0 AND MIT"), Some(false));
    assert_eq!(
        answer("(GPL-3.0 OR MIT) AND Apache-2.0 WITH LLVM-exception"),
        Some(true)
    );
    assert_eq!(answer("GPL-3.0 OR MIT AND Zlib"), Some(false));
    assert_eq!(answer("MIT/GPL-3.0"), Some(true));
    assert_eq!(answer("(MIT"), None);
    assert_eq!(answer("MIT MIT"), None);
    assert_eq!(answer(""), None);
}

#[test]
fn finds_a_licence_that_is_not_allowed_and_none_at_all() {
    let mut graph = made_up(&[("strict", false, &[]), ("silent", false, &[])]);
    graph.packages.get_mut("strict").unwrap().licence = Some("AGPL-3.0-only".to_owned());
    graph.packages.get_mut("silent").unwrap().licence = None;
    let found = check(&graph, &["MIT".to_owned()].into());
    assert_found(&found, "strict", "doesn't allow");
    assert_found(&found, "silent", "has no licence");
}
