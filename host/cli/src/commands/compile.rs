//! `compile` and `lint`: a plan's text to its IR, or to everything that is wrong with it.
//!
//! INVARIANT: stdout of `compile` is the canonical IR and a line feed, nothing else, and only when the plan is whole.

use std::{io, path::Path};

use aim_acl::{Compiled, Diagnostic, Profile, SOURCE_BYTES_MAX, Severity};
use aim_core::outcome::Exit;

use crate::{
    args::{Cli, Output, PlanArgs},
    error::{CliError, Place, Problem},
    files,
    render::{
        errors::{self, Look},
        out,
    },
};

/// `aimctl compile`.
pub(crate) fn compile(cli: &Cli, args: &PlanArgs) -> Result<Exit, CliError> {
    let source = read_plan(&args.plan)?;
    let compiled = compile_source(&args.plan, &source, args.strict)?;
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

/// `aimctl lint`.
pub(crate) fn lint(cli: &Cli, args: &PlanArgs) -> Result<Exit, CliError> {
    let source = read_plan(&args.plan)?;
    let (diagnostics, exit) = match aim_acl::compile(&source, profile(args.strict)) {
        Ok(compiled) => (compiled.warnings, Exit::Ok),
        Err(diagnostics) => (diagnostics, Exit::Usage),
    };
    let look = Look::of(&io::stdout());
    let problems = problems(&args.plan, &source, &diagnostics);
    let rendered = problems
        .iter()
        .map(|problem| errors::render(problem, exit, cli.output, look));
    out::text(&rendered.collect::<String>())?;
    if cli.output == Output::Text {
        let warnings = problems.iter().filter(|problem| problem.is_warning).count();
        let errors = problems.len() - warnings;
        out::talk(&format!("{errors} errors, {warnings} warnings\n"));
    }
    Ok(exit)
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
    compile_source(path, &source, strict)
}

/// Compiles the text of a plan.
///
/// # Errors
/// Exit 2 with every diagnostic.
pub(crate) fn compile_source(
    path: &Path,
    source: &str,
    strict: bool,
) -> Result<Compiled, CliError> {
    aim_acl::compile(source, profile(strict)).map_err(|diagnostics| CliError {
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

const fn profile(strict: bool) -> Profile {
    if strict {
        Profile::Strict
    } else {
        Profile::Lenient
    }
}
