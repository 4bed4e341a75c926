//! JSON Schema of draft 2020-12 behind the port: compiled once, closed over itself, silent about values.
//!
//! A schema comes with a contract and a body comes from a guest, so neither is trusted: a schema that points outside
//! itself or around in a circle is refused, patterns run in linear time, nesting, work and the number of reasons have limits, and
//! a key that stands twice makes a body invalid instead of ambiguous.
//!
//! INVARIANT: nothing is fetched. A reference that does not start with `#` is refused before compilation, and the compiler
//! is told to be offline as well.

#![forbid(unsafe_code)]

use std::sync::Arc;

use aim_core::json;
use aim_ports::schema::{Schema, SchemaCompiler, SchemaError, SchemaFault, SchemaFaultKind};
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

mod closed;
mod cost;
mod fault;

/// Reasons kept for one body.
const FAULTS_MAX: usize = 64;
/// Bytes of a schema's text.
const SCHEMA_BYTES_MAX: usize = 256 * 1024;
/// Bytes that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Compiles schemas; holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonSchemas;

impl SchemaCompiler for JsonSchemas {
    fn compile(&self, schema: &[u8]) -> Result<Arc<dyn Schema>, SchemaError> {
        if schema.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaError {
                field: String::new(),
                detail: format!("it has more than {SCHEMA_BYTES_MAX} bytes"),
            });
        }
        let schema = json::parse(schema).map_err(|error| SchemaError {
            field: String::new(),
            detail: error.to_string(),
        })?;
        closed::check(&schema)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(
                PatternOptions::regex()
                    .size_limit(PATTERN_BYTES_MAX)
                    .dfa_size_limit(PATTERN_BYTES_MAX),
            )
            .build(&schema)
            .map_err(|error| SchemaError {
                field: pointer(error.instance_path()),
                detail: fault::shown(&error.to_string()),
            })?;
        Ok(Arc::new(CompiledSchema { validator, schema }))
    }
}

#[derive(Debug)]
struct CompiledSchema {
    validator: Validator,
    schema: Value,
}

impl Schema for CompiledSchema {
    fn check(&self, body: &[u8]) -> Result<(), Vec<SchemaFault>> {
        let value = json::parse(body).map_err(|error| {
            vec![SchemaFault {
                kind: SchemaFaultKind::NotJson,
                field: String::new(),
                message: error.to_string(),
            }]
        })?;
        if !cost::is_bounded(&self.schema, &value) {
            return Err(vec![SchemaFault {
                kind: SchemaFaultKind::Value,
                field: String::new(),
                message: "is more work under this schema than a body may be".to_owned(),
            }]);
        }
        if self.validator.is_valid(&value) {
            return Ok(());
        }
        // BOUND: at most FAULTS_MAX errors are looked at.
        let faults: Vec<SchemaFault> = self
            .validator
            .iter_errors(&value)
            .take(FAULTS_MAX)
            .flat_map(|error| fault::faults(&error))
            .take(FAULTS_MAX)
            .collect();
        Err(faults)
    }
}

fn pointer(location: &jsonschema::paths::Location) -> String {
    location.as_str().to_owned()
}

/// A pointer one key further in.
fn pointer_to(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
