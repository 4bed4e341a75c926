//! Contracts, the deployment and everything they name, from files.
//!
//! ```text
//! aim.toml --> Deployment --> contracts/*.yaml --> Registry --> component bytes, codex bytes, policy texts
//! ```
//!
//! A load is whole or it fails: every fault of every file is found before anything is refused, each with file, line,
//! column, code and remedy, and one fault anywhere means that there is no registry. Files are read once, up to a limit,
//! and only when they are regular, not writable by everybody and below the project's root.
//!
//! This crate decides nothing about what a contract may say: the rules are in `aim_core::contract`, the shapes in the JSON
//! Schemas that are generated from the same types.
//!
//! INVARIANT: no text from a file becomes a path without being resolved and found below the root.

#![forbid(unsafe_code)]

mod approvals;
mod deployment;
mod document;
mod fault;
mod gates;
mod outside;
mod probes;
mod registry;
mod schemas;
mod source;
mod yaml;

pub use approvals::{Approvals, approval_text, downgrade_text};
pub use deployment::{AuthoredDeployment, Deployment, Signing};
pub use fault::{LoadError, LoadFault};
pub use gates::{
    AuthoredApprover, AuthoredComposite, AuthoredConfidence, AuthoredGates, AuthoredQuarantine,
    AuthoredTrackRecord, AuthoredWeights, DeploymentGates, record_text,
};
pub use outside::{AuthoredHttpClient, AuthoredSecret, OutsideUse, SecretSource, SecretUse};
pub use probes::AuthoredProbes;
pub use registry::{LoadedHost, LoadedNode, Registry};
pub use schemas::schemas;
pub use source::{COMPONENT_BYTES_MAX, SourceFile, read_component, read_policy};
