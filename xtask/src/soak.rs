//! `cargo xtask soak`: the long forms of tests whose short forms run at every change.
//!
//! Whole, it takes a day. It can be had in parts (`--part 3/12` is the third of twelve, and all twelve are the whole), and from
//! some stages only.
//! INVARIANT: a soak runs the same assertions as the short form, over more cases, and a failed stage hides no other.

mod tests;
mod watch;

use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::{fuzz, guests, project::Project, say};

/// Stages that are the tests of a package: the name, the package, and what its long form is.
const PACKAGES: [(&str, &str, &str); 6] = [
    (
        "policy",
        "aim-policy-cedar",
        "ten million random requests against a model",
    ),
    (
        "store",
        "aim-store-dir",
        "a folder swapped for a link a million times",
    ),
    ("trust", "aim-trust", "every bit of a log flipped"),
    ("core", "aim-core", "many cases of each property"),
    ("acl", "aim-acl", "many cases of each property"),
    (
        "hostile",
        "aim-test-hostile",
        "a million generated and mutated components, and the attacks",
    ),
];
/// The stages that are no package.
const FUZZ: &str = "fuzz";
const GUESTS: &str = "guests";
/// Seconds for each fuzz target.
const FUZZ_SECONDS: u64 = 600;
/// Cases of each property.
const PROPERTY_CASES: u64 = 20_000;
const USAGE: &str = "usage: cargo xtask soak [stage]… [--part K/N] [--test TEXT]";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    stages: Vec<String>,
    /// The K-th of N parts.
    part: (u64, u64),
    /// Only tests with this in their name.
    test: String,
}

/// Runs the long forms.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let wish = wish(arguments)?;
    let project = Project::find()?;
    let mut failed = Vec::new();
    for stage in &wish.stages {
        let began = Instant::now();
        let result = run_stage(&project, &wish, stage);
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        let end = if result.is_ok() { "passed" } else { "FAILED" };
        say::line(&format!("soak: {stage} {end} in {minutes:.1} min"));
        if let Err(error) = result {
            failed.push(format!("{stage}: {error:#}"));
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{}", failed.join("\n"))
}

fn run_stage(project: &Project, wish: &Wish, stage: &str) -> Result<()> {
    let (_, parts) = wish.part;
    if stage == FUZZ {
        say::progress("soak: fuzz, every target");
        let seconds = (FUZZ_SECONDS / parts).max(1);
        return fuzz::run(&["--seconds".to_owned(), seconds.to_string()]);
    }
    if stage == GUESTS {
        say::progress("soak: guests from a copy of the tree: the same digests?");
        return guests::run(&["--check".to_owned()]);
    }
    let known = PACKAGES.iter().find(|(name, _, _)| *name == stage);
    let (name, package, what) = known.with_context(|| unknown(stage))?;
    say::progress(&format!("soak: {name}, {what}"));
    let run = tests::Run {
        stage: name,
        package,
        part: wish.part,
        property_cases: (PROPERTY_CASES / parts).max(1),
        test: &wish.test,
    };
    run.all(project)
}

fn stages() -> Vec<String> {
    let packages = PACKAGES.iter().map(|(name, _, _)| *name);
    let all = packages.chain([FUZZ, GUESTS]);
    all.map(str::to_owned).collect()
}

fn unknown(stage: &str) -> String {
    let known = stages().join(", ");
    format!("there is no stage `{stage}`; there are {known}")
}

fn wish(arguments: &[String]) -> Result<Wish> {
    let mut wish = Wish {
        stages: Vec::new(),
        part: (1, 1),
        test: String::new(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--part" => wish.part = part(rest.next().context(USAGE)?)?,
            "--test" => rest.next().context(USAGE)?.clone_into(&mut wish.test),
            stage if stages().iter().any(|known| known == stage) => {
                wish.stages.push(stage.to_owned());
            }
            stage if !stage.starts_with('-') => bail!("{}", unknown(stage)),
            _ => bail!(USAGE),
        }
    }
    if wish.stages.is_empty() {
        wish.stages = stages();
    }
    Ok(wish)
}

fn part(text: &str) -> Result<(u64, u64)> {
    let (k, n) = text.split_once('/').context(USAGE)?;
    let (k, n): (u64, u64) = (k.parse().context(USAGE)?, n.parse().context(USAGE)?);
    if k == 0 || k > n {
        bail!(USAGE);
    }
    Ok((k, n))
}

#[cfg(test)]
mod test {
    use super::*;

    fn asked(words: &[&str]) -> Option<Wish> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        wish(&words).ok()
    }

    #[test]
    fn a_soak_is_whole_unless_a_part_is_asked_for() {
        let whole = asked(&[]).unwrap();
        assert_eq!((whole.part, whole.stages), ((1, 1), stages()));
        let some = asked(&["hostile", "--part", "2/3", "fuzz", "--test", "g28"]).unwrap();
        assert_eq!(some.part, (2, 3));
        assert_eq!(
            (some.stages.join(" "), some.test.as_str()),
            ("hostile fuzz".to_owned(), "g28")
        );
        for wrong in [
            &["--part"][..],
            &["--part", "0/3"],
            &["--part", "4/3"],
            &["--part", "3"],
            &["--share", "2"],
            &["hostiles"],
        ] {
            assert_eq!(asked(wrong), None, "{wrong:?}");
        }
    }
}
