//! Is a report right, and for the right reasons?
//! INVARIANT: every fault of a report is named, not only the first.

use std::path::Path;

use serde::Deserialize;
use triage_method::log::{Component, Log};
use triage_method::report::Report;
use triage_method::time;

/// Lines that a report must cite at least.
pub const CITED_MIN: usize = 5;
/// How far the onset may be off, in milliseconds, besides what the clock can't tell.
pub const ONSET_TOLERANCE_MS: u64 = 1000;

/// What was done to the shop, and which lines show it.
#[derive(Debug, Clone, Deserialize)]
pub struct Truth {
    /// Every run.
    pub incidents: Vec<Incident>,
}

/// One run.
#[derive(Debug, Clone, Deserialize)]
pub struct Incident {
    /// Its name.
    pub id: String,
    /// Its folder.
    pub logs: String,
    /// What was done; nothing in the quiet run.
    pub cause: Option<String>,
    /// Where.
    pub component: Option<Component>,
    /// The first line that it caused.
    pub onset: Option<Moment>,
    /// Lines that may be cited.
    pub evidence: Vec<Evidence>,
}

/// A moment by its line.
#[derive(Debug, Clone, Deserialize)]
pub struct Moment {
    /// When, as text.
    pub time: String,
    /// How exact the clock is, in milliseconds.
    pub resolution_ms: u64,
}

/// Lines that show one thing.
#[derive(Debug, Clone, Deserialize)]
pub struct Evidence {
    /// What they are to the fault.
    pub role: String,
    /// The file.
    pub file: Log,
    /// Ranges of line numbers, both ends included.
    pub lines: Vec<(u32, u32)>,
}

impl Truth {
    /// Reads `truth.json`.
    ///
    /// # Errors
    /// A file that can't be read or is not of this form.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// The run of that name.
    #[must_use]
    pub fn incident(&self, id: &str) -> Option<&Incident> {
        self.incidents.iter().find(|incident| incident.id == id)
    }
}

/// Everything that is wrong with an answer; nothing for a right one. `None` is an abstention.
#[must_use]
pub fn faults(incident: &Incident, answer: Option<&Report>) -> Vec<String> {
    match (&incident.cause, answer) {
        (None, None) => Vec::new(),
        (None, Some(report)) => vec![format!(
            "nothing broke, and the report says {}",
            report.cause
        )],
        (Some(cause), None) => vec![format!("{cause} broke, and nothing was reported")],
        (Some(cause), Some(report)) => faults_of_report(incident, cause, report),
    }
}

fn faults_of_report(incident: &Incident, cause: &str, report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    if report.cause.name() != cause {
        faults.push(format!(
            "the cause is {cause}, and the report says {}",
            report.cause
        ));
    }
    if incident.component != Some(report.component) {
        faults.push(format!("the report blames {}", report.component));
    }
    if let Some(off_ms) = onset_off_ms(incident, report) {
        faults.push(format!("the onset is off by {off_ms} ms"));
    }
    if report.cited.len() < CITED_MIN {
        faults.push(format!(
            "{} lines are cited, and {CITED_MIN} are asked for",
            report.cited.len()
        ));
    }
    for quoted in &report.cited {
        let (file, line) = (quoted.citation.file, quoted.citation.line);
        if !is_evidence(incident, file, line) {
            faults.push(format!("{file}:{line} is cited and is no evidence"));
        }
    }
    faults
}

/// How far off the onset is, when that is too far.
fn onset_off_ms(incident: &Incident, report: &Report) -> Option<u64> {
    let onset = incident.onset.as_ref()?;
    let Some((expected, _)) = time::read(&onset.time) else {
        return Some(u64::MAX);
    };
    let off_ms = expected.abs_diff(report.onset);
    (off_ms > ONSET_TOLERANCE_MS.saturating_add(onset.resolution_ms)).then_some(off_ms)
}

fn is_evidence(incident: &Incident, file: Log, line: u32) -> bool {
    let evidence = incident
        .evidence
        .iter()
        .filter(|one| matches!(one.role.as_str(), "cause" | "effect"));
    let mut ranges = evidence
        .filter(|one| one.file == file)
        .flat_map(|one| &one.lines);
    ranges.any(|(first, last)| (*first..=*last).contains(&line))
}
