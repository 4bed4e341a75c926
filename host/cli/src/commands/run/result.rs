//! What a run came to, read back from its evidence: the same for a run that has just ended and for one that ended long ago.
//!
//! INVARIANT: nothing is shown that is not in the log; output files are copies of released payloads, named by the plan.

use std::path::{Path, PathBuf};

use aim_core::{
    id::ExecutionId,
    outcome::Exit,
    quarantine::Approver,
    witness::{PlanPredicate, StepState, StepSummary},
};
use aim_hardening::private_dir::{Privacy, PrivateDir, PrivateDirError};
use aim_runtime::{
    aside::{self, CaseEnd},
    ledger::{Askable, Entry, Execution, Ledger},
    results::{PlanOutput, results},
    resume::Payloads,
};
use serde::Serialize;

use super::bug;
use crate::{
    args::{Cli, Output},
    error::{CliError, Problem},
    render::{out, progress},
};

/// Where outputs are below a data directory.
const OUTPUTS: &str = "runs";

/// What a run came to.
#[derive(Debug, Serialize)]
struct RunResult<'a> {
    execution: String,
    exit_code: u8,
    is_stored: bool,
    outputs: Vec<String>,
    plan: &'a str,
    run: String,
    steps: &'a [StepSummary],
    witness: u64,
    witnesses: usize,
}

/// Writes the outputs of the plan's result and prints what the run came to.
pub(crate) fn print(
    cli: &Cli,
    payloads: Payloads<'_>,
    execution: &Execution,
    data_dir: &Path,
    is_stored: bool,
) -> Result<Exit, CliError> {
    let (entry, plan) = payloads
        .ledger
        .plan_of(execution)
        .ok_or_else(|| bug("the run has no witness of its end"))?;
    let folder = data_dir
        .join(OUTPUTS)
        .join(execution.start.execution.to_string());
    let mut outputs = Vec::new();
    for output in results(payloads.ledger, execution) {
        outputs.extend(write_outputs(payloads, output, (data_dir, &folder))?);
    }
    let result = RunResult {
        execution: plan.execution.to_string(),
        exit_code: plan.exit_code,
        is_stored,
        outputs: outputs
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
        plan: plan.plan_name.as_str(),
        run: plan.run.to_string(),
        steps: &plan.steps,
        witness: entry.leaf.index,
        witnesses: execution.attempts.len().saturating_add(1),
    };
    match cli.output {
        Output::Json => out::json_line("aim.run/v1", &result)?,
        Output::Text => {
            rejected(payloads.ledger, plan);
            progress::summary(&talk(plan, entry, &result));
            for path in &result.outputs {
                out::line(path)?;
            }
        }
    }
    Ok(exit_of(plan))
}

/// Says which steps ended because somebody rejected what was kept aside.
fn rejected(ledger: &Ledger, plan: &PlanPredicate) {
    let ends = aside::ends(ledger);
    for step in plan
        .steps
        .iter()
        .filter(|step| step.state == StepState::Failed)
    {
        let last = step.attempts.last().and_then(|witness| ends.get(witness));
        if let Some(CaseEnd::Rejected { approver, .. }) = last {
            progress::summary(&format!(
                "  {} was kept aside and rejected by {} (AIM-G031)",
                step.step, approver.name
            ));
        }
    }
}

/// Says what a run waits for, and how to answer.
pub(crate) fn print_waiting(
    cli: &Cli,
    (ledger, execution): (&Ledger, &Execution),
    approvers: &[Approver],
) -> Result<Exit, CliError> {
    let open = ledger.open_questions(execution, Askable::Only(approvers));
    let questions: Vec<Waiting<'_>> = (open.into_iter())
        .map(|(path, question)| Waiting {
            question: &question.id,
            step: path.as_str(),
            text: &question.text,
        })
        .collect();
    let cases: Vec<WaitingCase<'_>> = (aside::open(ledger, execution).into_iter())
        .map(|(entry, attempt)| WaitingCase {
            case: entry.witness.to_string(),
            step: attempt.step.as_str(),
        })
        .collect();
    match cli.output {
        Output::Json => {
            let body = RunWaiting {
                cases,
                execution: execution.start.execution.to_string(),
                exit_code: Exit::Waiting.code(),
                questions,
                run: execution.start.run.to_string(),
            };
            out::json_line("aim.run-waiting/v1", &body)?;
        }
        Output::Text => {
            progress::summary(
                "waiting for a person; the run goes on when it is run again after the answer",
            );
            for one in questions {
                let text = aim_engine::text::neutralise(one.text, TEXT_BYTES_MAX);
                progress::summary(&format!(
                    "  ? {} · {}\n      {text}",
                    one.step, one.question
                ));
                out::line(&format!(
                    "aimctl answer {} {} <yes|no|value> --as <name> --key-dir <folder>",
                    execution.start.run, one.question
                ))?;
            }
            for one in cases {
                progress::summary(&format!(
                    "  ! {} · its outputs are kept aside; two people may release them, one may reject them",
                    one.step
                ));
                out::line(&format!("aimctl quarantine show {}", one.case))?;
            }
        }
    }
    Ok(Exit::Waiting)
}

/// Bytes of a question that are shown.
const TEXT_BYTES_MAX: usize = 500;

/// A run that waits for a person.
#[derive(Debug, Serialize)]
struct RunWaiting<'a> {
    /// Outputs that gates held back and that two people may release.
    cases: Vec<WaitingCase<'a>>,
    execution: String,
    exit_code: u8,
    questions: Vec<Waiting<'a>>,
    run: String,
}

/// Outputs that are kept aside, by the witness of their attempt.
#[derive(Debug, Serialize)]
struct WaitingCase<'a> {
    case: String,
    step: &'a str,
}

/// One question that nobody has answered yet.
#[derive(Debug, Serialize)]
struct Waiting<'a> {
    question: &'a str,
    step: &'a str,
    text: &'a str,
}

fn write_outputs(
    payloads: Payloads<'_>,
    output: PlanOutput<'_>,
    (data_dir, folder): (&Path, &Path),
) -> Result<Vec<PathBuf>, CliError> {
    let attempt = output.attempt;
    let failed = |exit: Exit, what: &dyn std::fmt::Display| {
        let problem = Problem::new(
            "AIM-D022",
            format!("writing outputs to `{}`: {what}", folder.display()),
        )
        .with_help(
            "the evidence is durable; make room or permissions and run the same command again",
        );
        CliError::new(exit, problem)
    };
    let unwritable = |error: PrivateDirError| {
        let is_full = error.is_out_of_space();
        failed(if is_full { Exit::Bug } else { Exit::Usage }, &error)
    };
    let private = outputs_folder(data_dir, &attempt.execution).map_err(unwritable)?;
    let bodies = attempt
        .outputs
        .iter()
        .map(|one| (one.body, one.media_type.as_str()));
    let artifacts = attempt.outputs.iter().flat_map(|one| &one.artifacts);
    let artifacts = artifacts.map(|artifact| (artifact.digest, artifact.media_type.as_str()));
    let mut written = Vec::new();
    for (index, (digest, media_type)) in bodies.chain(artifacts).enumerate() {
        let bytes = payloads
            .find(digest)
            .map_err(|error| failed(Exit::Usage, &error))?;
        let number = if index == 0 {
            String::new()
        } else {
            format!("-{index}")
        };
        let name = format!("{}{number}.{}", output.name(), extension(media_type));
        private.replace(&name, &bytes).map_err(unwritable)?;
        written.push(folder.join(name));
    }
    Ok(written)
}

/// The folder of an execution's outputs: a folder of our own at every level, so that no link leads what is written elsewhere.
fn outputs_folder(data_dir: &Path, execution: &ExecutionId) -> Result<PrivateDir, PrivateDirError> {
    PrivateDir::open(data_dir, Privacy::Readable)?
        .subfolder(OUTPUTS)?
        .subfolder(&execution.to_string())
}

fn extension(media_type: &str) -> &'static str {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    match essence {
        "text/markdown" => "md",
        "text/plain" => "txt",
        "text/html" => "html",
        "text/csv" => "csv",
        _ if aim_core::join::is_json(essence) => "json",
        _ => "bin",
    }
}

fn talk(plan: &PlanPredicate, entry: &Entry, result: &RunResult<'_>) -> String {
    let stored = if result.is_stored {
        " (stored result; --again executes anew)"
    } else {
        ""
    };
    format!(
        "{} · {} · {} witnesses, the last at leaf {} · exit {}{stored}",
        result.run,
        plan.execution.short(),
        result.witnesses,
        entry.leaf.index,
        result.exit_code,
    )
}

fn exit_of(plan: &PlanPredicate) -> Exit {
    const ALL: [Exit; 12] = [
        Exit::Ok,
        Exit::Failed,
        Exit::Usage,
        Exit::Denied,
        Exit::Evidence,
        Exit::Limit,
        Exit::NotFound,
        Exit::Diverged,
        Exit::Abstained,
        Exit::Waiting,
        Exit::Bug,
        Exit::Interrupted,
    ];
    ALL.into_iter()
        .find(|exit| exit.code() == plan.exit_code)
        .unwrap_or(Exit::Bug)
}
