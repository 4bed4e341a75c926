//! No source is left behind: every file under `src` is named by a `mod` item of the file above it.
//!
//! A file that nobody names compiles nowhere and tests nothing, and cargo doesn't say so.
//!
//! INVARIANT: crate roots are reached by their place; everything else by name.

use std::collections::BTreeMap;

use crate::{
    finding::{Finding, assert_found, assert_none},
    source,
};

/// The files that may name `path`, and the name they have to use; `None` for a crate root.
fn above(path: &str) -> Option<(Vec<String>, &str)> {
    let (folder, file) = path.rsplit_once('/')?;
    let name = file.strip_suffix(".rs")?;
    let is_inside = folder.ends_with("/src") || folder.contains("/src/");
    if !is_inside || folder.ends_with("/src/bin") {
        return None;
    }
    if folder.ends_with("/src") {
        let roots = ["lib.rs", "main.rs"].map(|root| format!("{folder}/{root}"));
        return (!matches!(name, "lib" | "main")).then(|| (roots.to_vec(), name));
    }
    Some((vec![format!("{folder}.rs")], name))
}

fn check(sources: &BTreeMap<String, String>) -> Vec<Finding> {
    let is_left_behind = |path: &&String| {
        above(path).is_some_and(|(parents, name)| {
            !parents
                .iter()
                .filter_map(|p| Some((p, sources.get(p)?)))
                .any(|(p, t)| names(p, t, name))
        })
    };
    let left = sources.keys().filter(is_left_behind);
    left.map(|path| Finding::new(path, "is named by no `mod` item: name it or remove it"))
        .collect()
}

fn names(path: &str, text: &str, module: &str) -> bool {
    source::tokens(path, text, true).is_ok_and(|tokens| {
        tokens
            .windows(2)
            .any(|pair| pair[0].text == "mod" && pair[1].text == module)
    })
}

#[test]
fn every_source_is_part_of_its_crate() {
    assert_none(check(&source::sources().into_iter().collect()));
}

#[test]
fn finds_a_source_that_nobody_names() {
    let sources = [
        ("a/src/lib.rs", "mod b; // mod d;"),
        ("a/src/b.rs", "#[cfg(test)] mod c;"),
        ("a/src/b/c.rs", ""),
        ("a/src/d.rs", ""),
        ("a/src/d/e.rs", ""),
        ("a/src/bin/f.rs", ""),
        ("a/tests/g.rs", ""),
    ];
    let found = check(&sources.map(|(p, t)| (p.to_owned(), t.to_owned())).into());
    assert_found(&found, "a/src/d.rs", "no `mod` item");
    assert_found(&found, "a/src/d/e.rs", "no `mod` item");
    assert_eq!(found.len(), 2);
}
