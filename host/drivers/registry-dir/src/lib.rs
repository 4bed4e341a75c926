//! Contracts and deployment from files.
