//! A private toolchain out of Debian's packages: fetched, unpacked and completed in the cache folder, without root.
//!
//! Debian's `rustc-web` knows every wasm target but ships no standard library for them, only its source. The library is
//! built here once per target and laid where rustup would have put it, so that guests build as with any other toolchain.
//! The host's own cargo drives it.
//! INVARIANT: a toolchain folder is complete: it is made under another name and renamed when it works.

pub(crate) mod packages;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{TARGET_PURE, TARGET_STD, Toolchain};
use crate::process::{capture, run};
use crate::say;

/// Raised when a folder made by an older version of this file must not be used any more.
const LAYOUT: &str = "toolchain-1-";

/// The newest toolchain that is already in the cache.
pub(super) fn unpacked(cache: &Path) -> Result<Option<Toolchain>> {
    let Ok(entries) = std::fs::read_dir(cache) else {
        return Ok(None);
    };
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(LAYOUT))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders.pop().map(|folder| describe(&folder)).transpose()
}

/// Fetches, unpacks and completes one.
pub(super) fn unpack(cache: &Path) -> Result<Toolchain> {
    std::fs::create_dir_all(cache).with_context(|| format!("can not make {}", cache.display()))?;
    let stage = tempfile::Builder::new()
        .prefix("unpacking-")
        .tempdir_in(cache)?;
    let root = stage.path().join("toolchain");
    std::fs::create_dir(&root)?;
    let versions = packages::fetch_and_unpack(stage.path(), &root)?;
    say::progress("building the standard library for both targets, once");
    for target in [TARGET_PURE, TARGET_STD] {
        build_std(&root, target)?;
    }
    let place = cache.join(format!("{LAYOUT}{versions}"));
    match std::fs::rename(&root, &place) {
        Ok(()) => {}
        // Another build was faster; its folder is as good as this one.
        Err(_) if place.is_dir() => {}
        Err(error) => bail!(
            "can not rename the toolchain to {}: {error}",
            place.display()
        ),
    }
    describe(&place)
}

/// How to use the toolchain in `root`.
fn describe(root: &Path) -> Result<Toolchain> {
    let library = library_folder(root)?;
    let rustc = root.join("usr/bin/rustc");
    let linker = linker(root)?;
    let version = capture(
        Command::new(&rustc)
            .arg("-V")
            .env("LD_LIBRARY_PATH", &library),
    )?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let environment = vec![
        ("LD_LIBRARY_PATH".to_owned(), text(&library)),
        ("RUSTC".to_owned(), text(&rustc)),
        (
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER".to_owned(),
            text(&linker),
        ),
        (
            "CARGO_TARGET_WASM32_WASIP2_LINKER".to_owned(),
            text(&linker),
        ),
    ];
    let std_flags = vec![
        "-Clink-self-contained=no".to_owned(),
        format!("-Lnative={}", text(&root.join("usr/lib/wasm32-wasi"))),
    ];
    Ok(Toolchain {
        name: format!(
            "private toolchain from Debian's packages, {}",
            version.trim()
        ),
        folders: vec![root.to_path_buf()],
        environment,
        std_flags,
    })
}

/// Builds the standard library for `target` and puts it beside the host's.
///
/// The crate that makes cargo do it lies in the toolchain's own folder: cargo then names the library's packages relative
/// to that folder, and the result does not depend on where the cache is.
fn build_std(root: &Path, target: &str) -> Result<()> {
    let source = root.join("aim-std");
    std::fs::create_dir_all(source.join("src"))?;
    std::fs::write(
        root.join("Cargo.toml"),
        "[workspace]\nmembers = [\"aim-std\"]\nresolver = \"3\"\n",
    )?;
    std::fs::write(
        source.join("Cargo.toml"),
        "[package]\nname = \"aim-std\"\nversion = \"0.0.0\"\nedition = \"2024\"\n",
    )?;
    std::fs::write(source.join("src/lib.rs"), "")?;
    let built = root.join("aim-std-target");
    let toolchain = describe(root)?;
    let mut cargo = toolchain.cargo();
    cargo
        .current_dir(root)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", &built)
        .env("CARGO_ENCODED_RUSTFLAGS", std_build_flags(root))
        .args([
            "build",
            "--quiet",
            "--release",
            "-Zbuild-std=std,panic_abort",
            "--target",
            target,
        ]);
    run(&mut cargo)?;
    let from = built.join(target).join("release/deps");
    let to = root.join("usr/lib/rustlib").join(target).join("lib");
    std::fs::create_dir_all(&to)?;
    copy_libraries(&from, &to)?;
    std::fs::remove_dir_all(&built)?;
    Ok(())
}

fn std_build_flags(root: &Path) -> String {
    [
        format!("--remap-path-prefix={}=/toolchain", root.display()),
        "-Cembed-bitcode=yes".to_owned(),
        "-Cpanic=abort".to_owned(),
    ]
    .join("\u{1f}")
}

fn copy_libraries(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libaim_std") {
            std::fs::copy(&path, to.join(&name))?;
        }
    }
    Ok(())
}

/// The folder of the compiler's own libraries, whatever the machine is.
fn library_folder(root: &Path) -> Result<PathBuf> {
    find(&root.join("usr/lib"), |name| name.ends_with("-linux-gnu"))
}

fn linker(root: &Path) -> Result<PathBuf> {
    find(&root.join("usr/bin"), |name| name.starts_with("wasm-ld-"))
}

fn find(folder: &Path, is_it: impl Fn(&str) -> bool) -> Result<PathBuf> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("can not list {}", folder.display()))?
    {
        let entry = entry?;
        if is_it(&entry.file_name().to_string_lossy()) {
            return Ok(entry.path());
        }
    }
    bail!(
        "{} is not as expected; remove the toolchain folder and try again",
        folder.display()
    )
}
