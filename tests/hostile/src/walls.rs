//! Proofs that walls are walls: what no component can import, what no gate can do, what no code can make.
//!
//! INVARIANT: each proof has a twin that passes, so that a proof which can no longer fail is noticed.

mod compiling;

use std::{collections::BTreeSet, path::Path};

use aim_core::{
    access::{Ask, Capability, Grant},
    adapter::{self, Profile},
    admission::{AdmissionRequest, How, World, admit},
    capability::{PLUMBING, closure},
    digest::Digest,
    inspection::{ImportedInstance, Inspection},
};
use aim_engine::{VerifiedNativeCode, inspect};
use wit_parser::{Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldItem};

use crate::{
    component::{guest, packages, repository, with_more},
    rig::{ENGINE, native_code},
};

fn interface_name(resolve: &Resolve, id: InterfaceId) -> String {
    let name = resolve.id_of(id).unwrap();
    name.split('@').next().unwrap().to_owned()
}

/// Interfaces that worlds import, and interfaces that worlds export.
fn imports_and_exports(resolve: &Resolve) -> (BTreeSet<String>, BTreeSet<String>) {
    let of = |item: &WorldItem| match item {
        WorldItem::Interface { id, .. } => Some(interface_name(resolve, *id)),
        _ => None,
    };
    let worlds = || resolve.worlds.iter().map(|(_, world)| world);
    let imports = worlds()
        .flat_map(|world| world.imports.values())
        .filter_map(of);
    let exports = worlds()
        .flat_map(|world| world.exports.values())
        .filter_map(of);
    (imports.collect(), exports.collect())
}

/// What one component exports, no other can import: not in WIT, not in the table of what is served, not at admission.
/// Negative control: with `handler` imported by a world, this fails.
#[test]
fn two_components_have_no_import_through_which_they_reach_each_other() {
    let resolve = packages();
    let (imports, exports) = imports_and_exports(&resolve);
    assert!(exports.contains("aim:step/handler") && exports.contains("aim:gate/judge"));
    let both: Vec<&String> = imports.intersection(&exports).collect();
    assert!(both.is_empty(), "imported here, exported there: {both:?}");
    let served: BTreeSet<&str> = served().collect();
    for export in &exports {
        assert!(
            !served.contains(export.as_str()),
            "the host serves {export}"
        );
        for world in [World::Step, World::Gate] {
            let import = format!("{export}@0.1.0");
            let function = if export.ends_with("judge") {
                "evaluate"
            } else {
                "handle"
            };
            assert!(
                admitted(&import, &[function], world).is_err(),
                "{export} in a {world:?}"
            );
        }
    }
}

/// A handle belongs to the interface that defines it: none is given to another interface, where somebody else could take it.
/// Negative control: with the artifact store's writer used by a function of the log, this fails (seen).
#[test]
fn no_handle_of_ours_crosses_from_one_interface_to_another() {
    let resolve = packages();
    let mut handles = 0;
    for (id, interface) in resolve.interfaces.iter() {
        for function in interface.functions.values() {
            for ty in function.parameter_and_result_types() {
                for owner in handle_owners(&resolve, ty) {
                    handles += 1;
                    assert_eq!(owner, Some(id), "{} of {:?}", function.name, interface.name);
                }
            }
        }
    }
    assert!(
        handles >= 3,
        "the artifact writer has handles, and {handles} were found"
    );
}

/// Where a resource is defined, however many interfaces hand its name on.
fn defined(resolve: &Resolve, mut resource: TypeId) -> TypeId {
    while let TypeDefKind::Type(Type::Id(inner)) = resolve.types[resource].kind {
        resource = inner;
    }
    resource
}

fn handle_owners(resolve: &Resolve, ty: Type) -> Vec<Option<InterfaceId>> {
    let Type::Id(id) = ty else {
        return Vec::new();
    };
    let of = |ty: &Type| handle_owners(resolve, *ty);
    match &resolve.types[id].kind {
        TypeDefKind::Handle(Handle::Own(resource) | Handle::Borrow(resource)) => {
            match resolve.types[defined(resolve, *resource)].owner {
                TypeOwner::Interface(owner) => vec![Some(owner)],
                _ => vec![None],
            }
        }
        TypeDefKind::Type(inner) | TypeDefKind::List(inner) | TypeDefKind::Option(inner) => {
            of(inner)
        }
        TypeDefKind::Result(result) => [result.ok, result.err]
            .iter()
            .flatten()
            .flat_map(of)
            .collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.iter().flat_map(of).collect(),
        TypeDefKind::Record(record) => record
            .fields
            .iter()
            .flat_map(|field| of(&field.ty))
            .collect(),
        TypeDefKind::Variant(variant) => variant
            .cases
            .iter()
            .filter_map(|case| case.ty.as_ref())
            .flat_map(of)
            .collect(),
        _ => Vec::new(),
    }
}

/// Every interface that the host links, for whatever world.
fn served() -> impl Iterator<Item = &'static str> {
    let granted = Capability::ALL
        .into_iter()
        .flat_map(|capability| closure(capability).iter().map(|row| row.interface));
    granted
        .chain(adapter::interfaces())
        .chain(PLUMBING.iter().copied())
}

/// How one import of these functions would be bound, with every ask granted and every adapter on.
fn admitted(import: &str, functions: &[&str], world: World) -> Result<How, String> {
    let asks: Vec<Ask> = Capability::ALL
        .into_iter()
        .map(|capability| Ask {
            modes: capability.modes().iter().copied().collect(),
            ..Ask::plain(capability)
        })
        .collect();
    let grant = Grant {
        asks: asks.clone(),
        policy: Some(Digest::of(b"everything")),
    };
    let inspection = Inspection {
        digest: Digest::of(import.as_bytes()),
        size_bytes: 1,
        imports: vec![ImportedInstance {
            name: import.to_owned(),
            functions: functions.iter().map(|name| (*name).to_owned()).collect(),
            resources: vec![],
            has_other_items: false,
        }],
        root_imports: vec![],
        exports: vec![world.export().to_owned()],
        producers: vec![],
        core_modules: 1,
        nesting_depth: 1,
        core_instances: 1,
        table_elements: 0,
        memory_bytes: 0,
    };
    let request = AdmissionRequest {
        world,
        asks: &asks,
        grant: &grant,
        adapt: Some(Profile::Std),
        class: aim_core::class::Class::Standard,
    };
    let linkage = admit(&inspection, &request).map_err(|faults| format!("{faults:?}"))?;
    Ok(linkage.bindings()[0].how)
}

/// With every ask written and granted, a gate is bound to its codex, and otherwise to answers that do nothing. Negative
/// control: with `World::allows` true for everything, the artifact store is served to a gate. The twin: a step is
/// served it.
#[test]
fn the_gate_world_can_not_carry_an_effect() {
    let resolve = packages();
    let (package, _) = resolve
        .packages
        .iter()
        .find(|(_, one)| one.name.to_string().starts_with("aim:step@"))
        .unwrap();
    let gate = resolve.packages[package].worlds["gate"];
    let imports: BTreeSet<String> = resolve.worlds[gate]
        .imports
        .values()
        .filter_map(|item| match item {
            WorldItem::Interface { id, .. } => Some(interface_name(&resolve, *id)),
            _ => None,
        })
        .collect();
    let effects: Vec<&String> = imports
        .iter()
        .filter(|name| {
            !matches!(
                name.as_str(),
                "aim:gate/codex" | "aim:gate/types" | "aim:types/types"
            )
        })
        .collect();
    assert!(effects.is_empty(), "the gate world imports {effects:?}");
    let mut served_to_steps = 0;
    for capability in Capability::ALL {
        for row in closure(capability) {
            let version = if row.interface.starts_with("aim:") {
                "0.1.0"
            } else {
                "0.2.12"
            };
            let import = format!("{}@{version}", row.interface);
            let function = row.functions.first().map(|one| one.name);
            let function = function.or_else(|| {
                adapter::TABLE
                    .iter()
                    .find(|one| one.interface == row.interface)
                    .map(|one| one.function)
            });
            let functions: Vec<&str> = function.into_iter().collect();
            match admitted(&import, &functions, World::Gate) {
                Ok(How::Serve(served)) => assert_eq!(served, Capability::Codex, "{import}"),
                Ok(How::Adapt | How::Plumbing | How::TypesOnly) | Err(_) => {}
            }
            let to_step = admitted(&import, &functions, World::Step);
            served_to_steps += u32::from(matches!(to_step, Ok(How::Serve(_))));
        }
    }
    assert!(served_to_steps >= 6, "the twin: {served_to_steps}");
}

/// A gate that was admitted with its codex alone, and native code of the same gate that also imports an effect: the loader
/// finds the import that nobody bound. Negative control: with the comparison in `load::check_bound` taken away, the linker
/// itself has no such import and this ends in another code. The twin: the native code of the gate that was admitted loads.
#[test]
fn the_linker_of_a_gate_defines_no_effect() {
    let gate = guest("gate-hostile");
    let grant = Grant {
        asks: vec![],
        policy: None,
    };
    let request = AdmissionRequest {
        world: World::Gate,
        asks: &[],
        grant: &grant,
        adapt: None,
        class: aim_core::class::Class::Standard,
    };
    let linkage = admit(&inspect(&gate).unwrap(), &request).unwrap();
    let load = |component: &[u8]| {
        let native = VerifiedNativeCode::assume_verified(native_code(component).unwrap());
        ENGINE.load_gate(native, &linkage)
    };
    for import in [
        r#"(import "aim:log/log@0.1.0" (instance (export "write-all" (func))))"#,
        r#"(import "wasi:http/outgoing-handler@0.2.12" (instance (export "handle" (func))))"#,
        r#"(import "wasi:clocks/monotonic-clock@0.2.12" (instance (export "now" (func (result u64)))))"#,
    ] {
        let leaky = with_more(&gate, import);
        assert!(admit(&inspect(&leaky).unwrap(), &request).is_err());
        assert_eq!(load(&leaky).unwrap_err().code(), "AIM-A034", "{import}");
    }
    assert!(load(&gate).is_ok());
}

/// The place of a durable witness is plain data, so the sources are what says who makes one: the thread that has just synced.
/// Negative control: a made-up source is found.
#[test]
fn only_the_commit_thread_says_where_a_witness_is() {
    let mut makers = BTreeSet::new();
    for folder in [
        "host/core/src",
        "host/runtime/src",
        "host/cli/src",
        "host/engine/src",
    ] {
        collect_makers(&repository(folder), &mut makers);
    }
    assert_eq!(makers.into_iter().collect::<Vec<_>>(), ["commit.rs"]);
    assert!(makes_position(
        "fn f() -> Position {\n  let p = Position { index: 1 };\n p }"
    ));
    assert!(!makes_position(
        "fn f() -> Position {\n  x }\npub struct Position {\n"
    ));
}

fn collect_makers(folder: &Path, makers: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            collect_makers(&path, makers);
        } else if name != "tests.rs" && makes_position(&std::fs::read_to_string(&path).unwrap()) {
            makers.insert(name);
        }
    }
}

fn makes_position(text: &str) -> bool {
    let lines = text
        .lines()
        .filter(|line| !line.contains("struct ") && !line.contains("-> "));
    lines
        .flat_map(|line| {
            line.match_indices("Position {")
                .map(move |(at, _)| (line, at))
        })
        .any(|(line, at)| {
            let before = line.get(..at).and_then(|start| start.chars().next_back());
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_') && !line.contains("impl ")
        })
}
