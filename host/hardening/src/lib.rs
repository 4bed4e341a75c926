//! What several drivers need from the operating system: folders that only their owner can change, key files, and child
//! processes with less power than their parent.
//!
//! Drivers never see each other; this crate keeps the lines that guard keys and evidence in one place instead of four.
//!
//! INVARIANT: nothing here decides what is signed, compiled or recorded; it only narrows who can reach it.

#![forbid(unsafe_code)]

pub mod private_dir;

pub mod key_file;
pub mod secret_file;

pub mod confine;

pub mod channel;
pub mod fields;
pub mod side_process;
