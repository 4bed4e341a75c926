//! Artifacts and granted folders on disk.
