//! The house rules as tests: each rule is a function from data to findings, and the tree must have none.
//!
//! A rule never reads the tree by itself. `tree` lists and reads files, `metadata` asks cargo, and the test at the end of
//! each module joins the two. Next to it stand the rule's negative controls: a made-up violation that must be found, so
//! that a rule that can no longer fail is noticed. Beyond that, each kind of rule was broken once in a copy of the tree
//! (`no_std` and an edge of the graph, a dependency that waits, banned calls, a machine path, a missing `@since`, a floor, a
//! licence, a skip, a table row), and the rules that watch it failed and no others.
//!
//! INVARIANT: a rule only ever reports; nothing here edits the tree.

#![forbid(unsafe_code)]

#[cfg(test)]
mod finding;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod source;
#[cfg(test)]
mod tree;

#[cfg(test)]
mod graph;
#[cfg(test)]
mod purity;

#[cfg(test)]
mod names;
#[cfg(test)]
mod reach;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod text;
#[cfg(test)]
mod tokens;

#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod error_pages;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod licences;
#[cfg(test)]
mod paperwork;
#[cfg(test)]
mod wit;
