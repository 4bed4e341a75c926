//! `cargo xtask demo`: builds guests and host from source, runs the incident triage on real logs, verifies the
//! evidence and replays the run from it.
//! INVARIANT: what is printed as a success was checked: every command's exit code is compared with the expected one.

mod refused;
mod what_if;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{guests, process, project::Project, say};

/// The folder of the example, from the project's root.
const EXAMPLE: &str = "examples/incident-triage";

/// Everything that the demo's commands share.
struct Demo {
    root: PathBuf,
    folder: PathBuf,
    aimctl: PathBuf,
}

/// Where one demo run keeps its keys and data.
struct Place<'a> {
    keys: &'a str,
    data: &'a str,
}

/// What a command came to.
struct Ended {
    code: i32,
    stdout: String,
    /// What it said to people, where that was kept to be shown behind the data.
    talk: String,
}

/// Runs the demo or one of its variations.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let variation: fn(&Demo) -> Result<()> = match words.as_slice() {
        [] => triage,
        ["--refused"] => refused::run,
        ["--what-if"] => what_if::run,
        _ => bail!("`demo` takes nothing, `--refused` or `--what-if`"),
    };
    let project = Project::find()?;
    guests::run(&[])?;
    say::progress("aimctl      building");
    process::run(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet", "--package", "aim-cli"])
            .current_dir(&project.root),
    )?;
    let demo = Demo {
        aimctl: project.target.join("debug").join("aimctl"),
        folder: project.target.join("demo"),
        root: project.root,
    };
    std::fs::create_dir_all(&demo.folder)?;
    variation(&demo)
}

/// The main job: one incident, from logs to a verified report.
fn triage(demo: &Demo) -> Result<()> {
    let place = Place {
        keys: "keys",
        data: "triage",
    };
    demo.forget(&place)?;
    let logs = demo.example("logs/upstream-down");
    say::line(&format!(
        "run         {EXAMPLE}/plan.acl · {}",
        count_lines(&logs)?
    ));
    let ended = demo.run_plan(&place, "plan.acl", &logs)?;
    ended.expect(0, "the run")?;
    let report = ended
        .output("report-1.md")
        .context("the run wrote no report")?;
    say::line("");
    for line in std::fs::read_to_string(&report)?.lines().take(24) {
        say::line(&format!("    {line}"));
    }
    say::line("");
    say::line(&format!("report      {}", report.display()));
    say::line("            no model was used");
    demo.verify(&place)?.expect(0, "the verification")?;
    say::line("replay      every attempt again from its record, held against its witness");
    demo.replay(&place)?.expect(0, "the replay")?;
    say::line("next        cargo xtask demo --what-if · cargo xtask demo --refused");
    let shown = demo.data(&place);
    say::line(&format!(
        "            {} logs --data-dir {}",
        demo.aimctl.display(),
        shown.display()
    ));
    Ok(())
}

fn count_lines(folder: &Path) -> Result<String> {
    let mut files = 0_usize;
    let mut lines = 0_usize;
    for entry in std::fs::read_dir(folder)? {
        let bytes = std::fs::read(entry?.path())?;
        files += 1;
        lines += bytes.split(|byte| *byte == b'\n').count().saturating_sub(1);
    }
    Ok(format!("{files} input files, {lines} lines"))
}

impl Demo {
    fn example(&self, path: &str) -> PathBuf {
        self.root.join(EXAMPLE).join(path)
    }

    fn data(&self, place: &Place<'_>) -> PathBuf {
        self.folder.join(place.data)
    }

    fn forget(&self, place: &Place<'_>) -> Result<()> {
        let data = self.data(place);
        if data.exists() {
            std::fs::remove_dir_all(&data).context("can not remove the last demo's data")?;
        }
        Ok(())
    }

    /// Runs `aimctl` with what people would read going where ours goes, and its data captured.
    fn aimctl(&self, keys: &str, arguments: &[&str]) -> Result<Ended> {
        self.call(keys, arguments, Stdio::inherit())
    }

    /// Runs `aimctl` with both streams captured: the data is shown first, and then what sums it up.
    fn both(&self, keys: &str, arguments: &[&str]) -> Result<Ended> {
        self.call(keys, arguments, Stdio::piped())
    }

    /// Runs `aimctl` where only the exit code and the data matter.
    fn quietly(&self, keys: &str, arguments: &[&str]) -> Result<Ended> {
        self.call(keys, arguments, Stdio::null())
    }

    fn call(&self, keys: &str, arguments: &[&str], talk: Stdio) -> Result<Ended> {
        let output = Command::new(&self.aimctl)
            .args(arguments)
            .arg("--keys-dir")
            .arg(self.folder.join(keys))
            .arg("--cache-dir")
            .arg(self.folder.join("cache"))
            .stdin(Stdio::null())
            .stderr(talk)
            .output()
            .with_context(|| format!("can not start {}", self.aimctl.display()))?;
        Ok(Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            talk: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn run_plan(&self, place: &Place<'_>, plan: &str, logs: &Path) -> Result<Ended> {
        let (plan, data) = (self.example(plan), self.data(place));
        let input = format!("logs=@{}", logs.display());
        let plan = plan.to_string_lossy();
        let data = data.to_string_lossy();
        self.aimctl(
            place.keys,
            &["run", &plan, "-i", &input, "--data-dir", &data],
        )
    }

    /// Replays the last run with the deployment that it had; prints what became of each attempt.
    fn replay(&self, place: &Place<'_>) -> Result<Ended> {
        let (data, deployment) = (self.data(place), self.example("aim.toml"));
        let (data, deployment) = (data.to_string_lossy(), deployment.to_string_lossy());
        let from = ["--data-dir", &data, "--config", &deployment];
        let ended = self.both(place.keys, &[["replay", "last"].as_slice(), &from].concat())?;
        ended.show();
        Ok(ended)
    }

    /// The public keys of a key folder, in a file outside of any evidence.
    fn public_keys(&self, keys: &str) -> Result<PathBuf> {
        let shown = self.quietly(keys, &["keys", "show"])?;
        shown.expect(0, "`aimctl keys show`")?;
        let file = self.folder.join(format!("{keys}.pub"));
        std::fs::write(&file, shown.stdout)?;
        Ok(file)
    }

    fn verify(&self, place: &Place<'_>) -> Result<Ended> {
        self.verify_with(place.keys, &self.data(place))
    }

    /// Verifies evidence with the public keys of `keys`; prints what the verifier says.
    fn verify_with(&self, keys: &str, evidence: &Path) -> Result<Ended> {
        let key = self.public_keys(keys)?;
        let (evidence, key) = (evidence.to_string_lossy(), key.to_string_lossy());
        let ended = self.aimctl(keys, &["verify", &evidence, "--key", &key])?;
        ended.show();
        Ok(ended)
    }
}

impl Ended {
    /// Prints the command's data, set in, and then its talk.
    fn show(&self) {
        for line in self.stdout.lines().chain(self.talk.lines()) {
            say::line(&format!("    {line}"));
        }
    }

    fn expect(&self, code: i32, what: &str) -> Result<()> {
        ensure!(
            self.code == code,
            "{what} ended with exit code {}, not {code}",
            self.code
        );
        Ok(())
    }

    /// The output file of that name.
    fn output(&self, name: &str) -> Option<PathBuf> {
        self.stdout
            .lines()
            .map(PathBuf::from)
            .find(|path| path.ends_with(name))
    }
}
