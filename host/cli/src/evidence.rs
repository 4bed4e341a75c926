//! Opening a data directory for reading, and finding things in it by the ids that people type.
//!
//! INVARIANT: nothing here locks, writes or creates anything; an id that fits several things is never guessed.

use std::path::Path;

use aim_core::{
    access::AcceptedVersions,
    digest::{Digest, decode_hex},
    outcome::Exit,
    witness::Statement,
};
use aim_log_file::{FileLogReader, OpenLogError};
use aim_ports::{PortError, PortFault};
use aim_runtime::{
    accepted::accepted_in,
    ledger::{Entry, Execution, Ledger, LedgerError},
};

use crate::error::{CliError, Problem};

/// The shortest beginning of a digest that is looked up, in hex digits.
const DIGEST_START_MIN: usize = 4;
/// Ids that are listed when several fit.
const MATCHES_SHOWN: usize = 8;

/// Opens the log of a data directory.
pub(crate) fn open(data_dir: &Path) -> Result<FileLogReader, CliError> {
    Ok(FileLogReader::open(data_dir)?)
}

/// Opens the log of a data directory and reads it.
pub(crate) fn read(data_dir: &Path) -> Result<(FileLogReader, Ledger), CliError> {
    let reader = open(data_dir)?;
    let ledger = Ledger::read(&reader)?;
    Ok((reader, ledger))
}

/// What the log of a data directory has accepted: nothing, where there is none yet.
pub(crate) fn accepted(data_dir: &Path) -> Result<AcceptedVersions, CliError> {
    if data_dir.exists() {
        Ok(accepted_in(&open(data_dir)?))
    } else {
        Ok(AcceptedVersions::default())
    }
}

/// Finds an execution by run id, execution id, a beginning of one, or `last`.
pub(crate) fn execution<'a>(ledger: &'a Ledger, id: &str) -> Result<&'a Execution, CliError> {
    ledger
        .find_execution(id)
        .map_err(|matches| no_single("run", id, &matches))
}

/// Finds a statement by index, digest, a beginning of one, or `last`.
pub(crate) fn entry<'a>(ledger: &'a Ledger, id: &str) -> Result<&'a Entry, CliError> {
    let none = || no_single("witness", id, &[]);
    if id == "last" {
        return ledger.entries().last().ok_or_else(none);
    }
    if let Ok(index) = id.parse::<u64>() {
        let found = ledger
            .entries()
            .iter()
            .find(|entry| entry.leaf.index == index);
        if let Some(entry) = found {
            return Ok(entry);
        }
    }
    let start = id
        .strip_prefix(Digest::ALGORITHM)
        .map_or(id, |rest| rest.trim_start_matches(':'));
    if start.len() < DIGEST_START_MIN {
        return Err(none());
    }
    let is_match = |entry: &&Entry| entry.witness.hex().starts_with(start);
    let matches: Vec<&Entry> = ledger.entries().iter().filter(is_match).collect();
    match matches.as_slice() {
        [only] => Ok(only),
        several => {
            let ids: Vec<String> = several.iter().map(|one| one.witness.to_string()).collect();
            Err(no_single("witness", id, &ids))
        }
    }
}

/// Digests of what a statement is about.
pub(crate) fn subjects(entry: &Entry) -> Vec<Digest> {
    let statement: Result<Statement<serde::de::IgnoredAny>, _> =
        serde_json::from_slice(&entry.statement);
    let subjects = statement
        .map(|statement| statement.subject)
        .unwrap_or_default();
    let digests = subjects
        .iter()
        .filter_map(|subject| decode_hex(&subject.digest.blake3));
    digests.map(Digest::from_bytes).collect()
}

fn no_single(what: &str, id: &str, matches: &[String]) -> CliError {
    if matches.is_empty() {
        return CliError::not_found(
            "AIM-C046",
            format!("no {what} `{id}` in this data directory"),
            "`aimctl logs -o json` lists runs, `last` names the newest; `--data-dir` names another folder",
        );
    }
    let shown: Vec<&str> = matches
        .iter()
        .map(String::as_str)
        .take(MATCHES_SHOWN)
        .collect();
    CliError::usage(
        "AIM-C047",
        format!("`{id}` is the beginning of {} ids", matches.len()),
        format!("write more of it: {}", shown.join(", ")),
    )
}

impl From<OpenLogError> for CliError {
    fn from(error: OpenLogError) -> Self {
        let exit = match error {
            OpenLogError::Missing(_) => Exit::NotFound,
            _ => Exit::Usage,
        };
        Self::new(
            exit,
            Problem::new(error.code(), error.to_string()).with_help(error.help()),
        )
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        let help = "`aimctl verify` says how far the evidence is good";
        match error {
            LedgerError::Port(error) => error.into(),
            error => {
                let problem = Problem::new(error.code(), error.to_string());
                Self::new(Exit::Evidence, problem.with_help(help))
            }
        }
    }
}

impl From<PortError> for CliError {
    fn from(error: PortError) -> Self {
        let exit = match error.fault {
            PortFault::NotFound => Exit::NotFound,
            PortFault::Forbidden | PortFault::Busy => Exit::Usage,
            PortFault::Corrupt => Exit::Evidence,
            PortFault::Exhausted | PortFault::Unavailable | PortFault::FailStop => Exit::Bug,
        };
        Self::new(
            exit,
            Problem::new(error.code.unwrap_or("AIM-D020"), error.to_string()),
        )
    }
}
