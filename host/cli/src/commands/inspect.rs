//! `inspect`: what a component says about itself before anything of it runs.
//!
//! INVARIANT: names are printed as the component's bytes have them, escaped; what nobody checked is marked so.

use aim_core::{
    adapter,
    capability::{ImportName, PLUMBING},
    digest::Sha256,
    inspection::{ImportedInstance, Inspection, Producer},
    outcome::Exit,
};
use aim_engine::{inspect::COMPONENT_BYTES_MAX, text::neutralise};
use serde::Serialize;

use crate::{
    args::{Cli, InspectArgs, Output},
    error::{CliError, Problem},
    files,
    render::{lines::Lines, out},
};

/// Bytes of one name that are shown.
const NAME_BYTES_MAX: usize = 512;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    fits: Option<&'static str>,
    imports: Vec<Import<'a>>,
    root_imports: &'a [String],
    exports: &'a [String],
    blake3: String,
    sha256: String,
    size_bytes: u64,
    core_modules: u32,
    nesting_depth: u32,
    untrusted_producers: &'a [Producer],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Import<'a> {
    name: &'a str,
    /// The capability that opens it, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    capability: Option<&'static str>,
    /// How it could be bound: `capability`, `plumbing`, `adapter`, `types` or `nothing`.
    by: &'static str,
    functions: &'a [String],
    resources: &'a [String],
}

/// `aimctl inspect`.
pub(crate) fn inspect(cli: &Cli, args: &InspectArgs) -> Result<Exit, CliError> {
    let bytes = files::read_bytes(&args.component, "component", COMPONENT_BYTES_MAX)?;
    let inspection = aim_engine::inspect(&bytes).map_err(|error| {
        let message = format!("`{}`: {error}", args.component.display());
        CliError::new(
            Exit::Usage,
            Problem::new(error.code(), message).with_help(error.help()),
        )
    })?;
    let document = document(&inspection, &bytes);
    match cli.output {
        Output::Json => out::json_line("aim.inspect/v1", &document)?,
        Output::Text => out::text(&text(&document))?,
    }
    Ok(Exit::Ok)
}

fn document<'a>(inspection: &'a Inspection, bytes: &[u8]) -> Document<'a> {
    Document {
        fits: inspection.world_guess().map(|world| world.export()),
        imports: inspection.imports.iter().map(import).collect(),
        root_imports: &inspection.root_imports,
        exports: &inspection.exports,
        blake3: inspection.digest.to_string(),
        sha256: Sha256::of(bytes).to_string(),
        size_bytes: inspection.size_bytes,
        core_modules: inspection.core_modules,
        nesting_depth: inspection.nesting_depth,
        untrusted_producers: &inspection.producers,
    }
}

fn import(import: &ImportedInstance) -> Import<'_> {
    let parsed = ImportName::parse(&import.name).filter(ImportName::has_served_version);
    let capability = parsed
        .and_then(|name| name.capability())
        .map(|(capability, _)| capability);
    let by = match parsed {
        _ if import.is_types_only() => "types",
        None => "nothing",
        Some(_) if capability.is_some() => "capability",
        Some(name) if PLUMBING.contains(&name.interface) => "plumbing",
        Some(name) if adapter::interfaces().any(|known| known == name.interface) => "adapter",
        Some(_) => "nothing",
    };
    Import {
        name: &import.name,
        capability: capability.map(|capability| capability.name()),
        by,
        functions: &import.functions,
        resources: &import.resources,
    }
}

fn text(document: &Document<'_>) -> String {
    let mut lines = Lines::new(8);
    lines.add("fits", document.fits.unwrap_or("no world of this host"));
    for import in &document.imports {
        let how = match (import.capability, import.by) {
            (Some(capability), "capability") => format!("asks {capability}"),
            (_, "types") => "types only".to_owned(),
            (_, "plumbing") => "comes with what is granted".to_owned(),
            (_, "adapter") => "answered by an adapter, where the contract wants one".to_owned(),
            _ => "not served by this host".to_owned(),
        };
        lines.add("imports", format!("{}  ({how})", shown(import.name)));
        for function in import.functions {
            lines.add("", format!("  {}", shown(function)));
        }
    }
    for name in document.root_imports {
        lines.add(
            "imports",
            format!("{}  (no instance; never served)", shown(name)),
        );
    }
    for name in document.exports {
        lines.add("exports", shown(name));
    }
    lines.add("digest", &document.blake3);
    lines.add("", &document.sha256);
    lines.add("size", format!("{} bytes", document.size_bytes));
    let (modules, depth) = (document.core_modules, document.nesting_depth);
    lines.add(
        "inside",
        format!("{modules} core modules, nested {depth} deep"),
    );
    for producer in document.untrusted_producers {
        let Producer {
            field,
            name,
            version,
        } = producer;
        let line = format!(
            "{} {} {}  (untrusted)",
            shown(field),
            shown(name),
            shown(version)
        );
        lines.add("made by", line);
    }
    lines.into_text()
}

fn shown(name: &str) -> String {
    neutralise(name, NAME_BYTES_MAX)
}
