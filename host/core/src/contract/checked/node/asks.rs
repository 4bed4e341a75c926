//! What a component asks for, held against what there is.
//!
//! INVARIANT: every ask that comes out names a capability that the component's world serves, with modes that it has.

use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

use crate::{
    access::{Ask, Capability, Mode},
    contract::{ContractRule, NodeDocument, World, authored::AuthoredAsk, error::Faults},
    http::HttpScope,
};

impl NodeDocument {
    pub(super) fn checked_asks(&self, world: Option<World>, faults: &mut Faults) -> Vec<Ask> {
        let mut seen = BTreeSet::new();
        let mut asks = Vec::new();
        for (index, written) in self.asks.iter().enumerate() {
            let field = format!("/asks/{index}");
            let name = (written.folder.as_deref(), &written.scope);
            if !seen.insert((written.capability, name)) {
                faults.add(
                    ContractRule::Ask,
                    &*field,
                    format!(
                        "`{}` is asked for twice; name all modes in one ask",
                        written.capability
                    ),
                );
            }
            if let Some(world) = world {
                check_ask_in_world(&field, written.capability, world, faults);
            }
            asks.push(checked_ask(&field, written, faults));
        }
        asks.sort();
        asks
    }
}

fn checked_ask(field: &str, written: &AuthoredAsk, faults: &mut Faults) -> Ask {
    let capability = written.capability;
    let known = capability.modes();
    for mode in &written.modes {
        if !known.contains(mode) {
            faults.add(
                ContractRule::Ask,
                format!("{field}/modes"),
                format!("`{capability}` has no mode `{}`", mode.word()),
            );
        }
    }
    if written.modes.is_empty() && !known.is_empty() {
        faults.add(
            ContractRule::Ask,
            format!("{field}/modes"),
            format!(
                "`{capability}` needs `modes`: one or more of {}",
                words(known)
            ),
        );
    }
    let modes: BTreeSet<_> = written.modes.iter().copied().collect();
    if modes.len() < written.modes.len() {
        faults.add(
            ContractRule::Ask,
            format!("{field}/modes"),
            "a mode is named twice",
        );
    }
    if [Mode::Virtual, Mode::Real]
        .iter()
        .all(|mode| modes.contains(mode))
    {
        faults.add(
            ContractRule::Ask,
            format!("{field}/modes"),
            format!("`{capability}` is either `virtual` or `real`"),
        );
    }
    let scope = checked_scope(field, written, faults);
    check_values(field, written, &scope, faults);
    check_command(field, written, faults);
    let has_networks =
        |name: &String| (name.parse::<HttpScope>()).is_ok_and(|scope| !scope.networks.is_empty());
    if scope.iter().any(has_networks) && !modes.contains(&Mode::Special) {
        let message = "an endpoint with networks behind `via` needs the mode `special`";
        faults.add(ContractRule::Ask, format!("{field}/modes"), message);
    }
    Ask {
        arguments: written.arguments.clone(),
        bytes_max: written.bytes_max,
        calls_max: written.calls_max,
        capability,
        environment: written.environment.clone(),
        modes,
        scope,
        stdin: written.stdin.clone(),
        time_ms_max: written.time_ms_max,
        values: written.values.clone(),
    }
}

/// Longest text of all values, or of arguments, environment and input together, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Most arguments, and most variables.
const WORDS_MAX: usize = 256;

/// Values belong to `config`, and each to a key of its scope.
fn check_values(field: &str, written: &AuthoredAsk, scope: &BTreeSet<String>, faults: &mut Faults) {
    let at = format!("{field}/values");
    let capability = written.capability;
    if capability != Capability::Config && !written.values.is_empty() {
        faults.add(
            ContractRule::Ask,
            at,
            format!("`{capability}` has no values"),
        );
        return;
    }
    for key in written.values.keys().filter(|key| !scope.contains(*key)) {
        let message = format!("`{}` is not in the `scope`", key.escape_debug());
        faults.add(ContractRule::Ask, at.clone(), message);
    }
    if total_bytes(written.values.values()) > TEXT_BYTES_MAX {
        faults.add(
            ContractRule::Ask,
            at,
            "values have at most 65536 bytes together",
        );
    }
}

fn total_bytes<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    texts.fold(0_usize, |sum, text| sum.saturating_add(text.len()))
}

/// What a command line program is given: whole, bounded, and only with `cli`.
fn check_command(field: &str, written: &AuthoredAsk, faults: &mut Faults) {
    let variables = &written.environment;
    let is_given =
        !variables.is_empty() || !written.arguments.is_empty() || written.stdin.is_some();
    if !is_given {
        return;
    }
    let capability = written.capability;
    let mut add = |message: String| faults.add(ContractRule::Ask, field, message);
    if capability != Capability::Cli {
        add(format!(
            "`{capability}` has no `environment`, `arguments` or `stdin`"
        ));
        return;
    }
    if variables.len() > WORDS_MAX || written.arguments.len() > WORDS_MAX {
        add(format!(
            "at most {WORDS_MAX} arguments and {WORDS_MAX} variables"
        ));
    }
    let is_odd = |name: &String| name.is_empty() || name.contains(['=', '\0']);
    if variables.keys().any(is_odd) {
        add("a variable's name is not empty and has no `=`".into());
    }
    let texts = written.arguments.iter().chain(variables.values());
    if total_bytes(texts.chain(&written.stdin)) > TEXT_BYTES_MAX {
        add("arguments, environment and input have at most 65536 bytes together".into());
    }
}

/// The names of an ask: `scope`, or `folder` as the shorter way to write one name for `filesystem`.
fn checked_scope(field: &str, written: &AuthoredAsk, faults: &mut Faults) -> BTreeSet<String> {
    let capability = written.capability;
    let kind = capability.resource_kind();
    if capability != Capability::Filesystem && written.folder.is_some() {
        let message = format!("`{capability}` has no folder");
        faults.add(ContractRule::Ask, format!("{field}/folder"), message);
    }
    if !kind.is_scoped() {
        if !written.scope.is_empty() {
            let message = format!("`{capability}` is of the host as a whole and takes no `scope`");
            faults.add(ContractRule::Ask, format!("{field}/scope"), message);
        }
        return BTreeSet::new();
    }
    let mut scope = BTreeSet::new();
    let listed = written.scope.iter().enumerate();
    let listed = listed.map(|(index, name)| (format!("{field}/scope/{index}"), name));
    let folder = written.folder.iter();
    let folder = folder.map(|name| (format!("{field}/folder"), name));
    for (at, name) in listed.chain(folder) {
        if let Err(what) = kind.check(name) {
            let message = format!("`{}` {what}", name.escape_debug());
            faults.add(ContractRule::Name, at, message);
        } else if !scope.insert(name.clone()) {
            faults.add(ContractRule::Ask, at, "a name is listed twice");
        }
    }
    if scope.is_empty() && written.scope.is_empty() && written.folder.is_none() {
        let key = if capability == Capability::Filesystem {
            "folder"
        } else {
            "scope"
        };
        let message = format!("`{capability}` needs `{key}`: what it is used on");
        faults.add(ContractRule::Ask, format!("{field}/{key}"), message);
    }
    scope
}

fn words(modes: &[Mode]) -> String {
    let words: Vec<String> = modes
        .iter()
        .map(|mode| format!("`{}`", mode.word()))
        .collect();
    words.join(", ")
}

fn check_ask_in_world(field: &str, capability: Capability, world: World, faults: &mut Faults) {
    let is_served = match world {
        World::Step => capability != Capability::Codex,
        World::PureStep | World::Probe => false,
        World::Gate => capability == Capability::Codex,
    };
    if !is_served {
        faults.add(
            ContractRule::Ask,
            field,
            format!("the world `{world}` has no `{capability}`"),
        );
    }
}
