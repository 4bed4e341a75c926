//! Starting the processes around a run, and giving up what the host must not reach.
//!
//! INVARIANT: the signer runs before anything is compiled, and the key folder is given up before the log is opened.

use std::path::{Path, PathBuf};

use aim_clock_system::{SystemClock, SystemEntropy};
use aim_compiler_process::{ProcessCompiler, WorkerLimits};
use aim_core::{
    digest::{Digest, Sha256},
    leaf::{LeafKind, SigningMode},
    outcome::Exit,
    witness::{
        DENIED_LOAD_PREDICATE, DeniedLoadPredicate, EngineRecord, HostRecord, Statement, Subject,
    },
};
use aim_engine::{AllocatorPreference, Engine, EngineProfile};
use aim_hardening::{
    confine::{Reach, confine_host},
    key_file::{Role, init, load_public},
    side_process::SideCommand,
};
use aim_log_file::{FileLogReader, FileLogWriter, OpenLogError};
use aim_ports::{
    PortError, PortFault, clock::Clock as _, policy::Policy as _, signer::Signer as _,
};
use aim_registry_dir::Signing as DeploymentSigning;
use aim_runtime::{
    accepted::accepted_in,
    admission::{AdmissionError, Admitted, RefusedLoad, admit},
    commit::Submission,
    effects::WritableFolders,
    host::{Host, HostParts, OpenError},
    ledger::Ledger,
    outside::Outside,
};
use aim_signer_process::SignerProcess;
use aim_store_dir::{DirArtifactStore, DirFolder};
use std::sync::Arc;

use super::prepare::Prepared;
use crate::{
    args::{Cli, RunArgs, Signing},
    error::{CliError, Problem},
    paths,
};

/// The signer, the compiler and the locked data directory.
pub(crate) struct Started {
    keys_dir: PathBuf,
    data_dir: PathBuf,
    writer: Option<FileLogWriter>,
    signer: Option<SignerProcess>,
    compiler: ProcessCompiler,
    pub(crate) engine: Engine,
}

/// Why a plan was not admitted.
pub(crate) enum Refused {
    /// Components were refused: each gets a leaf.
    Loads(Vec<RefusedLoad>),
    /// Anything else.
    Other(CliError),
}

/// Locks the data directory and starts the signer.
pub(crate) fn start(cli: &Cli, args: &RunArgs, prepared: &Prepared) -> Result<Started, CliError> {
    let keys_dir = paths::keys_dir(cli)?;
    let cache_dir = paths::cache_dir(cli)?;
    let data_dir = std::path::absolute(&prepared.data_dir).map_err(|error| {
        CliError::usage(
            "AIM-D001",
            error.to_string(),
            "name another with --data-dir",
        )
    })?;
    let command = format!("aimctl run {}", args.plan.display());
    let writer = FileLogWriter::open(&data_dir, &command).map_err(|error| log_error(&error))?;
    let signer = SignerProcess::spawn(&side("signer", &keys_dir)?).map_err(|e| port_error(&e))?;
    let cache_key = load_public(&keys_dir, Role::Cache).map_err(|error| {
        let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
        CliError::new(Exit::Usage, problem)
    })?;
    let worker = side("compile-worker", &keys_dir)?;
    // A cache that can not be made is only slower.
    drop(std::fs::create_dir_all(&cache_dir));
    let code = cache_dir.join("native");
    let limits = WorkerLimits::default();
    let compiler = ProcessCompiler::new(worker, &cache_key, Some(&code), limits)
        .map_err(|error| port_error(&error))?;
    let engine = Engine::new(EngineProfile::default(), AllocatorPreference::default())
        .map_err(|error| CliError::new(Exit::Bug, Problem::new(error.code(), error.to_string())))?;
    Ok(Started {
        keys_dir,
        data_dir,
        writer: Some(writer),
        signer: Some(signer),
        compiler,
        engine,
    })
}

/// The compile worker alone; makes this machine's keys on first use, because cache entries are signed.
pub(crate) fn compiler(cli: &Cli) -> Result<ProcessCompiler, CliError> {
    let keys_dir = paths::keys_dir(cli)?;
    let cache_dir = paths::cache_dir(cli)?;
    init(&keys_dir)?;
    let cache_key = load_public(&keys_dir, Role::Cache)?;
    // A cache that can not be made is only slower.
    drop(std::fs::create_dir_all(&cache_dir));
    let worker = side("compile-worker", &keys_dir)?;
    let code = cache_dir.join("native");
    let limits = WorkerLimits::default();
    ProcessCompiler::new(worker, &cache_key, Some(&code), limits)
        .map_err(|error| port_error(&error))
}

/// The log of a data directory, locked and open for an act of administration: no guest runs.
pub(crate) fn open_for_admin(
    cli: &Cli,
    data_dir: &Path,
    command: &str,
) -> Result<(Host, Ledger), CliError> {
    let keys_dir = paths::keys_dir(cli)?;
    // What is not there yet holds nothing to act on, and is not begun by asking.
    let reader = FileLogReader::open(data_dir).map_err(|error| log_error(&error))?;
    let command = format!("aimctl {command}");
    let writer = FileLogWriter::open(data_dir, &command).map_err(|error| log_error(&error))?;
    let signer = SignerProcess::spawn(&side("signer", &keys_dir)?).map_err(|e| port_error(&e))?;
    let isolation = confined(Some(data_dir), &keys_dir);
    admin_host(data_dir, isolation, (reader, writer, signer))
}

/// Gives up everything but the data directory, where there is one; the level that was reached.
fn confined(data_dir: Option<&Path>, keys_dir: &Path) -> String {
    let reach = Reach {
        paths_write: data_dir.into_iter().collect(),
        ..Reach::default()
    };
    confine_host(&reach, keys_dir).level.word().to_owned()
}

/// A signer that stands by while guests run in this process, which has given up the keys and all files but the data
/// directory.
pub(crate) struct Apart {
    signer: Option<SignerProcess>,
    isolation: String,
    data_dir: PathBuf,
}

/// Gives up everything but the data directory, if there is one; before that it starts the signer, where there is one and
/// something may have to be added to the log.
pub(crate) fn apart(
    cli: &Cli,
    data_dir: Option<&Path>,
    may_sign: bool,
) -> Result<Option<Apart>, CliError> {
    let keys_dir = paths::keys_dir(cli)?;
    let signer = if may_sign {
        SignerProcess::spawn(&side("signer", &keys_dir)?).ok()
    } else {
        None
    };
    let isolation = confined(data_dir, &keys_dir);
    Ok(data_dir.map(|data_dir| Apart {
        signer,
        isolation,
        data_dir: data_dir.to_path_buf(),
    }))
}

impl Apart {
    /// Locks the log and opens it for writing.
    pub(crate) fn open(self, command: &str) -> Result<(Host, Ledger), CliError> {
        let signer = self.signer.ok_or_else(|| {
            let message = "this machine has no signer for the log";
            CliError::new(Exit::Usage, Problem::new("AIM-R083", message))
        })?;
        let data_dir = &self.data_dir;
        let reader = FileLogReader::open(data_dir).map_err(|error| log_error(&error))?;
        let command = format!("aimctl {command}");
        let writer = FileLogWriter::open(data_dir, &command).map_err(|error| log_error(&error))?;
        admin_host(data_dir, self.isolation, (reader, writer, signer))
    }
}

fn admin_host(
    data_dir: &Path,
    isolation: String,
    (reader, writer, signer): (FileLogReader, FileLogWriter, SignerProcess),
) -> Result<(Host, Ledger), CliError> {
    let clock = SystemClock::start();
    let profile = EngineProfile::default();
    let parts = HostParts {
        reader: Arc::new(reader),
        writer: Box::new(writer),
        new_origin: new_origin(&signer, &clock),
        signer: Box::new(signer),
        store: Arc::new(store(data_dir)),
        clock: Arc::new(clock),
        outside: Outside::nothing(),
        mode: SigningMode::Each,
        host: HostRecord {
            isolation,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        engine: EngineRecord {
            allocator: "none".to_owned(),
            profile: Digest::of(profile.fingerprint().as_bytes()),
        },
        config: Digest::derive("config", &[]),
        traffic: aim_core::traffic::TrafficLimits::DEFAULT,
        entropy: Arc::new(SystemEntropy),
        folders: WritableFolders::new(),
    };
    Host::open(parts).map_err(|error| open_error(&error))
}

fn open_error(error: &OpenError) -> CliError {
    let exit = match error {
        OpenError::Port(_)
        | OpenError::Commit(_)
        | OpenError::Publish { .. }
        | OpenError::Thread(_) => Exit::Bug,
        _ => Exit::Evidence,
    };
    let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
    CliError::new(exit, problem)
}

fn side(command: &str, keys_dir: &Path) -> Result<SideCommand, CliError> {
    let program = std::env::current_exe().map_err(|error| {
        let message = format!("this program's own file can not be found: {error}");
        CliError::new(Exit::Bug, Problem::new("AIM-R099", message))
    })?;
    let arguments = [
        command.into(),
        "--keys".into(),
        keys_dir.as_os_str().to_owned(),
    ];
    Ok(SideCommand::new(program, arguments))
}

impl Started {
    /// Admits the plan; compiles what is not in the cache and ends the worker.
    pub(crate) fn admit(&mut self, prepared: &Prepared) -> Result<Admitted, Refused> {
        // The log is locked since `start`: what it has accepted is what it will have accepted when it is opened.
        let accepted = accepted_in(&self.reader().map_err(Refused::Other)?);
        let request = prepared.request(self.engine.profile(), &accepted);
        let admitted = admit(request, &mut self.compiler);
        self.compiler.finish();
        admitted.map_err(|error| match error {
            AdmissionError::Refused(refused) => Refused::Loads(refused),
            error => Refused::Other(admission_error(&error)),
        })
    }

    /// Reads the log that will be written.
    pub(crate) fn reader(&self) -> Result<FileLogReader, CliError> {
        FileLogReader::open(&self.data_dir).map_err(|error| log_error(&error))
    }

    /// Gives up the key folder and opens the log.
    pub(crate) fn open(
        mut self,
        args: &RunArgs,
        prepared: &Prepared,
    ) -> Result<(Host, Ledger), CliError> {
        let gone = || {
            CliError::new(
                Exit::Bug,
                Problem::new("AIM-R099", "the host was opened twice"),
            )
        };
        let writer = self.writer.take().ok_or_else(gone)?;
        let signer = self.signer.take().ok_or_else(gone)?;
        let reader = self.reader()?;
        let folders = open_folders(prepared)?;
        let mut writable: Vec<&Path> = vec![&self.data_dir];
        writable.extend(prepared.folders.values().map(PathBuf::as_path));
        let confinement = confine_host(&prepared.outside.reach(&writable), &self.keys_dir);
        let clock = SystemClock::start();
        let parts = HostParts {
            reader: Arc::new(reader),
            writer: Box::new(writer),
            new_origin: new_origin(&signer, &clock),
            signer: Box::new(signer),
            store: Arc::new(store(&self.data_dir)),
            clock: Arc::new(clock),
            traffic: prepared.traffic,
            entropy: Arc::new(SystemEntropy),
            folders,
            outside: prepared.outside.outside.clone(),
            mode: mode(args, prepared),
            host: HostRecord {
                isolation: confinement.level.word().to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            engine: EngineRecord {
                allocator: self.engine.allocator().word().to_owned(),
                profile: Digest::of(self.engine.profile().fingerprint().as_bytes()),
            },
            config: Digest::derive("config", &[&prepared.config]),
        };
        Host::open(parts).map_err(|error| open_error(&error))
    }
}

/// Opens every folder that steps may be granted to change; from here on the handle is the folder.
fn open_folders(prepared: &Prepared) -> Result<WritableFolders, CliError> {
    let mut folders = WritableFolders::new();
    for (name, path) in &prepared.folders {
        let opened = DirFolder::open(&path.to_string_lossy());
        let opened = opened.map_err(|error| port_error(&error))?;
        folders.insert(name.clone(), Arc::new(opened));
    }
    Ok(folders)
}

/// The store of large artifacts in a data directory.
pub(crate) fn store(data_dir: &Path) -> DirArtifactStore {
    DirArtifactStore::new(data_dir)
}

/// Who asks, as the system knows them.
pub(crate) fn actor() -> String {
    format!("uid:{}", rustix::process::getuid().as_raw())
}

/// A name that no other log has: the log key, the time and this process.
fn new_origin(signer: &SignerProcess, clock: &SystemClock) -> String {
    let now = clock.now().millis().to_le_bytes();
    let process = std::process::id().to_le_bytes();
    let id = Digest::derive("origin", &[&signer.public_keys().log, &now, &process]);
    let hex = id.hex();
    format!("aim.local/{}/1", hex.get(..16).unwrap_or(&hex))
}

fn mode(args: &RunArgs, prepared: &Prepared) -> SigningMode {
    match (args.signing, prepared.signing) {
        (Some(Signing::Each), _) | (None, DeploymentSigning::Each) => SigningMode::Each,
        (Some(Signing::Batch), _) | (None, DeploymentSigning::Batch) => SigningMode::Batch,
    }
}

/// Why a plan was not admitted, as a run says it.
pub(crate) fn admission_error(error: &AdmissionError) -> CliError {
    let exit = match error {
        AdmissionError::Refused(refused) => return refusal(refused),
        // A codex that nobody vouches for is a denial; all else is a mistake in the configuration.
        AdmissionError::Codex { .. } => Exit::Denied,
        _ => Exit::Usage,
    };
    let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
    CliError::new(exit, problem)
}

/// Everything that is wrong with components that were refused.
fn refusal(refused: &[RefusedLoad]) -> CliError {
    let is_denial = refused
        .iter()
        .flat_map(|load| &load.reasons)
        .all(|reason| reason.is_denial);
    let problems = refused.iter().flat_map(|load| {
        let step = load
            .step
            .as_ref()
            .map_or("a gate".to_owned(), |step| format!("step `{step}`"));
        load.reasons.iter().map(move |reason| {
            let message = format!("{step}, node `{}`: {}", load.node, reason.message);
            Problem::new(reason.code, message).with_help(reason.help.clone())
        })
    });
    CliError {
        exit: if is_denial { Exit::Denied } else { Exit::Usage },
        problems: problems.collect(),
    }
}

/// Gives every refused load its leaf, and says everything that is wrong.
pub(crate) fn record_refusals(
    host: Host,
    prepared: &Prepared,
    refused: &[RefusedLoad],
) -> CliError {
    let mut error = refusal(refused);
    if let Err(failed) = commit_refusals(host, prepared, refused) {
        error.exit = failed.exit;
        error.problems.extend(failed.problems);
    }
    error
}

fn commit_refusals(
    host: Host,
    prepared: &Prepared,
    refused: &[RefusedLoad],
) -> Result<(), CliError> {
    for load in refused {
        let statement = denied_load(&host, prepared, load);
        let submission = Submission::witness(LeafKind::DeniedLoad, statement, Vec::new());
        super::commit(&host, submission)?;
    }
    super::close(host)
}

fn denied_load(host: &Host, prepared: &Prepared, load: &RefusedLoad) -> Vec<u8> {
    let bytes = prepared
        .nodes
        .get(&load.node)
        .map(|node| node.component.as_slice());
    let sha256 = Sha256::of(bytes.unwrap_or_default());
    let subject = Subject::new("component", load.component, sha256);
    let predicate = DeniedLoadPredicate {
        actor: actor(),
        component: Some(load.component),
        host: host.facts.host.clone(),
        node: load.node.clone(),
        origin: host.facts.origin.clone(),
        plan: Some(prepared.plan.name().clone()),
        policy: prepared.policy.as_ref().map(|policy| policy.digest()),
        refused_at: host.clock.now(),
        refused_asks: load.refused_asks.clone(),
        reasons: load
            .reasons
            .iter()
            .map(aim_runtime::admission::RefusedReason::fault)
            .collect(),
        step: load.step.clone(),
        tenant: prepared.tenant.clone(),
    };
    Statement::new(DENIED_LOAD_PREDICATE, vec![subject], predicate).payload()
}

fn log_error(error: &OpenLogError) -> CliError {
    let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
    let exit = match error {
        OpenLogError::Missing(_) => Exit::NotFound,
        OpenLogError::System(system) if system.is_out_of_space() => Exit::Bug,
        _ => Exit::Usage,
    };
    CliError::new(exit, problem)
}

fn port_error(error: &PortError) -> CliError {
    let exit = match error.fault {
        PortFault::NotFound => Exit::NotFound,
        PortFault::Forbidden | PortFault::Busy | PortFault::Corrupt => Exit::Usage,
        PortFault::Exhausted | PortFault::Unavailable | PortFault::FailStop => Exit::Bug,
    };
    CliError::new(
        exit,
        Problem::new(error.code.unwrap_or("AIM-R051"), error.to_string()),
    )
}
