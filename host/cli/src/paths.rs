//! Where things are by default. Nothing here creates anything.

use std::path::{Path, PathBuf};

use crate::{args::Cli, error::CliError};

/// The data directory's name beside a plan.
pub(crate) const DATA_DIR: &str = ".aim";

/// The key folder: the flag, else `$XDG_CONFIG_HOME/aim/keys`, else `~/.config/aim/keys`.
pub(crate) fn keys_dir(cli: &Cli) -> Result<PathBuf, CliError> {
    let chosen = cli
        .keys_dir
        .clone()
        .or_else(|| user_dir("XDG_CONFIG_HOME", ".config", "aim/keys"));
    absolute(chosen, "AIM-C040", "the key folder", "--keys-dir")
}

/// The cache folder: the flag, else `$XDG_CACHE_HOME/aim`, else `~/.cache/aim`.
pub(crate) fn cache_dir(cli: &Cli) -> Result<PathBuf, CliError> {
    let chosen = cli
        .cache_dir
        .clone()
        .or_else(|| user_dir("XDG_CACHE_HOME", ".cache", "aim"));
    absolute(chosen, "AIM-C040", "the cache folder", "--cache-dir")
}

/// The folder that a plan is in.
pub(crate) fn beside(plan: &Path) -> PathBuf {
    match plan.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn user_dir(variable: &str, below_home: &str, name: &str) -> Option<PathBuf> {
    // Keys shall not land where somebody happens to stand: a relative path counts as none, as the XDG specification has it.
    let set = |variable: &str| {
        let path = PathBuf::from(std::env::var_os(variable)?);
        path.is_absolute().then_some(path)
    };
    let base = set(variable).or_else(|| set("HOME").map(|home| home.join(below_home)))?;
    Some(base.join(name))
}

fn absolute(
    chosen: Option<PathBuf>,
    code: &str,
    what: &str,
    flag: &str,
) -> Result<PathBuf, CliError> {
    let help = format!("name it with `{flag} DIR`");
    let chosen = chosen.ok_or_else(|| {
        CliError::usage(
            code,
            format!("{what} has no default here: HOME is not set to an absolute path"),
            help.clone(),
        )
    })?;
    std::path::absolute(&chosen).map_err(|error| {
        CliError::usage(
            code,
            format!("{what} `{}`: {error}", chosen.display()),
            help,
        )
    })
}
