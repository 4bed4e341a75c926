//! The signing keys, in a process of their own.
