//! `-i name=value`, `-i name=@file`, `-i name=@folder`.
//!
//! INVARIANT: every input is read before anything starts, whole and once, and is what the plan declares.

use std::{collections::BTreeMap, path::Path};

use aim_core::{
    name::StepName,
    outcome::Exit,
    plan::{Header, InputFault, Plan},
};
use aim_ports::{
    PortFault,
    folder::{Folders as _, SnapshotLimits},
};
use aim_runtime::inputs::{Given, Inputs};
use aim_store_dir::DirFolders;

use crate::error::{CliError, Problem};

/// Bytes of one file that is given as an input.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a folder may hold.
const FOLDER_LIMITS: SnapshotLimits = SnapshotLimits {
    bytes_max: 256 * 1024 * 1024,
    files_max: 10_000,
};

/// The seed of a run: what the plan holds still, else what was asked for, else 0.
pub(crate) fn seed(asked: Option<u64>, header: &Header) -> Result<u64, CliError> {
    match (header.seed, asked) {
        (Some(planned), Some(asked)) if planned != asked => {
            let message = format!("the plan's seed is {planned}, and `--seed` says {asked}");
            let help = "leave `--seed` out, or take `seeds` out of the plan's header";
            Err(CliError::usage("AIM-C051", message, help))
        }
        (planned, asked) => Ok(planned.or(asked).unwrap_or(0)),
    }
}

/// Reads all inputs of a plan.
pub(crate) fn read(arguments: &[String], plan: &Plan) -> Result<Inputs, CliError> {
    let mut given = BTreeMap::new();
    for argument in arguments {
        let (name, value) = argument.split_once('=').ok_or_else(|| {
            let message = format!("input `{argument}` is not of the form name=value");
            CliError::usage(
                "AIM-C043",
                message,
                "write `-i name=value`, or `-i name=@path`",
            )
        })?;
        let name = StepName::parse(name).map_err(|error| {
            CliError::usage("AIM-C043", error.to_string(), "choose another input name")
        })?;
        let value = match value.strip_prefix('@') {
            Some(path) => read_path(Path::new(path))?,
            None => Given::Value(value.as_bytes().to_vec()),
        };
        if given.insert(name.clone(), value).is_some() {
            let message = format!("input `{name}` is given twice");
            return Err(CliError::usage("AIM-C043", message, "give each input once"));
        }
    }
    Inputs::new(plan, given).map_err(|faults| CliError {
        exit: Exit::Usage,
        problems: faults.iter().map(problem).collect(),
    })
}

fn problem(fault: &InputFault) -> Problem {
    let help = match fault {
        InputFault::Missing { name, .. } | InputFault::Unanswered { name, .. } => {
            format!("add `-i {name}=<value>`, or `-i {name}=@<path>`")
        }
        InputFault::Mistyped { expected, .. } => {
            format!("give a value that is of the type {}", expected.word())
        }
        InputFault::Undeclared { .. } => {
            "leave it out, or declare it in the plan's `inputs`".to_owned()
        }
    };
    Problem::new(fault.code(), fault.to_string()).with_help(help)
}

fn read_path(path: &Path) -> Result<Given, CliError> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| {
        let problem = Problem::new("AIM-C044", format!("input file `{shown}`: {error}"))
            .with_help("check the path behind `@`");
        let is_missing = error.kind() == std::io::ErrorKind::NotFound;
        CliError::new(
            if is_missing {
                Exit::NotFound
            } else {
                Exit::Usage
            },
            problem,
        )
    })?;
    if metadata.is_dir() {
        return read_folder(path);
    }
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        let message =
            format!("input `{shown}` is no regular file of at most {FILE_BYTES_MAX} bytes");
        return Err(CliError::usage(
            "AIM-C044",
            message,
            "give a folder of smaller files",
        ));
    }
    std::fs::read(path).map(Given::Value).map_err(|error| {
        CliError::usage(
            "AIM-C044",
            format!("input file `{shown}`: {error}"),
            "check its permissions",
        )
    })
}

fn read_folder(path: &Path) -> Result<Given, CliError> {
    let shown = path.display().to_string();
    DirFolders
        .snapshot(&shown, FOLDER_LIMITS)
        .map(Given::Folder)
        .map_err(|error| {
            let exit = if error.fault == PortFault::NotFound {
                Exit::NotFound
            } else {
                Exit::Usage
            };
            let problem = Problem::new(error.code.unwrap_or("AIM-C044"), error.to_string());
            CliError::new(
                exit,
                problem.with_help("give a folder of plain files within the limits"),
            )
        })
}
