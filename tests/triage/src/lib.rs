//! Scores what the incident triage example answers against what was done to the shop.
//!
//! `score` judges a report, whoever made it; `pipeline` makes one from log lines with the same code that the example's
//! components run, so that the methods can be tried on logs that were shifted or damaged.
//! INVARIANT: the truth is read from `truth.json` only, and nothing that makes a report can see it.
#![forbid(unsafe_code)]

pub mod pipeline;
pub mod score;

#[cfg(test)]
mod deployment;
#[cfg(test)]
mod tests;
