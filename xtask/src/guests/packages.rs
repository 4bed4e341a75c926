//! What there is to build: the packages of the guests' workspace and the target that each asks for.
//! INVARIANT: a package that asks for an unknown target stops the build.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process::capture;
use crate::project::Project;
use crate::toolchain::{TARGET_PURE, TARGET_STD, Toolchain};

/// A guest crate.
#[derive(Debug, Clone)]
pub(super) struct Package {
    /// Its name, and its component's.
    pub(super) name: String,
    /// What it is compiled for.
    pub(super) target: &'static str,
    /// The file that cargo makes of it.
    pub(super) artifact: String,
}

/// All packages of the workspace that make a component, that is: have a library of type `cdylib`.
pub(super) fn list(project: &Project, toolchain: &Toolchain) -> Result<Vec<Package>> {
    let mut cargo = toolchain.cargo();
    cargo.current_dir(project.root.join("guests")).args([
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
    ]);
    let metadata: Value = serde_json::from_str(&capture(&mut cargo)?)?;
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("cargo lists no packages")?;
    let mut list = Vec::new();
    for package in packages {
        if makes_component(package) {
            list.push(read(package)?);
        }
    }
    list.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(list)
}

fn makes_component(package: &Value) -> bool {
    let targets = package.get("targets").and_then(Value::as_array);
    targets.into_iter().flatten().any(|target| {
        let kinds = target.get("kind").and_then(Value::as_array);
        kinds.into_iter().flatten().any(|kind| kind == "cdylib")
    })
}

fn read(package: &Value) -> Result<Package> {
    let name = package
        .get("name")
        .and_then(Value::as_str)
        .context("a package has no name")?;
    let target = match package
        .pointer("/metadata/aim/target")
        .and_then(Value::as_str)
    {
        None | Some("pure") => TARGET_PURE,
        Some("std") => TARGET_STD,
        Some(other) => {
            bail!("guest `{name}` asks for target `{other}`; there are `pure` and `std`")
        }
    };
    let artifact = format!("{}.wasm", name.replace('-', "_"));
    Ok(Package {
        name: name.to_owned(),
        target,
        artifact,
    })
}
