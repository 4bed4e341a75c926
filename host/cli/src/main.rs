//! `aimctl`: picks drivers, calls the runtime, renders what comes back, and exits with one of the documented codes.
//!
//! INVARIANT: no decision about a run is made here; every path to a guest goes through the runtime.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod error;
mod evidence;
mod examples;
mod files;
mod paths;
mod render;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use tokio::signal::unix::SignalKind;

use crate::{
    args::{
        Cli, CodexCommand, Command, ExplainCommand, GateCommand, KeysCommand, Output,
        PolicyCommand, QuarantineCommand, WitnessCommand,
    },
    error::CliError,
};
use aim_core::{outcome::Exit, quarantine::Answer};

/// A file that may grow no further (`ulimit -f`) shall be an error of the write, as a full disk is. By default the signal about
/// it ends the process where it stands; a handler is enough to keep it, whatever the handler does. Needs no thread.
fn outlive_file_size_limits() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _entered = runtime.enter();
    let limit = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    tokio::signal::unix::signal(limit).map(drop)
}

fn main() -> ExitCode {
    // Where it fails, such a limit only ends the process less politely.
    drop(outlive_file_size_limits());
    let parsed = examples::with_examples(Cli::command())
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match dispatch(&cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            render::errors::print(&error, cli.output);
            ExitCode::from(error.exit.code())
        }
    }
}

/// What a command line that is none comes to; also how help and the version are printed.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nothing is left to be said where the help can not be written.
        let _ = error.print();
        return ExitCode::from(Exit::Ok.code());
    }
    let is_json = |pair: &[String]| matches!(pair, [flag, word] if (flag == "-o" || flag == "--output") && word == "json");
    let words: Vec<String> = std::env::args().collect();
    let is_json = words.windows(2).any(is_json)
        || words
            .iter()
            .any(|word| word == "--output=json" || word == "-ojson");
    let output = if is_json { Output::Json } else { Output::Text };
    let error = CliError::of_command_line(&error.render().to_string());
    render::errors::print(&error, output);
    ExitCode::from(error.exit.code())
}

fn quarantine(cli: &Cli, command: &QuarantineCommand) -> Result<Exit, CliError> {
    use commands::quarantine::{answer, list, show};
    match command {
        QuarantineCommand::List(args) => list(cli, args),
        QuarantineCommand::Show(args) => show(cli, args),
        QuarantineCommand::Release(args) => answer(cli, args, Answer::Approve),
        QuarantineCommand::Reject(args) => answer(cli, args, Answer::Reject),
    }
}

fn dispatch(cli: &Cli) -> Result<Exit, CliError> {
    match &cli.command {
        Command::Run(run) => commands::run::run(cli, run),
        Command::Answer(answer) => commands::answer::answer(cli, answer),
        Command::Replay(replay) => commands::replay::replay(cli, replay),
        Command::Cancel(cancel) => commands::cancel::cancel(cli, cancel),
        Command::Runs(runs) => commands::runs::runs(cli, runs),
        Command::Compile(plan) => commands::compile::compile(cli, plan),
        Command::Plan(plan) => commands::plan::plan(cli, plan),
        Command::Lint(lint) => commands::lint::lint(cli, lint),
        Command::Fmt(fmt) => commands::fmt::fmt(cli, fmt),
        Command::Lsp(_) => commands::lsp::lsp(),
        Command::Logs(logs) => commands::logs::logs(cli, logs),
        Command::Witness(WitnessCommand::Show(show)) => commands::witness::show(cli, show),
        Command::Witness(WitnessCommand::Export(export)) => commands::witness::export(cli, export),
        Command::Verify(verify) => commands::verify::verify(cli, verify),
        Command::Inspect(inspect) => commands::inspect::inspect(cli, inspect),
        Command::Keys(KeysCommand::Init) => commands::keys::init(cli),
        Command::Keys(KeysCommand::Show) => commands::keys::show(cli),
        Command::Explain(ExplainCommand::Deny(args)) => commands::explain::deny(cli, args),
        Command::Policy(PolicyCommand::Check(args)) => commands::policy::check(cli, args),
        Command::Policy(PolicyCommand::Test(args)) => commands::policy::test(cli, args),
        Command::Policy(PolicyCommand::Explain(args)) => commands::policy::explain(cli, args),
        Command::Policy(PolicyCommand::Suggest(args)) => commands::policy::suggest(cli, args),
        Command::Policy(PolicyCommand::Diff(args)) => commands::policy::diff(cli, args),
        Command::Policy(PolicyCommand::Approve(args)) => commands::policy::approve(cli, args),
        Command::Keys(KeysCommand::New(new)) => commands::keys::new(cli, new),
        Command::Codex(CodexCommand::Sign(sign)) => commands::codex::sign(cli, sign),
        Command::Codex(CodexCommand::Verify(verify)) => commands::codex::verify(cli, verify),
        Command::Gate(GateCommand::Record(record)) => commands::gate::record(cli, record),
        Command::Gate(GateCommand::Test(test)) => commands::gate::test(cli, test),
        Command::Quarantine(command) => quarantine(cli, command),
        Command::Signer(worker) => commands::workers::signer(worker),
        Command::CompileWorker(worker) => commands::workers::compile(worker),
    }
}
