//! Three findings become one conclusion, or none.
//! INVARIANT: a conclusion names a cause on which at least two methods agree, at about the same time, with cited lines
//! that are in the input exactly as they were cited.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::finding::{Abstains, Citation, Finding};
use crate::log::{Component, Log};
use crate::record::{Entry, entries};
use crate::time::as_text;

/// How many methods must agree.
pub const AGREEING_MIN: usize = 2;
/// How far apart their onsets may be, in milliseconds, besides what their clocks can't tell: a failure takes its time from
/// the bottom to the customer.
const ONSET_SPREAD_MS: u64 = 2000;
/// What a conclusion is worth when not all methods support it, in percent.
const DISSENT_PERCENT: u64 = 90;
/// Cited lines of a conclusion.
const CITED_MAX: usize = 24;

/// What the methods agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conclusion {
    /// What broke.
    pub cause: Cause,
    /// Where.
    pub component: Component,
    /// When it began.
    #[serde(with = "as_text")]
    pub onset: u64,
    /// How exact the clock behind `onset` is, in milliseconds.
    pub resolution_ms: u64,
    /// How sure, in parts per million.
    pub confidence_ppm: u32,
    /// What each method said.
    pub methods: Vec<Opinion>,
    /// The lines that show it, by time.
    pub cited: Vec<Citation>,
}

/// One method's part in a conclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// The method.
    pub method: String,
    /// Whether it supports the conclusion.
    pub agrees: bool,
    /// Its cause.
    pub cause: Option<Cause>,
    /// How sure it is, in parts per million.
    pub confidence_ppm: u32,
    /// What it saw.
    pub why: String,
}

/// A citation and where its line is in the raw lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The citation.
    pub citation: Citation,
    /// Offset in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub length: u32,
}

/// A citation that the input does not bear out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CitationError {
    /// There is no such line.
    Missing(Log, u32),
    /// The line is another one.
    Different(Log, u32),
    /// Something in the records is no record.
    Malformed,
}

impl std::fmt::Display for CitationError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(log, line) => {
                write!(out, "{log}:{line} is cited and is not in the input")
            }
            Self::Different(log, line) => write!(out, "{log}:{line} is not the line that is cited"),
            Self::Malformed => write!(out, "the records are malformed"),
        }
    }
}

impl std::error::Error for CitationError {}

/// Asks whether the methods agree. `findings` are those of the methods that did not abstain, in plan order.
///
/// # Errors
/// [`Abstains`] when fewer than two agree; its confidence is that of the surest method.
pub fn agree(findings: &[Finding]) -> Result<Conclusion, Abstains> {
    let mut groups: BTreeMap<Cause, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        if let Some(cause) = finding.cause {
            groups.entry(cause).or_default().push(finding);
        }
    }
    let best = groups.into_iter().max_by_key(|(_, group)| group.len());
    let sureness = findings
        .iter()
        .map(|finding| finding.confidence_ppm)
        .max()
        .unwrap_or(0);
    let Some((cause, group)) =
        best.filter(|(_, group)| group.len() >= AGREEING_MIN && is_simultaneous(group))
    else {
        let reason = format!(
            "{} methods saw a fault and no two of them agree on it",
            findings.len()
        );
        // Alone nobody is surer than even chances.
        return Err(Abstains {
            reason,
            confidence_ppm: sureness / 2,
        });
    };
    // Of equal times the coarser clock is named, so that nobody takes it for more exact than it is.
    let Some(first) = group
        .iter()
        .min_by_key(|finding| (finding.onset, finding.method.as_str()))
    else {
        return Err(Abstains::because("no method saw a fault"));
    };
    Ok(Conclusion {
        cause,
        component: cause.component(),
        onset: first.onset,
        resolution_ms: first.resolution_ms,
        confidence_ppm: confidence_ppm(&group, findings.len()),
        methods: findings
            .iter()
            .map(|finding| opinion(finding, cause))
            .collect(),
        cited: Vec::new(),
    })
}

fn is_simultaneous(group: &[&Finding]) -> bool {
    let onsets = || group.iter().map(|finding| finding.onset);
    let spread_ms = onsets().max().unwrap_or(0) - onsets().min().unwrap_or(0);
    let resolution_ms = group
        .iter()
        .map(|finding| finding.resolution_ms)
        .max()
        .unwrap_or(0);
    spread_ms <= ONSET_SPREAD_MS + resolution_ms
}

fn confidence_ppm(group: &[&Finding], methods: usize) -> u32 {
    let sum: u64 = group
        .iter()
        .map(|finding| u64::from(finding.confidence_ppm))
        .sum();
    let mean = sum
        .checked_div(u64::try_from(group.len()).unwrap_or(1))
        .unwrap_or(0);
    let is_unanimous = group.len() == methods && methods > AGREEING_MIN;
    let percent = if is_unanimous { 100 } else { DISSENT_PERCENT };
    u32::try_from(mean * percent / 100).unwrap_or(0)
}

fn opinion(finding: &Finding, cause: Cause) -> Opinion {
    Opinion {
        method: finding.method.clone(),
        agrees: finding.cause == Some(cause),
        cause: finding.cause,
        confidence_ppm: finding.confidence_ppm,
        why: finding.why.clone(),
    }
}

/// What the agreeing methods cite, without repetitions: by turns, so that each method's first lines stay.
#[must_use]
pub fn citations(findings: &[Finding], cause: Cause) -> Vec<Citation> {
    let agreeing: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.cause == Some(cause))
        .collect();
    let longest = agreeing
        .iter()
        .map(|finding| finding.cited.len())
        .max()
        .unwrap_or(0);
    let mut seen = BTreeSet::new();
    let mut citations = Vec::new();
    for place in 0..longest {
        for citation in agreeing
            .iter()
            .filter_map(|finding| finding.cited.get(place))
        {
            if citations.len() < CITED_MAX && seen.insert((citation.file, citation.line)) {
                citations.push(citation.clone());
            }
        }
    }
    citations.sort_by_key(|citation| {
        (
            citation.time,
            std::cmp::Reverse(citation.file),
            citation.line,
        )
    });
    citations
}

/// Finds every cited line in the records and checks its time and digest.
///
/// # Errors
/// [`CitationError`] for the first citation that the records do not bear out.
pub fn locate(citations: &[Citation], records: &str) -> Result<Vec<Located>, CitationError> {
    let wanted: BTreeSet<(Log, u32)> = citations.iter().map(|one| (one.file, one.line)).collect();
    let mut found = BTreeMap::new();
    for entry in entries(records) {
        if let Entry::Record(record) = entry.ok_or(CitationError::Malformed)?
            && wanted.contains(&(record.log, record.line))
        {
            found.insert((record.log, record.line), record);
        }
    }
    let locate = |citation: &Citation| {
        let place = (citation.file, citation.line);
        let record = found
            .get(&place)
            .ok_or(CitationError::Missing(place.0, place.1))?;
        if record.digest != citation.digest || record.time_ms != citation.time {
            return Err(CitationError::Different(place.0, place.1));
        }
        Ok(Located {
            citation: citation.clone(),
            offset: record.offset,
            length: record.length,
        })
    };
    citations.iter().map(locate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(method: &str, cause: Option<Cause>, onset: u64) -> Finding {
        Finding {
            method: method.into(),
            cause,
            component: None,
            onset,
            resolution_ms: 1,
            confidence_ppm: 900_000,
            why: String::new(),
            cited: Vec::new(),
        }
    }

    #[test]
    fn one_method_alone_concludes_nothing() {
        let disk = Some(Cause::DiskFull);
        assert!(agree(&[]).is_err());
        assert!(agree(&[finding("a", disk, 0)]).is_err());
        assert!(
            agree(&[
                finding("a", disk, 0),
                finding("b", None, 0),
                finding("c", Some(Cause::WrongPassword), 0)
            ])
            .is_err()
        );
        // Negative control: with AGREEING_MIN at 1 the first of these becomes a conclusion and this test fails.
    }

    #[test]
    fn two_of_three_conclude_with_less_confidence_than_three() {
        let disk = Some(Cause::DiskFull);
        let two = agree(&[
            finding("a", disk, 10),
            finding("b", disk, 5),
            finding("c", None, 0),
        ])
        .unwrap();
        assert_eq!((two.onset, two.confidence_ppm), (5, 810_000));
        let three = agree(&[
            finding("a", disk, 10),
            finding("b", disk, 5),
            finding("c", disk, 7),
        ])
        .unwrap();
        assert_eq!(three.confidence_ppm, 900_000);
    }

    #[test]
    fn the_same_cause_at_another_time_is_no_agreement() {
        let disk = Some(Cause::DiskFull);
        assert!(agree(&[finding("a", disk, 0), finding("b", disk, 60_000)]).is_err());
    }

    #[test]
    fn a_citation_of_another_line_is_found_out() {
        // Negative control: without the comparison of digests the last assertion fails.
        let records = "R\tapp.log\t7\t5\terror\t-\t0\t-\t10\t20\tblake3:aa\n";
        let citation = |line, digest: &str| Citation {
            file: Log::App,
            line,
            time: 5,
            digest: digest.into(),
        };
        assert_eq!(
            locate(&[citation(7, "blake3:aa")], records).unwrap()[0].offset,
            10
        );
        assert_eq!(
            locate(&[citation(8, "blake3:aa")], records),
            Err(CitationError::Missing(Log::App, 8))
        );
        assert_eq!(
            locate(&[citation(7, "blake3:bb")], records),
            Err(CitationError::Different(Log::App, 7))
        );
    }
}
