//! The adapter table against the real WIT of WASI 0.2.12: every function of what `wasi:cli` and `wasi:http` import has one
//! row, and every row a function.

use std::{collections::BTreeSet, path::Path};

use aim_core::{
    adapter::{self, Answer},
    capability::PLUMBING,
};
use wit_parser::{Resolve, Type, TypeDefKind, WorldItem};

/// One function of the real world.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Function {
    /// `package/interface` without a version.
    interface: String,
    /// The canonical name.
    name: String,
    has_error: bool,
}

fn functions() -> BTreeSet<Function> {
    let deps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/deps");
    let mut resolve = Resolve {
        // A toolchain may import what WASI still calls unstable: it needs an answer too.
        all_features: true,
        ..Resolve::default()
    };
    for package in [
        "io",
        "clocks",
        "filesystem",
        "sockets",
        "random",
        "cli",
        "http",
    ] {
        let path = deps.join(format!("wasi-{package}@0.2.12"));
        resolve.push_dir(&path).unwrap();
    }
    let worlds = resolve
        .worlds
        .iter()
        .map(|(_, world)| world)
        .filter(|world| world.name == "imports" && has_everything(&resolve, world));
    let mut found = BTreeSet::new();
    let items = worlds.flat_map(|world| world.imports.values());
    for item in items {
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
        for function in interface.functions.values() {
            found.insert(Function {
                interface: name.clone(),
                name: function.name.clone(),
                has_error: has_error(&resolve, function),
            });
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

/// True when the function itself can say no.
fn has_error(resolve: &Resolve, function: &wit_parser::Function) -> bool {
    let Some(Type::Id(mut id)) = function.result else {
        return false;
    };
    loop {
        match resolve.types[id].kind {
            TypeDefKind::Type(Type::Id(inner)) => id = inner,
            TypeDefKind::Result(_) => return true,
            _ => return false,
        }
    }
}

/// The two packages whose worlds together import all there is.
fn has_everything(resolve: &Resolve, world: &wit_parser::World) -> bool {
    world.package.is_some_and(|package| {
        matches!(resolve.packages[package].name.name.as_str(), "cli" | "http")
    })
}

/// Negative control: with one row of `adapter::TABLE` removed this fails naming it (seen for `wasi:random/random`).
#[test]
fn every_function_of_the_wasi_0_2_world_has_a_named_answer_and_every_answer_a_function() {
    let wanted = functions();
    let wanted: BTreeSet<(&str, &str)> = wanted
        .iter()
        .map(|one| (one.interface.as_str(), one.name.as_str()))
        .collect();
    let rows: BTreeSet<(&str, &str)> = adapter::TABLE
        .iter()
        .map(|row| (row.interface, row.function))
        .collect();
    let missing: Vec<_> = wanted.difference(&rows).collect();
    let invented: Vec<_> = rows.difference(&wanted).collect();
    assert!(missing.is_empty(), "no answer for {missing:?}");
    assert!(invented.is_empty(), "no function for {invented:?}");
    assert_eq!(rows.len(), adapter::TABLE.len(), "a function has two rows");
}

/// `error` only where the function has an error to give, and never an error in silence: a function with an error channel
/// that says `empty` changes nothing but a stand-in.
#[test]
fn an_answer_fits_the_shape_of_its_function() {
    let functions = functions();
    for row in adapter::TABLE {
        let function = functions
            .iter()
            .find(|one| one.interface == row.interface && one.name == row.function)
            .unwrap();
        let says_error = matches!(row.answer, Answer::Error(_));
        let is_setter_of_a_stand_in =
            row.interface == "wasi:http/types" && row.function.contains(".set-");
        assert_eq!(
            says_error || is_setter_of_a_stand_in,
            function.has_error,
            "{row:?}"
        );
    }
    let silent = functions.iter().filter(|one| !one.has_error).count();
    assert_eq!((functions.len(), silent), (179, 75));
}

#[test]
fn plumbing_is_in_the_world() {
    let wanted = functions();
    for interface in PLUMBING {
        assert!(
            wanted.iter().any(|one| one.interface == *interface),
            "{interface}"
        );
    }
}
