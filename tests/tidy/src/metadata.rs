//! What cargo says about the workspace: packages, licences and who depends on whom.
//!
//! INVARIANT: a missing package is an error, never a silently smaller graph.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

use crate::tree;

/// Which table of a manifest a dependency stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// One resolved package.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    pub(crate) is_proc_macro: bool,
    pub(crate) is_member: bool,
    /// Source of the package; `None` for a path inside the tree.
    pub(crate) source: Option<String>,
    /// Ids of the packages it depends on, each with every kind it is used as.
    pub(crate) needs: BTreeMap<String, BTreeSet<Kind>>,
}

/// The resolved graph by package id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub(crate) packages: BTreeMap<String, Package>,
}

impl Graph {
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|p| p.is_member)
    }

    pub(crate) fn package(&self, id: &str) -> &Package {
        self.packages.get(id).unwrap()
    }

    /// Names of what `package` needs directly, as one of `kinds`.
    pub(crate) fn direct(&self, package: &Package, kinds: &[Kind]) -> BTreeSet<String> {
        package
            .needs
            .iter()
            .filter(|(_, used)| kinds.iter().any(|k| used.contains(k)))
            .map(|(id, _)| self.package(id).name.clone())
            .collect()
    }

    /// Names of everything that is linked into `package`: its normal dependencies and theirs. Procedural macros run inside
    /// the compiler and are left out with what they need.
    pub(crate) fn linked(&self, package: &Package) -> BTreeSet<String> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![package]);
        // BOUND: each package is opened once.
        while let Some(next) = open.pop() {
            for (id, used) in &next.needs {
                let needed = self.package(id);
                if used.contains(&Kind::Normal)
                    && !needed.is_proc_macro
                    && seen.insert(needed.name.clone())
                {
                    open.push(needed);
                }
            }
        }
        seen
    }
}

/// Asks cargo about the workspace at `manifest`, relative to the root: without a network first, and with one only when a
/// package of the lock file was never fetched on this machine.
pub(crate) fn of(manifest: &str) -> Graph {
    let answer = ask(manifest, &["--offline"]).or_else(|_| ask(manifest, &[]));
    parse(&serde_json::from_slice(&answer.unwrap()).unwrap())
}

fn ask(manifest: &str, more: &[&str]) -> Result<Vec<u8>, String> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1"])
        .args(["--filter-platform", &host_triple()])
        .args(more)
        .arg("--manifest-path")
        .arg(tree::root().join(manifest))
        .output()
        .map_err(|e| format!("cargo can't be started: {e}"))?;
    if out.status.success() {
        return Ok(out.stdout);
    }
    let complaint = String::from_utf8_lossy(&out.stderr);
    Err(format!("cargo metadata on {manifest}: {complaint}"))
}

/// The platform that the tests run on, as rustc names it.
fn host_triple() -> String {
    let out = Command::new(rustc()).arg("-vV").output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("host: "));
    line.unwrap().to_owned()
}

/// The compiler that cargo would use.
pub(crate) fn rustc() -> String {
    std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned())
}

fn parse(metadata: &Value) -> Graph {
    let members = strings(&metadata["workspace_members"]);
    let mut graph = Graph::default();
    for package in metadata["packages"].as_array().unwrap() {
        let id = text(&package["id"]);
        let parsed = parse_package(package, members.contains(&id));
        graph.packages.insert(id, parsed);
    }
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let needs = parse_needs(node);
        graph.packages.get_mut(&text(&node["id"])).unwrap().needs = needs;
    }
    graph
}

fn parse_package(package: &Value, is_member: bool) -> Package {
    let targets = package["targets"].as_array().unwrap();
    Package {
        name: text(&package["name"]),
        version: text(&package["version"]),
        licence: package["license"].as_str().map(ToOwned::to_owned),
        is_proc_macro: targets
            .iter()
            .any(|t| strings(&t["kind"]).contains("proc-macro")),
        is_member,
        source: package["source"].as_str().map(ToOwned::to_owned),
        needs: BTreeMap::new(),
    }
}

fn parse_needs(node: &Value) -> BTreeMap<String, BTreeSet<Kind>> {
    let mut needs: BTreeMap<String, BTreeSet<Kind>> = BTreeMap::new();
    for dependency in node["deps"].as_array().unwrap() {
        let kinds =
            dependency["dep_kinds"]
                .as_array()
                .unwrap()
                .iter()
                .map(|k| match k["kind"].as_str() {
                    None => Kind::Normal,
                    Some("build") => Kind::Build,
                    Some(_) => Kind::Dev,
                });
        needs
            .entry(text(&dependency["pkg"]))
            .or_default()
            .extend(kinds);
    }
    needs
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

/// One package of a made-up graph: name, whether it is ours, and what it needs.
pub(crate) type Row = (&'static str, bool, &'static [(&'static str, Kind)]);

/// A made-up graph for negative controls.
pub(crate) fn made_up(rows: &[Row]) -> Graph {
    let mut graph = Graph::default();
    for (name, is_member, needs) in rows {
        let mut package = Package {
            name: (*name).to_owned(),
            version: "1.0.0".to_owned(),
            licence: Some("MIT".to_owned()),
            is_proc_macro: false,
            is_member: *is_member,
            source: None,
            needs: BTreeMap::new(),
        };
        for (needed, kind) in *needs {
            package
                .needs
                .entry((*needed).to_owned())
                .or_default()
                .insert(*kind);
        }
        graph.packages.insert((*name).to_owned(), package);
    }
    graph
}

#[test]
fn finds_this_crate_and_what_it_needs() {
    let graph = of("Cargo.toml");
    let own = graph
        .members()
        .find(|p| p.name == env!("CARGO_PKG_NAME"))
        .unwrap();
    assert!(graph.direct(own, &[Kind::Dev]).contains("syn"));
    assert!(graph.direct(own, &[Kind::Normal]).is_empty());
}
