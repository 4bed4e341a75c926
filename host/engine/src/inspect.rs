//! Reads a component without running or compiling anything of it.
//!
//! INVARIANT: any bytes give an inspection or a typed refusal, never a panic, in time and memory bounded by the size cap.

use std::collections::BTreeSet;

use aim_core::{
    digest::Digest,
    inspection::{ImportedInstance, Inspection, Producer},
};
use wasmparser::{
    Encoding, KnownCustom, Parser, Payload, ValidPayload, Validator, WasmFeatures,
    component_types::{
        ComponentAnyTypeId, ComponentEntityType, ComponentInstanceTypeId, ComponentItem, ResourceId,
    },
    types::TypesRef,
};

use crate::error::InspectError;

/// Largest component of any class.
pub const COMPONENT_BYTES_MAX: usize = 128 * 1024 * 1024;
const _: () = assert!(COMPONENT_BYTES_MAX as u64 == aim_core::class::COMPONENT_BYTES_MAX);
/// A page of a memory; custom sizes are switched off.
const PAGE_BYTES: u64 = 64 * 1024;
/// Deepest nesting of components.
pub const NESTING_MAX: u32 = 4;
/// Most core modules and components inside.
const PARTS_MAX: usize = 256;
/// Most types, core and component, over all parts: real components have some thousands.
const TYPES_MAX: u32 = 100_000;
/// Most imports and exports of the component.
const NAMES_MAX: usize = 1_000;
/// Most producers lines that are shown.
const PRODUCERS_MAX: usize = 64;

/// The proposals that a component may use; the engine's profile has the same.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::GC_TYPES
}

/// Reads `bytes`.
///
/// # Errors
/// [`InspectError`] says what the bytes are instead of a component that this host would load.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    check_header(bytes)?;
    let mut reader = Reader::default();
    let mut validator = Validator::new_with_features(features());
    let mut inspection = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| malformed(&error))?;
        reader.look(&payload)?;
        let valid = validator
            .payload(&payload)
            .map_err(|error| malformed(&error))?;
        if let ValidPayload::End(types) = valid
            && reader.leave()
        {
            inspection = Some(reader.finish(bytes, types.as_ref())?);
        }
    }
    inspection.ok_or(InspectError::Truncated {
        offset: bytes.len(),
    })
}

fn malformed(error: &wasmparser::Error) -> InspectError {
    let detail = crate::text::neutralise(error.message(), 300);
    let offset = error.offset();
    if detail.contains("unexpected end") {
        return InspectError::Truncated { offset };
    }
    InspectError::Malformed { offset, detail }
}

fn check_header(bytes: &[u8]) -> Result<(), InspectError> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(InspectError::TooLarge {
            size_bytes: bytes.len(),
            max_bytes: COMPONENT_BYTES_MAX,
        });
    }
    if !bytes.starts_with(b"\0asm") {
        let first = bytes.trim_ascii_start().first();
        let hint = match first {
            None => "; it is empty",
            Some(b'(' | b';') => "; it looks like the text format",
            Some(0x1f) => "; it looks compressed",
            Some(_) => "",
        };
        return Err(InspectError::NotBinary { hint });
    }
    if Parser::is_component(bytes) {
        return Ok(());
    }
    if Parser::is_core_wasm(bytes) {
        return Err(InspectError::CoreModule {
            hint: core_module_hint(bytes),
        });
    }
    Err(InspectError::Truncated {
        offset: bytes.len().min(8),
    })
}

fn core_module_hint(bytes: &[u8]) -> &'static str {
    for payload in Parser::new(0).parse_all(bytes).take(NAMES_MAX) {
        let Ok(payload) = payload else { break };
        let Payload::ImportSection(imports) = payload else {
            continue;
        };
        let is_preview1 = imports
            .into_imports()
            .flatten()
            .any(|import| import.module == "wasi_snapshot_preview1");
        if is_preview1 {
            return "; it imports `wasi_snapshot_preview1`, so it was built for `wasm32-wasip1`";
        }
    }
    ""
}

#[derive(Default)]
struct Reader {
    /// Open components and modules around the current payload; true for components.
    open: Vec<bool>,
    deepest: u32,
    core_modules: u32,
    core_instances: u32,
    table_elements: u64,
    memory_bytes: u64,
    parts: usize,
    types: u32,
    imports: Vec<String>,
    exports: Vec<String>,
    producers: Vec<Producer>,
}

impl Reader {
    fn look(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } => self.core_modules = self.core_modules.saturating_add(1),
            Payload::InstanceSection(section) => {
                self.core_instances = self.core_instances.saturating_add(section.count());
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    let table = table.map_err(|error| malformed(&error))?;
                    self.table_elements = self.table_elements.saturating_add(table.ty.initial);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let memory = memory.map_err(|error| malformed(&error))?;
                    let bytes = memory.initial.saturating_mul(PAGE_BYTES);
                    self.memory_bytes = self.memory_bytes.saturating_add(bytes);
                }
            }
            Payload::TypeSection(section) => self.count_types(section.count())?,
            Payload::CoreTypeSection(section) => self.count_types(section.count())?,
            Payload::ComponentTypeSection(section) => self.count_types(section.count())?,
            Payload::ModuleSection { .. } => self.enter(false)?,
            Payload::ComponentSection { .. } => self.enter(true)?,
            Payload::ComponentImportSection(section) if self.open.is_empty() => {
                for import in section.clone() {
                    let import = import.map_err(|error| malformed(&error))?;
                    keep(&mut self.imports, import.name.name, "imports")?;
                }
            }
            Payload::ComponentExportSection(section) if self.open.is_empty() => {
                for export in section.clone() {
                    let export = export.map_err(|error| malformed(&error))?;
                    keep(&mut self.exports, export.name.name, "exports")?;
                }
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(lines) = section.as_known() {
                    self.keep_producers(lines);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, is_component: bool) -> Result<(), InspectError> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(InspectError::TooMany {
                what: "core modules and components inside",
                max: PARTS_MAX,
            });
        }
        self.open.push(is_component);
        let inner = self
            .open
            .iter()
            .filter(|is_component| **is_component)
            .count();
        let depth = u32::try_from(inner).unwrap_or(u32::MAX).saturating_add(1);
        self.deepest = self.deepest.max(depth);
        if depth > NESTING_MAX {
            return Err(InspectError::TooDeep {
                depth,
                max: NESTING_MAX,
            });
        }
        Ok(())
    }

    fn count_types(&mut self, more: u32) -> Result<(), InspectError> {
        self.types = self.types.saturating_add(more);
        if self.types <= TYPES_MAX {
            return Ok(());
        }
        Err(InspectError::TooMany {
            what: "types",
            max: usize::try_from(TYPES_MAX).unwrap_or(usize::MAX),
        })
    }

    /// Closes the innermost part; true when it was the whole component.
    fn leave(&mut self) -> bool {
        self.open.pop().is_none()
    }

    fn keep_producers(&mut self, fields: wasmparser::ProducersSectionReader<'_>) {
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                if self.producers.len() >= PRODUCERS_MAX {
                    return;
                }
                let producer = Producer {
                    field: crate::text::neutralise(field.name, 64),
                    name: crate::text::neutralise(value.name, 64),
                    version: crate::text::neutralise(value.version, 64),
                };
                if !self.producers.contains(&producer) {
                    self.producers.push(producer);
                }
            }
        }
    }

    fn finish(&mut self, bytes: &[u8], types: TypesRef<'_>) -> Result<Inspection, InspectError> {
        let mut seen = BTreeSet::new();
        let mut imports = Vec::new();
        let mut root_imports = Vec::new();
        for name in std::mem::take(&mut self.imports) {
            match types.component_item_for_import(&name).map(|item| item.ty) {
                Some(ComponentEntityType::Instance(id)) => {
                    let exports = exports_of(&types, id);
                    let mut import = ImportedInstance {
                        name,
                        functions: Vec::new(),
                        resources: Vec::new(),
                        has_other_items: false,
                    };
                    for (item, of) in exports {
                        sort_item(&mut import, item, of.ty, &mut seen);
                    }
                    imports.push(import);
                }
                _ => root_imports.push(name),
            }
        }
        Ok(Inspection {
            digest: Digest::of(bytes),
            size_bytes: bytes.len() as u64,
            imports,
            root_imports,
            exports: std::mem::take(&mut self.exports),
            producers: std::mem::take(&mut self.producers),
            core_modules: self.core_modules,
            nesting_depth: self.deepest.max(1),
            core_instances: self.core_instances,
            table_elements: self.table_elements,
            memory_bytes: self.memory_bytes,
        })
    }
}

/// Exports of an instance type; the id comes from these very types.
fn exports_of<'a>(
    types: &'a TypesRef<'a>,
    id: ComponentInstanceTypeId,
) -> impl Iterator<Item = (&'a String, &'a ComponentItem)> {
    types[id].exports.iter()
}

/// A resource counts for the first import that shows it; later ones only name it again.
fn sort_item(
    import: &mut ImportedInstance,
    name: &str,
    ty: ComponentEntityType,
    seen: &mut BTreeSet<ResourceId>,
) {
    match ty {
        ComponentEntityType::Func(_) => import.functions.push(name.to_owned()),
        ComponentEntityType::Type {
            created: ComponentAnyTypeId::Resource(resource),
            ..
        } => {
            if seen.insert(resource.resource()) {
                import.resources.push(name.to_owned());
            }
        }
        ComponentEntityType::Type { .. } => {}
        ComponentEntityType::Module(_)
        | ComponentEntityType::Value(_)
        | ComponentEntityType::Instance(_)
        | ComponentEntityType::Component(_) => import.has_other_items = true,
    }
}

fn keep(names: &mut Vec<String>, name: &str, what: &'static str) -> Result<(), InspectError> {
    if names.len() >= NAMES_MAX {
        return Err(InspectError::TooMany {
            what,
            max: NAMES_MAX,
        });
    }
    names.push(name.to_owned());
    Ok(())
}
