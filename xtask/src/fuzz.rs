//! `cargo xtask fuzz`: feeds every place where bytes come in, guided by the coverage of our own crates.
//!
//! The fuzzer is libFuzzer on the stable compiler: this program stands between cargo and rustc for the crates of the
//! workspace and adds the flags that count which code was reached. Crates from elsewhere are built as always, so that they
//! are shared with the tests.
//! INVARIANT: a run that finds nothing says how often it tried, and a planted bug is found before anything else counts.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result, bail};

use crate::{project::Project, say};

/// Set for cargo when this program is to be its compiler.
const MARK: &str = "AIM_FUZZ_RUSTC";

/// What makes a crate count its coverage.
const FLAGS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Targets that run at the same time.
const AT_ONCE: usize = 2;
/// Seconds for each target when nobody says otherwise.
pub(crate) const SECONDS: u64 = 20;
/// The target with the bug, and the seconds in which it must be found: half a minute on a machine with nothing else to do.
const PLANTED: (&str, u64) = ("planted", 900);
/// It is looked for among letters. Of forty seeds none needed more than five times the mean.
const PLANTED_SEARCH: &str = "-only_ascii=1";
/// The same throws of the dice each time, so that the same sources get the same verdict: the planted bug is found after the same
/// number of inputs, and a run of the usual length takes the usual way. Longer runs are for what nobody has seen yet.
const SAME_DICE: &str = "-seed=1";
/// Seconds after which an input counts as one that never ends; a machine that is slow, or busy, has that much patience.
const INPUT_SECONDS_MAX: u64 = 100;
/// Bytes of an input at most.
const BYTES_MAX: usize = 65_536;
/// The same for the planted bug, whose lock is short.
const PLANTED_BYTES_MAX: usize = 16;

/// True when cargo calls this program as its compiler.
pub(crate) fn is_called() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Becomes rustc, with coverage for libraries and tests of ours. Returns only when that can not be done.
pub(crate) fn become_rustc() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next().context("cargo names no compiler")?;
    let arguments: Vec<OsString> = arguments.collect();
    let mut command = Command::new(&rustc);
    if is_covered(&arguments) {
        command.args(FLAGS);
    }
    Err(command.args(&arguments).exec()).context("can not start rustc")
}

/// Build scripts and macros run in the compiler, where nobody counts.
fn is_covered(arguments: &[OsString]) -> bool {
    let follows = |flag: &str, value: &str| {
        arguments
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == flag && b == value))
    };
    let is_ours = arguments
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == "--crate-name" && b.to_string_lossy().starts_with("aim_")));
    is_ours && !follows("--crate-type", "proc-macro")
}

/// What was asked for.
struct Wish {
    targets: Vec<String>,
    seconds: u64,
    input: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let project = Project::find()?;
    let wish = wish(&project, arguments)?;
    let fuzzer = build(&project)?;
    if let (Some(input), [target]) = (&wish.input, wish.targets.as_slice()) {
        let out = fuzzing(&fuzzer, target).arg(input).output()?;
        say::line(&String::from_utf8_lossy(&out.stderr));
        if !out.status.success() {
            bail!("`{target}` fails on {}", input.display());
        }
        return Ok(());
    }
    find_the_planted_bug(&project, &fuzzer)?;
    all(&project, &fuzzer, &wish)
}

fn wish(project: &Project, arguments: &[String]) -> Result<Wish> {
    let usage = "usage: cargo xtask fuzz [target] [--seconds N] [--input FILE]";
    let mut wish = Wish {
        targets: Vec::new(),
        seconds: SECONDS,
        input: None,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => wish.seconds = rest.next().context(usage)?.parse().context(usage)?,
            "--input" => wish.input = Some(rest.next().context(usage)?.into()),
            name if !name.starts_with('-') => wish.targets.push(name.to_owned()),
            _ => bail!("{usage}"),
        }
    }
    let known = targets(project)?;
    if let Some(unknown) = wish.targets.iter().find(|name| !known.contains(name)) {
        bail!(
            "there is no target `{unknown}`; there are {}",
            known.join(", ")
        );
    }
    if wish.targets.is_empty() {
        wish.targets = known;
    }
    Ok(wish)
}

/// Every target has a folder of seeds; a test holds the two against each other.
fn targets(project: &Project) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(seeds(project))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn seeds(project: &Project) -> PathBuf {
    project.root.join("tests/fuzz/corpus")
}

/// Builds the fuzzer and says where it is.
fn build(project: &Project) -> Result<PathBuf> {
    say::progress("fuzz: building with coverage of our own crates");
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(program)
        .args(["build", "--quiet", "--workspace", "--test", "aim-fuzz"])
        .args(["--features", "aim-test-fuzz/libfuzzer"])
        .args(["--message-format", "json-render-diagnostics"])
        .env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?)
        .env(MARK, "1")
        .current_dir(&project.root)
        .stdout(Stdio::piped())
        .spawn()
        .context("can not start cargo")?;
    let mut found = None;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            found = executable(&line?).or(found);
        }
    }
    if !child.wait()?.success() {
        bail!("the fuzzer does not build; it needs a C++ compiler beside the Rust one");
    }
    found.context("cargo names no fuzzer")
}

fn executable(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let is_fuzzer = message.pointer("/target/name")?.as_str()? == "aim-fuzz";
    let path = message.get("executable")?.as_str()?;
    is_fuzzer.then(|| path.into())
}

fn fuzzing(fuzzer: &Path, target: &str) -> Command {
    let mut command = Command::new(fuzzer);
    command.env("AIM_FUZZ_TARGET", target).stdin(Stdio::null());
    command
}

/// Fuzzes one target. New inputs and whatever crashes go into a folder of its own.
fn fuzz(project: &Project, fuzzer: &Path, target: &str, seconds: u64) -> Result<Output> {
    let folder = project.target.join("fuzz").join(target);
    let found = folder.join("corpus");
    std::fs::create_dir_all(&found)?;
    let bytes_max = if target == PLANTED.0 {
        PLANTED_BYTES_MAX
    } else {
        BYTES_MAX
    };
    let mut command = fuzzing(fuzzer, target);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .args(["-rss_limit_mb=2048", "-print_final_stats=1"])
        .args([format!("-max_len={bytes_max}"), "-verbosity=1".to_owned()])
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .arg(found);
    if target == PLANTED.0 {
        command.args([SAME_DICE, PLANTED_SEARCH]);
    } else if seconds <= SECONDS {
        command.arg(SAME_DICE);
    }
    let seeds = seeds(project).join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    command.output().context("can not start the fuzzer")
}

/// The negative control: without coverage this takes longer than anybody waits.
fn find_the_planted_bug(project: &Project, fuzzer: &Path) -> Result<()> {
    let (target, seconds) = PLANTED;
    // What an earlier run has learned would make it too easy.
    let folder = project.target.join("fuzz").join(target);
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let out = fuzz(project, fuzzer, target, seconds)?;
    let said = String::from_utf8_lossy(&out.stderr);
    if out.status.success() || !said.contains("the planted bug was found") {
        bail!("the planted bug was not found in {seconds} s: the fuzzer is blind\n{said}");
    }
    say::progress("fuzz: the planted bug was found");
    Ok(())
}

fn all(project: &Project, fuzzer: &Path, wish: &Wish) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // BOUND: one turn for each target.
                while let Some(target) = wish.targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = fuzz(project, fuzzer, target, wish.seconds);
                    if let Err(error) = result.and_then(|out| told(target, &out)) {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push(format!("{error:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{}", failed.join("\n"))
}

/// Says what one target's run came to.
fn told(target: &str, out: &Output) -> Result<()> {
    let said = String::from_utf8_lossy(&out.stderr);
    let stat = |name: &str| {
        let line = said.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next().map(str::to_owned)
    };
    let count = stat("stat::number_of_executed_units:");
    if out.status.success() {
        let count = count.unwrap_or_else(|| "no".to_owned());
        let new = stat("stat::new_units_added:").unwrap_or_default();
        say::line(&format!("{target:12} {count:>9} inputs, {new} of them new"));
        return Ok(());
    }
    let artifact = said
        .lines()
        .find_map(|line| line.split_once("Test unit written to "))
        .map_or("nothing was kept", |(_, path)| path);
    let last: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("panicked") || line.contains("ERROR"))
        .collect();
    bail!(
        "{target}: {}\n  again with: cargo xtask fuzz {target} --input {artifact}",
        last.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(arguments: &[&str]) -> bool {
        is_covered(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn our_libraries_are_covered_and_nothing_that_runs_in_the_compiler() {
        assert!(covered(&[
            "--crate-name",
            "aim_core",
            "--crate-type",
            "lib"
        ]));
        assert!(!covered(&["--crate-name", "build_script_build"]));
        assert!(!covered(&[
            "--crate-name",
            "aim_macros",
            "--crate-type",
            "proc-macro"
        ]));
        assert!(!covered(&["-vV"]));
    }
}
