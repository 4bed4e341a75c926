//! Tools that are fetched once into the cache folder.
//! INVARIANT: a tool's folder is complete: it is made under another name and renamed when it is whole.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{Place, python};
use crate::{process::capture, say};

const REMEDY: &str = "\
no Python 3.9 or newer with pip is here, and the components in Python need one. On Debian or Ubuntu:
      sudo apt-get install --no-install-recommends python3 python3-pip
`AIM_PYTHON` names one that is not called `python3`.";

/// The Python that installs and runs the tools.
pub(super) fn python() -> Result<String> {
    let named = std::env::var("AIM_PYTHON").ok();
    let program = named.unwrap_or_else(|| "python3".to_owned());
    if python::works(&program) {
        return Ok(program);
    }
    bail!("{REMEDY}")
}

/// The folder with what a requirements file pins, installed on first use.
pub(super) fn installed(place: &Place, python: &str, requirements: &Path) -> Result<PathBuf> {
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
        let mut pip = Command::new(python);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--require-hashes", "--no-deps", "--only-binary", ":all:"])
        .arg("--requirement")
        .arg(requirements)
        .arg("--target")
        .arg(stage);
        capture(&mut pip).map(|_| ())
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
