//! componentize-py out of PyPI, in a folder of its own, and components of Python sources.
//! INVARIANT: nothing is installed but wheels with the hashes that `requirements.txt` names.

use std::path::Path;

use anyhow::Result;

use super::{Place, interpreter::Python, tools};
use crate::process::run;

/// The tool's entry point, called without installing a script anywhere.
const CALL: &str = "import sys, componentize_py; sys.exit(componentize_py.script())";

/// Makes a component of the world `step` from the folder `from`, whose module is `app`.
pub(super) fn build(place: &Place, from: &Path, wit: &Path, out: &Path) -> Result<()> {
    let python = Python::find(&place.cache)?;
    let requirements = place.sources.join("python/requirements.txt");
    let packages = tools::installed(place, &python, &requirements)?;
    let mut tool = python.command(Some(&packages));
    tool.args(["-c", CALL, "--quiet", "--wit-path"])
        .arg(wit)
        .args(["--world", "step", "componentize", "--python-path"])
        .arg(from)
        .arg("--output")
        .arg(out)
        .arg("app")
        .current_dir(&place.work);
    run(&mut tool)
}
