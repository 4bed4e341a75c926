//! JSON Schemas: compiled once at admission, asked for every body.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt::Debug;

/// What kind of fault a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaFaultKind {
    /// The bytes are not one JSON document, nest too deep or have a key twice.
    NotJson,
    /// A key that the schema does not allow.
    UnknownKey,
    /// A key that the schema requires.
    MissingKey,
    /// A value that the schema does not allow.
    Value,
}

/// One reason why a body was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFault {
    /// What kind it is.
    pub kind: SchemaFaultKind,
    /// Where in the body, as a JSON pointer; a missing key is named as if it were there.
    pub field: String,
    /// What the schema wants. Values of the body are never repeated here, names of its keys are.
    pub message: String,
}

/// A compiled schema. Asking it is pure.
pub trait Schema: Debug + Send + Sync {
    /// Accepts `body` when it is one JSON document that the schema allows.
    ///
    /// # Errors
    /// The reasons, the first few dozen of them.
    fn check(&self, body: &[u8]) -> Result<(), Vec<SchemaFault>>;
}

/// Why a schema was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("JSON Schema{}{field}: {detail}", if field.is_empty() { "" } else { " at " })]
pub struct SchemaError {
    /// Where in the schema, as a JSON pointer.
    pub field: String,
    /// What is wrong and what to do.
    pub detail: String,
}

/// Compiles schemas.
pub trait SchemaCompiler: Debug + Send + Sync {
    /// Compiles a schema of draft 2020-12 that is given as JSON text. It can refer only to itself: nothing is fetched.
    ///
    /// # Errors
    /// [`SchemaError`] for anything that is not such a schema.
    fn compile(&self, schema: &[u8]) -> Result<Arc<dyn Schema>, SchemaError>;
}
