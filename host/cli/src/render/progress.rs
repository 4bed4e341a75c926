//! A run as people watch it: live on a terminal, a plain log elsewhere. All of it is talk, so it goes to stderr.
//!
//! INVARIANT: text of guests and gates is escaped before it reaches a terminal.

use std::{
    collections::BTreeMap,
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
    is_resumed: bool,
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
    let watcher = RunWatcher {
        view,
        budgets: steps
            .iter()
            .map(|step| {
                (
                    StepPath::from(&step.name),
                    Duration::from_millis(step.budget.time_ms),
                )
            })
            .collect(),
        width: steps
            .iter()
            .map(|step| step.name.as_str().len())
            .max()
            .unwrap_or(0),
    };
    let what = if is_resumed { "resuming" } else { "running" };
    watcher.say(&format!(
        "{what} {} · {} steps · {run}",
        plan.name(),
        steps.len()
    ));
    Arc::new(watcher)
}

/// Says one closing line.
pub(crate) fn summary(line: &str) {
    // Nobody listens to talk any more: the data still counts.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

impl RunWatcher {
    /// Takes every spinner away.
    pub(crate) fn finish(&self) {
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
