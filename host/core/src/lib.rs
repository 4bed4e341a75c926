//! The vocabulary of aim and the decisions that need nothing but data.
//!
//! This crate decides and never acts: it opens no file and no socket, asks no clock, draws no random number, starts no
//! thread and knows no engine. `no_std` keeps our own lines to that; `tests/tidy` keeps the dependencies to it.
//!
//! INVARIANT: every function here is a function of its arguments.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod digest;
pub mod id;
pub mod name;
pub mod time;

pub mod outcome;
pub mod verdict;

pub mod access;
pub mod envelope;
pub mod gate;
pub mod limits;
