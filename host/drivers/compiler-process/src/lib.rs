//! A killable worker that compiles components, and the signed cache.
