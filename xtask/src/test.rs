//! `cargo xtask test`: everything that must hold before a change lands, cheapest first, with minutes for each phase.
//! INVARIANT: the last line counts the tests that ran, and no phase after a failed one hides it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use crate::{fuzz, guests, languages, process, project::Project, say};

/// What property tests throw, always the same: the same sources get the same verdict. The soak throws anew each time.
const DICE: (&str, &str) = ("PROPTEST_RNG_SEED", "1");

/// How many tests ran.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Phases and the minutes they took.
struct Phases {
    took: Vec<(&'static str, f64)>,
}

impl Phases {
    fn run<T>(&mut self, name: &'static str, phase: impl FnOnce() -> Result<T>) -> Result<T> {
        say::progress(&format!("phase: {name}"));
        let began = Instant::now();
        let result = phase().with_context(|| format!("phase `{name}`"));
        self.took.push((name, began.elapsed().as_secs_f64() / 60.0));
        result
    }

    fn print(&self) {
        for (name, minutes) in &self.took {
            say::line(&format!("{minutes:6.1} min  {name}"));
        }
        let total: f64 = self.took.iter().map(|(_, minutes)| minutes).sum();
        say::line(&format!("{total:6.1} min  in all"));
    }
}

/// Runs all phases.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(unknown) = arguments.first() {
        bail!("`test` takes no options, and `{unknown}` is one");
    }
    let project = Project::find()?;
    let mut phases = Phases { took: Vec::new() };
    let result = all(&project, &mut phases);
    phases.print();
    let count = result?;
    say::line(&count.line());
    if count.failed > 0 || count.passed == 0 {
        bail!("not every test passed");
    }
    Ok(())
}

fn all(project: &Project, phases: &mut Phases) -> Result<Count> {
    let guest_folder = project.root.join("guests");
    phases.run("format", || {
        process::run(cargo(&["fmt", "--all", "--check"]).current_dir(&project.root))?;
        process::run(cargo(&["fmt", "--all", "--check"]).current_dir(&guest_folder))
    })?;
    phases.run("guests", || guests::run(&[]))?;
    phases.run("languages", || languages::run(&[]))?;
    phases.run("lint", || {
        let lint = [
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        process::run(cargo(&lint).current_dir(&project.root))
    })?;
    phases.run("build", || {
        let build = ["test", "--quiet", "--workspace", "--no-run"];
        process::run(cargo(&build).current_dir(&project.root))
    })?;
    let mut count = phases.run("guest tests", || {
        let target = project.target.join("guests-native");
        let test = [
            "test",
            "--package",
            "mcel-oracle",
            "--package",
            "triage-method",
        ];
        counted(
            cargo(&test)
                .current_dir(&guest_folder)
                .env("CARGO_TARGET_DIR", target),
        )
    })?;
    count += phases.run("doc tests", || {
        counted(cargo(&["test", "--workspace", "--doc"]).current_dir(&project.root))
    })?;
    count += phases.run("tests", || {
        let is_there = process::capture(&mut cargo(&["nextest", "--version"])).is_ok();
        let test: &[&str] = if is_there {
            &["nextest", "run", "--workspace", "--no-fail-fast"]
        } else {
            &["test", "--workspace", "--tests", "--bins", "--no-fail-fast"]
        };
        counted(cargo(test).env(DICE.0, DICE.1).current_dir(&project.root))
    })?;
    phases.run("fuzz", || fuzz::run(&[]))?;
    Ok(count)
}

fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Runs tests, passes on what they print and counts them. Failed tests are counted, a broken run is an error.
fn counted(command: &mut Command) -> Result<Count> {
    // Summaries of nextest come on standard error, those of cargo test on standard output: one stream for both.
    let (reader, writer) = std::io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .context("can not start cargo")?;
    // The command holds copies of the writing end: without dropping them the reader never sees the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut count = Count::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        say::line(&line);
        count += Count::of_line(&line);
    }
    let status = child.wait()?;
    if !status.success() && count.failed == 0 {
        bail!("the test run ended with {status} and no failed test");
    }
    Ok(count)
}

impl Count {
    fn line(self) -> String {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        format!("tests: {passed} passed, {failed} failed, {skipped} skipped")
    }

    /// Reads the summary lines of nextest and of cargo test; nothing for any other line.
    fn of_line(line: &str) -> Self {
        let plain = without_colours(line);
        let text = plain.trim();
        // Indented, a result is the output of a failed test that nextest repeats.
        let is_summary = text.starts_with("Summary [") || plain.starts_with("test result:");
        if !is_summary {
            return Self::default();
        }
        Self {
            passed: number_before(text, "passed"),
            failed: number_before(text, "failed") + number_before(text, "timed out"),
            skipped: number_before(text, "skipped") + number_before(text, "ignored"),
        }
    }
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

fn number_before(text: &str, word: &str) -> u64 {
    let before = text
        .split_once(&format!(" {word}"))
        .map(|(before, _)| before);
    let digits = before.and_then(|before| before.rsplit([' ', '(', ',']).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut is_escape = false;
    for c in line.chars() {
        match c {
            '\u{1b}' => is_escape = true,
            'm' if is_escape => is_escape = false,
            _ if is_escape => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_nextest_and_cargo_test_say() {
        let nextest =
            "     Summary [   4.2s] 12 tests run: 10 passed (1 slow), 2 failed, 3 skipped";
        assert_eq!(
            Count::of_line(nextest).line(),
            "tests: 10 passed, 2 failed, 3 skipped"
        );
        let cargo =
            "test result: FAILED. 7 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            Count::of_line(cargo).line(),
            "tests: 7 passed, 1 failed, 2 skipped"
        );
        assert_eq!(
            Count::of_line("test a_test ... ok").line(),
            "tests: 0 passed, 0 failed, 0 skipped"
        );
    }

    #[test]
    fn a_result_that_is_repeated_inside_of_a_report_counts_once() {
        let repeated = "    test result: FAILED. 0 passed; 1 failed; 0 ignored";
        assert_eq!(Count::of_line(repeated).failed, 0);
    }

    #[test]
    fn colours_do_not_hide_a_failure() {
        let line = "\u{1b}[31;1m     Summary\u{1b}[0m [ 1s] 2 tests run: \u{1b}[32;1m1\u{1b}[0m passed, \u{1b}[31;1m1\u{1b}[0m failed";
        assert_eq!(Count::of_line(line).failed, 1);
    }
}
