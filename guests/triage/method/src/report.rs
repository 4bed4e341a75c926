//! The report: one document for people, one for programs, from the same evidence.
//! INVARIANT: what is not in the evidence is not in the report.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::evidence::{Evidence, Quoted};
use crate::forecast::Forecast;
use crate::log::Component;
use crate::time::{as_text, shown};

/// The file names by which the report's artifacts are known.
pub const MARKDOWN: (&str, &str) = ("report.md", "text/markdown");
/// See [`MARKDOWN`].
pub const JSON: (&str, &str) = ("report.json", "application/json");

/// The report for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
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
    /// Methods that support it.
    pub agreeing: Vec<String>,
    /// The lines that show it, by time.
    pub cited: Vec<Quoted>,
    /// Whether it will happen again; absent when the forecast would rather not say.
    pub forecast: Option<Forecast>,
}

impl Report {
    /// Makes the report.
    #[must_use]
    pub fn of(evidence: &Evidence, forecast: Option<Forecast>) -> Self {
        let agreeing = evidence.methods.iter().filter(|opinion| opinion.agrees);
        Self {
            cause: evidence.cause,
            component: evidence.component,
            onset: evidence.onset,
            resolution_ms: evidence.resolution_ms,
            confidence_ppm: evidence.confidence_ppm,
            agreeing: agreeing.map(|opinion| opinion.method.clone()).collect(),
            cited: evidence.cited.clone(),
            forecast,
        }
    }
}

/// The report for people.
#[must_use]
pub fn markdown(evidence: &Evidence, report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string has no failure.
    let _ = writeln!(out, "# {} at {}\n", report.cause, report.component);
    let _ = writeln!(out, "{}\n", report.cause.sentence());
    let exact = if report.resolution_ms > 1 {
        " (a clock of whole seconds)"
    } else {
        ""
    };
    let _ = writeln!(out, "- Began: {}{exact}", shown(report.onset));
    let _ = writeln!(out, "- Confidence: {}", percent(report.confidence_ppm));
    let _ = writeln!(
        out,
        "- Support: {} of {} methods that saw a fault",
        report.agreeing.len(),
        evidence.methods.len()
    );
    let _ = match &report.forecast {
        Some(forecast) => writeln!(out, "- Seen {} times in these logs", forecast.episodes),
        None => writeln!(
            out,
            "- Forecast: none; one incident says little about the next"
        ),
    };
    let _ = writeln!(out, "\n## What each method saw\n");
    for opinion in &evidence.methods {
        let cause = opinion.cause.map_or("no cause", Cause::name);
        let _ = writeln!(
            out,
            "- {} ({cause}, {}): {}",
            opinion.method,
            percent(opinion.confidence_ppm),
            opinion.why
        );
    }
    let _ = writeln!(
        out,
        "\n## Lines\n\nThe digest of each line is in `{}`.\n\n```text",
        JSON.0
    );
    for quoted in &report.cited {
        let _ = writeln!(
            out,
            "{}:{}  {}",
            quoted.citation.file, quoted.citation.line, quoted.text
        );
    }
    let _ = writeln!(out, "```");
    if evidence.masked > 0 {
        let _ = writeln!(
            out,
            "\nCredentials were masked in {} of these lines.",
            evidence.masked
        );
    }
    out
}

fn percent(ppm: u32) -> String {
    format!("{}.{} %", ppm / 10_000, ppm / 1000 % 10)
}
