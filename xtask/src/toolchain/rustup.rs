//! The ordinary way: rustup's own targets.
//! INVARIANT: both targets are there or this toolchain is not used.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{TARGET_PURE, TARGET_STD, Toolchain};
use crate::process::{capture, succeeds_within};

/// How long the download may take before the next way is tried.
const ADD_LIMIT: Duration = Duration::from_secs(90);

/// The toolchain that runs us, when it has both targets already.
pub(super) fn installed() -> Option<Toolchain> {
    let sysroot = PathBuf::from(
        capture(Command::new("rustc").args(["--print", "sysroot"]))
            .ok()?
            .trim(),
    );
    if ![TARGET_PURE, TARGET_STD]
        .iter()
        .all(|target| has_std(&sysroot, target))
    {
        return None;
    }
    let version = capture(Command::new("rustc").arg("-V")).ok()?;
    Some(Toolchain {
        name: format!("rustup's targets, {}", version.trim()),
        folders: vec![sysroot],
        environment: Vec::new(),
        std_flags: Vec::new(),
    })
}

/// Asks rustup for both targets; it fails within seconds where its server is out of reach.
pub(super) fn add_targets() -> Option<Toolchain> {
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET_PURE, TARGET_STD]);
    if succeeds_within(&mut add, ADD_LIMIT) {
        installed()
    } else {
        None
    }
}

fn has_std(sysroot: &Path, target: &str) -> bool {
    let library = sysroot.join("lib/rustlib").join(target).join("lib");
    std::fs::read_dir(library).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    })
}
