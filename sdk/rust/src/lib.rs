//! Write aim steps and gates in Rust.
