//! `runs`: every run of a data directory, how it stands and what it waits for.
//!
//! INVARIANT: what is shown follows from the log alone; whether a process runs it is not known and not said.

use std::collections::BTreeMap;

use aim_core::{
    outcome::Exit,
    run_state::{Ending, RunState},
    witness::PlanPredicate,
};
use aim_engine::text::neutralise;
use aim_runtime::{
    aside,
    ledger::{Askable, Execution, Ledger},
};
use serde::Serialize;

use crate::{
    args::{Cli, DataArgs, Output},
    error::CliError,
    evidence,
    render::out,
};

/// Bytes of a question that are shown.
const TEXT_BYTES_MAX: usize = 300;

/// One run.
#[derive(Debug, Serialize)]
struct RunLine<'a> {
    attempts: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    execution: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    plan: &'a str,
    questions: Vec<(&'a str, &'a str, &'a str)>,
    run: String,
    state: &'static str,
}

/// `aimctl runs`.
pub(crate) fn runs(cli: &Cli, args: &DataArgs) -> Result<Exit, CliError> {
    let (_, ledger) = evidence::read(&args.data_dir)?;
    for execution in ledger.executions() {
        let line = line(&ledger, execution);
        match cli.output {
            Output::Json => out::json_line("aim.run-state/v1", &line)?,
            Output::Text => {
                let exit = line.exit_code.map(|code| format!(" · exit {code}"));
                let code = line.code.map(|code| format!(" · {code}"));
                let exit = format!("{}{}", exit.unwrap_or_default(), code.unwrap_or_default());
                let attempts = if line.attempts == 1 {
                    "attempt"
                } else {
                    "attempts"
                };
                out::line(&format!(
                    "{}  {:<11} {} · {} {attempts}{exit}",
                    line.run, line.state, line.plan, line.attempts
                ))?;
                for (id, step, text) in &line.questions {
                    let text = neutralise(text, TEXT_BYTES_MAX);
                    out::line(&format!("  ? {id}  {step}  {text}"))?;
                }
                for case in &line.cases {
                    out::line(&format!(
                        "  ! {case}  kept aside until two people release it"
                    ))?;
                }
            }
        }
    }
    Ok(Exit::Ok)
}

fn line<'a>(ledger: &'a Ledger, execution: &'a Execution) -> RunLine<'a> {
    let end = ledger.plan_of(execution).map(|(_, plan)| plan.exit_code);
    let questions: Vec<(&str, &str, &str)> = if end.is_some() {
        Vec::new()
    } else {
        let open = ledger.open_questions(execution, Askable::Anyone);
        (open.into_iter())
            .map(|(path, one)| (one.id.as_str(), path.as_str(), one.text.as_str()))
            .collect()
    };
    let cases: Vec<String> = (aside::open(ledger, execution).into_iter())
        .map(|(entry, _)| entry.witness.to_string())
        .collect();
    let state = match ledger.plan_of(execution) {
        Some((_, plan)) => state_of(ledger, execution, plan),
        None => RunState::of_open(!questions.is_empty() || !cases.is_empty()),
    };
    RunLine {
        attempts: execution.attempts.len(),
        cases,
        execution: execution.start.execution.to_string(),
        exit_code: end,
        plan: execution.start.plan_name.as_str(),
        questions,
        run: execution.start.run.to_string(),
        state: state.word(),
        code: state.code(),
    }
}

/// The state of a run that has ended: the last attempts of its required steps say it.
fn state_of(ledger: &Ledger, execution: &Execution, plan: &PlanPredicate) -> RunState {
    let attempts: BTreeMap<_, _> = (ledger.attempts_of(execution))
        .map(|(entry, attempt)| (entry.witness, attempt))
        .collect();
    let required = plan.steps.iter().filter(|step| step.is_required);
    let last = required.filter_map(|step| attempts.get(step.attempts.last()?));
    RunState::of_end(
        plan.exit_code,
        last.map(|attempt| Ending {
            outcome: &attempt.outcome,
            disposition: attempt.disposition,
            is_released: attempt.released,
        }),
    )
}
