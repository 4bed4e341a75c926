//! What a component asks for, held against what there is.
//!
//! INVARIANT: every ask that comes out names a capability that the component's world serves, with modes that it has.

use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

use crate::{
    access::{Ask, Capability, Mode},
    contract::{ContractRule, NodeDocument, World, authored::AuthoredAsk, error::Faults},
    name::StepName,
};

impl NodeDocument {
    pub(super) fn checked_asks(&self, world: Option<World>, faults: &mut Faults) -> Vec<Ask> {
        let mut seen = BTreeSet::new();
        let mut asks = Vec::new();
        for (index, written) in self.asks.iter().enumerate() {
            let field = format!("/asks/{index}");
            if !seen.insert((written.capability, written.folder.as_deref())) {
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
    match (&written.folder, capability == Capability::Filesystem) {
        (None, true) => faults.add(
            ContractRule::Ask,
            format!("{field}/folder"),
            "`filesystem` needs `folder`: the run input to mount",
        ),
        (Some(_), false) => faults.add(
            ContractRule::Ask,
            format!("{field}/folder"),
            format!("`{capability}` has no folder"),
        ),
        (Some(folder), true) => {
            faults.take(
                ContractRule::Name,
                format!("{field}/folder"),
                StepName::parse(folder),
            );
        }
        (None, false) => {}
    }
    Ask {
        capability,
        folder: written.folder.clone(),
        modes,
    }
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
        World::PureStep => false,
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
