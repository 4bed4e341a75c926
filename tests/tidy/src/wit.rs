//! The WIT packages: they resolve together, every item is documented and dated, and released folders never change.
//!
//! INVARIANT: a released file is known by its digest; a change needs a new version beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use wit_parser::{
    Docs, Function, InterfaceId, Resolve, Stability, TypeDefKind, TypeId, UnresolvedPackageGroup,
    WorldId, WorldItem,
};

use crate::{
    finding::{Finding, assert_found, assert_none},
    tree,
};

const FROZEN: &str = "wit/FROZEN";

/// Folders of our own packages and of vendored ones.
fn folders() -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
    let files = tree::files()
        .into_iter()
        .filter(|f| f.starts_with("wit/") && f.ends_with(".wit"));
    let folders = files.map(|f| PathBuf::from(f.rsplit_once('/').unwrap().0));
    folders.partition(|folder| !folder.starts_with("wit/deps"))
}

/// Resolves groups of packages together; each may name the others.
fn resolve(mut groups: Vec<UnresolvedPackageGroup>) -> Result<Resolve, String> {
    let mut resolve = Resolve::default();
    let main = groups.pop().ok_or("there are no WIT packages")?;
    resolve
        .push_groups(main, groups)
        .map_err(|e| format!("{e:?}"))?;
    Ok(resolve)
}

fn check(resolve: &Resolve, is_ours: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, package) in resolve
        .packages
        .iter()
        .filter(|(_, p)| is_ours(&p.name.namespace))
    {
        let place = package.name.to_string();
        findings.extend(undocumented(&place, &package.docs));
        for id in package.interfaces.values() {
            findings.extend(check_interface(resolve, &place, *id));
        }
        for id in package.worlds.values() {
            findings.extend(check_world(resolve, &place, *id));
        }
    }
    findings
}

fn check_interface(resolve: &Resolve, package: &str, id: InterfaceId) -> Vec<Finding> {
    let Some(interface) = resolve.interfaces.get(id) else {
        return Vec::new();
    };
    let place = format!(
        "{package} {}",
        interface.name.as_deref().unwrap_or("(inline)")
    );
    let mut findings = both(&place, &interface.docs, &interface.stability);
    for function in interface.functions.values() {
        findings.extend(check_function(&place, function));
    }
    for (name, id) in &interface.types {
        findings.extend(check_type(resolve, &format!("{place}.{name}"), *id));
    }
    findings
}

fn check_world(resolve: &Resolve, package: &str, id: WorldId) -> Vec<Finding> {
    let Some(world) = resolve.worlds.get(id) else {
        return Vec::new();
    };
    let place = format!("{package} {}", world.name);
    let mut findings = both(&place, &world.docs, &world.stability);
    for item in world.imports.values().chain(world.exports.values()) {
        match item {
            WorldItem::Function(function) => findings.extend(check_function(&place, function)),
            // Named interfaces are checked where they are written, inline ones are not written here.
            WorldItem::Interface { .. } | WorldItem::Type { .. } => {}
        }
    }
    findings
}

fn check_function(place: &str, function: &Function) -> Vec<Finding> {
    both(
        &format!("{place}.{}", function.name),
        &function.docs,
        &function.stability,
    )
}

fn check_type(resolve: &Resolve, place: &str, id: TypeId) -> Vec<Finding> {
    let Some(definition) = resolve.types.get(id) else {
        return Vec::new();
    };
    match definition.kind {
        // A name that `use` brings in is documented where it comes from.
        TypeDefKind::Type(wit_parser::Type::Id(_)) if definition.docs.is_empty() => {
            undated(place, &definition.stability).into_iter().collect()
        }
        _ => both(place, &definition.docs, &definition.stability),
    }
}

fn both(place: &str, docs: &Docs, stability: &Stability) -> Vec<Finding> {
    undocumented(place, docs)
        .into_iter()
        .chain(undated(place, stability))
        .collect()
}

fn undocumented(place: &str, docs: &Docs) -> Option<Finding> {
    let is_empty = docs.contents.as_deref().unwrap_or("").trim().is_empty();
    is_empty.then(|| {
        Finding::new(
            place,
            "has no doc comment: say what it gives and how it fails",
        )
    })
}

fn undated(place: &str, stability: &Stability) -> Option<Finding> {
    let is_dated = matches!(stability, Stability::Stable { .. });
    (!is_dated).then(|| Finding::new(place, "has no @since"))
}

/// Checks `<blake3 hex>  <path>` lines against the files; `#` opens a comment.
fn check_frozen(list: &str, files: &BTreeMap<String, String>) -> Vec<Finding> {
    let lines = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let Some((digest, path)) = line.split_once("  ") else {
                return Some(Finding::new(FROZEN, format!("can't read `{line}`")));
            };
            match files.get(path) {
                None => Some(Finding::new(path, "was released and is gone")),
                Some(text) if blake3::hash(text.as_bytes()).to_hex().as_str() != digest => {
                    let says =
                        "was released and has changed: put it back and add a new version beside it";
                    Some(Finding::new(path, says))
                }
                Some(_) => None,
            }
        })
        .collect()
}

#[test]
fn every_wit_item_is_documented_and_dated_and_all_packages_resolve() {
    let (ours, vendored) = folders();
    let parse =
        |folder: &PathBuf| UnresolvedPackageGroup::parse_dir(tree::root().join(folder)).unwrap();
    let groups = vendored.iter().chain(&ours).map(parse).collect();
    let resolve = resolve(groups).unwrap();
    assert!(resolve.packages.len() >= ours.len());
    assert_none(check(&resolve, |namespace| namespace == "aim"));
}

#[test]
fn released_wit_does_not_change() {
    let files = tree::files().into_iter().filter(|f| f.starts_with("wit/"));
    let texts = files.map(|path| {
        let text = tree::read(&path).unwrap();
        (path, text)
    });
    assert_none(check_frozen(&tree::read(FROZEN).unwrap(), &texts.collect()));
}

#[test]
fn finds_items_without_words_and_without_a_date() {
    let text = "package t:t@0.1.0;\ninterface a {\n  record r { x: u8 }\n  f: func();\n}\nworld w { import a; }";
    let group = UnresolvedPackageGroup::parse("a.wit", text).unwrap();
    let found = check(&resolve(vec![group]).unwrap(), |namespace| namespace == "t");
    for place in ["t:t@0.1.0 a", "a.r", "a.f", " w"] {
        assert_found(&found, place, "no doc comment");
        assert_found(&found, place, "@since");
    }
}

#[test]
fn packages_that_name_something_absent_do_not_resolve() {
    let text = "package t:t;\ninterface a { use u:u/b.{c}; }";
    let group = UnresolvedPackageGroup::parse("a.wit", text).unwrap();
    assert!(resolve(vec![group]).is_err());
}

#[test]
fn finds_a_changed_and_a_missing_released_file() {
    let digest = blake3::hash(b"old").to_hex();
    let list =
        format!("# comment\n{digest}  wit/a.wit\n{digest}  wit/b.wit\n{digest}  wit/c.wit\n");
    let files =
        [("wit/a.wit", "old"), ("wit/b.wit", "new")].map(|(p, t)| (p.to_owned(), t.to_owned()));
    let found = check_frozen(&list, &files.into());
    assert_found(&found, "wit/b.wit", "has changed");
    assert_found(&found, "wit/c.wit", "is gone");
    assert_eq!(found.len(), 2);
}
