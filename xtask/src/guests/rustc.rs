//! The compiler as cargo calls it for guests: rustc, with one argument made the same everywhere.
//!
//! Cargo names a package by its place relative to the workspace, but one outside of the workspace, as the SDK is for
//! guests, by its absolute place. That goes into the identity of the crate and of all that depend on it, from there into
//! symbol names, and their order decides the order of functions. So this program, standing between cargo and rustc,
//! identifies the crates of this checkout by their names, which are unique in it.
//! INVARIANT: crates from elsewhere and all other arguments pass unchanged.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

/// Set for cargo when this program is to be its compiler: the checkout whose crates are identified by name.
pub(crate) const MARK: &str = "AIM_GUEST_RUSTC";

/// True when cargo calls this program as its compiler.
pub(crate) fn is_called() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Becomes rustc. Returns only when that can not be done.
pub(crate) fn become_rustc() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next().context("cargo names no compiler")?;
    let name = local_package();
    let arguments = arguments.map(|argument| match &name {
        Some(name) => identified(argument, name),
        None => argument,
    });
    Err(Command::new(&rustc).args(arguments).exec()).context("can not start rustc")
}

/// The package being compiled, when it is one of this checkout.
fn local_package() -> Option<String> {
    let root = std::env::var_os(MARK)?;
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let is_local = Path::new(&manifest).starts_with(&root);
    std::env::var("CARGO_PKG_NAME").ok().filter(|_| is_local)
}

fn identified(argument: OsString, name: &str) -> OsString {
    match argument.to_str() {
        Some(text) if text.starts_with("metadata=") => format!("metadata={name}").into(),
        _ => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_metadata_argument_changes() {
        assert_eq!(
            identified("metadata=0123".into(), "aim-sdk"),
            "metadata=aim-sdk"
        );
        for other in [
            "-C",
            "extra-filename=-0123",
            "--crate-name",
            "/x/metadata=1",
        ] {
            assert_eq!(identified(other.into(), "aim-sdk"), other);
        }
    }
}
