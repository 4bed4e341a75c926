//! Which compiler builds the guests: the first of rustup's targets and a private toolchain that works.
//! INVARIANT: the system is left as it was; all that this fetches lies in rustup's own folder or in the cache folder.

pub(crate) mod debian;
mod rustup;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::project::cache_folder;

/// The target of guests without standard library I/O.
pub(crate) const TARGET_PURE: &str = "wasm32-unknown-unknown";
/// The target of guests with it.
pub(crate) const TARGET_STD: &str = "wasm32-wasip2";

/// A toolchain that can build for both targets.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    /// For people and for `toolchain.txt`.
    pub(crate) name: String,
    /// Folders whose place must not show in the components.
    pub(crate) folders: Vec<PathBuf>,
    /// What cargo needs to find in its environment.
    environment: Vec<(String, String)>,
    /// What the standard-library target needs beside that.
    std_flags: Vec<String>,
}

impl Toolchain {
    /// The first that works, or what to type when none does. `AIM_TOOLCHAIN` set to `rustup` or `debian` picks one.
    pub(crate) fn find() -> Result<Self> {
        let cache = cache_folder()?;
        let wanted = std::env::var("AIM_TOOLCHAIN").unwrap_or_default();
        match wanted.as_str() {
            "" => Self::find_first(&cache),
            "rustup" => rustup::installed()
                .or_else(rustup::add_targets)
                .with_context(|| format!("rustup has no targets for guests\n\n{REMEDY}")),
            "debian" => match debian::unpacked(&cache)? {
                Some(found) => Ok(found),
                None => debian::unpack(&cache),
            },
            other => bail!("AIM_TOOLCHAIN is `{other}`; there are `rustup` and `debian`"),
        }
    }

    fn find_first(cache: &Path) -> Result<Self> {
        if let Some(found) = rustup::installed() {
            return Ok(found);
        }
        if let Some(found) = debian::unpacked(cache)? {
            return Ok(found);
        }
        if let Some(found) = rustup::add_targets() {
            return Ok(found);
        }
        match debian::unpack(cache) {
            Ok(found) => Ok(found),
            Err(error) => bail!("no toolchain for guests: {error:#}\n\n{REMEDY}"),
        }
    }

    /// The cargo that runs us, set up for guests and nothing else.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let is_ours = name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_PROFILE_");
            if is_ours || CLEARED.contains(&name.as_ref()) {
                cargo.env_remove(name.as_ref());
            }
        }
        cargo.envs(self.environment.iter().map(|(name, value)| (name, value)));
        cargo
    }

    /// The compiler flags that this toolchain needs for `target`.
    pub(crate) fn flags(&self, target: &str) -> &[String] {
        if target == TARGET_STD {
            &self.std_flags
        } else {
            &[]
        }
    }
}

/// Settings of the caller that would change the bytes of a component.
const CLEARED: &[&str] = &[
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_TARGET_DIR",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

const REMEDY: &str = "\
One of these makes guests buildable:
  with rustup and its download server in reach:
      rustup target add wasm32-unknown-unknown wasm32-wasip2
  on Debian or Ubuntu, without root (this is what was tried; it needs a mirror in reach):
      apt-get download rustc-web libstd-rust-web-dev rust-web-src lld-22 wasi-libc
  on Debian or Ubuntu, when the package lists are too old:
      sudo apt-get update
then run `cargo xtask guests` again.";
