//! `cancel`: stops a run, wherever it stands.
//!
//! INVARIANT: a run that is alive stops itself and writes its own witnesses; only one that nobody runs is ended here.

use std::path::Path;

use aim_core::{id::ExecutionId, leaf::LeafKind, outcome::Exit};
use aim_hardening::private_dir::{Privacy, PrivateDir, PrivateDirError};
use aim_runtime::{commit::Submission, execute::abandoned};

use super::run::{cancel_name, close, commit, start};
use crate::{
    args::{CancelArgs, Cli},
    error::{CliError, Problem},
    evidence,
    render::progress,
};

/// Lays down the file that asks a live run to stop. What stands there already asks for the same.
fn ask(data_dir: &Path, id: &ExecutionId) -> Result<(), PrivateDirError> {
    let folder = PrivateDir::open(data_dir, Privacy::Readable)?;
    match folder.create_new(&cancel_name(id), b"") {
        Err(PrivateDirError::Exists(_)) => Ok(()),
        asked => asked,
    }
}

/// `aimctl cancel`.
pub(crate) fn cancel(cli: &Cli, args: &CancelArgs) -> Result<Exit, CliError> {
    let data_dir = &args.data.data_dir;
    let (_, ledger) = evidence::read(data_dir)?;
    let execution = evidence::execution(&ledger, &args.run)?;
    let (id, run) = (execution.start.execution, execution.start.run);
    if ledger.plan_of(execution).is_some() {
        let message = format!("run {run} has ended; there is nothing to stop");
        return Err(CliError::usage(
            "AIM-R071",
            message,
            "`aimctl runs` lists runs",
        ));
    }
    let opened = start::open_for_admin(cli, data_dir, "cancel");
    let (host, ledger) = match opened {
        Ok(opened) => opened,
        Err(error) if error.problems.iter().any(|one| one.code == "AIM-D003") => {
            ask(data_dir, &id).map_err(|error| {
                let message = format!("asking the run to stop: {error}");
                CliError::new(Exit::Usage, Problem::new("AIM-D022", message))
            })?;
            progress::summary(&format!("asked {run} to stop; it ends with exit code 130"));
            return Ok(Exit::Ok);
        }
        Err(error) => return Err(error),
    };
    let execution = evidence::execution(&ledger, &id.to_string())?;
    let payload = abandoned(&host, &ledger, execution).ok_or_else(|| {
        CliError::new(
            Exit::Evidence,
            Problem::new("AIM-R050", "the run's plan can not be read back"),
        )
    })?;
    let submission = Submission::witness(LeafKind::Plan, payload, Vec::new());
    commit(&host, submission)?;
    close(host)?;
    progress::summary(&format!("{run} is cancelled"));
    Ok(Exit::Ok)
}
