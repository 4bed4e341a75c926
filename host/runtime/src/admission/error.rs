//! Why a plan was not admitted, or could not be made ready.
//!
//! INVARIANT: a refusal holds every reason, each with a code and a remedy of its own.

use aim_core::{
    access::RefusedAsk,
    digest::Digest,
    name::{NodeId, StepName},
    outcome::Fault,
    plan::ProbeId,
};
use aim_engine::LoadError;
use aim_ports::{PortError, schema::SchemaError};
use aim_trust::codex::CodexError;

/// A component that was not admitted.
#[derive(Debug, Clone)]
pub struct RefusedLoad {
    /// The step that wanted it; absent for a gate.
    pub step: Option<StepName>,
    /// Its node.
    pub node: NodeId,
    /// Digest of its bytes.
    pub component: Digest,
    /// Every reason: code, subject, what and remedy.
    pub reasons: Vec<RefusedReason>,
    /// Asks that policy refused.
    pub refused_asks: Vec<RefusedAsk>,
}

/// One reason for a refusal.
#[derive(Debug, Clone)]
pub struct RefusedReason {
    /// The stable code.
    pub code: &'static str,
    /// What does not fit.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// True when the operator refused it; all others are faults of component, contract or configuration.
    pub is_denial: bool,
}

impl RefusedReason {
    /// The reason as evidence keeps it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault {
            code: self.code.to_owned(),
            message: self.message.clone(),
        }
    }
}

/// Why a plan was not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// Components were refused.
    #[error("{} component(s) were not admitted", .0.len())]
    Refused(Vec<RefusedLoad>),
    /// A step that no node does.
    #[error("step `{0}` is bound to no node")]
    Unbound(StepName),
    /// A node that the plan or the deployment names is not there.
    #[error("node `{0}` is not in the registry")]
    NoNode(NodeId),
    /// A node without a component can not do a step.
    #[error("node `{0}` has no component, and this host has no handler for it")]
    NoComponent(NodeId),
    /// A step's node is a gate, or a gate's node is none.
    #[error("node `{node}` is {is}, where {wanted} is needed")]
    WrongKind {
        /// The node.
        node: NodeId,
        /// What it is.
        is: &'static str,
        /// What is needed.
        wanted: &'static str,
    },
    /// A plan without a probe that the deployment's policy has on.
    #[error("the plan has no `{}`, and the deployment's policy has it on", .0.word())]
    NoProbe(ProbeId),
    /// A gate without a codex is never run.
    #[error("gate `{0}` has no codex, and a gate without one is a denial")]
    NoCodex(NodeId),
    /// A gate's codex is not one that may be judged by.
    #[error("gate `{node}`: {error}")]
    Codex {
        /// The gate.
        node: NodeId,
        /// What is wrong.
        error: CodexError,
    },
    /// A contract's schema can not be used.
    #[error("contract of `{node}`: {error}")]
    Schema {
        /// The node.
        node: NodeId,
        /// What is wrong.
        error: SchemaError,
    },
    /// Native code can not be had.
    #[error("compiling `{node}`: {error}")]
    Compile {
        /// The node.
        node: NodeId,
        /// What is wrong.
        error: PortError,
    },
}

impl AdmissionError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "AIM-A040",
            Self::NoNode(_) | Self::Unbound(_) => "AIM-A041",
            Self::NoComponent(_) => "AIM-A042",
            Self::WrongKind { .. } => "AIM-A043",
            Self::NoCodex(_) => "AIM-A044",
            Self::NoProbe(_) => "AIM-A048",
            Self::Codex { error, .. } => error.code(),
            Self::Schema { .. } => "AIM-A045",
            Self::Compile { .. } => "AIM-A046",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Refused(_) => "every reason is listed with its own remedy".to_owned(),
            Self::NoNode(node) => {
                format!("add a contract with `node_id: {node}` to the contracts folder")
            }
            Self::Unbound(_) => "name a node in the plan's role or in aim.toml".to_owned(),
            Self::NoComponent(_) => "give the contract a `component`".to_owned(),
            Self::WrongKind { .. } => {
                "check `world` in the contract and the plan's roles".to_owned()
            }
            Self::Codex { error, .. } => error.help().to_owned(),
            Self::NoProbe(_) => {
                "compile the plan with this deployment, or switch the probe off in `[probes]`"
                    .to_owned()
            }
            Self::NoCodex(_) => {
                "name one in the gate's contract or in aim.toml: `codex = \"…\"`".to_owned()
            }
            Self::Schema { .. } => "correct the schema in the contract".to_owned(),
            Self::Compile { .. } => {
                "rebuild the component, or raise the worker's limits by a smaller one".to_owned()
            }
        }
    }
}

/// Why an admitted plan could not be made ready to run.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// The engine did not take a component.
    #[error("loading `{node}`: {error}")]
    Load {
        /// The node.
        node: NodeId,
        /// What is wrong.
        error: LoadError,
    },
    /// A granted folder was not given to the run.
    #[error("step `{step}` is granted the folder `{folder}`, and the run has no such input")]
    NoFolder {
        /// The step.
        step: StepName,
        /// The folder.
        folder: String,
    },
}

impl ReadyError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Load { error, .. } => error.code(),
            Self::NoFolder { .. } => "AIM-A047",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Load { .. } => "clear the compile cache and run again".to_owned(),
            Self::NoFolder { folder, .. } => format!("run with `-i {folder}=@<folder>`"),
        }
    }
}
