//! `cargo xtask soak`: the long forms of tests whose short forms run at every change.
//! INVARIANT: a soak runs the same assertions as the short form, over more cases.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{fuzz, guests, process, project::Project, say};

/// Packages with tests that do more when they are asked to.
const PACKAGES: [&str; 4] = ["aim-trust", "aim-core", "aim-policy-cedar", "aim-store-dir"];
/// Seconds for each fuzz target.
const FUZZ_SECONDS: u64 = 600;
/// Cases of each property.
const PROPERTY_CASES: u64 = 20_000;

/// Runs the long forms; `--share N` runs an N-th of each, to see that they work.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let share = share(arguments)?;
    let project = Project::find()?;
    say::progress("a million generated and mutated components, and the attacks");
    process::run(&mut long_tests(&project, "aim-test-hostile", share))?;
    say::progress("every fuzz target, ten minutes each");
    let seconds = (FUZZ_SECONDS / share).max(1);
    fuzz::run(&["--seconds".to_owned(), seconds.to_string()])?;
    say::progress("guests from a copy of the tree: the same digests?");
    guests::run(&["--check".to_owned()])?;
    for package in PACKAGES {
        say::progress(&format!("{package}: every bit, many cases"));
        process::run(&mut long_tests(&project, package, share))?;
    }
    Ok(())
}

/// Which share of the cases was asked for.
fn share(arguments: &[String]) -> Result<u64> {
    let usage = "usage: cargo xtask soak [--share N]";
    match arguments {
        [] => Ok(1),
        [option, number] if option == "--share" => {
            let share: u64 = number.parse().context(usage)?;
            if share == 0 {
                bail!("{usage}");
            }
            Ok(share)
        }
        _ => bail!("{usage}"),
    }
}

/// The optimised tests of one package in their long form.
fn long_tests(project: &Project, package: &str, share: u64) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let cases = (PROPERTY_CASES / share).max(1);
    command
        .args(["test", "--release", "--package", package])
        .env("AIM_SOAK", share.to_string())
        .env("PROPTEST_CASES", cases.to_string())
        .current_dir(&project.root);
    command
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_soak_is_whole_unless_a_share_is_asked_for() {
        let asked = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            share(&words).ok()
        };
        assert_eq!(asked(&[]), Some(1));
        assert_eq!(asked(&["--share", "500"]), Some(500));
        for wrong in [
            &["--share"][..],
            &["--share", "0"],
            &["--share", "x"],
            &["5"],
        ] {
            assert_eq!(asked(wrong), None, "{wrong:?}");
        }
    }
}
