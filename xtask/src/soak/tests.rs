//! The tests of one package in their long form, each in a process of its own, two at a time.
//!
//! A process of its own means that memory, threads and files are the test's alone, that one test that dies takes no other with it,
//! and that the file with its place says which case did it.
//! INVARIANT: a test that did not pass is named with its output and with the command that runs its last case again.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result, bail};

use super::watch::{self, Place, Report};
use crate::{process, project::Project, say};

/// Tests that run at the same time.
const AT_ONCE: usize = 2;
/// What took less than this many seconds is only counted.
const WORTH_A_LINE_SECONDS: f64 = 20.0;

/// A stage that is the tests of a package.
pub(super) struct Run<'a> {
    pub(super) stage: &'a str,
    pub(super) package: &'a str,
    pub(super) part: (u64, u64),
    pub(super) property_cases: u64,
    pub(super) test: &'a str,
}

/// A program with tests, and the folder of its package.
struct Program {
    path: PathBuf,
    folder: PathBuf,
}

/// One test of a program.
struct Test<'a> {
    program: &'a Program,
    name: String,
}

impl Run<'_> {
    /// Builds and runs them, and fails with all that failed.
    pub(super) fn all(&self, project: &Project) -> Result<()> {
        let programs = self.build(project)?;
        let mut tests = Vec::new();
        for program in &programs {
            tests.extend(self.listed(program)?);
        }
        if tests.is_empty() {
            bail!(
                "no test of {} has `{}` in its name",
                self.package,
                self.test
            );
        }
        let folder = project.target.join("soak").join(self.stage);
        std::fs::create_dir_all(&folder)?;
        let next = AtomicUsize::new(0);
        let failed: Mutex<Vec<String>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    // BOUND: one turn for each test.
                    while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(error) = self.one(test, &folder) {
                            say::line(&format!("{error:#}"));
                            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                            failed.push(format!("{error:#}"));
                        }
                    }
                });
            }
        });
        say::line(&format!("soak: {} tests of {}", tests.len(), self.package));
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if failed.is_empty() {
            return Ok(());
        }
        bail!("{} failed\n{}", failed.len(), failed.join("\n"))
    }

    /// Builds the optimised tests and says where they are.
    fn build(&self, project: &Project) -> Result<Vec<Program>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut child = Command::new(cargo)
            .args(["test", "--release", "--no-run", "--quiet"])
            .args(["--package", self.package])
            .args(["--message-format", "json-render-diagnostics"])
            .current_dir(&project.root)
            .stdout(Stdio::piped())
            .spawn()
            .context("can not start cargo")?;
        let mut programs = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                programs.extend(program(&line?));
            }
        }
        if !child.wait()?.success() {
            bail!("the tests of {} do not build", self.package);
        }
        Ok(programs)
    }

    fn listed<'a>(&self, program: &'a Program) -> Result<Vec<Test<'a>>> {
        let mut list = Command::new(&program.path);
        let text = process::capture(list.args(["--list", "--format", "terse"]))?;
        let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
        let asked = names.filter(|name| name.contains(self.test));
        Ok(asked
            .map(|name| Test {
                program,
                name: name.to_owned(),
            })
            .collect())
    }

    fn one(&self, test: &Test<'_>, folder: &Path) -> Result<()> {
        let file = |kind: &str| folder.join(format!("{}.{kind}", test.name.replace("::", ".")));
        let (log, place) = (file("log"), file("place"));
        let out = File::create(&log).with_context(|| log.display().to_string())?;
        let (k, n) = self.part;
        let mut command = Command::new(&test.program.path);
        command
            .args(["--exact", "--nocapture", test.name.as_str()])
            .env("AIM_SOAK", format!("{k}/{n}"))
            .env("AIM_SOAK_PLACE", &place)
            .env("PROPTEST_CASES", self.property_cases.to_string())
            .env("CARGO_MANIFEST_DIR", &test.program.folder)
            .current_dir(&test.program.folder)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let report = watch::run(&mut command, &test.name, &place)?;
        if report.seconds > WORTH_A_LINE_SECONDS {
            say::line(&format!("{}: {report}", test.name));
        }
        self.judged(&test.name, &report, &log)
    }

    fn judged(&self, name: &str, report: &Report, log: &Path) -> Result<()> {
        let Some(fault) = report.fault() else {
            return Ok(());
        };
        let mut again = format!("cargo xtask soak {} --test {name}", self.stage);
        let part = report.place.as_ref().and_then(Place::part);
        let (k, n) = self.part;
        again.push_str(&format!(" --part {}", part.unwrap_or(format!("{k}/{n}"))));
        bail!(
            "{name}: {fault}; {report}\n  it said {}\n  again with: {again}",
            log.display()
        )
    }
}

/// A program with tests, when the line tells of one.
fn program(line: &str) -> Option<Program> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let is_test = message.pointer("/profile/test")?.as_bool()?;
    let manifest = Path::new(message.get("manifest_path")?.as_str()?);
    let path = message.get("executable")?.as_str()?;
    let folder = manifest.parent()?.to_path_buf();
    is_test.then(|| Program {
        path: path.into(),
        folder,
    })
}

#[cfg(test)]
mod test {
    use super::program;

    #[test]
    fn only_programs_with_tests_are_run() {
        let line = |is_test: bool| {
            format!(
                r#"{{"executable":"/t/a-1","manifest_path":"/p/a/Cargo.toml","profile":{{"test":{is_test}}}}}"#
            )
        };
        let found = program(&line(true)).unwrap();
        assert_eq!(
            (found.path.to_str(), found.folder.to_str()),
            (Some("/t/a-1"), Some("/p/a"))
        );
        assert!(program(&line(false)).is_none());
        assert!(program(r#"{"reason":"build-finished"}"#).is_none());
        assert!(program("no message").is_none());
    }
}
