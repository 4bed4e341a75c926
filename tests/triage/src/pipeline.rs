//! The example's steps as plain calls, in the order of its plan.
//! INVARIANT: the same functions run here and inside the components; only the host between them is missing.

use std::path::Path;

use triage_method::agree::{agree, citations, locate};
use triage_method::evidence::{Credentials, quote};
use triage_method::finding::{Abstains, Finding};
use triage_method::log::Log;
use triage_method::record::Reader;
use triage_method::report::Report;
use triage_method::select::{Selection, select};
use triage_method::{order, rare, rate};

/// The lines of one run, by file in reading order; each line with its end.
pub type Lines = Vec<(Log, Vec<Vec<u8>>)>;

/// Why there is no report.
#[derive(Debug)]
pub enum NoReport {
    /// The methods would rather not say.
    Abstained(Abstains),
    /// Something is broken.
    Failed(String),
}

/// Reads the logs of a run.
///
/// # Errors
/// A file that can't be read.
pub fn read(folder: &Path) -> std::io::Result<Lines> {
    let read = |log: Log| {
        let bytes = std::fs::read(folder.join(log.file()))?;
        Ok((
            log,
            bytes
                .split_inclusive(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect(),
        ))
    };
    Log::ALL.into_iter().map(read).collect()
}

/// Records and raw lines, as `ingest` puts them.
#[must_use]
pub fn ingest(lines: &Lines) -> (String, Vec<u8>) {
    let mut reader = Reader::new();
    let (mut records, mut raw) = (String::new(), Vec::new());
    for (log, lines) in lines {
        reader.begin(*log);
        for line in lines {
            reader.line(line, &mut records);
            raw.extend_from_slice(line);
        }
    }
    (records, raw)
}

/// What the three methods say.
pub fn reason(selection: &Selection) -> [Result<Finding, Abstains>; 3] {
    [
        rate::find(selection),
        rare::find(selection),
        order::find(selection),
    ]
}

/// From lines to a report.
///
/// # Errors
/// [`NoReport`].
pub fn report(lines: &Lines) -> Result<Report, NoReport> {
    let (records, raw) = ingest(lines);
    let failed = |error: &dyn std::fmt::Display| NoReport::Failed(error.to_string());
    let selection = select(&records).map_err(|error| failed(&error))?;
    let findings: Vec<Finding> = reason(&selection).into_iter().flatten().collect();
    let mut conclusion = agree(&findings).map_err(NoReport::Abstained)?;
    conclusion.cited = citations(&findings, conclusion.cause);
    let located = locate(&conclusion.cited, &records).map_err(|error| failed(&error))?;
    let read = |offset: u64, length: u32| {
        let start = usize::try_from(offset).ok()?;
        raw.get(start..start.checked_add(usize::try_from(length).ok()?)?)
            .map(<[u8]>::to_vec)
    };
    let evidence = quote(
        conclusion,
        &located,
        Credentials::Masked,
        |located| {
            read(located.offset, located.length)
                .ok_or_else(|| failed(&"a line lies outside of the raw lines"))
        },
        |citation| {
            failed(&format!(
                "{}:{} has another digest",
                citation.file, citation.line
            ))
        },
    )?;
    Ok(Report::of(&evidence, None))
}
