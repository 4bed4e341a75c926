//! `docs/formats/imports.md`, written from the tables that the host links from. `AIM_BLESS=1` writes it anew.
//!
//! INVARIANT: the document has a line for every function that can be linked, and for no other.

use std::fmt::Write as _;

use aim_core::{
    access::Capability,
    adapter::{self, Answer, Profile},
    capability::{
        self, AIM_VERSIONS, CONFIG_VERSIONS, KEYVALUE_VERSIONS, PLUMBING, Replay, WASI_VERSIONS,
    },
};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats/imports.md");

const HEAD: &str = "\
# Imports

Written from `host/core/src/capability.rs` and `host/core/src/adapter.rs` by the test `imports` of `aim-engine`; run it with
`AIM_BLESS=1` to write it anew. What has no line here is never linked.

An import is *served* when its contract asks for the capability and the policy grants it. Where it isn't, it is *adapted* if the
contract names a toolchain profile that covers it, else the component is refused at load. An asked capability that the policy
refuses stops the load whatever the profile says.

";

const REPLAY: &str = "\
## Replay

| rule | a replay answers |
| --- | --- |
| pinned | from the run's pins, as the first time: lock, inputs and seed |
| recorded | from the record: the payload of the call is the answer |
| content | from content that the record names by digest: an artifact, a file of a snapshot, a value |
| redone | by doing it again: it changes only what the attempt stages, and the outcome is held against the record |

Adapted functions are *pinned*: they are counted, not recorded, and their answers follow from the pins. Streams and polls
(`wasi:io`) are as the thing behind them; which of several waits was over (`poll`, `ready`) is *recorded* where real time is granted.

";

fn default_of(capability: Capability, interface: &str, function: &str) -> String {
    let granted = match capability {
        Capability::Codex => "given to gates",
        Capability::Config => "the contract's own values",
        _ if capability.is_effect_free(capability.modes().first().copied()) => {
            match capability.modes().first() {
                Some(mode) => return format!("granted without a policy as `{}`", mode.word()),
                None => "granted without a policy",
            }
        }
        Capability::Model => "needs a policy; denied on every call",
        _ => "needs a policy",
    };
    match adapter::answer(interface, function) {
        Some(answer) => format!("{granted}; else adapted: {}", answered(answer)),
        None => granted.to_owned(),
    }
}

fn answered(answer: Answer) -> String {
    match answer {
        Answer::Error(case) => format!("error `{case}`"),
        other => other.name().to_owned(),
    }
}

fn versions(text: &mut String) {
    text.push_str("## Versions\n\n| packages | served |\n| --- | --- |\n");
    let span = |versions: &[&str]| match versions {
        [only] => format!("`{only}`"),
        [first, .., last] => format!("`{first}` to `{last}`"),
        [] => String::new(),
    };
    for (packages, served) in [
        ("`aim:*`", AIM_VERSIONS),
        ("`wasi:*` of WASI 0.2", WASI_VERSIONS),
        ("`wasi:config`, a draft", CONFIG_VERSIONS),
        (
            "`wasi:keyvalue`, a draft: `store`, `atomics`, `batch`; `watcher` is an export and never called",
            KEYVALUE_VERSIONS,
        ),
    ] {
        writeln!(text, "| {packages} | {} |", span(served)).unwrap();
    }
    text.push('\n');
}

fn served(text: &mut String) {
    text.push_str("## Served\n\n| interface | function | capability | default | recorded | replay |\n| --- | --- | --- | --- | --- | --- |\n");
    for capability in Capability::ALL {
        for row in capability::closure(capability) {
            for function in row.functions {
                writeln!(
                    text,
                    "| `{}` | `{}` | {capability} | {} | {} | {} |",
                    row.interface,
                    function.name,
                    default_of(capability, row.interface, function.name),
                    function.records,
                    function.replay.name(),
                )
                .unwrap();
            }
        }
    }
    text.push('\n');
}

fn adapted(text: &mut String) {
    text.push_str("## Only adapted\n\n| interface | function | default | recorded | replay |\n| --- | --- | --- | --- | --- |\n");
    let has_capability = |interface: &str| {
        let mut rows = Capability::ALL.into_iter().flat_map(capability::closure);
        rows.any(|row| row.interface == interface)
    };
    for row in adapter::TABLE {
        if has_capability(row.interface) {
            continue;
        }
        let default = if PLUMBING.contains(&row.interface) {
            "follows from what is served or adapted".to_owned()
        } else {
            let profiles = Profile::ALL.into_iter().filter(|p| p.covers(row.interface));
            let names: Vec<String> = profiles.map(|profile| format!("`{profile}`")).collect();
            format!("adapted for {}: {}", names.join(", "), answered(row.answer))
        };
        let (interface, function) = (row.interface, row.function);
        let rule = Replay::Pinned.name();
        writeln!(
            text,
            "| `{interface}` | `{function}` | {default} | how often | {rule} |"
        )
        .unwrap();
    }
}

/// Negative control: with the replay rule of one row changed and the document left alone this fails (seen).
#[test]
fn the_table_of_imports_is_what_the_host_links() {
    let mut text = HEAD.to_owned();
    text.push_str(REPLAY);
    versions(&mut text);
    served(&mut text);
    adapted(&mut text);
    if std::env::var_os("AIM_BLESS").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        written == text,
        "{PATH} is stale; run this test with AIM_BLESS=1"
    );
}
