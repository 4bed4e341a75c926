//! Content in the making.
//!
//! INVARIANT: every byte in a writer is reserved of what the attempt may stage.

/// Content that is being put piece by piece.
pub(crate) struct Writer {
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
    pub(super) is_exhausted: bool,
}
