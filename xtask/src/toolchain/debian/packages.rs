//! Which packages, which versions, and how they come here.
//! INVARIANT: apt is only read from: its lists are the system's, or private ones in our own folder.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{self, capture, run};
use crate::say;

/// Options that point apt at lists and archives in a folder of ours. Empty for the system's.
pub(crate) type Options = Vec<String>;

/// Fetches all packages into `stage` and unpacks them into `root`; returns a name made of their versions.
pub(super) fn fetch_and_unpack(stage: &Path, root: &Path) -> Result<String> {
    let options = usable_lists(stage, "rustc-web")?;
    let linker = newest_linker(&options)?;
    let names = closure(&options, &linker)?;
    let versions = format!("{}-{linker}", version(&options, "rustc-web")?);
    say::progress(&format!("fetching {} packages ({versions})", names.len()));
    fetch(&options, &names, stage, root)?;
    Ok(versions)
}

/// Fetches these packages into `stage` and unpacks them into `root`, without root's rights and without their scripts.
pub(crate) fn fetch(options: &Options, names: &[String], stage: &Path, root: &Path) -> Result<()> {
    let archives = stage.join("archives");
    std::fs::create_dir(&archives)?;
    let mut download = Command::new("apt-get");
    download
        .current_dir(&archives)
        .args(options)
        .arg("download")
        .args(names);
    process::fetch(&mut download)?;
    for entry in std::fs::read_dir(&archives)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg").arg("-x").arg(&path).arg(root))?;
        }
    }
    std::fs::remove_dir_all(&archives)?;
    Ok(())
}

/// The system's lists when they know `package`, else lists of our own.
pub(crate) fn usable_lists(stage: &Path, package: &str) -> Result<Options> {
    if version(&Options::new(), package).is_ok() {
        return Ok(Options::new());
    }
    say::progress("apt has no package lists; fetching private ones");
    let lists = stage.join("lists");
    let cache = stage.join("apt-cache");
    std::fs::create_dir_all(lists.join("partial"))?;
    std::fs::create_dir_all(cache.join("archives/partial"))?;
    let options = vec![
        format!("-oDir::State::lists={}", lists.display()),
        format!("-oDir::Cache={}", cache.display()),
        "-oDebug::NoLocking=1".to_owned(),
        "-oAPT::Update::Post-Invoke=".to_owned(),
        "-oAPT::Update::Post-Invoke-Success=".to_owned(),
    ];
    let mut update = Command::new("apt-get");
    update.args(&options).arg("update");
    process::fetch(&mut update)?;
    version(&options, package)?;
    Ok(options)
}

/// The version that apt would fetch, without its Debian suffix.
pub(crate) fn version(options: &Options, package: &str) -> Result<String> {
    let text = capture(
        Command::new("apt-cache")
            .args(options)
            .args(["policy", package]),
    )?;
    let candidate = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .with_context(|| format!("apt offers no package `{package}`"))?;
    let plain = candidate.split(['+', '-', '~']).next().unwrap_or(candidate);
    Ok(plain.to_owned())
}

/// `lld-<the highest number>`.
fn newest_linker(options: &Options) -> Result<String> {
    let text = capture(
        Command::new("apt-cache")
            .args(options)
            .args(["pkgnames", "lld-"]),
    )?;
    let newest = text
        .lines()
        .filter_map(|name| name.strip_prefix("lld-")?.parse::<u32>().ok())
        .max();
    match newest {
        Some(number) => Ok(format!("lld-{number}")),
        None => bail!("apt offers no package `lld-<number>`"),
    }
}

/// What to fetch: the compiler, the library's source, the linker, a C library, and those of their own libraries that
/// belong to them. The rest of what they depend on is on any machine that has a C compiler.
fn closure(options: &Options, linker: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = ["rustc-web", "rust-web-src", "wasi-libc", linker]
        .map(str::to_owned)
        .into();
    let own = ["libstd-rust-web-", "libllvm"];
    names.extend(needed(options, &["rustc-web", linker], &own)?);
    names.sort();
    names.dedup();
    Ok(names)
}

/// Everything that `packages` depend on, over all steps, whose name begins with one of `own`; sorted.
pub(crate) fn needed(options: &Options, packages: &[&str], own: &[&str]) -> Result<Vec<String>> {
    let text = capture(
        Command::new("apt-cache")
            .args(options)
            .args([
                "depends",
                "--recurse",
                "--no-recommends",
                "--no-suggests",
                "--no-conflicts",
            ])
            .args(["--no-breaks", "--no-replaces", "--no-enhances"])
            .args(packages),
    )?;
    let is_own = |line: &&str| own.iter().any(|prefix| line.starts_with(prefix));
    let mut names: Vec<String> = text.lines().filter(is_own).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}
