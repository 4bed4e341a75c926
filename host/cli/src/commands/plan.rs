//! `plan`: what would run, with which grants, budgets, gates and probes, and what would be refused; nothing runs.
//!
//! INVARIANT: the refusals and the exit code are those that `run` would give, and no line of native code is made.

use std::path::Path;

use aim_acl::Profile;
use aim_core::{
    outcome::Exit,
    plan::{Plan, graph::Graph},
};
use aim_engine::EngineProfile;
use aim_runtime::admission::{Resolution, resolve};

use crate::{
    args::{Cli, GraphFormat, Output, ShowPlanArgs},
    commands::{
        compile::{Beside, compile_plan, compile_source, problems, read_plan, watched},
        run::{
            prepare::{Wanted, prepare},
            start::admission_error,
        },
    },
    error::CliError,
    evidence,
    render::{errors, out},
};

mod document;
pub(crate) mod lock;
mod text;

use document::PlanDocument;

/// `aimctl plan`.
pub(crate) fn plan(cli: &Cli, args: &ShowPlanArgs) -> Result<Exit, CliError> {
    if let Some(format) = args.graph {
        let compiled = compile_plan(&args.plan, args.strict)?;
        let plan = watched(compiled.plan, &Beside::of(&args.plan).probes())?;
        return draw(&plan, format);
    }
    remark_on(cli, &args.plan, args.strict)?;
    let prepared = prepare(Wanted {
        plan: &args.plan,
        config: args.config.as_deref(),
        policy: args.policy.as_deref(),
        data_dir: None,
        strict: args.strict,
    })?;
    let accepted = evidence::accepted(&prepared.data_dir)?;
    let resolution = resolve(prepared.request(EngineProfile::default(), &accepted));
    let document = PlanDocument::of(&prepared, &resolution);
    match cli.output {
        Output::Json => out::json_line("aim.plan/v1", &document)?,
        Output::Text => out::text(&text::write(&document))?,
    }
    refusals(&resolution)?;
    if args.lock
        && let Some(lock) = resolution.lock()
    {
        lock::write(&args.plan, &lock)?;
    }
    Ok(Exit::Ok)
}

/// The compiler's warnings, on stderr.
fn remark_on(cli: &Cli, path: &Path, strict: bool) -> Result<(), CliError> {
    let source = read_plan(path)?;
    let profile = if strict {
        Profile::Strict
    } else {
        Profile::Lenient
    };
    let compiled = compile_source(path, &source, profile)?;
    let warnings = problems(path, &source, &compiled.warnings);
    errors::remark(&warnings, Exit::Ok, cli.output);
    Ok(())
}

fn draw(plan: &Plan, format: GraphFormat) -> Result<Exit, CliError> {
    let graph = Graph::of(plan);
    out::text(&match format {
        GraphFormat::Dot => graph.to_dot(),
        GraphFormat::Mermaid => graph.to_mermaid(),
        GraphFormat::Svg => graph.to_svg(),
    })?;
    Ok(Exit::Ok)
}

/// Everything that is in the way, with the exit code of the first: a run would stop there.
pub(crate) fn refusals(resolution: &Resolution<'_>) -> Result<(), CliError> {
    let mut all: Option<CliError> = None;
    for fault in resolution.faults() {
        let error = admission_error(fault);
        match &mut all {
            None => all = Some(error),
            Some(all) => all.problems.extend(error.problems),
        }
    }
    all.map_or(Ok(()), Err)
}
