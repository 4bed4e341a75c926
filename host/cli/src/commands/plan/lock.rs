//! The lock beside a plan: written by `plan --lock`, held against what is there by `run --locked`.
//!
//! INVARIANT: a lock is written only when nothing is refused, and equal deployments give equal bytes.

use std::path::{Path, PathBuf};

use aim_core::{
    outcome::Exit,
    plan::{IR_BYTES_MAX, Lock, LockDifference, LockError},
};
use aim_engine::EngineProfile;
use aim_runtime::admission::resolve;

use crate::{
    commands::run::prepare::Prepared,
    error::{CliError, Problem},
    evidence, files,
    render::out,
};

/// Where the lock of a plan is: `plan.acl` has `plan.lock`.
pub(super) fn path_of(plan: &Path) -> PathBuf {
    plan.with_extension("lock")
}

/// Writes the lock beside the plan.
pub(super) fn write(plan: &Path, lock: &Lock) -> Result<(), CliError> {
    let path = path_of(plan);
    let mut bytes = lock.to_json();
    bytes.push(b'\n');
    files::write_whole(&path, &bytes)?;
    out::talk(&format!(
        "lock {} written to {}\n",
        lock.digest(),
        path.display()
    ));
    Ok(())
}

/// Refuses to go on unless everything is what the lock beside the plan pins. Nothing is compiled or written.
///
/// What the operator refuses is no drift: it passes here, and admission refuses it with its own codes.
pub(crate) fn check(plan: &Path, prepared: &Prepared) -> Result<(), CliError> {
    let path = path_of(plan);
    if !path.exists() {
        return Err(CliError::not_found(
            "ACL-E061",
            format!("there is no lock `{}`", path.display()),
            format!("write it: `aimctl plan {} --lock`", plan.display()),
        ));
    }
    let bytes = files::read_bytes(&path, "lock", IR_BYTES_MAX)?;
    let pinned = Lock::from_json(&bytes).map_err(|error| refused(&path, &error))?;
    let accepted = evidence::accepted(&prepared.data_dir)?;
    let resolution = resolve(prepared.request(EngineProfile::default(), &accepted));
    let Some(present) = resolution.lock() else {
        return Ok(());
    };
    pinned
        .check_present(&present)
        .map_err(|error| refused(&path, &error))
}

fn refused(path: &Path, error: &LockError) -> CliError {
    let mut problems = vec![
        Problem::new(error.code(), format!("lock `{}`: {error}", path.display()))
            .with_help(error.help()),
    ];
    if let LockError::Drift(differences) = error {
        let line = |one: &LockDifference| Problem::new(error.code(), shown(one));
        problems.extend(differences.iter().map(line));
    }
    CliError {
        exit: Exit::Usage,
        problems,
    }
}

fn shown(one: &LockDifference) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    format!(
        "{}: pinned {}, present {}",
        one.field,
        value(&one.pinned),
        value(&one.present)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_a_plan_has_its_name() {
        assert_eq!(path_of(Path::new("a/plan.acl")), Path::new("a/plan.lock"));
        assert_eq!(path_of(Path::new("case")), Path::new("case.lock"));
    }
}
