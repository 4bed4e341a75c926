//! `answer`: a person's answer to a question that a run waits for, signed with that person's own key.
//!
//! INVARIANT: only a question that is open can be answered, once, and by nobody whom the deployment doesn't list; nothing is
//! signed but what was shown. The step goes on with the next `run`, not here.

use aim_core::{
    outcome::Exit,
    plan::StepPath,
    quarantine::Approver,
    question::{Answer, Question},
};
use aim_engine::text::neutralise;
use aim_registry_dir::Registry;
use aim_runtime::{
    answer,
    host::Host,
    ledger::{Askable, Execution, Ledger},
};
use aim_schema_json::JsonSchemas;
use aim_trust::{approval, key::SecretKey};

use super::{
    person,
    run::{close, commit, load_error, start},
};
use crate::{
    args::{AnswerArgs, Cli},
    error::CliError,
    evidence,
    render::{lines::Lines, out, progress},
};

/// Bytes of a question that are shown.
const TEXT_BYTES_MAX: usize = 2_000;

/// `aimctl answer`.
pub(crate) fn answer(cli: &Cli, args: &AnswerArgs) -> Result<Exit, CliError> {
    let data_dir = &args.data.data_dir;
    // Looked up before anything is locked, so that a typo costs nothing.
    let registry =
        Registry::load(&args.config, &JsonSchemas).map_err(|error| load_error(&error))?;
    let approvers = &registry.deployment().gates.approvers;
    let (_, ledger) = evidence::read(data_dir)?;
    let asked = find(&ledger, args, approvers)?;
    let person = person::find(&args.person, approvers)?;
    out::talk(&shown(args, asked));
    person::consent(args.yes, &format!("sign this as {}?", person.0.name))?;
    let (host, ledger) = start::open_for_admin(cli, data_dir, "answer")?;
    let written = write(&host, &ledger, args, (&person, approvers));
    let (path, index) = match written {
        Ok(written) => written,
        Err(error) => {
            // The log is unchanged; that the host could not be closed well is no reason to hide why.
            drop(close(host));
            return Err(error);
        }
    };
    close(host)?;
    progress::summary(&format!(
        "answered {} of `{path}` · witness {index} · run the plan again to go on",
        args.question
    ));
    Ok(Exit::Ok)
}

/// A question, where it was asked.
type Asked<'a> = (&'a Execution, &'a StepPath, &'a Question);

/// Looks the question up in the locked log, signs the answer and writes it down. Where, and at which index.
fn write(
    host: &Host,
    ledger: &Ledger,
    args: &AnswerArgs,
    ((approver, key), approvers): (&(Approver, SecretKey), &[Approver]),
) -> Result<(StepPath, u64), CliError> {
    let (execution, path, question) = find(ledger, args, approvers)?;
    let said = Answer::of(&args.answer);
    let given = answer::give(host, execution, (path, question), (approver, said));
    let signed = (approval::sign(&given, key), start::actor());
    let submission = answer::submission(host, execution, signed, approvers);
    let index = commit(host, submission.map_err(person::refused)?)?;
    Ok((path.clone(), index))
}

/// The execution, and its open question that is meant.
fn find<'a>(
    ledger: &'a Ledger,
    args: &AnswerArgs,
    approvers: &'a [Approver],
) -> Result<Asked<'a>, CliError> {
    let execution = evidence::execution(ledger, &args.run)?;
    if ledger.plan_of(execution).is_some() {
        let message = format!(
            "run {} has ended and waits for nothing",
            execution.start.run
        );
        let help = "`aimctl runs` lists runs and what they wait for";
        return Err(CliError::usage("AIM-R071", message, help));
    }
    let questions = ledger.open_questions(execution, Askable::Only(approvers));
    let found = questions
        .iter()
        .find(|(_, question)| question.id == args.question);
    if let Some((path, question)) = found {
        return Ok((execution, path, question));
    }
    let open: Vec<&str> = questions.iter().map(|(_, one)| one.id.as_str()).collect();
    let open = if open.is_empty() {
        "none".to_owned()
    } else {
        open.join(", ")
    };
    let message = format!("`{}` is no open question of this run", args.question);
    let help = format!("open questions: {open}");
    Err(CliError::not_found("AIM-R072", message, help))
}

/// What is about to be signed.
fn shown(args: &AnswerArgs, (execution, path, question): Asked<'_>) -> String {
    let mut lines = Lines::new(9);
    lines.add("run", execution.start.run.to_string());
    lines.add("step", path.to_string());
    lines.add("question", neutralise(&question.text, TEXT_BYTES_MAX));
    for gate in &question.gates {
        lines.add("held by", neutralise(gate, TEXT_BYTES_MAX));
    }
    for body in &question.bodies {
        lines.add("output", body.to_string());
    }
    lines.add("answer", neutralise(&args.answer, TEXT_BYTES_MAX));
    lines.into_text()
}
