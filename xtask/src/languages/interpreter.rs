//! The Python that installs and runs the toolchains: the machine's own, else one from Debian's packages in the cache folder.
//! INVARIANT: the system is left as it was; a private Python is fetched without root and is complete before it has its name.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::tools;
use crate::{process::capture, say, toolchain::debian::packages};

/// What the folder of a private Python is called; its last part changes with how it is made.
const PRIVATE: &str = "python-1";

/// Libraries that an interpreter needs and a small machine may lack; the C library is everywhere.
const OWN: [&str; 9] = [
    "python3.",
    "libpython3.",
    "libbz2-",
    "libexpat1",
    "libffi",
    "liblzma",
    "libsqlite3-",
    "libssl3",
    "zlib1g",
];

const REMEDY: &str = "\
no Python 3.9 or newer with pip is here, and the components in Python need one. On Debian or Ubuntu:
      sudo apt-get install --no-install-recommends python3 python3-pip
`AIM_PYTHON` names one that is not called `python3`; `AIM_PYTHON=debian` fetches a private one, without root.";

/// An interpreter that can install wheels.
#[derive(Debug)]
pub(super) struct Python {
    program: PathBuf,
    /// Folders of its own libraries; empty for the machine's.
    libraries: Vec<PathBuf>,
    /// The wheel that pip is run from; `None` when the interpreter has it.
    pip: Option<PathBuf>,
}

impl Python {
    /// The first that works: the one that `AIM_PYTHON` names, the machine's, a private one.
    pub(super) fn find(cache: &Path) -> Result<Self> {
        let named = std::env::var("AIM_PYTHON").ok();
        let program = named.clone().unwrap_or_else(|| "python3".to_owned());
        let own = Self {
            program: program.into(),
            libraries: Vec::new(),
            pip: None,
        };
        match named.as_deref() {
            Some("debian") => Self::private(cache).context(REMEDY),
            _ if own.works() => Ok(own),
            Some(name) => bail!("`{name}` is no Python that works: {REMEDY}"),
            None => Self::private(cache).context(REMEDY),
        }
    }

    /// The interpreter; wheels and what else it imports lie in `packages`.
    pub(super) fn command(&self, packages: Option<&Path>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("PYTHONHOME")
            .env_remove("VIRTUAL_ENV");
        if let Ok(folders) = std::env::join_paths(&self.libraries)
            && !self.libraries.is_empty()
        {
            command.env("LD_LIBRARY_PATH", folders);
        }
        if let Some(packages) = packages {
            command.env("PYTHONPATH", packages);
        }
        command
    }

    /// pip.
    pub(super) fn pip(&self) -> Command {
        let mut command = self.command(self.pip.as_deref());
        command.args(["-m", "pip"]);
        command
    }

    fn works(&self) -> bool {
        let check = "import sys, pip; sys.exit(sys.version_info < (3, 9))";
        capture(self.command(self.pip.as_deref()).args(["-c", check])).is_ok()
    }

    /// One out of Debian's packages, fetched on first use.
    fn private(cache: &Path) -> Result<Self> {
        let folder = cache.join(PRIVATE);
        if !folder.is_dir() {
            say::progress("languages: fetching a private Python");
            tools::whole(cache, &folder, |root| {
                let stage = tempfile::Builder::new()
                    .prefix("unpacking-")
                    .tempdir_in(cache)?;
                fetch(stage.path(), root)?;
                Self::unpacked(root).map(|_| ())
            })?;
        }
        Self::unpacked(&folder)
    }

    fn unpacked(root: &Path) -> Result<Self> {
        let is_interpreter = |name: &str| {
            let version = name.strip_prefix("python3.");
            version.is_some_and(|minor| minor.bytes().all(|b| b.is_ascii_digit()))
        };
        let mut libraries = Vec::new();
        for base in ["usr/lib", "lib"] {
            libraries.extend(first(&root.join(base), |name| name.ends_with("-linux-gnu")));
        }
        let wheels = root.join("usr/share/python-wheels");
        let python = Self {
            program: first(&root.join("usr/bin"), is_interpreter)
                .context("the packages hold no interpreter")?,
            libraries,
            pip: first(&wheels, |name| name.starts_with("pip-")),
        };
        if python.works() {
            return Ok(python);
        }
        bail!("the Python from Debian's packages does not work on this machine")
    }
}

/// Fetches the interpreter that Debian calls `python3`, its libraries and the wheel of pip.
fn fetch(stage: &Path, root: &Path) -> Result<()> {
    let options = packages::usable_lists(stage, "python3")?;
    let version = packages::version(&options, "python3")?;
    let minor = version.split('.').nth(1).unwrap_or_default();
    let interpreter = format!("python3.{minor}");
    let mut names = packages::needed(&options, &[&interpreter], &OWN)?;
    names.push("python3-pip-whl".to_owned());
    packages::fetch(&options, &names, stage, root)
}

/// The first entry of a folder, by name, whose name fits.
fn first(folder: &Path, fits: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| fits(&path.file_name().unwrap_or_default().to_string_lossy()));
    found.sort();
    found.into_iter().next()
}
