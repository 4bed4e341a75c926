//! What lies beside a plan: its deployment, contracts, policy and imports, read once until something changes.
//!
//! INVARIANT: what is known here is what `aimctl lint` would know of the same files at the same time.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    rc::Rc,
};

use aim_acl::{Alone, Ast, Encoding, Lines, Place, Profile, SOURCE_BYTES_MAX, ast::Role};
use aim_core::{
    name::{NodeId, StepName},
    plan::NODE_PARAM,
};
use aim_registry_dir::{LoadFault, LoadedNode};
use serde_json::{Value, json};

use super::{diagnose, session::Client, uri};
use crate::{commands::compile::Beside, files, paths};

/// The folder of a plan.
#[derive(Debug, Default)]
pub(super) struct Project {
    folder: PathBuf,
    beside: Option<Beside>,
}

/// Every folder that plans were opened from.
#[derive(Debug, Default)]
pub(super) struct Projects {
    known: BTreeMap<PathBuf, Rc<Project>>,
    /// Files that faults were said of and not taken back.
    accused: BTreeSet<String>,
}

impl Projects {
    /// What is beside a plan; nothing for one that is nowhere on disk.
    pub(super) fn of(&mut self, plan: Option<&Path>) -> Rc<Project> {
        let Some(plan) = plan else {
            return Rc::default();
        };
        let folder = paths::beside(plan);
        let read = || {
            Rc::new(Project {
                folder: folder.clone(),
                beside: Some(Beside::of(plan)),
            })
        };
        Rc::clone(self.known.entry(folder.clone()).or_insert_with(read))
    }

    /// Reads everything anew when it is next asked for.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// What is wrong with deployments and contracts, and that nothing is wrong any more with those that were mended.
    pub(super) fn faults(&mut self, client: &Client) -> Vec<Value> {
        let mut by_file: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for project in self.known.values() {
            let beside = project.beside.as_ref();
            for fault in beside.map(Beside::faults).unwrap_or_default() {
                if let Some(uri) = uri::uri_of(&fault.file) {
                    by_file.entry(uri).or_default().push(told(fault, client));
                }
            }
        }
        let mended: Vec<String> = self
            .accused
            .iter()
            .filter(|uri| !by_file.contains_key(*uri))
            .cloned()
            .collect();
        if self.known.is_empty() {
            return Vec::new();
        }
        self.accused = by_file.keys().cloned().collect();
        let mended = mended.into_iter().map(|uri| (uri, Vec::new()));
        by_file
            .into_iter()
            .chain(mended)
            .map(|(uri, faults)| diagnose::published(&uri, None, faults))
            .collect()
    }
}

/// A fault of a contract or deployment, as a diagnostic.
fn told(fault: &LoadFault, client: &Client) -> Value {
    let number = |one: u64| usize::try_from(one.saturating_sub(1)).unwrap_or(usize::MAX);
    let place = Place {
        line: number(fault.line),
        column: number(fault.column),
    };
    let text = files::read_text(&fault.file, "file", SOURCE_BYTES_MAX).unwrap_or_default();
    let lines = Lines::of(&text);
    let start = lines.offset(place, Encoding::Utf32);
    let end = lines.offset(
        Place {
            line: place.line,
            column: usize::MAX,
        },
        Encoding::Utf32,
    );
    let at = |offset: usize| {
        let place = lines.place(offset, client.encoding);
        json!({ "line": place.line, "character": place.column })
    };
    let range = json!({ "start": at(start), "end": at(end) });
    diagnose::written(
        fault.code,
        1,
        range,
        &fault.message,
        Some(&fault.help),
        client,
    )
}

impl Project {
    /// Runs `work` with who answers for the world outside of the plan's text, and how much the text may leave unsaid.
    pub(super) fn context(&self, profile: Profile) -> aim_acl::Context<'_> {
        aim_acl::Context {
            profile,
            resolver: match &self.beside {
                Some(beside) => beside,
                None => &Alone,
            },
        }
    }

    /// The ids of every node contract.
    pub(super) fn nodes(&self) -> Vec<&str> {
        let registry = self.beside.as_ref().and_then(Beside::registry);
        let nodes = registry.into_iter().flat_map(|registry| registry.nodes());
        let work = nodes.filter(|node| !node.contract.is_gate());
        work.map(|node| node.contract.node_id.as_str()).collect()
    }

    /// One node's contract.
    pub(super) fn node(&self, id: &str) -> Option<&LoadedNode> {
        let registry = self.beside.as_ref().and_then(Beside::registry)?;
        registry.node(&NodeId::parse(id).ok()?)
    }

    /// The contract of the node that does the steps of a role.
    pub(super) fn node_of_role(&self, ast: &Ast, name: &str) -> Option<&LoadedNode> {
        let declared = ast
            .roles
            .iter()
            .find(|role| role.name.value.as_str() == name);
        if let Some(node) = declared.and_then(node_param) {
            return self.node(node);
        }
        let kind = match declared {
            Some(role) => role.kind.as_ref()?.value.clone(),
            None => StepName::parse(&name.to_ascii_lowercase()).ok()?,
        };
        let registry = self.beside.as_ref().and_then(Beside::registry)?;
        registry.node(registry.deployment().roles.get(&kind)?)
    }

    /// An imported file's address, when it is there.
    pub(super) fn imported(&self, path: &str) -> Option<String> {
        let file = self.folder.join(path);
        file.is_file().then(|| uri::uri_of(&file)).flatten()
    }
}

/// The node that a role names itself.
pub(super) fn node_param(role: &Role) -> Option<&str> {
    let param = role
        .params
        .iter()
        .find(|(name, _)| name.value.as_str() == NODE_PARAM);
    param.map(|(_, node)| node.value.as_str())
}
