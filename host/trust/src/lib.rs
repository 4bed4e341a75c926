//! What makes evidence believable: keys, signatures, the tree, checkpoints, and the reader who believes none of it.
//!
//! Bytes and keys come in; a checked value or a reason goes out. This crate opens no file, asks no clock and draws no
//! random number: a verdict about evidence depends on the evidence and on the reader's keys only.
//!
//! INVARIANT: a signature is checked over the exact bytes that were signed, before any of them is parsed.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod key;

pub mod dsse;

pub mod codex;

pub mod approval;

pub mod use_approval;

pub mod tree;

pub mod note;

pub mod checkpoint;

pub mod signing;

pub mod genesis;

pub mod sequence;

pub mod verify;

pub mod export;

mod encoding;
