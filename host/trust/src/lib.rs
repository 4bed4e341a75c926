//! Signatures, statements, trees, checkpoints and receipts.
