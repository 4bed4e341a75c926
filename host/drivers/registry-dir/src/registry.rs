//! The registry: every contract of a deployment, loaded whole, and the bytes that contracts name.
//!
//! INVARIANT: every node that a role, a gate list or a host selector names is there, and every gate is a gate and every
//! probe a probe; ids are unique over all files and both kinds of contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use aim_core::{
    access::Capability,
    contract::{ComponentRef, NodeContract, RuntimeHostContract},
    digest::Digest,
    name::NodeId,
    plan::ProbeSwitch,
};
use aim_ports::schema::SchemaCompiler;

use crate::{
    approvals::{self, Approvals},
    deployment::{self, Deployment},
    document::{self, Contract, Places, Shapes},
    fault::{LoadError, LoadFault},
    source::{self, COMPONENT_BYTES_MAX, SourceFile, TEXT_BYTES_MAX},
};

/// A node's contract and where it was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoadedNode {
    /// The contract.
    pub contract: NodeContract,
    /// Its file.
    pub file: PathBuf,
}

/// A runtime host's contract and where it was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoadedHost {
    /// The contract.
    pub contract: RuntimeHostContract,
    /// Its file.
    pub file: PathBuf,
}

/// A deployment with all its contracts.
#[derive(Debug)]
pub struct Registry {
    deployment: Deployment,
    nodes: BTreeMap<NodeId, LoadedNode>,
    hosts: BTreeMap<NodeId, LoadedHost>,
}

impl Registry {
    /// Loads a deployment and every contract it names. Component bytes are not read yet.
    ///
    /// # Errors
    /// Every fault of the deployment; when it has none, every fault of every contract and between them.
    pub fn load(aim_toml: &Path, schemas: &dyn SchemaCompiler) -> Result<Self, LoadError> {
        let shapes = Shapes::compile(schemas)?;
        let (deployment, places) = deployment::load(aim_toml, &shapes)?;
        let mut faults = Vec::new();
        let mut registry = Self {
            deployment,
            nodes: BTreeMap::new(),
            hosts: BTreeMap::new(),
        };
        for folder in registry.deployment.contracts.clone() {
            match source::list(&folder, &["yaml", "yml"]) {
                Ok(files) => files.iter().for_each(|file| {
                    registry.take(file, &shapes, schemas, &mut faults);
                }),
                Err(fault) => faults.push(fault),
            }
        }
        // A contract that did not load is missed by others; saying so too would only repeat its own faults.
        if faults.is_empty() {
            registry.check_between(&places, &mut faults);
        }
        if faults.is_empty() {
            return Ok(registry);
        }
        Err(LoadError::new(faults))
    }

    /// The deployment.
    #[must_use]
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// One node.
    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&LoadedNode> {
        self.nodes.get(id)
    }

    /// All nodes, by id.
    pub fn nodes(&self) -> impl Iterator<Item = &LoadedNode> {
        self.nodes.values()
    }

    /// One runtime host.
    #[must_use]
    pub fn runtime_host(&self, id: &NodeId) -> Option<&LoadedHost> {
        self.hosts.get(id)
    }

    /// All runtime hosts, by id.
    pub fn runtime_hosts(&self) -> impl Iterator<Item = &LoadedHost> {
        self.hosts.values()
    }

    /// Reads a node's component, once, and compares it with the digest that the contract pins, if any.
    ///
    /// # Errors
    /// `AIM-C021` for a node without a component; `AIM-C001`, `AIM-C002`, `AIM-C016`, `AIM-C018`, `AIM-C019` for a file that
    /// can not be taken; `AIM-C017` when the bytes are others.
    pub fn read_component(&self, id: &NodeId) -> Result<Vec<u8>, LoadError> {
        let (node, component) = self.component_of(id)?;
        let path = self.component_path(node, component)?;
        let bytes = source::read(&path, COMPONENT_BYTES_MAX)?;
        let found = Digest::of(&bytes);
        match component.digest {
            Some(pinned) if pinned != found => Err(LoadFault::of_file(
                "AIM-C017",
                &path,
                format!("has {found}, and the contract of `{id}` pins {pinned}"),
                "build the pinned component, or pin the one that is meant",
            )
            .into()),
            _ => Ok(bytes),
        }
    }

    /// Reads a gate's codex: its own, else the deployment's. `None` when neither names one.
    ///
    /// # Errors
    /// As for [`Self::read_component`].
    pub fn read_codex(&self, gate: &NodeId) -> Result<Option<Vec<u8>>, LoadError> {
        let (node, component) = self.component_of(gate)?;
        let path = match &component.codex {
            Some(written) => Some(self.resolve(folder_of(&node.file), written)?),
            None => self.deployment.codex.clone(),
        };
        path.map(|path| Ok(source::read(&path, TEXT_BYTES_MAX)?))
            .transpose()
    }

    /// Reads the signature that lies beside a gate's codex: the same name with `.dsse` at its end. `None` without one.
    ///
    /// # Errors
    /// As for [`Self::read_component`].
    pub fn read_codex_signature(&self, gate: &NodeId) -> Result<Option<Vec<u8>>, LoadError> {
        let (node, component) = self.component_of(gate)?;
        let (base, written) = match (&component.codex, &self.deployment.codex) {
            (Some(written), _) => (folder_of(&node.file).to_owned(), written.clone()),
            (None, Some(path)) => match path.file_name() {
                Some(name) => (
                    folder_of(path).to_owned(),
                    name.to_string_lossy().into_owned(),
                ),
                None => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        let written = format!("{written}.dsse");
        if base.join(&written).symlink_metadata().is_err() {
            return Ok(None);
        }
        let path = self.resolve(&base, &written)?;
        Ok(Some(source::read(&path, TEXT_BYTES_MAX)?))
    }

    /// Reads the file of the keys that codexes are signed with; `None` when the deployment names none.
    ///
    /// # Errors
    /// As for [`Self::read_component`].
    pub fn read_codex_keys(&self) -> Result<Option<String>, LoadError> {
        let path = self.deployment.gates.codex_keys.as_deref();
        path.map(|path| Ok(source::read_text(path)?)).transpose()
    }

    /// Reads the deployment's policy; `None` when it names none.
    ///
    /// # Errors
    /// Every file that can not be taken.
    pub fn read_policy(&self) -> Result<Option<Vec<SourceFile>>, LoadError> {
        self.deployment
            .policy
            .as_deref()
            .map(source::read_policy)
            .transpose()
    }

    /// Reads the deployment's approvals; none when it names no file of them.
    ///
    /// # Errors
    /// `AIM-P038` for a file that is none of approvals, and every file that can not be taken.
    pub fn read_approvals(&self) -> Result<Approvals, LoadError> {
        let path = self.deployment.approvals.as_deref();
        Ok(path.map(approvals::read).transpose()?.unwrap_or_default())
    }

    /// Reads the policy on trial; `None` when the deployment names none.
    ///
    /// # Errors
    /// Every file that can not be taken.
    pub fn read_monitor(&self) -> Result<Option<Vec<SourceFile>>, LoadError> {
        self.deployment
            .monitor
            .as_deref()
            .map(source::read_policy)
            .transpose()
    }

    fn component_of(&self, id: &NodeId) -> Result<(&LoadedNode, &ComponentRef), LoadFault> {
        let Some(node) = self.nodes.get(id) else {
            return Err(LoadFault::of_file(
                "AIM-C015",
                &self.deployment.file,
                format!("no contract has the node id `{id}`"),
                "add its contract to one of the `contracts` folders",
            ));
        };
        node.contract
            .component()
            .map(|component| (node, component))
            .ok_or_else(|| {
                LoadFault::of_file(
                    "AIM-C021",
                    &node.file,
                    format!("`{id}` has no component, and no handler of this host does its work"),
                    "add `component` to the contract",
                )
            })
    }

    /// Beside the contract, else in the first components folder that has it; by digest where no path is written.
    fn component_path(
        &self,
        node: &LoadedNode,
        component: &ComponentRef,
    ) -> Result<PathBuf, LoadFault> {
        let written = component.path.clone().or_else(|| {
            component
                .digest
                .map(|digest| format!("{}.wasm", digest.hex()))
        });
        let written = written.unwrap_or_default();
        let beside = folder_of(&node.file);
        let folders =
            std::iter::once(beside).chain(self.deployment.components.iter().map(PathBuf::as_path));
        for folder in folders {
            if folder.join(&written).symlink_metadata().is_ok() {
                return self.resolve(folder, &written);
            }
        }
        Err(LoadFault::of_file(
            "AIM-C001",
            &node.file,
            format!(
                "the component `{written}` is neither beside the contract nor in a `components` folder"
            ),
            "build the component first, or correct the path",
        ))
    }

    fn resolve(&self, base: &Path, written: &str) -> Result<PathBuf, LoadFault> {
        source::resolve(&self.deployment.root, base, written)
    }

    fn take(
        &mut self,
        file: &Path,
        shapes: &Shapes,
        schemas: &dyn SchemaCompiler,
        faults: &mut Vec<LoadFault>,
    ) {
        let text = match source::read_text(file) {
            Ok(text) => text,
            Err(fault) => return faults.push(fault),
        };
        match document::contract(file, &text, shapes, schemas, |id| {
            self.deployment.room_of(id)
        }) {
            Ok(Contract::Node(contract)) => {
                if self.is_new(&contract.node_id, file, faults) {
                    self.nodes.insert(
                        contract.node_id.clone(),
                        LoadedNode {
                            contract: *contract,
                            file: file.to_owned(),
                        },
                    );
                }
            }
            Ok(Contract::Host(contract)) => {
                if self.is_new(&contract.node_id, file, faults) {
                    self.hosts.insert(
                        contract.node_id.clone(),
                        LoadedHost {
                            contract: *contract,
                            file: file.to_owned(),
                        },
                    );
                }
            }
            Err(found) => faults.extend(found),
        }
    }

    fn is_new(&self, id: &NodeId, file: &Path, faults: &mut Vec<LoadFault>) -> bool {
        let first = self.nodes.get(id).map(|node| &node.file);
        let first = first.or_else(|| self.hosts.get(id).map(|host| &host.file));
        if let Some(first) = first {
            faults.push(LoadFault::of_file(
                "AIM-C014",
                file,
                format!("the node id `{id}` is taken by {}", first.display()),
                "give each contract an id of its own",
            ));
        }
        first.is_none()
    }

    fn check_between(&self, places: &Places, faults: &mut Vec<LoadFault>) {
        let deployment = &self.deployment;
        for (kind, node) in &deployment.roles {
            let at = places.of_value(&format!("/roles/{kind}/node"));
            self.check_named(&deployment.file, at, node, Duty::Work, faults);
        }
        if let Some(gate) = &deployment.ethical_gate {
            let at = places.of_value("/gates/ethical");
            self.check_named(&deployment.file, at, gate, Duty::Judge, faults);
        }
        for node in &deployment.big {
            let at = places.of_value("/operator/big");
            // A probe may need the room as well; a gate never has it.
            let is_probe = (self.nodes.get(node)).is_some_and(|node| node.contract.is_probe());
            let duty = if is_probe { Duty::Watch } else { Duty::Work };
            self.check_named(&deployment.file, at, node, duty, faults);
        }
        for (index, gate) in deployment.gates.also.iter().enumerate() {
            let at = places.of_value(&format!("/gates/also/{index}"));
            self.check_named(&deployment.file, at, gate, Duty::Judge, faults);
        }
        for node in self.nodes.values() {
            for gate in &node.contract.gates {
                self.check_named(&node.file, (0, 0), gate, Duty::Judge, faults);
            }
            self.check_codex(node, faults);
        }
        let probes: BTreeSet<&NodeId> = (deployment.probes.iter().flat_map(ProbeSwitch::on))
            .map(|(_, node)| node)
            .collect();
        for probe in probes {
            let at = places.of_value("/probes");
            self.check_named(&deployment.file, at, probe, Duty::Watch, faults);
        }
        for host in self.hosts.values() {
            for node in &host.contract.node_ids {
                self.check_named(&host.file, (0, 0), node, Duty::Work, faults);
            }
        }
    }

    fn check_named(
        &self,
        file: &Path,
        at: (u64, u64),
        id: &NodeId,
        duty: Duty,
        faults: &mut Vec<LoadFault>,
    ) {
        let (message, help) = match self.nodes.get(id) {
            None => (
                format!("no contract has the node id `{id}`"),
                "add its contract, or correct the id",
            ),
            Some(node) if Duty::of(&node.contract) != duty => (
                duty.objection(id, Duty::of(&node.contract)),
                "name a node whose world fits",
            ),
            Some(_) => return,
        };
        faults.push(LoadFault::at("AIM-C015", file, at, message, help));
    }

    /// A gate that asks for a codex and has none would deny everything, and nobody would know why.
    fn check_codex(&self, node: &LoadedNode, faults: &mut Vec<LoadFault>) {
        let asks = node.contract.asks.iter();
        let is_asked = asks
            .into_iter()
            .any(|ask| ask.capability == Capability::Codex);
        let own = node
            .contract
            .component()
            .and_then(|component| component.codex.as_ref());
        if is_asked && own.is_none() && self.deployment.codex.is_none() {
            faults.push(LoadFault::of_file(
                "AIM-C006",
                &node.file,
                "the gate asks for `codex`, and neither it nor the deployment names one",
                "add `codex` to the contract or to aim.toml",
            ));
        }
    }
}

/// What a node is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duty {
    Work,
    Judge,
    Watch,
}

impl Duty {
    fn of(contract: &NodeContract) -> Self {
        if contract.is_gate() {
            Self::Judge
        } else if contract.is_probe() {
            Self::Watch
        } else {
            Self::Work
        }
    }

    /// Why a node that is there for `actual` can't serve.
    fn objection(self, id: &NodeId, actual: Self) -> String {
        match (self, actual) {
            (Self::Judge, _) => format!("`{id}` is no gate"),
            (Self::Watch, _) => format!("`{id}` is no probe"),
            (Self::Work, Self::Judge) => {
                format!("`{id}` is a gate, and gates judge; they do no work")
            }
            (Self::Work, _) => format!("`{id}` is a probe, and probes watch; they do no work"),
        }
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests;
