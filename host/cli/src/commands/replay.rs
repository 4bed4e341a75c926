//! `replay`: a run's attempts again from their record, to see whether they come to the same.
//!
//! ```text
//! read log and deployment -> compile what is not in the cache -> start the signer, give up keys and files -> replay
//!    -> only where something differs: lock the log, append a diagnostic witness
//! ```
//! An export takes the place of both: it is verified first, and nothing is added to it.
//!
//! INVARIANT: the log is locked only to add what a replay found; with `--against`, or of an export, nothing is ever added.

mod exported;
pub(super) mod library;
mod shown;

use std::{path::PathBuf, sync::Arc};

use aim_core::{
    digest::{Digest, Sha256},
    leaf::LeafKind,
    name::StepName,
    outcome::Exit,
    replay::{DIAGNOSTIC_PREDICATE, DIVERGED, DiagnosticPredicate, Difference},
    witness::{EngineRecord, Statement, Subject},
};
use aim_engine::{AllocatorPreference, Engine, EngineProfile};
use aim_runtime::{
    commit::Submission,
    host::Host,
    ledger::Ledger,
    replay::{Against, Case, Evidence, Library, Missing, Replay, ReplayParts, Replayer, Standing},
};

use super::run::{PINNED_TIME, close, start};
use crate::{
    args::{Cli, ReplayArgs},
    error::{CliError, Problem},
    evidence,
    render::out,
};

/// What is replayed.
struct Source {
    case: Case,
    library: Library,
    /// The component to compare with.
    against: Option<Digest>,
    /// The log that a difference is added to.
    log: Option<(PathBuf, Arc<Ledger>)>,
    /// How the evidence itself stands.
    evidence: Exit,
}

/// `aimctl replay`.
pub(crate) fn replay(cli: &Cli, args: &ReplayArgs) -> Result<Exit, CliError> {
    let source = match exported::named(args) {
        Some(path) => exported::open(args, &path)?,
        None => logged(args)?,
    };
    let evidence = source.evidence;
    let exit = again(cli, args, source)?;
    Ok(Exit::worst([evidence, exit]))
}

fn again(cli: &Cli, args: &ReplayArgs, source: Source) -> Result<Exit, CliError> {
    let Source {
        case,
        mut library,
        against,
        log,
        ..
    } = source;
    let step = step(&case, args)?;
    let wanted: Vec<Digest> = case.components(step.as_ref()).chain(against).collect();
    let mut compiler = start::compiler(cli)?;
    let profile = EngineProfile::default();
    library.compile(wanted.into_iter(), &mut compiler, profile);
    compiler.finish();
    let engine = Engine::new(profile, AllocatorPreference::default())
        .map_err(|error| bug(error.code(), error.to_string()))?;
    let data_dir = log.as_ref().map(|(data_dir, _)| data_dir.as_path());
    let is_kept = log.is_some() && against.is_none();
    let apart = start::apart(cli, data_dir, is_kept)?;
    let engine_record = EngineRecord {
        allocator: engine.allocator().word().to_owned(),
        profile: Digest::of(profile.fingerprint().as_bytes()),
    };
    let parts = ReplayParts {
        case: &case,
        library: &library,
        engine: &engine,
        engine_record: engine_record.clone(),
        pinned_time: PINNED_TIME,
        against: against.map(|component| Against { component }),
    };
    let replays = match run(parts, step.as_ref())? {
        Ok(replays) => replays,
        Err(missing) => return shown::nothing(cli, &case, &missing),
    };
    for replay in &replays {
        shown::one(cli, &case, replay, against)?;
    }
    shown::summary(&replays);
    if let (true, Some((_, ledger)), Some(apart)) = (is_kept, log, apart)
        && replays.iter().any(|one| diverged(one).is_some())
    {
        record(apart, &ledger, &replays, &engine_record);
    }
    Ok(Exit::worst(replays.iter().map(|one| one.standing.exit())))
}

/// What the log says about the run, and the deployment of that time.
fn logged(args: &ReplayArgs) -> Result<Source, CliError> {
    if args.key.is_some() {
        let message = "--key is for an export; a log is replayed as it is";
        let help = "`aimctl verify <data directory> --key <file>` says whether the log is genuine";
        return Err(CliError::usage("AIM-R087", message, help));
    }
    let data_dir = std::path::absolute(&args.data.data_dir)
        .map_err(|error| CliError::usage("AIM-D001", error.to_string(), "name another folder"))?;
    let (reader, ledger) = evidence::read(&data_dir)?;
    let execution = evidence::execution(&ledger, &args.run)?.clone();
    let ledger = Arc::new(ledger);
    let evidence = Evidence {
        ledger: Arc::clone(&ledger),
        reader: Arc::new(reader),
        store: Arc::new(start::store(&data_dir)),
    };
    let case = Case::new(evidence, &execution).map_err(|error| {
        let problem = Problem::new(error.code(), error.to_string());
        CliError::new(Exit::Evidence, problem)
    })?;
    let mut library = library::deployed(args, &data_dir)?;
    let against = library::add(&mut library, args)?;
    Ok(Source {
        case,
        library,
        against,
        log: Some((data_dir, ledger)),
        evidence: Exit::Ok,
    })
}

/// The step that is meant, which has to have run.
fn step(case: &Case, args: &ReplayArgs) -> Result<Option<StepName>, CliError> {
    let Some(name) = &args.step else {
        return Ok(None);
    };
    let step = StepName::parse(name).ok();
    let step = step.filter(|step| case.components(Some(step)).next().is_some());
    step.map(Some).ok_or_else(|| {
        let message = format!("no attempt of a step `{name}` is in run {}", case.run());
        let help = "`aimctl logs --run <run>` shows what ran";
        CliError::not_found("AIM-C046", message, help)
    })
}

/// Replays on a runtime that lives no longer than it does.
fn run(
    parts: ReplayParts<'_>,
    step: Option<&StepName>,
) -> Result<Result<Vec<Replay>, Vec<Missing>>, CliError> {
    let mut replayer = match Replayer::new(parts) {
        Ok(replayer) => replayer,
        Err(missing) => return Ok(Err(missing)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .map_err(|error| bug("AIM-R099", error.to_string()))?;
    Ok(Ok(runtime.block_on(replayer.replay(step))))
}

fn diverged(replay: &Replay) -> Option<&[Difference]> {
    match &replay.standing {
        Standing::Diverged(found) => Some(found),
        _ => None,
    }
}

/// Appends a diagnostic witness for every attempt that came to something else. The result stands whether it can or not.
fn record(apart: start::Apart, ledger: &Ledger, replays: &[Replay], engine: &EngineRecord) {
    match append(apart, ledger, replays, engine) {
        Ok(indexes) => {
            let indexes: Vec<String> = indexes.iter().map(u64::to_string).collect();
            out::talk(&format!("diagnostic witness {}\n", indexes.join(", ")));
        }
        Err(error) => {
            let why: Vec<&str> = error
                .problems
                .iter()
                .map(|one| one.message.as_str())
                .collect();
            let why = why.join("; ");
            out::talk(&format!(
                "AIM-R083: the difference could not be logged: {why}\n"
            ));
        }
    }
}

fn append(
    apart: start::Apart,
    ledger: &Ledger,
    replays: &[Replay],
    engine: &EngineRecord,
) -> Result<Vec<u64>, CliError> {
    let (host, _) = apart.open("replay")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| bug("AIM-R099", error.to_string()))?;
    let mut indexes = Vec::new();
    for replay in replays {
        let Some(found) = diverged(replay) else {
            continue;
        };
        let statement = statement(&host, ledger, (replay, found), engine);
        let submission = Submission::witness(LeafKind::Diagnostic, statement, Vec::new());
        let position = runtime
            .block_on(host.committer.commit_witness(submission))
            .map_err(|error| bug(error.code(), error.to_string()))?;
        indexes.push(position.index);
    }
    close(host)?;
    Ok(indexes)
}

fn statement(
    host: &Host,
    ledger: &Ledger,
    (replay, found): (&Replay, &[Difference]),
    engine: &EngineRecord,
) -> Vec<u8> {
    let recorded = &replay.recorded;
    let predicate = DiagnosticPredicate {
        actor: start::actor(),
        attempt: recorded.attempt,
        code: DIVERGED.to_owned(),
        component: recorded.component,
        differences: found.to_vec(),
        engine: engine.clone(),
        execution: recorded.execution,
        host: host.facts.host.clone(),
        origin: host.facts.origin.clone(),
        path: recorded.path.clone(),
        replayed_at: host.clock.now(),
        run: recorded.run,
        step: recorded.step.clone(),
        tenant: recorded.tenant.clone(),
        trace: recorded.trace,
        witness: replay.witness,
    };
    let mut entries = ledger.entries().iter();
    let entry = entries.find(|entry| entry.witness == replay.witness);
    let bytes = entry
        .map(|entry| entry.statement.as_slice())
        .unwrap_or_default();
    let subject = Subject::new("witness", replay.witness, Sha256::of(bytes));
    Statement::new(DIAGNOSTIC_PREDICATE, vec![subject], predicate).payload()
}

fn bug(code: &str, message: String) -> CliError {
    CliError::new(Exit::Bug, Problem::new(code, message))
}
