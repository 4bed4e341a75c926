//! `cargo xtask bench`: builds guests, `aimctl` and the bench as they would be shipped, and runs the bench.
//! INVARIANT: what is measured was built from these sources in this call; no time that is measured makes it fail.

use std::process::Command;

use anyhow::Result;

use crate::{guests, process, project::Project, say};

/// Runs the command; what follows it goes to the bench.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let project = Project::find()?;
    guests::run(&[])?;
    say::progress("bench       building aimctl and the bench, optimised");
    process::run(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet", "--release"])
            .args(["--package", "aim-cli", "--package", "aim-test-bench"])
            .current_dir(&project.root),
    )?;
    process::run(Command::new(project.target.join("release/aim-bench")).args(arguments))
}
