//! `cargo xtask soak`: the long forms of tests whose short forms run at every change.
//! INVARIANT: a soak runs the same assertions as the short form, over more cases.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{fuzz, guests, process, project::Project, say};

/// Packages with tests that do more when they are asked to.
const PACKAGES: [&str; 3] = ["aim-trust", "aim-core", "aim-policy-cedar"];

/// Runs the long forms.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(unknown) = arguments.first() {
        bail!("`soak` takes no options, and `{unknown}` is one");
    }
    let project = Project::find()?;
    say::progress("a million generated and mutated components, and the attacks");
    process::run(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["test", "--release", "--package", "aim-test-hostile"])
            .env("AIM_SOAK", "1")
            .current_dir(&project.root),
    )?;
    say::progress("every fuzz target, ten minutes each");
    fuzz::run(&["--seconds".to_owned(), "600".to_owned()])?;
    say::progress("guests from a copy of the tree: the same digests?");
    guests::run(&["--check".to_owned()])?;
    for package in PACKAGES {
        say::progress(&format!("{package}: every bit, many cases"));
        process::run(
            Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(["test", "--release", "--package", package])
                .env("AIM_SOAK", "1")
                .env("PROPTEST_CASES", "20000")
                .current_dir(&project.root),
        )?;
    }
    Ok(())
}
