//! `answer`: a person's answer to a question that a run waits for, as a signed leaf.
//!
//! INVARIANT: only a question that is open can be answered, once; the step goes on with the next `run`, not here.

use aim_core::{
    digest::{Digest, Sha256},
    leaf::LeafKind,
    outcome::Exit,
    plan::StepPath,
    question::{ANSWER_PREDICATE, Answer, AnswerPredicate},
    witness::{Statement, Subject},
};
use aim_runtime::{commit::Submission, host::Host, ledger::Execution};

use super::run::{close, start};
use crate::{
    args::{AnswerArgs, Cli},
    error::{CliError, Problem},
    evidence,
    render::progress,
};

/// `aimctl answer`.
pub(crate) fn answer(cli: &Cli, args: &AnswerArgs) -> Result<Exit, CliError> {
    let data_dir = &args.data.data_dir;
    // Looked up before anything is locked, so that a typo costs nothing.
    let (_, ledger) = evidence::read(data_dir)?;
    find(&ledger, args)?;
    let (host, ledger) = start::open_for_admin(cli, data_dir, "answer")?;
    let (execution, path) = find(&ledger, args)?;
    let payload = statement(&host, execution, path.clone(), args);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| CliError::new(Exit::Bug, Problem::new("AIM-R099", error.to_string())))?;
    let submission = Submission::witness(LeafKind::Answer, payload, Vec::new());
    let position = runtime
        .block_on(host.committer.commit_witness(submission))
        .map_err(|error| CliError::new(Exit::Bug, Problem::new(error.code(), error.to_string())))?;
    close(host)?;
    progress::summary(&format!(
        "answered {} of `{path}` · witness {} · run the plan again to go on",
        args.question, position.index
    ));
    Ok(Exit::Ok)
}

/// The execution, and the node whose open question is meant.
fn find<'a>(
    ledger: &'a aim_runtime::ledger::Ledger,
    args: &AnswerArgs,
) -> Result<(&'a Execution, StepPath), CliError> {
    let execution = evidence::execution(ledger, &args.run)?;
    if ledger.plan_of(execution).is_some() {
        let message = format!(
            "run {} has ended and waits for nothing",
            execution.start.run
        );
        let help = "`aimctl runs` lists runs and what they wait for";
        return Err(CliError::usage("AIM-R071", message, help));
    }
    let questions = ledger.open_questions(execution);
    let found = questions
        .iter()
        .find(|(_, question)| question.id == args.question);
    let Some((path, _)) = found else {
        let open: Vec<&str> = questions.iter().map(|(_, one)| one.id.as_str()).collect();
        let message = format!("`{}` is no open question of this run", args.question);
        let help = format!(
            "open questions: {}",
            if open.is_empty() {
                "none".to_owned()
            } else {
                open.join(", ")
            }
        );
        return Err(CliError::not_found("AIM-R072", message, help));
    };
    Ok((execution, (*path).clone()))
}

fn statement(host: &Host, execution: &Execution, path: StepPath, args: &AnswerArgs) -> Vec<u8> {
    let start = &execution.start;
    let predicate = AnswerPredicate {
        actor: start::actor(),
        answer: Answer::of(&args.answer),
        answered_at: host.clock.now(),
        execution: start.execution,
        host: host.facts.host.clone(),
        origin: host.facts.origin.clone(),
        path,
        question: args.question.clone(),
        run: start.run,
        tenant: start.tenant.clone(),
        trace: start.trace,
    };
    let question = args.question.as_bytes();
    let subject = Subject::new("question", Digest::of(question), Sha256::of(question));
    Statement::new(ANSWER_PREDICATE, vec![subject], predicate).payload()
}
