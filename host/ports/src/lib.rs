//! Traits between the runtime and the outside.
