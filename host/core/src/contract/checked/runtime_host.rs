//! From a runtime host's document to its contract.
//!
//! INVARIANT: as for nodes: every broken rule is named, and the contract is made only when none is.

use alloc::{collections::BTreeSet, format, vec::Vec};

use super::{RuntimeHostContract, RuntimeHostFacts, node};
use crate::{
    contract::{ContractFault, ContractRule, RuntimeHostDocument, error::Faults},
    name::NodeId,
};

impl RuntimeHostDocument {
    /// Checks every rule. Whether the nodes exist is for whoever holds all contracts.
    ///
    /// # Errors
    /// Every broken rule, in the order of the fields.
    pub fn check(self) -> Result<RuntimeHostContract, Vec<ContractFault>> {
        let mut faults = Faults::default();
        let node_id = faults.take(ContractRule::Name, "/node_id", NodeId::parse(&self.node_id));
        node::check_version(&self.version, &mut faults);
        let tenant_scope = node::tenant_scope(self.tenant_scope.as_ref(), &mut faults);
        let cmd_topics = self.checked_topics(&mut faults);
        let families: BTreeSet<_> = self.handlers.families.iter().copied().collect();
        if families.is_empty() || families.len() < self.handlers.families.len() {
            faults.add(
                ContractRule::Value,
                "/handlers/families",
                "name one handler family or more, each once",
            );
        }
        let node_ids = self.checked_nodes(&mut faults);
        match node_id {
            Some(node_id) if faults.is_empty() => Ok(RuntimeHostContract(RuntimeHostFacts {
                node_id,
                version: self.version,
                tenant_scope,
                metadata: self.metadata,
                cmd_topics,
                families,
                node_ids,
            })),
            _ => Err(faults.into_vec()),
        }
    }

    fn checked_topics(&self, faults: &mut Faults) -> BTreeSet<alloc::string::String> {
        let written = &self.subscriptions.cmd_topics;
        if written.is_empty() {
            faults.add(
                ContractRule::Value,
                "/subscriptions/cmd_topics",
                "name one topic pattern or more",
            );
        }
        let mut topics = BTreeSet::new();
        for (index, pattern) in written.iter().enumerate() {
            let field = format!("/subscriptions/cmd_topics/{index}");
            if !is_topic_pattern(pattern) {
                faults.add(
                    ContractRule::Name,
                    field,
                    "a pattern is `onex.` and segments of `a-z 0-9 -`, with `*` for one segment and `#` for all that follow",
                );
            } else if !topics.insert(pattern.clone()) {
                faults.add(
                    ContractRule::Value,
                    field,
                    format!("`{pattern}` is named twice"),
                );
            }
        }
        topics
    }

    fn checked_nodes(&self, faults: &mut Faults) -> BTreeSet<NodeId> {
        let written = &self.host_selector.node_ids;
        if written.is_empty() {
            faults.add(
                ContractRule::Value,
                "/host_selector/node_ids",
                "name one node or more",
            );
        }
        let mut nodes = BTreeSet::new();
        for (index, text) in written.iter().enumerate() {
            let field = format!("/host_selector/node_ids/{index}");
            if let Some(node) = faults.take(ContractRule::Name, &*field, NodeId::parse(text))
                && !nodes.insert(node)
            {
                faults.add(
                    ContractRule::Value,
                    field,
                    format!("`{text}` is named twice"),
                );
            }
        }
        nodes
    }
}

fn is_topic_pattern(pattern: &str) -> bool {
    let segments: Vec<&str> = pattern.split('.').collect();
    let Some((first, rest)) = segments.split_first() else {
        return false;
    };
    let is_word = |segment: &str| {
        !segment.is_empty()
            && segment
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    let last = rest.len().saturating_sub(1);
    pattern.len() <= 249
        && *first == "onex"
        && !rest.is_empty()
        && rest
            .iter()
            .enumerate()
            .all(|(index, segment)| match *segment {
                "#" => index == last,
                "*" => true,
                word => is_word(word),
            })
}
