//! The vocabulary of aim and the decisions that need nothing but data.
//!
//! This crate decides and never acts: it opens no file and no socket, asks no clock, draws no random number, starts no
//! thread and knows no engine. `no_std` keeps our own lines to that; `tests/tidy` keeps the dependencies to it.
//!
//! INVARIANT: every function here is a function of its arguments.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod canonical;

pub mod digest;
pub mod id;
pub mod name;
pub mod time;

pub mod outcome;
pub mod verdict;

pub mod access;
pub mod attempt;
pub mod claims;
pub mod class;
pub mod effect;
pub mod envelope;
pub mod event;
pub mod gate;
pub mod join;
pub mod json;
pub mod kappa;
pub mod limits;
pub mod pool;
pub mod quarantine;
pub mod question;
pub mod recovery;
pub mod reduce;
pub mod run_state;
pub mod schedule;
pub mod staged;
pub mod stateflow;
pub mod witness;

pub mod contract;

pub mod condition;
pub mod plan;

pub mod adapter;
pub mod admission;
pub mod capability;
pub mod http;
pub mod inspection;
pub mod secret;
pub mod traffic;
pub mod transcript;

pub mod replay;

pub mod frame;
pub mod leaf;
