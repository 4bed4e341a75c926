//! The append-only evidence log in one folder.
