//! `lint`: everything that is wrong or doubtful about a plan, and the mending of what can be mended safely.
//!
//! INVARIANT: a plan is only written when it compiles to the same IR as before.

use std::{io, path::Path};

use aim_acl::{Context, Diagnostic, Severity};
use aim_core::outcome::Exit;

use crate::{
    args::{Cli, LintArgs, Output},
    commands::compile::{Beside, problems, profile, read_plan},
    error::{CliError, Problem},
    files,
    render::{
        errors::{self, Look},
        out,
    },
};

/// `aimctl lint`.
pub(crate) fn lint(cli: &Cli, args: &LintArgs) -> Result<Exit, CliError> {
    let path = &args.plan.plan;
    let resolver = &Beside::of(path);
    let profile = profile(&args.plan);
    let context = Context { profile, resolver };
    let mut source = read_plan(path)?;
    let mut diagnostics = aim_acl::lint(&source, &context);
    if args.fix {
        let mended = mend(path, &source, &diagnostics, &context)?;
        if let Some(mended) = mended {
            diagnostics = aim_acl::lint(&mended, &context);
            source = mended;
        }
    }
    let has_errors = diagnostics
        .iter()
        .any(|one| one.severity == Severity::Error);
    let exit = if has_errors { Exit::Usage } else { Exit::Ok };
    let look = Look::of(&io::stdout());
    let problems = problems(path, &source, &diagnostics);
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

/// Writes the plan with every safe change made; `None` when there is none to make.
fn mend(
    path: &Path,
    source: &str,
    diagnostics: &[Diagnostic],
    context: &Context<'_>,
) -> Result<Option<String>, CliError> {
    let count = diagnostics.iter().filter(|one| one.fix.is_some()).count();
    if count == 0 {
        return Ok(None);
    }
    let mut mended = aim_acl::fixed(source, diagnostics);
    if aim_acl::format(source).is_ok_and(|formatted| formatted == source) {
        mended = aim_acl::format(&mended).unwrap_or(mended);
    }
    let digest = |text: &str| {
        aim_acl::compile_in(text, context)
            .ok()
            .map(|compiled| compiled.plan.digest())
    };
    let is_same = digest(source).is_some_and(|before| digest(&mended) == Some(before));
    if !is_same {
        let message = format!(
            "`{}` is left as it is: it does not compile to the same plan once mended",
            path.display()
        );
        let help = "mend the errors first, then run `aimctl lint --fix` again";
        return Err(CliError::new(
            Exit::Usage,
            Problem::new("ACL-E016", message).with_help(help),
        ));
    }
    files::write_whole(path, mended.as_bytes())?;
    let places = if count == 1 { "place" } else { "places" };
    out::talk(&format!("mended {count} {places} in {}\n", path.display()));
    Ok(Some(mended))
}
