//! One fuzz target for every place where bytes come in from outside.
//!
//! A target is a function from bytes to nothing that panics when the host did something wrong: it panicked itself, or what
//! it took is not what it gives back. To add one, write the function and its row in [`TARGETS`], and put a few small inputs
//! into `corpus/<name>/`. `cargo xtask fuzz` runs them all with coverage; a plain test runs every kept input through its
//! target, so an input that once crashed is put into the corpus and stays there.
//! INVARIANT: a target depends on its bytes alone, so that an input that crashes once crashes always.
#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a target tells what it found by panicking"
)]

mod documents;
mod evidence;
mod guests;
mod plans;

/// One place where bytes come in.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, for the command line and for the corpus.
    pub name: &'static str,
    /// What its bytes are.
    pub what: &'static str,
    /// Feeds them to the host.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, what: &'static str, run: fn(&[u8])) -> Target {
    Target { name, what, run }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target(
        "contract",
        "a node's or a host's contract, as YAML",
        documents::contract,
    ),
    target("deployment", "a deployment, as TOML", documents::deployment),
    target(
        "policy",
        "an operator's policy, as Cedar text",
        documents::policy,
    ),
    target(
        "schema",
        "a JSON Schema of a contract, and a payload after a zero byte",
        documents::schema,
    ),
    target(
        "lexer",
        "the text of a plan in braces, cut up",
        plans::lexer,
    ),
    target("acl", "a plan's text", plans::acl),
    target(
        "editor",
        "a place of two bytes and a plan's text that is still being written",
        plans::editor,
    ),
    target("plan", "a plan's canonical form", plans::plan),
    target("condition", "a gate's condition", plans::condition),
    target(
        "component",
        "a component's bytes, up to its admission",
        guests::component,
    ),
    target("codex", "a codex, given to the shipped gate", guests::codex),
    target(
        "answer",
        "a step's answer, as it lies in the guest's memory",
        guests::answer,
    ),
    target(
        "decision",
        "a gate's answer, as it lies in the guest's memory",
        guests::decision,
    ),
    target(
        "log",
        "a whole log, given to a reader without keys",
        evidence::log,
    ),
    target(
        "witness",
        "a signed envelope, and the statement in it",
        evidence::witness,
    ),
    target(
        "checkpoint",
        "a signed note, a checkpoint and a key for it",
        evidence::checkpoint,
    ),
    target(
        "export",
        "exported evidence, given to a reader without keys",
        evidence::export,
    ),
    target(
        "transcript",
        "the host calls of an attempt",
        evidence::transcript,
    ),
];

/// The negative control: it has a bug that only a fuzzer which sees coverage finds in time.
pub const PLANTED: Target = target("planted", "a lock of six letters", planted);

/// Panics on bytes that open every lock, one after the other. Each lock is code of its own, so that each is one step for
/// whoever sees coverage, and all together are one in 2^48 for whoever does not.
fn planted(bytes: &[u8]) {
    let mut keys = bytes.iter();
    macro_rules! lock {
        ($($key:literal)*) => {
            $(if keys.next() != Some(&$key) {
                return;
            })*
        };
    }
    lock!(b'a' b'i' b'm' b'f' b'u' b'z');
    panic!("the planted bug was found");
}

/// The target that `AIM_FUZZ_TARGET` names.
#[must_use]
pub fn chosen() -> fn(&[u8]) {
    static CHOSEN: std::sync::OnceLock<fn(&[u8])> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("AIM_FUZZ_TARGET").expect("AIM_FUZZ_TARGET names a target");
        let mut all = TARGETS.iter().chain([&PLANTED]);
        all.find(|target| target.name == name)
            .map(|target| target.run)
            .unwrap_or_else(|| panic!("there is no target `{name}`"))
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let entries = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.map(|path| std::fs::read(path).unwrap()).collect()
    }

    #[test]
    fn every_kept_input_goes_through_its_target() {
        for target in TARGETS {
            let inputs = corpus(target.name);
            assert!(!inputs.is_empty(), "{} has no seeds", target.name);
            for input in inputs
                .iter()
                .map(Vec::as_slice)
                .chain([&b""[..], b"\0", &[0xff; 64]])
            {
                (target.run)(input);
                (target.run)(input.get(..input.len() / 2).unwrap_or_default());
            }
        }
    }

    #[test]
    fn every_folder_of_the_corpus_belongs_to_a_target() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let names: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            assert!(
                names.contains(name.as_str()),
                "corpus/{name} belongs to no target"
            );
        }
        assert_eq!(names.len(), TARGETS.len(), "two targets of one name");
    }

    #[test]
    fn the_planted_bug_is_there() {
        let found = std::panic::catch_unwind(|| (PLANTED.run)(b"aimfuz"));
        assert!(found.is_err());
        (PLANTED.run)(b"aimfu");
    }
}
