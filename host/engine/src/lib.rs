//! The only crate that knows wasmtime: reads, compiles, links and runs components under hard limits.
//!
//! ```text
//! bytes --inspect--> Inspection --aim_core::admission::admit--> Linkage
//! bytes --compile (worker)--> native code --load--> LinkedStep --invoke--> StepReport
//! ```
//!
//! INVARIANT: nothing is linked but what a `Linkage` binds, and every guest runs in a store of its own with every limit
//! armed before its first instruction.

#![deny(unsafe_code)]

mod adapter;
mod capability;
mod clock;
mod convert;
mod door;
mod guest;
mod lane;
mod limiter;
mod plumbing;
mod stage;
mod store;
mod trap;
mod wit;

pub mod call;
pub mod compile;
pub mod deadline;
pub mod engine;
pub mod error;
pub mod folder;
pub mod inspect;
pub mod invoke;
pub mod load;
pub mod profile;
pub mod resources;
mod room;
pub mod text;

pub use call::{
    Cancel, Codex, Denial, GateFault, GateReport, LogLevel, LogLine, PlanBudget, Refusal,
    StagedArtifact, StepCall, StepContext, StepEnd, StepReport,
};
pub use clock::READ_NS;
pub use compile::compile;
pub use engine::{AllocatorPreference, Engine};
pub use error::{CompileError, EngineError, InspectError, LoadError};
pub use folder::{Snapshot, SnapshotFile};
pub use inspect::inspect;
pub use lane::SLOW_AFTER_TICKS;
pub use load::{LinkedGate, LinkedStep, VerifiedNativeCode};
pub use profile::{Allocator, EngineProfile, PoolSize};
pub use resources::{Resources, StagedBucket, StagedEffects, StagedFolder};
pub use store::CANCEL_GRACE;
