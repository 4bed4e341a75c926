//! The example's methods on the shipped logs, as they are and damaged.
//! INVARIANT: damage is derived from a number, so a failure can be repeated.

use std::path::PathBuf;

use triage_method::log::Log;
use triage_method::report::Report;
use triage_method::time;

use crate::pipeline::{self, Lines, NoReport};
use crate::score::{Incident, Truth, faults};

fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/incident-triage")
}

fn truth() -> Truth {
    Truth::read(&example().join("truth.json")).unwrap()
}

fn lines(incident: &Incident) -> Lines {
    pipeline::read(&example().join(&incident.logs)).unwrap()
}

fn answer(lines: &Lines) -> Option<Report> {
    match pipeline::report(lines) {
        Ok(report) => Some(report),
        Err(NoReport::Abstained(_)) => None,
        Err(NoReport::Failed(why)) => panic!("{why}"),
    }
}

#[test]
fn every_run_is_answered_as_the_truth_says() {
    let truth = truth();
    assert_eq!(truth.incidents.len(), 4);
    for incident in &truth.incidents {
        let found = faults(incident, answer(&lines(incident)).as_ref());
        assert!(found.is_empty(), "{}: {found:#?}", incident.id);
    }
}

#[test]
fn each_method_names_each_cause_by_itself() {
    for incident in truth().incidents {
        let (records, _) = pipeline::ingest(&lines(&incident));
        let selection = triage_method::select::select(&records).unwrap();
        for finding in pipeline::reason(&selection) {
            match (&incident.cause, finding) {
                (Some(cause), Ok(finding)) => {
                    assert_eq!(
                        finding.cause.unwrap().name(),
                        cause,
                        "{}: {finding:#?}",
                        incident.id
                    );
                    assert!(
                        finding.confidence_ppm >= 700_000,
                        "{}: {finding:#?}",
                        incident.id
                    );
                }
                (None, Err(abstains)) => assert!(!abstains.reason.is_empty()),
                (_, other) => panic!("{}: {other:#?}", incident.id),
            }
        }
    }
}

#[test]
fn no_credential_leaves_ingest_select_or_the_report() {
    for incident in truth().incidents {
        let lines = lines(&incident);
        let (records, raw) = pipeline::ingest(&lines);
        let selection = triage_method::select::select(&records).unwrap();
        let selection = serde_json::to_string(&selection).unwrap();
        let report = serde_json::to_string(&answer(&lines)).unwrap();
        let raw = String::from_utf8(raw).unwrap();
        for secret in ["Harbor-Lantern", "Quiet-Meadow", "shop-demo-"] {
            assert!(
                raw.contains(secret),
                "the logs are meant to hold `{secret}`"
            );
            for text in [&records, &selection, &report] {
                assert!(!text.contains(secret), "{}: `{secret}` leaves", incident.id);
            }
        }
    }
}

#[test]
fn a_selection_fits_into_a_body() {
    for incident in truth().incidents {
        let (records, _) = pipeline::ingest(&lines(&incident));
        let selection = triage_method::select::select(&records).unwrap();
        let size = serde_json::to_vec(&selection).unwrap().len();
        assert!(size < 1024 * 1024, "{}: {size} bytes", incident.id);
    }
}

/// Moves every time by `by_ms`, so that seconds begin elsewhere; what a clock of whole seconds can't tell is cut off.
fn shifted(lines: &Lines, by_ms: u64) -> Lines {
    let shift = |log: Log, line: &[u8]| {
        let text = std::str::from_utf8(line).unwrap();
        let Some((time_ms, rest)) = time::read(text) else {
            return line.to_vec();
        };
        let iso = time::shown(time_ms + by_ms);
        let written = match log {
            Log::Nginx => iso.get(..19).unwrap().replace('-', "/").replace('T', " "),
            Log::Postgres => iso.get(..23).unwrap().replace('T', " "),
            _ => iso.get(..23).unwrap().to_owned(),
        };
        (written + rest).into_bytes()
    };
    lines
        .iter()
        .map(|(log, lines)| (*log, lines.iter().map(|line| shift(*log, line)).collect()))
        .collect()
}

/// Drops about `percent` of the lines, by a generator that starts at `seed` (Steele and others, SplitMix64).
fn thinned(lines: &Lines, percent: u64, seed: u64) -> Lines {
    let mut state = seed;
    let mut is_kept = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % 100 >= percent
    };
    lines
        .iter()
        .map(|(log, lines)| (*log, lines.iter().filter(|_| is_kept()).cloned().collect()))
        .collect()
}

/// The cause is right and the onset no further off than `onset_ms`; line numbers mean nothing in damaged logs.
fn check_damaged(incident: &Incident, lines: &Lines, moved_ms: u64, what: &str) {
    let report = answer(lines);
    let said = report.as_ref().map(|report| report.cause.name());
    assert_eq!(said, incident.cause.as_deref(), "{} {what}", incident.id);
    let (Some(report), Some(onset)) = (report, &incident.onset) else {
        return;
    };
    let expected = time::read(&onset.time).unwrap().0 + moved_ms;
    let off_ms = expected.abs_diff(report.onset);
    assert!(
        off_ms <= 2000 + onset.resolution_ms,
        "{} {what}: off by {off_ms} ms",
        incident.id
    );
}

#[test]
fn the_answers_do_not_depend_on_when_it_happened() {
    for incident in truth().incidents {
        for by_ms in [137, 500, 863, 86_400_000 * 40 + 311] {
            check_damaged(
                &incident,
                &shifted(&lines(&incident), by_ms),
                by_ms,
                &format!("moved by {by_ms} ms"),
            );
        }
    }
}

#[test]
fn the_answers_survive_the_loss_of_a_fifth_of_the_lines() {
    for incident in truth().incidents {
        for seed in 1..=4 {
            check_damaged(
                &incident,
                &thinned(&lines(&incident), 20, seed),
                0,
                &format!("thinned from {seed}"),
            );
        }
    }
}

#[test]
fn the_reports_are_those_that_the_example_shows() {
    for incident in truth().incidents {
        let path = example()
            .join("expected")
            .join(format!("{}.json", incident.id));
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let shown = match answer(&lines(&incident)) {
            None => serde_json::json!({ "exit": 8, "abstained": "verify" }),
            Some(report) => {
                let cited = report
                    .cited
                    .iter()
                    .map(|one| format!("{}:{}", one.citation.file, one.citation.line));
                serde_json::json!({
                    "exit": 0,
                    "cause": report.cause,
                    "component": report.component,
                    "onset": time::shown(report.onset),
                    "confidence_ppm": report.confidence_ppm,
                    "methods": report.agreeing,
                    "cited": cited.collect::<Vec<_>>(),
                })
            }
        };
        assert_eq!(shown, expected, "{}: {shown:#}", incident.id);
    }
}

#[test]
fn a_wrong_report_scores_badly() {
    // Negative control of `score`: a right report is damaged in every way that it must notice.
    let truth = truth();
    let incident = truth.incident("disk-full").unwrap();
    let right = answer(&lines(incident)).unwrap();
    let score = |damage: &dyn Fn(&mut Report)| {
        let mut report = right.clone();
        damage(&mut report);
        faults(incident, Some(&report)).len()
    };
    assert_eq!(score(&|_| ()), 0);
    assert_eq!(score(&|report| report.onset += 5000), 1);
    assert_eq!(score(&|report| report.cited.truncate(4)), 1);
    assert_eq!(score(&|report| report.cited[0].citation.line = 1), 1);
    assert_eq!(
        score(&|report| report.cause = triage_method::cause::Cause::UpstreamDown),
        1
    );
    assert_eq!(
        score(&|report| report.component = triage_method::log::Component::Nginx),
        1
    );
    assert_eq!(faults(incident, None).len(), 1);
    assert_eq!(
        faults(truth.incident("quiet").unwrap(), Some(&right)).len(),
        1
    );
}
