//! Attacks from the catalogue, each to its stated end, and the proofs of the walls.
//!
//! A test is named after its entry: `g12_…` is entry G12. After every attack the same invariants are asserted
//! ([`case`]): the host lives, the neighbour answered, one attempt left one witness, the log verifies, nothing secret is in
//! it, and no thread or file is left open. `catalogue` finds the test of each entry, wherever it lies.
//!
//! A test says what happens without its protection, as its negative control.
//! INVARIANT: an attack runs through the real admission, engine and runtime; only log, store, clock and policy are doubles.
#![forbid(unsafe_code)]

#[cfg(test)]
mod case;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod component;
#[cfg(test)]
mod rig;

#[cfg(test)]
mod compute;
#[cfg(test)]
mod files;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod instance;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod values;
#[cfg(test)]
mod walls;
