//! `gate test`: a gate component against a folder of cases, each a request with what must come of it.
//!
//! The gate runs as it would in a run, under the limits of gates, in a fresh instance for each case. Its codex may be
//! unsigned here: nothing is released by what it says.
//!
//! INVARIANT: a case that expects nothing is refused, so that no case can pass for want of a demand.

mod case;
mod record;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aim_core::{
    access::{Ask, Capability, Grant},
    adapter::Profile,
    admission::{AdmissionRequest, World, admit},
    class::Class,
    gate::{GateRecord, floor::Floors},
    limits::Limits,
    outcome::Exit,
};
use aim_engine::{
    AllocatorPreference, Engine, EngineProfile, LinkedGate, VerifiedNativeCode, inspect,
};
use aim_ports::compiler::{CompileRequest, Compiler as _};
use aim_runtime::judge::{ComponentJudge, Gate, ask_once};
use serde::Serialize;

pub(crate) use self::record::record;

use self::case::Case;
use crate::{
    args::{Cli, GateTestArgs, Output},
    commands::run::start,
    error::{CliError, Problem},
    files,
    render::out,
};

/// No component is larger; what the registry reads is no more.
const COMPONENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// No case and no codex is larger.
const CASE_BYTES_MAX: usize = 1024 * 1024;

#[derive(Serialize)]
struct Tested {
    component: String,
    passed: usize,
    failed: usize,
    cases: Vec<TestedCase>,
}

#[derive(Serialize)]
struct TestedCase {
    case: String,
    verdict: &'static str,
    wrong: Vec<String>,
}

/// `aimctl gate test`.
pub(crate) fn test(cli: &Cli, args: &GateTestArgs) -> Result<Exit, CliError> {
    let component = files::read_bytes(&args.component, "component", COMPONENT_BYTES_MAX)?;
    let cases = read_cases(&args.cases)?;
    let engine = Engine::new(EngineProfile::default(), AllocatorPreference::default())
        .map_err(|error| CliError::new(Exit::Bug, Problem::new(error.code(), error.to_string())))?;
    let linked = load(cli, &engine, &component)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| CliError::new(Exit::Bug, Problem::new("AIM-R099", error.to_string())))?;
    let mut tested = Vec::with_capacity(cases.len());
    for (path, case) in &cases {
        let codex = read_codex(path, case, args.codex.as_deref())?;
        let record = runtime.block_on(ask(&linked, codex, case));
        tested.push(TestedCase {
            case: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            verdict: record.verdict.word(),
            wrong: case.expect.wrong(&record),
        });
    }
    let failed = tested.iter().filter(|case| !case.wrong.is_empty()).count();
    let tested = Tested {
        component: args.component.display().to_string(),
        passed: tested.len().saturating_sub(failed),
        failed,
        cases: tested,
    };
    show(cli, &tested)?;
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failed })
}

fn show(cli: &Cli, tested: &Tested) -> Result<(), CliError> {
    if cli.output == Output::Json {
        return out::json_line("aim.gate-test/v1", tested);
    }
    let width = tested.cases.iter().map(|case| case.case.len()).max();
    let width = width.unwrap_or(0);
    for case in &tested.cases {
        let mark = if case.wrong.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        let name = aim_engine::text::neutralise(&case.case, 120);
        out::line(&format!("{name:<width$}  {:<8}{mark}", case.verdict))?;
        for wrong in &case.wrong {
            let wrong = aim_engine::text::neutralise(wrong, 400);
            out::line(&format!("{:<width$}    {wrong}", ""))?;
        }
    }
    out::line(&format!(
        "{} passed, {} failed",
        tested.passed, tested.failed
    ))
}

async fn ask(linked: &LinkedGate, codex: Arc<[u8]>, case: &Case) -> GateRecord {
    let gate = Gate {
        id: "gate".to_owned(),
        component: Some(linked.component()),
        codex: None,
        codex_version: None,
        floors: Floors::default(),
        judge: Arc::new(ComponentJudge::new(linked.clone(), codex, Limits::GATE)),
    };
    ask_once(&gate, &case.request.gate_request()).await
}

/// Admits the component as a gate, compiles it in the worker and loads it.
fn load(cli: &Cli, engine: &Engine, component: &[u8]) -> Result<LinkedGate, CliError> {
    let inspection = inspect(component)
        .map_err(|error| CliError::usage(error.code(), error.to_string(), error.help()))?;
    let asks = [Ask::plain(Capability::Codex)];
    let grant = Grant {
        asks: asks.to_vec(),
        policy: None,
    };
    let request = AdmissionRequest {
        world: World::Gate,
        asks: &asks,
        grant: &grant,
        adapt: None::<Profile>,
        class: Class::Standard,
    };
    let linkage = admit(&inspection, &request).map_err(|mismatches| CliError {
        exit: Exit::Usage,
        problems: mismatches
            .iter()
            .map(|one| Problem::new(one.code(), one.to_string()).with_help(one.help()))
            .collect(),
    })?;
    let fingerprint = engine.profile().fingerprint();
    let request = CompileRequest {
        component,
        profile: &fingerprint,
    };
    let mut compiler = start::compiler(cli)?;
    let native = compiler.native_code(&request)?;
    compiler.finish();
    engine
        .load_gate(VerifiedNativeCode::assume_verified(native), &linkage)
        .map_err(|error| CliError::usage(error.code(), error.to_string(), "rebuild the component"))
}

/// Every `.json` file of the folder, by name. All faults at once.
fn read_cases(folder: &Path) -> Result<Vec<(PathBuf, Case)>, CliError> {
    let problem = |message: String| {
        Problem::new("AIM-G019", message)
            .with_help("see docs/guides/gates.md for the form of a case")
    };
    let listed = std::fs::read_dir(folder).map_err(|error| {
        let message = format!("`{}` can not be listed: {error}", folder.display());
        CliError::new(Exit::NotFound, problem(message))
    })?;
    let mut paths: Vec<PathBuf> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    let mut cases = Vec::with_capacity(paths.len());
    let mut problems = Vec::new();
    for path in paths {
        let bytes = files::read_bytes(&path, "case", CASE_BYTES_MAX)?;
        match Case::parse(&bytes) {
            Ok(case) => cases.push((path, case)),
            Err(why) => problems.push(problem(format!("`{}`: {why}", path.display()))),
        }
    }
    if cases.is_empty() && problems.is_empty() {
        problems.push(problem(format!("`{}` holds no case", folder.display())));
    }
    if problems.is_empty() {
        return Ok(cases);
    }
    Err(CliError {
        exit: Exit::Usage,
        problems,
    })
}

/// The case's own codex, beside it; else the one that was given for all; else none.
fn read_codex(path: &Path, case: &Case, given: Option<&Path>) -> Result<Arc<[u8]>, CliError> {
    let own = case.codex.as_ref().map(|name| path.with_file_name(name));
    match own.as_deref().or(given) {
        Some(path) => Ok(files::read_bytes(path, "codex", CASE_BYTES_MAX)?.into()),
        None => Ok(Arc::default()),
    }
}
