//! Where things are: the project, the folder of built things, the cache that outlives a clone.
//! INVARIANT: nothing is written outside of the target folder and the cache folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The folders of one checkout.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// What this checkout has built; `CARGO_TARGET_DIR` moves it.
    pub(crate) target: PathBuf,
}

impl Project {
    /// The checkout that this command was started from.
    pub(crate) fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask is not inside of a checkout")?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(folder)?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }
}

/// The folder of what is fetched once for all checkouts: `AIM_CACHE_DIR`, else `$XDG_CACHE_HOME/aim`, else `~/.cache/aim`.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = from("AIM_CACHE_DIR")
        .or_else(|| from("XDG_CACHE_HOME").map(|base| base.join("aim")))
        .or_else(|| from("HOME").map(|home| home.join(".cache").join("aim")))
        .context("no cache folder: set AIM_CACHE_DIR")?;
    Ok(std::path::absolute(folder)?)
}

/// Writes a file so that a reader sees the old bytes or the new, never a part. Equal bytes are left alone.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let folder = path.parent().context("a file needs a folder")?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("can not make {}", folder.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}", std::process::id()));
    std::fs::write(&temporary, bytes)
        .with_context(|| format!("can not write {}", temporary.display()))?;
    std::fs::rename(&temporary, path)
        .with_context(|| format!("can not write {}", path.display()))?;
    Ok(())
}
