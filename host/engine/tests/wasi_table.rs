//! The adapter table against the real WIT of WASI 0.2.12: every function has one row, and every row a function.

use std::{collections::BTreeSet, path::Path};

use aim_core::{adapter, capability::PLUMBING};
use wit_parser::{Resolve, TypeDefKind, WorldItem};

/// `package/interface` without a version, and the function's canonical name.
fn functions() -> BTreeSet<(String, String)> {
    let deps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/deps");
    let mut resolve = Resolve {
        // A toolchain may import what WASI still calls unstable: it needs an answer too.
        all_features: true,
        ..Resolve::default()
    };
    for package in ["io", "clocks", "filesystem", "sockets", "random", "cli"] {
        let path = deps.join(format!("wasi-{package}@0.2.12"));
        resolve.push_dir(&path).unwrap();
    }
    let (_, world) = resolve
        .worlds
        .iter()
        .find(|(_, world)| world.name == "imports" && is_cli(&resolve, world))
        .unwrap();
    let mut found = BTreeSet::new();
    for item in world.imports.values() {
        let WorldItem::Interface { id, .. } = item else {
            continue;
        };
        let interface = &resolve.interfaces[*id];
        let package = &resolve.packages[interface.package.unwrap()].name;
        let name = format!(
            "{}:{}/{}",
            package.namespace,
            package.name,
            interface.name.as_ref().unwrap()
        );
        for function in interface.functions.keys() {
            found.insert((name.clone(), function.clone()));
        }
        for ty in interface.types.values() {
            // Resources count too: an interface may have nothing else.
            if matches!(resolve.types[*ty].kind, TypeDefKind::Resource) {
                assert!(
                    adapter::interfaces().any(|known| known == name),
                    "{name} has a resource and no row"
                );
            }
        }
    }
    found
}

fn is_cli(resolve: &Resolve, world: &wit_parser::World) -> bool {
    world
        .package
        .is_some_and(|package| resolve.packages[package].name.name == "cli")
}

/// Negative control: with one row of `adapter::TABLE` removed this fails naming it (seen for `wasi:random/random`).
#[test]
fn every_function_of_the_wasi_0_2_world_has_a_named_answer_and_every_answer_a_function() {
    let wanted = functions();
    let rows: BTreeSet<(String, String)> = adapter::TABLE
        .iter()
        .map(|row| (row.interface.to_owned(), row.function.to_owned()))
        .collect();
    let missing: Vec<_> = wanted.difference(&rows).collect();
    let invented: Vec<_> = rows.difference(&wanted).collect();
    assert!(missing.is_empty(), "no answer for {missing:?}");
    assert!(invented.is_empty(), "no function for {invented:?}");
    assert_eq!(rows.len(), 126);
}

#[test]
fn plumbing_is_in_the_world() {
    let wanted = functions();
    for interface in PLUMBING {
        assert!(wanted.iter().any(|(of, _)| of == interface), "{interface}");
    }
}
