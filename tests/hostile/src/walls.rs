//! Proofs that walls are walls: what no component can import, what no gate can do, what no code can make.
//!
//! INVARIANT: each proof has a twin that passes, so that a proof which can no longer fail is noticed.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use aim_core::{
    access::{Ask, Capability, Grant},
    adapter::{self, Profile},
    admission::{AdmissionRequest, How, World, admit},
    capability::{PLUMBING, closure},
    digest::Digest,
    inspection::{ImportedInstance, Inspection},
};
use wit_parser::{Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeOwner, WorldItem};

use crate::component::{packages, repository};

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

fn handle_owners(resolve: &Resolve, ty: Type) -> Vec<Option<InterfaceId>> {
    let Type::Id(id) = ty else {
        return Vec::new();
    };
    let of = |ty: &Type| handle_owners(resolve, *ty);
    match &resolve.types[id].kind {
        TypeDefKind::Handle(Handle::Own(resource) | Handle::Borrow(resource)) => {
            match resolve.types[*resource].owner {
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

/// What does not compile, the error that says so, and the nearest thing that does.
struct Refused {
    error: &'static str,
    text: &'static str,
    twin: &'static str,
}

const CHAIN: &str = "#![no_std]\nextern crate alloc;\nuse alloc::vec::Vec;\nuse aim_core::{attempt::*, envelope::{Emission, Envelope}, gate::GateRecord, outcome::{Fault, Outcome}};\n";

/// The attempt's chain: every link by hand, every skip, every second use.
const LINKS: [Refused; 13] = [
    Refused {
        error: "E0451",
        text: "pub fn f(envelope: Envelope) -> Screened { Screened { envelope, gates: Vec::new(), request: aim_core::digest::Digest::from_bytes([0; 32]) } }",
        twin: "pub fn f(received: Received, records: Vec<GateRecord>) -> Option<Screened> { received.screen(records).ok() }",
    },
    Refused {
        error: "E0451",
        text: "pub fn f(envelope: Envelope) -> Cleared { Cleared { envelope, gates: Vec::new() } }",
        twin: "pub fn f(screened: Screened, records: Vec<GateRecord>) -> Option<Cleared> { screened.clear(records).ok() }",
    },
    Refused {
        error: "E0451",
        text: "pub fn f(envelope: Envelope, end: RunEnd) -> Ran { Ran { envelope, gates: Vec::new(), end } }",
        twin: "pub fn f(cleared: Cleared, end: RunEnd) -> Ran { cleared.run(end) }",
    },
    Refused {
        error: "E0451",
        text: "pub fn f(envelope: Envelope) -> Ended { Ended { envelope, gates: Vec::new(), emissions: Vec::new(), outcome: Outcome::Completed, fault: None } }",
        twin: "pub fn f(ran: Ran, records: Vec<GateRecord>) -> Ended { ran.judge(records) }",
    },
    Refused {
        error: "E0451",
        text: "pub fn f(ended: Ended, position: Position) -> Witnessed { Witnessed { ended, position } }",
        twin: "pub fn f(ended: Ended, position: Position) -> Witnessed { ended.witness(position) }",
    },
    Refused {
        error: "E0451",
        text: "pub fn f(emissions: Vec<Emission>, position: Position) -> Released { Released { emissions, position } }",
        twin: "pub fn f(witnessed: Witnessed) -> Option<Released> { witnessed.release().ok() }",
    },
    // Skipping a link.
    Refused {
        error: "E0599",
        text: "pub fn f(received: Received, records: Vec<GateRecord>) -> Result<Cleared, Ended> { received.clear(records) }",
        twin: "pub fn f(received: Received, records: Vec<GateRecord>) -> Result<Screened, Ended> { received.screen(records) }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f(screened: Screened, end: RunEnd) -> Ran { screened.run(end) }",
        twin: "pub fn f(cleared: Cleared, end: RunEnd) -> Ran { cleared.run(end) }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f(cleared: Cleared, position: Position) -> Witnessed { cleared.witness(position) }",
        twin: "pub fn f(ended: Ended, position: Position) -> Witnessed { ended.witness(position) }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f(ended: Ended) -> Option<Released> { ended.release().ok() }",
        twin: "pub fn f(witnessed: Witnessed) -> Option<Released> { witnessed.release().ok() }",
    },
    // Using a link twice, and keeping one back.
    Refused {
        error: "E0382",
        text: "pub fn f(witnessed: Witnessed) -> [Option<Released>; 2] { [witnessed.release().ok(), witnessed.release().ok()] }",
        twin: "pub fn f(one: Witnessed, two: Witnessed) -> [Option<Released>; 2] { [one.release().ok(), two.release().ok()] }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f(cleared: Cleared) -> (Cleared, Cleared) { (cleared.clone(), cleared) }",
        twin: "pub fn f(cleared: &Cleared) -> Envelope { cleared.envelope().clone() }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f() -> Released { Released::default() }",
        twin: "pub fn f(ended: Ended) -> Option<Fault> { ended.fault().cloned() }",
    },
];

const TRUST: &str = "use aim_trust::key::SecretKey;\n";

/// Secrets are neither compared nor copied nor printed as text.
const SECRETS: [Refused; 3] = [
    Refused {
        error: "E0369",
        text: "pub fn f(a: SecretKey, b: SecretKey) -> bool { a == b }",
        twin: "pub fn f(a: &SecretKey, b: &SecretKey) -> bool { core::ptr::eq(a, b) }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f(a: SecretKey) -> (SecretKey, SecretKey) { (a.clone(), a) }",
        twin: "pub fn f(a: &SecretKey) -> &SecretKey { a }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f(a: &SecretKey) -> String { a.to_string() }",
        twin: "pub fn f(a: &SecretKey) -> String { format!(\"{a:?}\") }",
    },
];

/// Where the libraries that this test is linked with lie.
fn libraries() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    exe.parent().unwrap().to_owned()
}

/// Compiles one text against a library of this build; gives what the compiler says, nothing when it takes it.
fn said(text: &str, crate_name: &str, library: &Path) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fixture.rs");
    std::fs::write(&path, text).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let out = Command::new(rustc)
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
            "--color",
            "never",
        ])
        .arg("--out-dir")
        .arg(folder.path())
        .arg("--extern")
        .arg(format!("{crate_name}={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", libraries().display()))
        .arg(&path)
        .output()
        .unwrap();
    (!out.status.success()).then(|| String::from_utf8_lossy(&out.stderr).into_owned())
}

/// A library of `crate_name` that this compiler takes: several builds may lie there, some of other compilers.
fn library(crate_name: &str, works: &str) -> PathBuf {
    let start = format!("lib{crate_name}-");
    let mut found: Vec<PathBuf> = std::fs::read_dir(libraries())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(&start) && name.ends_with(".rlib")
        })
        .collect();
    found.sort_by_key(|path| {
        std::cmp::Reverse(std::fs::metadata(path).unwrap().modified().unwrap())
    });
    let fits = |path: &PathBuf| said(works, crate_name, path).is_none();
    found
        .into_iter()
        .find(fits)
        .expect("a library that the twin compiles with")
}

fn assert_refused(prelude: &str, crate_name: &str, cases: &[Refused]) {
    let library = library(crate_name, &format!("{prelude}{}", cases[0].twin));
    for case in cases {
        let twin = said(&format!("{prelude}{}", case.twin), crate_name, &library);
        assert_eq!(twin, None, "the twin of {}", case.text);
        let said = said(&format!("{prelude}{}", case.text), crate_name, &library);
        let said = said.unwrap_or_else(|| panic!("this compiles: {}", case.text));
        assert!(
            said.contains(&format!("error[{}]", case.error)),
            "{}: {said}",
            case.text
        );
    }
}

/// Negative control: with the fields of `Cleared` public, its row compiles.
#[test]
fn nothing_makes_a_link_of_the_attempts_chain_but_the_link_before_it() {
    assert_refused(CHAIN, "aim_core", &LINKS);
}

/// A secret that can not be compared by `==` leaks nothing through the time that a comparison takes; what is compared are
/// signatures, by their verification.
#[test]
fn s9_secrets_are_never_compared_copied_or_printed() {
    assert_refused(TRUST, "aim_trust", &SECRETS);
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
