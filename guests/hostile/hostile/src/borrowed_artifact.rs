//! Passes on an artifact that it has only heard of, so that the next step can read it.

use aim_sdk::{ArtifactRef, Emission};

/// An answer with a reference of the guest's own making.
pub(crate) fn run(digest: &str, size_bytes: u64) -> Emission {
    Emission::next("borrowed", "application/json", b"{}".to_vec()).with_artifact(ArtifactRef {
        digest: digest.to_owned(),
        media_type: "text/plain".to_owned(),
        size_bytes,
    })
}
