//! `fmt`: plans in the one layout.
//!
//! INVARIANT: a plan that can not be read is left alone, and with `--check` nothing is ever written.

use aim_core::outcome::Exit;

use crate::{
    args::{Cli, FmtArgs},
    commands::compile::{problems, read_plan},
    error::CliError,
    files,
    render::{errors, out},
};

/// `aimctl fmt`.
pub(crate) fn fmt(cli: &Cli, args: &FmtArgs) -> Result<Exit, CliError> {
    let mut exit = Exit::Ok;
    for path in &args.plans {
        let source = read_plan(path)?;
        match aim_acl::format(&source) {
            Err(diagnostics) => {
                errors::remark(
                    &problems(path, &source, &diagnostics),
                    Exit::Usage,
                    cli.output,
                );
                exit = Exit::Usage;
            }
            Ok(formatted) if formatted == source => {}
            Ok(_) if args.check => {
                out::line(&path.display().to_string())?;
                exit = Exit::Usage;
            }
            Ok(formatted) => files::write_whole(path, formatted.as_bytes())?,
        }
    }
    Ok(exit)
}
