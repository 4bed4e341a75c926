//! aimctl.
fn main() {}
