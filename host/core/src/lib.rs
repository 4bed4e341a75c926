//! The vocabulary and the decisions of aim; no I/O, no clock, no engine.
