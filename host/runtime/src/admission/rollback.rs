//! A node's version held against what the log has accepted.
//!
//! INVARIANT: an older version is admitted only by an approval that is for exactly these bytes, and the lock names it.

use std::collections::BTreeSet;

use aim_core::{
    access::{Candidate, RollbackError},
    digest::Digest,
};

use super::{Node, RefusedReason, Request};

/// The approvals by which a node may be what it is: none for one that is no older than what was accepted.
pub(super) fn check(
    request: &Request<'_>,
    node: &Node,
) -> Result<BTreeSet<Digest>, Box<RefusedReason>> {
    let candidate = Candidate {
        tenant: request.tenant,
        node: &node.contract.node_id,
        version: &node.contract.version,
        component: Digest::of(&node.component),
    };
    let Some(highest) = request.accepted.above(&candidate) else {
        return Ok(BTreeSet::new());
    };
    let found = request.approvals.find_downgrade(&candidate);
    found.map(|digest| BTreeSet::from([digest])).map_err(|why| {
        let error = RollbackError {
            node: candidate.node.clone(),
            version: candidate.version.to_owned(),
            highest,
            why,
        };
        Box::new(RefusedReason {
            code: error.code(),
            message: error.to_string(),
            help: error.help().to_owned(),
            is_denial: true,
        })
    })
}
