//! Set-up, builds, tests, demo and benchmarks.
fn main() {}
