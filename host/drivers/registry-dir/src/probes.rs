//! `[probes]` of `aim.toml`: which node watches which invariant in every plan, and which are switched off.
//!
//! INVARIANT: a probe is off only when it is named under `off`; a deployment without the section runs nothing, and every run
//! records what was off.

use std::collections::BTreeMap;

use aim_core::{
    contract::ContractRule,
    name::NodeId,
    plan::{ProbeId, ProbeSwitch},
};
use serde::{Deserialize, Serialize};

/// The probes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredProbes {
    /// The node that does every probe that is on and has no node of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Nodes of single probes, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, String>,
    /// Ids of probes that are switched off, or `all`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub off: Vec<String>,
}

/// The word that switches every probe off.
const ALL: &str = "all";

impl AuthoredProbes {
    pub(crate) fn check(&self, add: &mut impl FnMut(ContractRule, String, String)) -> ProbeSwitch {
        let is_off = |id: ProbeId| self.off.iter().any(|off| off == ALL || off == id.word());
        for (index, off) in self.off.iter().enumerate() {
            if off != ALL && ProbeId::parse(off).is_none() {
                add(
                    ContractRule::Name,
                    format!("/probes/off/{index}"),
                    unknown(off),
                );
            }
        }
        let mut nodes: BTreeMap<ProbeId, NodeId> = BTreeMap::new();
        for (id, node) in &self.nodes {
            let at = format!("/probes/nodes/{}", id.replace('~', "~0").replace('/', "~1"));
            match (ProbeId::parse(id), NodeId::parse(node)) {
                (None, _) => add(ContractRule::Name, at, unknown(id)),
                (_, Err(error)) => add(ContractRule::Name, at, error.to_string()),
                (Some(id), Ok(node)) => drop(nodes.insert(id, node)),
            }
        }
        let shared = self.node.as_ref().and_then(|node| {
            NodeId::parse(node)
                .map_err(|error| {
                    add(
                        ContractRule::Name,
                        "/probes/node".to_owned(),
                        error.to_string(),
                    )
                })
                .ok()
        });
        let on = ProbeId::ALL.iter().copied().filter(|id| !is_off(*id));
        let mut switch = BTreeMap::new();
        for id in on {
            match nodes.get(&id).or(shared.as_ref()) {
                Some(node) => drop(switch.insert(id, node.clone())),
                None if self.node.is_some() => {}
                None => add(
                    ContractRule::MissingKey,
                    "/probes".to_owned(),
                    format!(
                        "nobody does `{}`: give a `node`, or name the probe under `off`",
                        id.word()
                    ),
                ),
            }
        }
        ProbeSwitch::new(switch)
    }
}

fn unknown(id: &str) -> String {
    let known: Vec<&str> = ProbeId::ALL.iter().map(|id| id.word()).collect();
    format!(
        "`{}` is no probe; there are {}",
        id.escape_default(),
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> (ProbeSwitch, Vec<String>) {
        let authored: AuthoredProbes = toml::from_str(text).unwrap();
        let mut faults = Vec::new();
        let switch = authored.check(&mut |_, at, why| faults.push(format!("{at}: {why}")));
        (switch, faults)
    }

    #[test]
    fn a_probe_is_on_with_its_own_node_or_the_shared_one_unless_it_is_named_as_off() {
        let (switch, faults) = checked(
            "node = \"shared\"\noff = [\"probe.seg.asof\"]\n[nodes]\n\"probe.mcel.gate_present\" = \"own\"\n",
        );
        assert!(faults.is_empty(), "{faults:?}");
        let on: BTreeMap<ProbeId, &NodeId> = switch.on().collect();
        assert_eq!(on.len(), ProbeId::ALL.len() - 1);
        assert!(!on.contains_key(&ProbeId::AsOf));
        assert_eq!(on[&ProbeId::GatePresent].as_str(), "own");
        assert_eq!(on[&ProbeId::Parity].as_str(), "shared");
        let (switch, faults) = checked("off = [\"all\"]");
        assert!(faults.is_empty() && switch.on().next().is_none());
    }

    #[test]
    fn unknown_probes_wrong_nodes_and_probes_that_nobody_does_are_faults() {
        let (_, faults) = checked("node = \"shared\"\noff = [\"probe.nobody\"]");
        assert!(
            faults.len() == 1 && faults[0].starts_with("/probes/off/0: `probe.nobody` is no probe")
        );
        let (_, faults) = checked("node = \"Not A Node\"");
        assert!(
            faults.len() == 1 && faults[0].starts_with("/probes/node: "),
            "{faults:?}"
        );
        let (_, faults) = checked("[nodes]\n\"probe.seg.asof\" = \"own\"");
        assert_eq!(faults.len(), ProbeId::ALL.len() - 1, "{faults:?}");
        let (_, faults) = checked("node = \"shared\"\n[nodes]\n\"probe.x\" = \"own\"");
        assert!(
            faults[0].starts_with("/probes/nodes/probe.x: "),
            "{faults:?}"
        );
    }
}
