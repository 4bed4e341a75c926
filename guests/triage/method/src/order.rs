//! Method three, dependency order: for each request that failed, how far down did it come, and who stopped it?
//!
//! ```text
//! client -> nginx -> app -> postgres
//! ```
//!
//! The request id ties the lines of the first three together. An error of the application that carries an SQLSTATE was
//! raised below it; no line of the application at all means that the request never reached it.
//! INVARIANT: only SQLSTATEs and absence decide here; the wording of messages is left to the other methods.

use std::collections::BTreeMap;

use crate::cause::Cause;
use crate::finding::{Abstains, Citation, Finding};
use crate::log::{Component, Log};
use crate::parse::Level;
use crate::select::{Picked, Selection};
use crate::share_ppm;

/// The method's name.
pub const METHOD: &str = "dependency-order";
/// Fewer failed requests than this say nothing about the one behind them.
const REQUESTS_MIN: usize = 10;
/// The least share of the failed requests that must have stopped at the same place for the same reason.
const SHARE_MIN_PPM: u32 = 500_000;
/// How far apart the two lines of one error may be that the database and the application write, in milliseconds.
const SAME_ERROR_MS: u64 = 50;
/// No log makes certain.
const CONFIDENCE_MAX_PPM: u32 = 990_000;
/// Requests whose lines are cited.
const CITED_REQUESTS_MAX: usize = 3;

/// Where a request stopped, and why if that can be told.
type Stop = (Component, Option<Cause>);

/// A failed request: its lines from the customer down.
#[derive(Debug)]
struct Trace<'a> {
    lines: Vec<&'a Picked>,
}

/// Follows the failed requests down.
///
/// # Errors
/// [`Abstains`] when few failed, or they stopped at different places.
pub fn find(selection: &Selection) -> Result<Finding, Abstains> {
    let traces = traces(selection);
    if traces.len() < REQUESTS_MIN {
        return Err(Abstains::because(format!(
            "{} requests failed, too few to follow",
            traces.len()
        )));
    }
    let mut stops: BTreeMap<Stop, Vec<&Trace<'_>>> = BTreeMap::new();
    for trace in &traces {
        stops.entry(trace.stop(selection)).or_default().push(trace);
    }
    let total = traces.len();
    let Some(((component, cause), stopped)) =
        stops.into_iter().max_by_key(|(_, stopped)| stopped.len())
    else {
        return Err(Abstains::because("no request failed"));
    };
    let count = u64::try_from(stopped.len()).unwrap_or(0);
    let share_ppm = share_ppm(count, u64::try_from(total).unwrap_or(u64::MAX));
    if share_ppm < SHARE_MIN_PPM || stopped.len() < REQUESTS_MIN {
        let reason = "the failed requests stopped at different places".to_owned();
        return Err(Abstains {
            reason,
            confidence_ppm: share_ppm,
        });
    }
    let cited = cite(selection, component, cause, &stopped);
    let Some((onset, file)) = cited.iter().map(|line| (line.time, line.file)).min() else {
        return Err(Abstains::because(
            "the failed requests have no line to cite",
        ));
    };
    Ok(Finding {
        method: METHOD.to_owned(),
        cause,
        component: Some(component),
        onset,
        resolution_ms: file.resolution_ms(),
        confidence_ppm: share_ppm.min(CONFIDENCE_MAX_PPM),
        why: format!(
            "{count} of {total} failed requests that were followed stopped at {component}"
        ),
        cited: cited.into_iter().map(Citation::of).collect(),
    })
}

fn traces(selection: &Selection) -> Vec<Trace<'_>> {
    let mut lines: BTreeMap<&str, Vec<&Picked>> = BTreeMap::new();
    for line in &selection.lines {
        if let Some(request) = line.request.as_deref() {
            lines.entry(request).or_default().push(line);
        }
    }
    // The customers' lines say in which order the requests failed.
    let is_followed = |request: &&str| selection.followed.iter().any(|one| one == request);
    selection
        .failures()
        .filter_map(|line| line.request.as_deref())
        .filter(is_followed)
        .filter_map(|request| {
            Some(Trace {
                lines: lines.remove(request)?,
            })
        })
        .collect()
}

impl<'a> Trace<'a> {
    fn of(&self, log: Log) -> impl Iterator<Item = &'a Picked> {
        self.lines
            .iter()
            .copied()
            .filter(move |line| line.file == log)
    }

    /// The application's error line with an SQLSTATE that is understood.
    fn named(&self, selection: &Selection) -> Option<(&'a Picked, Cause)> {
        let errors = self.of(Log::App).filter(|line| line.level >= Level::Error);
        errors.into_iter().find_map(|line| {
            let message = selection.message(line.template)?;
            Some((line, Cause::of_sqlstate(&message.text)?))
        })
    }

    fn stop(&self, selection: &Selection) -> Stop {
        if let Some((_, cause)) = self.named(selection) {
            return (cause.component(), Some(cause));
        }
        if self.of(Log::App).next().is_some() {
            return (Component::App, None);
        }
        // 502 and 504 are what a gateway says about somebody else.
        let is_gateway_error = |line: &Picked| matches!(line.status, Some(502 | 504));
        match self.of(Log::Access).next() {
            Some(line) if is_gateway_error(line) => (Component::App, Some(Cause::UpstreamDown)),
            Some(_) => (Component::Nginx, None),
            None => (Component::Client, None),
        }
    }
}

/// The lines of the first stopped requests, and what was written below or beside them about the same error.
fn cite<'a>(
    selection: &'a Selection,
    component: Component,
    cause: Option<Cause>,
    stopped: &[&Trace<'a>],
) -> Vec<&'a Picked> {
    let mut cited: Vec<&Picked> = Vec::new();
    for trace in stopped.iter().take(CITED_REQUESTS_MAX) {
        let named = trace.named(selection).map(|(line, _)| line);
        let answers = trace
            .lines
            .iter()
            .copied()
            .filter(|line| line.status.is_some_and(|status| status >= 500));
        let below = named
            .or_else(|| trace.of(Log::Access).next())
            .and_then(|line| {
                let log = if component == Component::App && named.is_none() {
                    Log::Nginx
                } else {
                    Log::Postgres
                };
                same_error(selection, log, cause?, line)
            });
        for line in below.into_iter().chain(named).chain(answers) {
            if !cited.contains(&line) {
                cited.push(line);
            }
        }
    }
    cited
}

/// The nearest error of `log` that names the cause at the time of `line`, as exactly as the clock of `log` tells.
fn same_error<'a>(
    selection: &'a Selection,
    log: Log,
    cause: Cause,
    line: &Picked,
) -> Option<&'a Picked> {
    let names_it = |other: &&Picked| {
        let message = selection.message(other.template);
        message.and_then(|message| Cause::of_message(&message.text)) == Some(cause)
    };
    let apart = |other: &Picked| line.time.abs_diff(other.time);
    let near = |other: &&Picked| apart(other) <= SAME_ERROR_MS.max(log.resolution_ms());
    let errors = selection.lines.iter().filter(|other| other.file == log);
    errors
        .filter(near)
        .filter(names_it)
        .min_by_key(|other| (apart(other), other.line))
}
