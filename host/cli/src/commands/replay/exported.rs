//! An export in the place of a data directory: verified first, then replayed from nothing but what it carries.
//!
//! INVARIANT: nothing of an export is compiled or run that was not found to be consistent; a fault ends the command with 4.

use std::path::{Path, PathBuf};

use aim_core::outcome::Exit;
use aim_runtime::replay::{Case, ExportedCaseError, Library};
use aim_schema_json::JsonSchemas;
use aim_trust::{
    export::{EXPORT_BYTES_MAX, open_export},
    verify::Report,
};

use super::{Source, library};
use crate::{
    args::ReplayArgs,
    commands::verify::{policy_fault, read_keys},
    error::{CliError, Problem},
    files,
    render::out,
};

/// The export that is meant, when it is no id of a run: ids have neither dots nor slashes.
pub(super) fn named(args: &ReplayArgs) -> Option<PathBuf> {
    args.run
        .contains(['.', '/'])
        .then(|| PathBuf::from(&args.run))
}

/// Verifies the export and reads it.
pub(super) fn open(args: &ReplayArgs, path: &Path) -> Result<Source, CliError> {
    let keys = args.key.as_deref().map(read_keys).transpose()?;
    let bytes = files::read_bytes(path, "export", EXPORT_BYTES_MAX)?;
    let (report, export) = open_export(&bytes, keys.as_ref(), None);
    let export = export.ok_or_else(|| invalid(&report))?;
    if let Some(message) = policy_fault(&export) {
        let problem = Problem::new("AIM-R084", message).with_help(INVALID_HELP);
        return Err(CliError::new(Exit::Evidence, problem));
    }
    let case = Case::of_export(&export).map_err(|error| not_replayable(&error))?;
    let mut library = Library::of_export(&export, &JsonSchemas)
        .map_err(|error| CliError::usage(error.code(), error.to_string(), "correct the schema"))?;
    if let Some(config) = &args.config {
        library::deploy(&mut library, config)?;
    }
    let against = library::add(&mut library, args)?;
    out::talk(&standing(&report));
    Ok(Source {
        case,
        library,
        against,
        log: None,
        evidence: if report.authenticated {
            Exit::Ok
        } else {
            Exit::Evidence
        },
    })
}

const INVALID_HELP: &str =
    "nothing of it was run; `aimctl verify` says what else is known about it";

fn standing(report: &Report) -> String {
    let (witnesses, size) = (report.witnesses, report.size);
    let finding = if report.authenticated {
        "VERIFIED"
    } else {
        "CONSISTENT, NOT AUTHENTICATED (--key)"
    };
    format!("{finding}: {witnesses} witnesses under a checkpoint of {size} leaves\n")
}

fn invalid(report: &Report) -> CliError {
    let problems = report.faults.iter().map(|fault| {
        let message = format!("{}: {}", fault.place, fault.kind);
        Problem::new(fault.code(), message).with_help(INVALID_HELP)
    });
    CliError {
        exit: Exit::Evidence,
        problems: problems.collect(),
    }
}

fn not_replayable(error: &ExportedCaseError) -> CliError {
    let exit = match error {
        ExportedCaseError::NotReplayable => Exit::Usage,
        ExportedCaseError::Ledger(_) | ExportedCaseError::Case(_) => Exit::Evidence,
    };
    let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
    CliError::new(exit, problem)
}
