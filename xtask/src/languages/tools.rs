//! Tools that are fetched once into the cache folder.
//! INVARIANT: a tool's folder is complete: it is made under another name and renamed when it is whole.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Place, interpreter::Python};
use crate::{process::fetch, say};

/// The folder with what a requirements file pins, installed on first use.
pub(super) fn installed(place: &Place, python: &Python, requirements: &Path) -> Result<PathBuf> {
    let text = std::fs::read(requirements)
        .with_context(|| format!("can not read {}", requirements.display()))?;
    let key = blake3::hash(&text).to_hex();
    let folder = place.cache.join(format!("wheels-{key}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let name = String::from_utf8_lossy(&text);
    let pinned = name
        .lines()
        .find(|line| line.contains("=="))
        .unwrap_or_default();
    say::progress(&format!(
        "languages: installing {}",
        pinned.trim_end_matches(['\\', ' '])
    ));
    whole(&place.cache, &folder, |stage| {
        let mut pip = python.pip();
        pip.args(["install", "--quiet", "--disable-pip-version-check"])
            .args(["--require-hashes", "--no-deps", "--only-binary", ":all:"])
            .arg("--requirement")
            .arg(requirements)
            .arg("--target")
            .arg(stage);
        fetch(&mut pip).map(|_| ())
    })?;
    Ok(folder)
}

/// Makes `folder` in one piece.
pub(super) fn whole(
    cache: &Path,
    folder: &Path,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    std::fs::create_dir_all(cache).with_context(|| format!("can not make {}", cache.display()))?;
    let stage = tempfile::Builder::new()
        .prefix("unpacking-")
        .tempdir_in(cache)?;
    let inner = stage.path().join("whole");
    std::fs::create_dir(&inner)?;
    make(&inner)?;
    match std::fs::rename(&inner, folder) {
        Ok(()) => Ok(()),
        // Another build was faster; its folder is as good as this one.
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => bail!("can not rename to {}: {error}", folder.display()),
    }
}
