//! componentize-py out of PyPI, in a folder of its own, and components of Python sources.
//! INVARIANT: nothing is installed but wheels with the hashes that `requirements.txt` names.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{Place, tools};
use crate::process::{capture, run};

/// The tool's entry point, called without installing a script anywhere.
const CALL: &str = "import sys, componentize_py; sys.exit(componentize_py.script())";

/// Makes a component of the world `step` from the folder `from`, whose module is `app`.
pub(super) fn build(place: &Place, from: &Path, wit: &Path, out: &Path) -> Result<()> {
    let python = tools::python()?;
    let requirements = place.sources.join("python/requirements.txt");
    let packages = tools::installed(place, &python, &requirements)?;
    let mut tool = Command::new(&python);
    tool.args(["-c", CALL, "--quiet", "--wit-path"])
        .arg(wit)
        .args(["--world", "step", "componentize", "--python-path"])
        .arg(from)
        .arg("--output")
        .arg(out)
        .arg("app")
        .env("PYTHONPATH", &packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("VIRTUAL_ENV")
        .current_dir(&place.work);
    run(&mut tool)
}

/// True when the program is a Python that can install wheels.
pub(super) fn works(program: &str) -> bool {
    let check = "import sys, pip; sys.exit(sys.version_info < (3, 9))";
    capture(Command::new(program).args(["-c", check])).is_ok()
}
