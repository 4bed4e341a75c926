//! `aimctl run`: from a plan file to durable evidence and outputs.
//!
//! ```text
//! read plan -> load deployment -> read inputs -> lock data -> start signer -> admit (compile worker)
//!    -> give up the key folder -> open the log -> run -> write outputs
//! ```
//! Everything that needs files of the user comes before the host gives them up; everything that runs a guest comes after.
//!
//! INVARIANT: no thread exists before the host has given up the key folder, and no guest runs before.

mod inputs;
mod outside;
pub(crate) mod prepare;
mod result;
pub(crate) mod start;

use std::{path::Path, sync::Arc, time::Duration};

use aim_core::{
    effect::EffectEnd,
    id::{EnvelopeId, ExecutionId, RunId, RunPins, TraceId},
    join::inputs_digest,
    outcome::Exit,
    time::Timestamp,
};
use aim_engine::{Cancel, Engine};
use aim_ports::log::LogReader;
use aim_runtime::{
    admission::Admitted,
    attempt::RunFacts,
    commit::Submission,
    execute::{Job, RealTimer, execute},
    host::Host,
    inputs::Inputs,
    ledger::{Execution, Ledger},
    resume::{Payloads, Resumed, resume},
    services::Contents,
};

use crate::{
    args::{Cli, RunArgs},
    commands::plan::lock,
    error::{CliError, Problem},
    render::progress,
};

use self::prepare::Prepared;
pub(crate) use self::prepare::{compile_policy, load_error};

/// What virtual wall clocks show in every run: part of no question, so it must be the same for all.
pub(crate) const PINNED_TIME: Timestamp = Timestamp::from_millis(946_684_800_000);

/// How often a run looks whether somebody wants it to stop.
const CANCEL_POLL: Duration = Duration::from_millis(100);

/// The file in the data directory that asks a run to stop.
pub(crate) fn cancel_name(execution: &ExecutionId) -> String {
    format!("cancel-{execution}")
}

/// Runs a plan, resumes an interrupted run, or prints the stored result of a finished one.
pub(crate) fn run(cli: &Cli, args: &RunArgs) -> Result<Exit, CliError> {
    let mut prepared = prepare::prepare(args.into())?;
    if args.locked {
        lock::check(&args.plan, &prepared)?;
    }
    let seed = inputs::seed(args.seed, prepared.plan.header())?;
    let inputs = inputs::read(&args.inputs, &prepared.plan)?;
    let mut started = start::start(cli, args, &prepared)?;
    let admitted = match started.admit(&prepared) {
        Ok(admitted) => admitted,
        Err(start::Refused::Other(error)) => return Err(error),
        Err(start::Refused::Loads(refused)) => {
            let (host, _) = started.open(args, &prepared)?;
            return Err(start::record_refusals(host, &prepared, &refused));
        }
    };
    // Bytes of components are not needed any more: their code is compiled.
    prepared.nodes.clear();
    let engine = started.engine.clone();
    let reader = started.reader()?;
    let (host, ledger) = started.open(args, &prepared)?;
    let session = Session {
        args,
        prepared: &prepared,
        engine,
        admitted,
        inputs,
        seed,
        reader: Arc::new(reader),
    };
    session.carry_out(cli, host, ledger)
}

/// One question, ready to be asked.
struct Session<'a> {
    args: &'a RunArgs,
    prepared: &'a Prepared,
    engine: Engine,
    admitted: Admitted,
    inputs: Inputs,
    seed: u64,
    reader: Arc<dyn LogReader>,
}

/// One try of a question.
struct Try {
    run: RunId,
    number: u32,
    resumed: Option<Resumed>,
    contents: Arc<Contents>,
}

/// How a question stands in the log.
enum Standing {
    /// Never asked, or asked again on purpose.
    New(u32),
    /// Begun and not ended.
    Interrupted(Box<Execution>),
    /// Answered.
    Finished(Box<Execution>),
}

impl Session<'_> {
    fn carry_out(self, cli: &Cli, host: Host, mut ledger: Ledger) -> Result<Exit, CliError> {
        let run = self.run_id();
        let standing = standing(&ledger, run, self.args.again);
        if let Standing::Finished(execution) = standing {
            close(host)?;
            let store = start::store(&self.prepared.data_dir);
            let payloads = Payloads {
                ledger: &ledger,
                reader: &*self.reader,
                store: &store,
            };
            return result::print(cli, payloads, &execution, &self.prepared.data_dir, true);
        }
        let next = self.next_try(run, &standing, &ledger)?;
        let reader = Arc::clone(&self.reader);
        let data_dir = self.prepared.data_dir.clone();
        let approvers = self.prepared.approvers.clone();
        let execution = self.execute(cli, host, next)?;
        ledger
            .refresh(&*reader)
            .map_err(|error| ledger_error(&error))?;
        let execution = ledger
            .executions()
            .iter()
            .find(|one| one.start.execution == execution)
            .ok_or_else(|| bug("the execution is not in the log it was written to"))?;
        let store = start::store(&data_dir);
        let payloads = Payloads {
            ledger: &ledger,
            reader: &*reader,
            store: &store,
        };
        if ledger.plan_of(execution).is_none() {
            return result::print_waiting(cli, (&ledger, execution), &approvers);
        }
        result::print(cli, payloads, execution, &data_dir, false)
    }

    fn run_id(&self) -> RunId {
        RunId::of(&RunPins {
            plan: self.prepared.plan.digest(),
            lock: self.admitted.lock().digest(),
            inputs: inputs_digest(self.inputs.by_name()),
            tenant: self.prepared.tenant.as_str(),
            seed: self.seed,
        })
    }

    /// What is to be executed: anew, or what an interrupted try has left.
    fn next_try(&self, run: RunId, standing: &Standing, ledger: &Ledger) -> Result<Try, CliError> {
        let contents = Arc::new(Contents::default());
        let (number, resumed) = match standing {
            Standing::New(number) => (*number, None),
            Standing::Finished(execution) => (execution.start.number, None),
            Standing::Interrupted(execution) => {
                let store = start::store(&self.prepared.data_dir);
                let payloads = Payloads {
                    ledger,
                    reader: &*self.reader,
                    store: &store,
                };
                let approvers = &self.prepared.approvers;
                let resumed = resume(payloads, execution, approvers, &contents);
                let resumed = resumed.map_err(|error| {
                    CliError::new(Exit::Evidence, Problem::new("AIM-R050", error.to_string()))
                })?;
                (execution.start.number, Some(resumed))
            }
        };
        Ok(Try {
            run,
            number,
            resumed,
            contents,
        })
    }

    fn execute(self, cli: &Cli, host: Host, next: Try) -> Result<ExecutionId, CliError> {
        let Try {
            run,
            number,
            resumed,
            contents,
        } = next;
        let units = self
            .admitted
            .ready(&self.engine, &self.inputs)
            .map_err(|error| {
                let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
                CliError::new(Exit::Usage, problem)
            })?;
        let plan = &self.prepared.plan;
        let execution = ExecutionId::of(&host.facts.origin, run, number);
        let actor = start::actor();
        let tenant = self.prepared.tenant.clone();
        let facts = RunFacts {
            run,
            execution,
            trace: TraceId::of(execution),
            plan: plan.digest(),
            plan_name: plan.name().clone(),
            quip: plan.quip().map(str::to_owned),
            correlation: EnvelopeId::ingress(tenant.as_str(), &actor, "run", &run.to_string()),
            tenant,
            actor,
            seed: self.seed,
            pinned_time: PINNED_TIME,
        };
        let job = Job {
            facts,
            number,
            plan: plan.clone(),
            lock: self.admitted.lock().clone(),
            approvals: self.admitted.approvals().to_vec(),
            units,
            inputs: self.inputs,
            resumed,
            contents,
            timer: Arc::new(RealTimer),
        };
        drive(cli, host, job, (&self.prepared.data_dir, self.args.verbose))?;
        Ok(execution)
    }
}

/// Runs the job on a runtime that lives no longer than it does, then writes the last checkpoint.
fn drive(
    cli: &Cli,
    host: Host,
    job: Job,
    (data_dir, is_verbose): (&Path, bool),
) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .enable_io()
        .build()
        .map_err(|error| bug(&format!("the asynchronous runtime does not start: {error}")))?;
    let how = (job.resumed.is_some(), is_verbose);
    let watcher = progress::watcher(cli.output, &job.plan, job.facts.run, how);
    let host = Arc::new(host);
    let cancel = Cancel::new();
    let request = data_dir.join(cancel_name(&job.facts.execution));
    let executed = runtime.block_on(async {
        let on_request = cancel.clone();
        let requests = tokio::spawn(async move {
            // BOUND: ends with the run, or when somebody asks for it.
            loop {
                if request.exists() {
                    on_request.cancel();
                    drop(std::fs::remove_file(&request));
                    return;
                }
                tokio::time::sleep(CANCEL_POLL).await;
            }
        });
        let on_interrupt = cancel.clone();
        // Listens from here on: the first Ctrl-C may come before the task has had its first turn.
        let interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        let interrupts = tokio::spawn(async move {
            if let Ok(mut interrupt) = interrupt
                && interrupt.recv().await.is_some()
            {
                on_interrupt.cancel();
            }
        });
        let executed = execute(Arc::clone(&host), job, Arc::clone(&watcher) as _, cancel).await;
        interrupts.abort();
        requests.abort();
        executed
    });
    drop(runtime);
    watcher.finish();
    executed.map_err(|error| {
        let help = "nothing was released without its witness; run the same command again to resume";
        CliError::new(
            Exit::Bug,
            Problem::new(execute_code(&error), error.to_string()).with_help(help),
        )
    })?;
    let host = Arc::into_inner(host).ok_or_else(|| bug("a task outlived the run"))?;
    close(host)
}

fn execute_code(error: &aim_runtime::execute::ExecuteError) -> &'static str {
    use aim_runtime::{attempt::AttemptError, execute::ExecuteError};
    match error {
        ExecuteError::Commit(error) | ExecuteError::Attempt(AttemptError::Commit(error)) => {
            error.code()
        }
        ExecuteError::Store(error) | ExecuteError::Attempt(AttemptError::Store(error)) => {
            error.code.unwrap_or("AIM-D020")
        }
        ExecuteError::Attempt(AttemptError::Publish(_)) => "AIM-S001",
        ExecuteError::Stateflow(error) => error.code(),
        ExecuteError::Bug(_) => "AIM-R099",
    }
}

/// Commits what a person did beside a run, and waits until it is durable. Returns its index in the log.
pub(crate) fn commit(host: &Host, submission: Submission) -> Result<u64, CliError> {
    let bug = |code: &str, message: String| CliError::new(Exit::Bug, Problem::new(code, message));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| bug("AIM-R099", error.to_string()))?;
    let position = runtime.block_on(host.committer.commit_witness(submission));
    let position = position.map_err(|error| bug(error.code(), error.to_string()))?;
    Ok(position.index)
}

/// Ends the commit thread. The log is durable whatever happens to the last checkpoint.
pub(crate) fn close(host: Host) -> Result<(), CliError> {
    host.committer.close().map_err(|error| {
        let help = "the log is durable; the next run publishes the checkpoint";
        let code = error.code.unwrap_or("AIM-W005");
        CliError::new(
            Exit::Bug,
            Problem::new(code, error.to_string()).with_help(help),
        )
    })
}

fn standing(ledger: &Ledger, run: RunId, again: bool) -> Standing {
    let Some(execution) = ledger.executions_of(run).next_back() else {
        return Standing::New(1);
    };
    match ledger.plan_of(execution) {
        None => Standing::Interrupted(Box::new(execution.clone())),
        // Somebody stopped it: what was cut off is no answer. What the world has noticed is not done again unasked.
        Some((_, plan))
            if again
                || (plan.exit_code == Exit::Interrupted.code()
                    && !had_effects(ledger, execution)) =>
        {
            Standing::New(execution.start.number.saturating_add(1))
        }
        Some(_) => Standing::Finished(Box::new(execution.clone())),
    }
}

/// True when an attempt that gave no result had, or may have had, an effect.
fn had_effects(ledger: &Ledger, execution: &Execution) -> bool {
    let mut attempts = ledger.attempts_of(execution);
    attempts.any(|(_, attempt)| {
        let noticed = |end| matches!(end, EffectEnd::Done | EffectEnd::Unknown);
        !attempt.released && attempt.effects.iter().any(|effect| noticed(effect.end))
    })
}

fn ledger_error(error: &aim_runtime::ledger::LedgerError) -> CliError {
    CliError::new(
        Exit::Evidence,
        Problem::new(error.code(), error.to_string()),
    )
}

fn bug(message: &str) -> CliError {
    CliError::new(Exit::Bug, Problem::new("AIM-R099", message))
}
