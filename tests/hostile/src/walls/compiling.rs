//! What does not compile: links of the attempt's chain out of nothing, and secrets that are compared or copied.
//!
//! INVARIANT: each text differs from a twin that compiles in the one thing that must not be possible.

use std::{path::PathBuf, process::Command};

/// What does not compile, the error that says so, and the nearest thing that does.
struct Refused {
    error: &'static str,
    text: &'static str,
    twin: &'static str,
}

const CHAIN: &str = "#![no_std]\nextern crate alloc;\nuse alloc::vec::Vec;\nuse aim_core::{attempt::*, envelope::{Emission, Envelope}, gate::GateRecord, outcome::{Fault, Outcome}};\n";

/// The attempt's chain: every link by hand, every skip, every second use.
const LINKS: [Refused; 24] = [
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
        text: "pub fn f(witnessed: Witnessed) -> (Witnessed, Witnessed) { (witnessed.clone(), witnessed) }",
        twin: "pub fn f(witnessed: Witnessed) -> Option<Released> { witnessed.release().ok() }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f(released: Released) -> (Released, Released) { (released.clone(), released) }",
        twin: "pub fn f(end: RunEnd) -> (RunEnd, RunEnd) { (end.clone(), end) }",
    },
    // Out of nothing.
    Refused {
        error: "E0599",
        text: "pub fn f() -> Cleared { Cleared::default() }",
        twin: "pub fn f() -> Vec<Emission> { Vec::default() }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f() -> Witnessed { Witnessed::default() }",
        twin: "pub fn f(ended: Ended) -> Option<Fault> { ended.fault().cloned() }",
    },
    Refused {
        error: "E0599",
        text: "pub fn f() -> Released { Released::default() }",
        twin: "pub fn f(ended: Ended) -> Option<Fault> { ended.fault().cloned() }",
    },
    // Out of something else: another link, plain data, a tuple of all fields.
    Refused {
        error: "E0277",
        text: "pub fn f(screened: Screened) -> Cleared { screened.into() }",
        twin: "pub fn f(screened: Screened) -> Screened { screened.into() }",
    },
    Refused {
        error: "E0277",
        text: "pub fn f(ended: Ended) -> Result<Witnessed, <Ended as TryInto<Witnessed>>::Error> { ended.try_into() }",
        twin: "pub fn f(ended: Ended) -> Result<Ended, <Ended as TryInto<Ended>>::Error> { ended.try_into() }",
    },
    Refused {
        error: "E0277",
        text: "pub fn f(emissions: Vec<Emission>, position: Position) -> Released { (emissions, position).into() }",
        twin: "pub fn f(emissions: Vec<Emission>, position: Position) -> (Vec<Emission>, Position) { (emissions, position).into() }",
    },
    // A link with one field exchanged.
    Refused {
        error: "E0451",
        text: "pub fn f(cleared: Cleared) -> Cleared { Cleared { gates: Vec::new(), ..cleared } }",
        twin: "pub fn f(cleared: Cleared, end: RunEnd) -> Ran { cleared.run(end) }",
    },
    Refused {
        error: "E0451",
        text: "pub fn f(witnessed: Witnessed, position: Position) -> Witnessed { Witnessed { position, ..witnessed } }",
        twin: "pub fn f(position: Position) -> Position { Position { ..position } }",
    },
    Refused {
        error: "E0451",
        text: "pub fn f(released: Released, emissions: Vec<Emission>) -> Released { Released { emissions, ..released } }",
        twin: "pub fn f(witnessed: Witnessed) -> Option<Released> { witnessed.release().ok() }",
    },
    Refused {
        error: "E0616",
        text: "pub fn f(mut ended: Ended) -> Ended { ended.outcome = Outcome::Completed; ended }",
        twin: "pub fn f(ended: Ended) -> Outcome { ended.outcome().clone() }",
    },
];

/// Read from text: what `Deserialize` could make, nobody can.
const READ: [Refused; 3] = [
    Refused {
        error: "E0277",
        text: "pub fn f(json: &str) -> Option<Cleared> { serde_json::from_str(json).ok() }",
        twin: "pub fn f(json: &str) -> Option<Outcome> { serde_json::from_str(json).ok() }",
    },
    Refused {
        error: "E0277",
        text: "pub fn f(json: &str) -> Option<Witnessed> { serde_json::from_str(json).ok() }",
        twin: "pub fn f(json: &str) -> Option<Outcome> { serde_json::from_str(json).ok() }",
    },
    Refused {
        error: "E0277",
        text: "pub fn f(json: &str) -> Option<Released> { serde_json::from_str(json).ok() }",
        twin: "pub fn f(json: &str) -> Option<Fault> { serde_json::from_str(json).ok() }",
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

/// A library to compile against: its name and where it lies.
type Library = (&'static str, PathBuf);

/// Compiles one text against libraries of this build; gives what the compiler says, nothing when it takes it.
fn said(text: &str, libraries_used: &[Library]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fixture.rs");
    std::fs::write(&path, text).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut compiler = Command::new(rustc);
    compiler
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
        .arg(folder.path());
    for (name, path) in libraries_used {
        compiler
            .arg("--extern")
            .arg(format!("{name}={}", path.display()));
    }
    let out = compiler
        .arg("-L")
        .arg(format!("dependency={}", libraries().display()))
        .arg(&path)
        .output()
        .unwrap();
    (!out.status.success()).then(|| String::from_utf8_lossy(&out.stderr).into_owned())
}

/// Builds of a crate, the newest first: several may lie there, some of other compilers.
fn builds(crate_name: &'static str) -> Vec<Library> {
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
    found.into_iter().map(|path| (crate_name, path)).collect()
}

/// One build of each crate, such that together they compile `works`.
fn fitting(crate_names: &[&'static str], works: &str) -> Vec<Library> {
    let mut sets: Vec<Vec<Library>> = vec![vec![]];
    for name in crate_names {
        let builds = builds(name);
        let with = |set: &Vec<Library>| {
            let set = set.clone();
            let more = builds.iter().cloned();
            more.map(move |build| [set.as_slice(), &[build]].concat())
                .collect::<Vec<_>>()
        };
        sets = sets.iter().flat_map(with).collect();
    }
    let mut fits = sets.into_iter().filter(|set| said(works, set).is_none());
    fits.next().expect("builds that the twin compiles with")
}

fn assert_refused(prelude: &str, crate_names: &[&'static str], cases: &[Refused]) {
    let libraries = fitting(crate_names, &format!("{prelude}{}", cases[0].twin));
    for case in cases {
        let twin = said(&format!("{prelude}{}", case.twin), &libraries);
        assert_eq!(twin, None, "the twin of {}", case.text);
        let said = said(&format!("{prelude}{}", case.text), &libraries);
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
    assert_refused(CHAIN, &["aim_core"], &LINKS);
}

/// Negative control: with `Deserialize` derived for `Released`, its row compiles.
#[test]
fn no_link_of_the_chain_is_read_from_text() {
    assert_refused(CHAIN, &["aim_core", "serde_json"], &READ);
}

/// A secret that can not be compared by `==` leaks nothing through the time that a comparison takes; what is compared are
/// signatures, by their verification.
#[test]
fn s9_secrets_are_never_compared_copied_or_printed() {
    assert_refused(TRUST, &["aim_trust"], &SECRETS);
}
