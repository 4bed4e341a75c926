//! The order of events: from a plan and its inputs to released outputs and a receipt.
//!
//! Core decides; this crate asks, runs, commits and releases in the order that core's types demand. Every path goes through
//! [`attempt::run_attempt`]: there is one loop.
//!
//! ```text
//! admission::admit -> Host::open -> execute::execute -> attempt::run_attempt -> commit::Committer
//! ```
//!
//! INVARIANT: drivers come in as ports; this crate opens no file, no socket and reads no clock of its own.

#![forbid(unsafe_code)]

pub mod accepted;
pub mod admission;
pub mod answer;
pub mod aside;
pub mod attempt;
pub mod commit;
pub mod effects;
pub mod execute;
pub mod history;
pub mod host;
pub mod inputs;
pub mod judge;
pub mod ledger;
pub mod outside;
pub mod progress;
pub mod reach;
pub mod replay;
pub mod results;
pub mod resume;
pub mod services;
pub mod traffic;
pub mod turnstile;
pub mod unit;

mod around;
mod conditions;
mod egress;
mod ingress;
mod record;
mod tokens;
