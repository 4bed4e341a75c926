//! A run as people watch it: live on a terminal, a plain log elsewhere. All of it is talk, so it goes to stderr.
//!
//! INVARIANT: text of guests and gates is escaped before it reaches a terminal.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{IsTerminal as _, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aim_core::{
    id::RunId,
    outcome::Outcome,
    plan::{Plan, StepPath},
    verdict::Verdict,
    witness::StepState,
};
use aim_engine::text::neutralise;
use aim_runtime::progress::{Progress, Watcher};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::args::Output;

/// Bytes of one remark that are shown.
const REMARK_BYTES_MAX: usize = 200;

/// Watches a run.
#[derive(Debug)]
pub(crate) struct RunWatcher {
    view: View,
    budgets: BTreeMap<StepPath, Duration>,
    width: usize,
    probes: Probes,
}

/// The probes of the plan: one line for all that hold.
#[derive(Debug)]
struct Probes {
    /// Those that have no line of their own.
    all: BTreeSet<StepPath>,
    tally: Mutex<Tally>,
}

/// How many probes have ended, and how.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    held: usize,
    failed: usize,
    skipped: usize,
}

impl Probes {
    /// Counts the end of a probe.
    fn count(&self, state: StepState) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        match state {
            StepState::Completed => tally.held += 1,
            StepState::Skipped => tally.skipped += 1,
            _ => tally.failed += 1,
        }
    }

    /// The line for all of them, where any has ended.
    fn line(&self) -> Option<String> {
        let Tally {
            held,
            failed,
            skipped,
        } = *self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.all.len();
        let mark = match failed {
            0 if held == all => "✓",
            0 => "-",
            _ => "✗",
        };
        let skipped_too = match skipped {
            0 => String::new(),
            _ => format!(", {skipped} skipped"),
        };
        (held + failed + skipped > 0)
            .then(|| format!("  {mark} probes {held} of {all} held{skipped_too}"))
    }
}

#[derive(Debug)]
enum View {
    /// Says nothing: scripts read the result.
    Quiet,
    /// One line for each thing that happens.
    Plain,
    /// A spinner for each running step.
    Live {
        all: MultiProgress,
        running: Mutex<BTreeMap<StepPath, ProgressBar>>,
    },
}

/// A watcher that fits where the talk goes.
pub(crate) fn watcher(
    output: Output,
    plan: &Plan,
    run: RunId,
    (is_resumed, is_verbose): (bool, bool),
) -> Arc<RunWatcher> {
    let view = match output {
        Output::Json => View::Quiet,
        Output::Text if std::io::stderr().is_terminal() => View::Live {
            all: MultiProgress::new(),
            running: Mutex::default(),
        },
        Output::Text => View::Plain,
    };
    let steps = plan.steps();
    let (probes, own): (Vec<_>, Vec<_>) = steps.iter().partition(|step| step.probe.is_some());
    let folded = probes.iter().filter(|_| !is_verbose);
    let folded = folded.map(|step| StepPath::from(&step.name)).collect();
    let shown = if is_verbose {
        steps.iter().collect()
    } else {
        own.clone()
    };
    let watcher = RunWatcher {
        view,
        probes: Probes {
            all: folded,
            tally: Mutex::default(),
        },
        budgets: steps
            .iter()
            .map(|step| {
                (
                    StepPath::from(&step.name),
                    Duration::from_millis(step.budget.time_ms),
                )
            })
            .collect(),
        width: shown
            .iter()
            .map(|step| step.name.as_str().len())
            .max()
            .unwrap_or(0),
    };
    let what = if is_resumed { "resuming" } else { "running" };
    let watched = match probes.len() {
        0 => String::new(),
        1 => " · 1 probe".to_owned(),
        count => format!(" · {count} probes"),
    };
    let count = own.len();
    let name = plan.name();
    let unit = if count == 1 { "step" } else { "steps" };
    watcher.say(&format!("{what} {name} · {count} {unit}{watched} · {run}"));
    Arc::new(watcher)
}

/// Says one closing line.
pub(crate) fn summary(line: &str) {
    // Nobody listens to talk any more: the data still counts.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

impl RunWatcher {
    /// Takes every spinner away, and sums the probes up.
    pub(crate) fn finish(&self) {
        if let Some(line) = self.probes.line() {
            self.say(&line);
        }
        if let View::Live { running, .. } = &self.view {
            let running =
                std::mem::take(&mut *running.lock().unwrap_or_else(PoisonError::into_inner));
            running.into_values().for_each(|bar| bar.finish_and_clear());
        }
    }

    fn say(&self, line: &str) {
        match &self.view {
            View::Quiet => {}
            View::Plain => summary(line),
            View::Live { all, .. } => drop(all.println(line)),
        }
    }

    fn started(&self, step: &StepPath, attempt_no: u32) {
        let try_of = if attempt_no > 1 {
            format!(", attempt {attempt_no}")
        } else {
            String::new()
        };
        match &self.view {
            View::Quiet | View::Plain => {}
            View::Live { all, running } => {
                let bar = all.add(ProgressBar::new_spinner());
                let template = "  {spinner} {prefix} {elapsed} {msg}";
                bar.set_style(
                    ProgressStyle::with_template(template)
                        .unwrap_or_else(|_| ProgressStyle::default_spinner()),
                );
                bar.set_prefix(format!("{:width$}", step.as_str(), width = self.width));
                let budget = self.budgets.get(step).copied().unwrap_or_default();
                bar.set_message(format!("of {}{try_of}", show(budget)));
                bar.enable_steady_tick(Duration::from_millis(100));
                let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
                running.insert(step.clone(), bar);
            }
        }
    }

    fn clear(&self, step: &StepPath) {
        if let View::Live { running, .. } = &self.view {
            let bar = running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(step);
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        }
    }

    /// Takes what happens to a probe that holds, or is not needed, out of the view; what is left has lines of its own.
    fn folded(&self, progress: Progress) -> Option<Progress> {
        let (Progress::Started { step, .. }
        | Progress::Ended { step, .. }
        | Progress::Exhausted { step, .. }
        | Progress::Spared { step, .. }
        | Progress::Settled { step, .. }) = &progress;
        if !self.probes.all.contains(step) {
            return Some(progress);
        }
        match &progress {
            Progress::Ended {
                outcome, verdict, ..
            } if *outcome != Outcome::Completed || !verdict.releases() => Some(progress),
            Progress::Settled { state, .. } => {
                self.probes.count(*state);
                None
            }
            _ => None,
        }
    }

    fn line(&self, mark: &str, step: &StepPath, rest: &str) {
        self.say(&format!(
            "  {mark} {:width$}  {rest}",
            step.as_str(),
            width = self.width
        ));
    }
}

impl Watcher for RunWatcher {
    fn notice(&self, progress: Progress) {
        let Some(progress) = self.folded(progress) else {
            return;
        };
        match progress {
            Progress::Started { step, attempt_no } => self.started(&step, attempt_no),
            Progress::Ended {
                step,
                outcome,
                fault,
                verdict,
                remarks,
                output,
                took,
                ..
            } => {
                self.clear(&step);
                let mut rest = format!("{:>8}  {}", show(took), end_word(&outcome, verdict));
                if let Some(digest) = output.filter(|_| outcome == Outcome::Completed) {
                    rest.push_str(&format!("  blake3:{}…", digest.short()));
                }
                self.line(mark(&outcome), &step, &rest);
                let fault = fault.map(|fault| format!("{}: {}", fault.code, fault.message));
                let remarks = if fault.is_some() { Vec::new() } else { remarks };
                for remark in fault.into_iter().chain(remarks) {
                    self.say(&format!("      {}", neutralise(&remark, REMARK_BYTES_MAX)));
                }
            }
            Progress::Exhausted { step, fault } => {
                self.line("∅", &step, "abstained");
                let text = format!("{}: {}", fault.code, fault.message);
                self.say(&format!("      {}", neutralise(&text, REMARK_BYTES_MAX)));
            }
            Progress::Spared { step, why } => {
                self.line("-", &step, &format!("not needed: {why}"));
            }
            Progress::Settled {
                step,
                state: StepState::Skipped,
                ..
            } => {
                self.line(
                    "-",
                    &step,
                    "skipped: something it requires did not complete",
                );
            }
            Progress::Settled {
                step,
                state,
                is_resumed: true,
            } => {
                self.line(
                    "·",
                    &step,
                    &format!("{} before the interruption", state_word(state)),
                );
            }
            Progress::Settled {
                step,
                state: StepState::Waiting,
                ..
            } => self.line("?", &step, "waiting for a person"),
            Progress::Settled { .. } => {}
        }
    }
}

const fn mark(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "✓",
        Outcome::Abstained(_) => "∅",
        _ => "✗",
    }
}

fn end_word(outcome: &Outcome, verdict: Verdict) -> String {
    let detail = match outcome {
        Outcome::Completed => return verdict.word().to_owned(),
        Outcome::Limit(limit) => format!("{limit:?}"),
        Outcome::Trapped(trap) => format!("{trap:?}"),
        Outcome::Denied(by) => format!("{by:?}"),
        Outcome::Failed(how) => format!("{how:?}"),
        _ => return outcome.word().to_owned(),
    };
    format!("{} ({})", outcome.word(), in_words(&detail))
}

/// `InvalidInput` as `invalid input`.
fn in_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

const fn state_word(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "pending",
        StepState::Running => "running",
        StepState::Completed => "completed",
        StepState::Failed => "failed",
        StepState::Skipped => "skipped",
        StepState::Abstained => "abstained",
        StepState::Waiting => "waiting",
    }
}

fn show(time: Duration) -> String {
    if time.as_secs() >= 10 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use aim_core::name::StepName;

    use super::*;

    fn told(ends: &[StepState]) -> Option<String> {
        let path = |number: usize| StepPath::from(&StepName::parse(&format!("p{number}")).unwrap());
        let probes = Probes {
            all: (0..2).map(path).collect(),
            tally: Mutex::default(),
        };
        ends.iter().for_each(|state| probes.count(*state));
        probes.line()
    }

    #[test]
    fn one_line_sums_all_probes_up_and_says_what_did_not_hold() {
        let (held, failed, skipped) = (StepState::Completed, StepState::Failed, StepState::Skipped);
        for (ends, line) in [
            (&[held, held][..], Some("  ✓ probes 2 of 2 held")),
            (&[failed, held], Some("  ✗ probes 1 of 2 held")),
            (&[held, skipped], Some("  - probes 1 of 2 held, 1 skipped")),
            (
                &[skipped, skipped],
                Some("  - probes 0 of 2 held, 2 skipped"),
            ),
            (&[held], Some("  - probes 1 of 2 held")),
            (&[], None),
        ] {
            assert_eq!(told(ends), line.map(str::to_owned));
        }
    }
}
