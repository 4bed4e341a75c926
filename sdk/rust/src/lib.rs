//! Write aim steps and gates in Rust.
//!
//! ```
//! use aim_sdk::{Emission, Envelope, Step, StepError};
//!
//! struct Shout;
//!
//! impl Step for Shout {
//!     fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
//!         let body = envelope.body.to_ascii_uppercase();
//!         Ok(vec![Emission::next("shouted", &envelope.media_type, body)])
//!     }
//! }
//!
//! aim_sdk::export_step!(Shout);
//! ```
//!
//! A component imports what it calls and nothing else, so using this crate asks for nothing by itself. Build for
//! `wasm32-unknown-unknown` when a step needs no standard library I/O, for `wasm32-wasip2` when it does.
//!
//! INVARIANT: outside of the generated bindings and `memory`, this crate is safe code that only renames and converts.

mod error;

pub mod artifact;
pub mod attest;
#[doc(hidden)]
pub mod bindings;
pub mod budget;
pub mod consult;
pub mod context;
pub mod gate;
pub mod json;
pub mod log;
pub mod memory;
pub mod secret;
pub mod step;
pub mod types;

pub use gate::Gate;
pub use memory::MIB;
pub use step::Step;
pub use types::{ArtifactRef, Emission, Envelope, Fault, HostError, StepError, Target};

/// The crates that the SDK's own API speaks, for guests that name them.
pub use {serde, serde_json};
