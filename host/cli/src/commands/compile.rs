//! `compile`: a plan's text to its IR, or to everything that is wrong with it.
//!
//! INVARIANT: the canonical IR is printed byte for byte, and only when the plan is whole: alone on stdout with a line feed, or as text
//! inside of a document, so that whoever hashes it hashes the same bytes.

use std::path::Path;

use aim_acl::{Compiled, Context, Diagnostic, Profile, SOURCE_BYTES_MAX, Severity};
use aim_core::{
    digest::Digest,
    outcome::Exit,
    plan::{Plan, ProbeSwitch},
};
use serde::Serialize;

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
    print(cli.output, &compiled.plan)?;
    Ok(Exit::Ok)
}

fn print(output: Output, plan: &Plan) -> Result<(), CliError> {
    let mut ir = plan.to_json();
    if output == Output::Text {
        ir.push(b'\n');
        out::data(&ir)?;
        out::talk(&format!("plan {} {}\n", plan.name(), plan.digest()));
        return Ok(());
    }
    let document = Document {
        digest: plan.digest(),
        // Canonical JSON is UTF-8.
        ir: String::from_utf8(ir).unwrap_or_default(),
        name: plan.name().to_string(),
    };
    out::json_line("aim.compile/v1", &document)
}

#[derive(Serialize)]
struct Document {
    /// BLAKE3 of the bytes of `ir`.
    digest: Digest,
    /// The canonical IR, as text.
    ir: String,
    name: String,
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
