//! `cargo xtask guests`: every component from its source, in one folder, with a list of digests.
//! INVARIANT: unchanged sources give the same digests, wherever the checkout is.

mod check;
mod packages;
pub(crate) mod rustc;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::component;
use crate::process::run as run_command;
use crate::project::{Project, write_whole};
use crate::say;
use crate::toolchain::{TARGET_PURE, TARGET_STD, Toolchain};
use packages::Package;

/// Digests by file name.
pub(crate) type Digests = BTreeMap<String, String>;

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let project = Project::find()?;
    match arguments {
        [] => {
            let toolchain = Toolchain::find()?;
            say::progress(&format!("guests: {}", toolchain.name));
            let digests = build(&project, &toolchain)?;
            say::line(&listed(&digests));
            Ok(())
        }
        [flag] if flag == "--check" => check::run(&project),
        _ => bail!("usage: cargo xtask guests [--check]"),
    }
}

/// Builds all guests of `project`; returns the digests that it also wrote beside the components.
pub(crate) fn build(project: &Project, toolchain: &Toolchain) -> Result<Digests> {
    let packages = packages::list(project, toolchain)?;
    let mut components = BTreeMap::new();
    for target in [TARGET_PURE, TARGET_STD] {
        let chosen: Vec<&Package> = packages
            .iter()
            .filter(|package| package.target == target)
            .collect();
        compile(project, toolchain, target, &chosen)?;
        for package in chosen {
            let core = built_folder(project, target).join(&package.artifact);
            let bytes =
                std::fs::read(&core).with_context(|| format!("can not read {}", core.display()))?;
            let component = component::encode(&bytes)
                .with_context(|| format!("guest `{}` does not make a component", package.name))?;
            components.insert(format!("{}.wasm", package.name), component);
        }
    }
    for text in texts(&project.root.join("guests/wat"))? {
        let component = component::encode_text(&text, &project.root.join("wit"))
            .with_context(|| format!("{} does not make a component", text.display()))?;
        let name = text
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if components
            .insert(format!("{name}.wasm"), component)
            .is_some()
        {
            bail!("two guests are called `{name}`; rename one");
        }
    }
    deliver(&project.target.join("guests"), &components, toolchain)
}

fn listed(digests: &Digests) -> String {
    let lines: Vec<String> = digests
        .iter()
        .map(|(name, digest)| format!("{digest}  {name}"))
        .collect();
    lines.join("\n")
}

/// Where cargo puts what it builds for `target`.
fn built_folder(project: &Project, target: &str) -> PathBuf {
    target_folder(project).join(target).join("release")
}

fn target_folder(project: &Project) -> PathBuf {
    project.target.join("guests-work")
}

fn compile(
    project: &Project,
    toolchain: &Toolchain,
    target: &str,
    packages: &[&Package],
) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let mut cargo = toolchain.cargo();
    cargo
        .current_dir(project.root.join("guests"))
        .env("CARGO_TARGET_DIR", target_folder(project))
        .env("RUSTC_WRAPPER", std::env::current_exe()?)
        .env(rustc::MARK, &project.root)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            flags(project, toolchain, target)?.join("\u{1f}"),
        )
        .args(["build", "--quiet", "--release", "--target", target]);
    for package in packages {
        cargo.args(["-p", &package.name]);
    }
    run_command(&mut cargo)
}

/// Compiler flags: no path of this machine may end up in a component.
fn flags(project: &Project, toolchain: &Toolchain, target: &str) -> Result<Vec<String>> {
    let mut flags = vec![
        remap(&project.root, "/aim"),
        remap(&cargo_home()?, "/cargo"),
    ];
    flags.extend(
        toolchain
            .folders
            .iter()
            .map(|folder| remap(folder, "/toolchain")),
    );
    flags.extend(toolchain.flags(target).iter().cloned());
    Ok(flags)
}

fn remap(folder: &Path, name: &str) -> String {
    format!("--remap-path-prefix={}={name}", folder.display())
}

fn cargo_home() -> Result<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .context("no home folder: set CARGO_HOME")
}

/// The hand-written guests, sorted by name.
fn texts(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut texts = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            texts.push(path);
        }
    }
    texts.sort();
    Ok(texts)
}

/// Writes the components, the digest list and the toolchain's name, and removes components without a source.
fn deliver(
    folder: &Path,
    components: &BTreeMap<String, Vec<u8>>,
    toolchain: &Toolchain,
) -> Result<Digests> {
    let mut digests = Digests::new();
    for (name, bytes) in components {
        write_whole(&folder.join(name), bytes)?;
        digests.insert(name.clone(), component::digest(bytes));
    }
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("can not list {}", folder.display()))?
    {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".wasm") && !components.contains_key(&name) {
            std::fs::remove_file(&path)?;
        }
    }
    write_whole(
        &folder.join("toolchain.txt"),
        format!("{}\n", toolchain.name).as_bytes(),
    )?;
    write_whole(
        &folder.join("digests.txt"),
        format!("{}\n", listed(&digests)).as_bytes(),
    )?;
    Ok(digests)
}
