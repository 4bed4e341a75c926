//! The files of the tree: what git knows or would take, so that build output never counts.
//!
//! INVARIANT: paths are relative to the root and written with `/` everywhere.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_path_buf()
}

/// Reads one file of the tree as text.
pub(crate) fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|e| format!("{path} can't be read: {e}"))
}

/// All files that are tracked, or would be after `git add`; without git, all files outside build folders.
pub(crate) fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard", "-z"])
        .current_dir(root())
        .output();
    let mut files = match listed {
        Ok(out) if out.status.success() => from_git(&out.stdout),
        _ => walk(),
    };
    files.retain(|f| root().join(f).is_file());
    files.sort();
    files.dedup();
    files
}

/// The Rust sources among [`files`].
pub(crate) fn rust_files() -> Vec<String> {
    files().into_iter().filter(|f| f.ends_with(".rs")).collect()
}

/// The files that hold text, with their text. A file with a zero byte or without UTF-8 is not text.
pub(crate) fn text_files() -> Vec<(String, String)> {
    files()
        .into_iter()
        .filter_map(|f| {
            fs::read_to_string(root().join(&f))
                .ok()
                .map(|text| (f, text))
        })
        .filter(|(_, text)| !text.contains('\0'))
        .collect()
}

fn from_git(listing: &[u8]) -> Vec<String> {
    listing
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

fn walk() -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    // BOUND: every folder of the tree is visited once; links are not followed.
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !name.starts_with("target") && name != ".git" && name != ".aim" {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(relative(&entry.path()));
            }
        }
    }
    found
}

fn relative(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap();
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// True for sample sources that rules about house style don't apply to.
pub(crate) fn is_fixture(path: &str) -> bool {
    path.split('/').any(|part| part == "fixtures")
}

#[test]
fn lists_this_file_and_no_build_output() {
    let files = files();
    assert!(files.iter().any(|f| f == "tests/tidy/src/tree.rs"));
    assert!(!files.iter().any(|f| f.starts_with("target")));
}

#[test]
fn the_walk_without_git_sees_the_same_sources() {
    let walked = walk();
    for file in rust_files() {
        assert!(walked.contains(&file), "{file} was not seen by the walk");
    }
}
