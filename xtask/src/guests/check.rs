//! `cargo xtask guests --check`: the same sources at another place must give the same bytes.
//! INVARIANT: the checkout that is checked is only read.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::{Digests, build};
use crate::project::Project;
use crate::say;
use crate::toolchain::Toolchain;

/// What guests are built from.
const SOURCES: &[&str] = &["Cargo.toml", "guests", "sdk", "wit", "contracts"];

/// Builds here and from a copy elsewhere, and compares.
pub(super) fn run(project: &Project) -> Result<()> {
    let toolchain = Toolchain::find()?;
    say::progress(&format!("guests: {}", toolchain.name));
    let here = build(project, &toolchain)?;
    let elsewhere = tempfile::Builder::new()
        .prefix("aim-guests-check-")
        .tempdir()?;
    let root = elsewhere.path().join("another checkout");
    for source in SOURCES {
        copy(&project.root.join(source), &root.join(source))?;
    }
    say::progress(&format!("guests: once more in {}", root.display()));
    let target = elsewhere.path().join("target");
    let there = build(&Project { root, target }, &toolchain)?;
    let different = differences(&here, &there);
    if !different.is_empty() {
        bail!("rebuilding gave other bytes: {}", different.join(", "));
    }
    say::line(&format!(
        "{} components are the same from both places",
        here.len()
    ));
    Ok(())
}

fn differences(here: &Digests, there: &Digests) -> Vec<String> {
    let names = here
        .keys()
        .chain(there.keys().filter(|name| !here.contains_key(*name)));
    names
        .filter(|name| here.get(*name) != there.get(*name))
        .cloned()
        .collect()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_file() {
        let folder = to.parent().context("a file needs a folder")?;
        std::fs::create_dir_all(folder)?;
        std::fs::copy(from, to)?;
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in
        std::fs::read_dir(from).with_context(|| format!("can not list {}", from.display()))?
    {
        let entry = entry?;
        if entry.file_name() != "target" {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
