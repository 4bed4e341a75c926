//! Tests: bench.
