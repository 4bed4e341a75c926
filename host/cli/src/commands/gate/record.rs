//! `gate record`: a node's track record, from claims of which it is known whether they held.
//!
//! A case says what was claimed itself, or names an attempt of the log that claimed it. What comes out is a table of the
//! deployment file.
//!
//! INVARIANT: every line counts or is reported, none is left out in silence; an attempt counts once.

use std::collections::BTreeMap;

use aim_core::{
    condition::Decimal,
    digest::Digest,
    kappa::{
        calibration::Quality,
        measured::{ClaimCase, Measured},
    },
    name::NodeId,
    outcome::Exit,
    witness::AttemptPredicate,
};
use aim_registry_dir::record_text;
use aim_runtime::ledger::{Entry, EntryBody, Ledger};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    args::{Cli, GateRecordArgs, Output},
    error::{CliError, Problem},
    evidence, files,
    render::out,
};

/// No file of cases is larger.
const CASES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Lines that are reported; the rest is counted.
const FAULTS_SHOWN: usize = 20;

/// A case as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    /// What was claimed; absent when an attempt is named.
    #[serde(default)]
    confidence: Option<Share>,
    /// Whether it held.
    held: bool,
    /// The run or execution of the attempt.
    #[serde(default)]
    run: Option<String>,
    /// Its step, as the log has it: `rate`, `rate[3]`.
    #[serde(default)]
    step: Option<String>,
    /// The attempt's witness, in the place of run and step.
    #[serde(default)]
    witness: Option<String>,
}

/// A share from 0 to 1, in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share(u32);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        // The shortest decimal that means this number: what people wrote, without the error of binary fractions.
        let share = Decimal::parse(&number.to_string()).and_then(|share| share.share_ppm());
        share.map(Self).ok_or_else(|| {
            D::Error::custom(
                "`confidence` must be a number from 0 to 1 with at most six digits after the point: round it as it was compared",
            )
        })
    }
}

/// `aimctl gate record`.
pub(crate) fn record(cli: &Cli, args: &GateRecordArgs) -> Result<Exit, CliError> {
    let node = NodeId::parse(&args.node).map_err(|error| {
        CliError::usage("AIM-G032", error.to_string(), "name a node of a contract")
    })?;
    let text = files::read_text(&args.cases, "file of cases", CASES_BYTES_MAX)?;
    let written = parse(&text);
    let names_attempts = |(_, case): &(usize, Result<WrittenCase, String>)| {
        case.as_ref().is_ok_and(|case| case.confidence.is_none())
    };
    let ledger = if written.iter().any(names_attempts) {
        Some(evidence::read(&args.data.data_dir)?.1)
    } else {
        None
    };
    let mut reader = Reader {
        node: &node,
        ledger: ledger.as_ref(),
        counted: BTreeMap::new(),
    };
    let mut cases = Vec::with_capacity(written.len());
    let mut faults = Vec::new();
    for (line, case) in written {
        match case.and_then(|case| reader.case(line, &case)) {
            Ok(case) => cases.push(case),
            Err(why) => faults.push((line, why)),
        }
    }
    if !faults.is_empty() {
        return Err(refused(args, &faults));
    }
    let Some(measured) = Measured::of(&node, &cases) else {
        let message = format!("`{}` holds no case", args.cases.display());
        return Err(CliError::usage("AIM-G032", message, HELP));
    };
    show(cli, &node, &measured)
}

const HELP: &str = "a case is `{\"confidence\": 0.8, \"held\": true}`, or names `run` and `step`, or `witness`, in the place of `confidence`";

/// The cases of a text, each with its line: one in each line, or all in one array.
fn parse(text: &str) -> Vec<(usize, Result<WrittenCase, String>)> {
    let read = |text: &str| serde_json::from_str(text).map_err(|error| error.to_string());
    if !text.trim_start().starts_with('[') {
        let lines = text.lines().enumerate();
        let filled = lines.filter(|(_, line)| !line.trim().is_empty());
        return filled
            .map(|(index, line)| (index.saturating_add(1), read(line)))
            .collect();
    }
    // Elements have no lines of their own; their places are counted from 1.
    let elements: Result<Vec<serde_json::Value>, _> = serde_json::from_str(text);
    match elements {
        Err(error) => vec![(error.line(), Err(error.to_string()))],
        Ok(elements) => (elements.into_iter().enumerate())
            .map(|(index, element)| {
                let case = serde_json::from_value(element).map_err(|error| error.to_string());
                (index.saturating_add(1), case)
            })
            .collect(),
    }
}

/// Takes written cases, looking claims up in the log where a case names an attempt.
struct Reader<'a> {
    node: &'a NodeId,
    ledger: Option<&'a Ledger>,
    /// On which line an attempt was counted.
    counted: BTreeMap<Digest, usize>,
}

impl Reader<'_> {
    fn case(&mut self, line: usize, case: &WrittenCase) -> Result<ClaimCase, String> {
        let held = case.held;
        let found = match (&case.confidence, &case.run, &case.step, &case.witness) {
            (Some(Share(confidence_ppm)), None, None, None) => {
                return Ok(ClaimCase {
                    confidence_ppm: *confidence_ppm,
                    held,
                });
            }
            (None, Some(run), Some(step), None) => self.of_step(run, step)?,
            (None, None, None, Some(witness)) => self.of_witness(witness)?,
            _ => return Err(HELP.to_owned()),
        };
        let (witness, attempt) = found;
        if attempt.node != *self.node {
            return Err(format!(
                "the attempt is one of node `{}`, not of `{}`",
                attempt.node, self.node
            ));
        }
        let confidence_ppm = attempt
            .guest_claims
            .as_ref()
            .and_then(|claims| claims.confidence.as_ref())
            .map(|confidence| confidence.score)
            .ok_or("the attempt claimed no confidence")?;
        if let Some(before) = self.counted.insert(witness, line) {
            return Err(format!("this attempt was counted at {before} already"));
        }
        Ok(ClaimCase {
            confidence_ppm,
            held,
        })
    }

    /// The last attempt of a step.
    fn of_step(&self, run: &str, step: &str) -> Result<(Digest, &AttemptPredicate), String> {
        let ledger = self.ledger.ok_or(HELP)?;
        let execution = evidence::execution(ledger, run).map_err(|error| first(&error))?;
        let is_step = |attempt: &AttemptPredicate| match &attempt.path {
            Some(path) => path.as_str() == step,
            None => attempt.step.as_str() == step,
        };
        let mut attempts = ledger.attempts_of(execution);
        let mut last = None;
        for (entry, attempt) in attempts.by_ref().filter(|(_, one)| is_step(one)) {
            last = Some((entry.witness, attempt));
        }
        last.ok_or_else(|| format!("the run has no attempt of `{step}`"))
    }

    fn of_witness(&self, id: &str) -> Result<(Digest, &AttemptPredicate), String> {
        let ledger = self.ledger.ok_or(HELP)?;
        let entry: &Entry = evidence::entry(ledger, id).map_err(|error| first(&error))?;
        match &entry.body {
            EntryBody::Attempt(attempt) => Ok((entry.witness, attempt)),
            _ => Err(format!("`{id}` is the witness of no attempt")),
        }
    }
}

/// The first sentence of an error.
fn first(error: &CliError) -> String {
    let problem = error.problems.first();
    problem.map_or_else(String::new, |problem| problem.message.clone())
}

fn refused(args: &GateRecordArgs, faults: &[(usize, String)]) -> CliError {
    let file = args.cases.display();
    let problem = |(line, why): &(usize, String)| {
        Problem::new("AIM-G032", format!("`{file}`, case at {line}: {why}")).with_help(HELP)
    };
    let mut problems: Vec<Problem> = faults.iter().take(FAULTS_SHOWN).map(problem).collect();
    let more = faults.len().saturating_sub(FAULTS_SHOWN);
    if more > 0 {
        problems.push(Problem::new("AIM-G032", format!("and {more} more cases")));
    }
    CliError {
        exit: Exit::Usage,
        problems,
    }
}

/// A record as a document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    node: &'a NodeId,
    accuracy_ppm: u32,
    cases: u64,
    digest: String,
    ece_ppm: u32,
    mce_ppm: u32,
    rmsce_ppm: u32,
    quality: Quality,
    tenths: Vec<ShownTenth>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownTenth {
    from_ppm: u32,
    cases: u64,
    held: u64,
    confidence_ppm: u32,
}

fn show(cli: &Cli, node: &NodeId, measured: &Measured) -> Result<Exit, CliError> {
    let Measured {
        record,
        calibration,
        tenths,
    } = measured;
    let accuracy_ppm = record.accuracy_ppm.unwrap_or_default();
    let digest = record.digest.map(|digest| digest.to_string());
    let tenths = tenths.iter().map(|one| ShownTenth {
        from_ppm: one.from_ppm,
        cases: one.cases,
        held: one.held,
        confidence_ppm: one.confidence_ppm,
    });
    let shown = Shown {
        node,
        accuracy_ppm,
        cases: calibration.samples,
        digest: digest.unwrap_or_default(),
        ece_ppm: calibration.ece_ppm,
        mce_ppm: calibration.mce_ppm,
        rmsce_ppm: calibration.rmsce_ppm,
        quality: calibration.quality(),
        tenths: tenths.collect(),
    };
    match cli.output {
        Output::Json => out::json_line("aim.track-record/v1", &shown)?,
        Output::Text => {
            for one in &shown.tenths {
                out::talk(&format!(
                    "from {:>7} ppm  {:>6} cases  {:>6} held  mean claim {} ppm\n",
                    one.from_ppm, one.cases, one.held, one.confidence_ppm
                ));
            }
            out::text(&record_text(node, record))?;
        }
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule itself is core's, and the same as that of plans.
    #[test]
    fn a_confidence_is_taken_as_it_was_written_or_not_at_all() {
        let read = |text: &str| serde_json::from_str::<Share>(text).ok().map(|one| one.0);
        for (text, expected) in [
            ("0.29", Some(290_000)),
            ("0.123456", Some(123_456)),
            ("1", Some(1_000_000)),
            ("1e-1", Some(100_000)),
            ("0.1234567", None),
            ("0.9999999", None),
            ("1.1", None),
            ("-0.1", None),
            ("\"0.5\"", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
