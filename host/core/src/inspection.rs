//! What a component says about itself before anything of it runs, as plain data.
//!
//! INVARIANT: names are exactly as in the component's bytes; nothing here is trusted to be true but the digest and the
//! imports, which the engine binds by these very strings.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One instance that a component imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedInstance {
    /// The exact import string.
    pub name: String,
    /// Functions, resource methods by their canonical names, in the order of the component.
    pub functions: Vec<String>,
    /// Resources that the instance would have to define; re-exported ones of other imports do not count.
    pub resources: Vec<String>,
    /// True when it also asks for modules, components, nested instances or values.
    pub has_other_items: bool,
}

impl ImportedInstance {
    /// True when nothing but plain types is imported.
    #[must_use]
    pub const fn is_types_only(&self) -> bool {
        self.functions.is_empty() && self.resources.is_empty() && !self.has_other_items
    }
}

/// A line of a producers section. Anybody can write anything there: for display only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// `language`, `processed-by`, `sdk` or another word.
    pub field: String,
    /// The tool's name.
    pub name: String,
    /// The tool's version.
    pub version: String,
}

/// The result of reading a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// BLAKE3 of the bytes that were read.
    pub digest: Digest,
    /// How many bytes there are.
    pub size_bytes: u64,
    /// Imported instances in the order of the component.
    pub imports: Vec<ImportedInstance>,
    /// Imports at the root that are not instances: functions, modules, components, values. Never served.
    pub root_imports: Vec<String>,
    /// Exact names of all exports.
    pub exports: Vec<String>,
    /// Who says to have made it; not verified.
    pub producers: Vec<Producer>,
    /// Core modules inside, at any depth.
    pub core_modules: u32,
    /// Deepest nesting of components; 1 when there is none inside.
    pub nesting_depth: u32,
    /// Core instances that the component makes, at any depth.
    pub core_instances: u32,
    /// Elements that all tables of all core modules begin with.
    pub table_elements: u64,
    /// Bytes that all memories of all core modules begin with.
    pub memory_bytes: u64,
}

impl Inspection {
    /// The world that the exports look like; `None` when they fit none.
    #[must_use]
    pub fn world_guess(&self) -> Option<crate::admission::World> {
        use crate::admission::World;
        [World::Step, World::Gate]
            .into_iter()
            .find(|world| self.exports.iter().any(|export| export == world.export()))
    }
}
