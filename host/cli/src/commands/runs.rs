//! `runs`: every run of a data directory, how it stands and what it waits for.
//!
//! INVARIANT: what is shown follows from the log alone; whether a process runs it is not known and not said.

use aim_core::outcome::Exit;
use aim_engine::text::neutralise;
use aim_runtime::{
    aside,
    ledger::{Execution, Ledger},
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
                let exit = line
                    .exit_code
                    .map(|code| format!(" · exit {code}"))
                    .unwrap_or_default();
                out::line(&format!(
                    "{}  {:<11} {} · {} attempts{exit}",
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
        (ledger.open_questions(execution).into_iter())
            .map(|(path, one)| (one.id.as_str(), path.as_str(), one.text.as_str()))
            .collect()
    };
    let cases: Vec<String> = (aside::open(ledger, execution).into_iter())
        .map(|(entry, _)| entry.witness.to_string())
        .collect();
    let state = match end {
        Some(0) => "succeeded",
        Some(8) => "abstained",
        Some(130) => "cancelled",
        Some(_) => "failed",
        None if questions.is_empty() && cases.is_empty() => "unfinished",
        None => "waiting",
    };
    RunLine {
        attempts: execution.attempts.len(),
        cases,
        execution: execution.start.execution.to_string(),
        exit_code: end,
        plan: execution.start.plan_name.as_str(),
        questions,
        run: execution.start.run.to_string(),
        state,
    }
}
