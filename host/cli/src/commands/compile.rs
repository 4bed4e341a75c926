//! `compile`: a plan's text to its IR, or to everything that is wrong with it.
//!
//! INVARIANT: stdout of `compile` is the canonical IR and a line feed, nothing else, and only when the plan is whole.

use std::path::Path;

use aim_acl::{Compiled, Context, Diagnostic, Profile, SOURCE_BYTES_MAX, Severity};
use aim_core::{
    outcome::Exit,
    plan::{Plan, ProbeSwitch},
};

use crate::{
    args::{Cli, Output, PlanArgs, ProfileArg},
    error::{CliError, Place, Problem},
    files,
    render::{errors, out},
};

mod beside;

pub(crate) use beside::Beside;

/// `aimctl compile`.
pub(crate) fn compile(cli: &Cli, args: &PlanArgs) -> Result<Exit, CliError> {
    let source = read_plan(&args.plan)?;
    let mut compiled = compile_source(&args.plan, &source, profile(args))?;
    compiled.plan = watched(compiled.plan, &Beside::of(&args.plan).probes())?;
    let warnings = problems(&args.plan, &source, &compiled.warnings);
    errors::remark(&warnings, Exit::Ok, cli.output);
    let mut ir = compiled.plan.to_json();
    ir.push(b'\n');
    out::data(&ir)?;
    if cli.output == Output::Text {
        let plan = &compiled.plan;
        out::talk(&format!("plan {} {}\n", plan.name(), plan.digest()));
    }
    Ok(Exit::Ok)
}

/// Reads a plan's text.
///
/// # Errors
/// Exit 6 when it is not there, 2 when it can not be read, is too large or no UTF-8.
pub(crate) fn read_plan(path: &Path) -> Result<String, CliError> {
    files::read_text(path, "plan", SOURCE_BYTES_MAX)
}

/// Reads and compiles a plan. Warnings are in the result, and printed by nobody.
///
/// # Errors
/// As [`read_plan`] and [`compile_source`].
pub(crate) fn compile_plan(path: &Path, strict: bool) -> Result<Compiled, CliError> {
    let source = read_plan(path)?;
    let profile = if strict {
        Profile::Strict
    } else {
        Profile::Lenient
    };
    compile_source(path, &source, profile)
}

/// The plan with the probes that a deployment has on: the last thing that is done to what will run.
///
/// # Errors
/// Exit 2 when a step or role of the plan has the name of a probe.
pub(crate) fn watched(plan: Plan, switch: &ProbeSwitch) -> Result<Plan, CliError> {
    aim_acl::with_probes(plan, switch).map_err(|error| {
        let help = "names that begin with `probe_` are the compiler's; rename the step";
        let message = format!("the plan leaves no room for its probes: {error}");
        CliError::usage(error.code(), message, help)
    })
}

/// Compiles the text of a plan.
///
/// # Errors
/// Exit 2 with every diagnostic.
pub(crate) fn compile_source(
    path: &Path,
    source: &str,
    profile: Profile,
) -> Result<Compiled, CliError> {
    let resolver = &Beside::of(path);
    let context = Context { profile, resolver };
    aim_acl::compile_in(source, &context).map_err(|diagnostics| CliError {
        exit: Exit::Usage,
        problems: problems(path, source, &diagnostics),
    })
}

/// Diagnostics with the text they are about.
pub(crate) fn problems(path: &Path, source: &str, diagnostics: &[Diagnostic]) -> Vec<Problem> {
    let problem = |diagnostic: &Diagnostic| {
        let labels = diagnostic.labels.iter();
        let place = Place {
            file: path.display().to_string(),
            source: source.into(),
            offset: diagnostic.span.start,
            length: diagnostic.span.len(),
            labels: labels
                .map(|(span, text)| (span.start, span.len(), text.clone()))
                .collect(),
        };
        Problem {
            help: diagnostic.help.clone(),
            is_warning: diagnostic.severity == Severity::Warning,
            ..Problem::new(diagnostic.code, diagnostic.message.as_str()).at(place)
        }
    };
    diagnostics.iter().map(problem).collect()
}

/// The profile that was asked for.
pub(crate) fn profile(args: &PlanArgs) -> Profile {
    if args.strict || args.profile == ProfileArg::Strict {
        Profile::Strict
    } else {
        Profile::Lenient
    }
}
