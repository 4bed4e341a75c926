//! Starting `aimctl` in a folder of its own.
//!
//! INVARIANT: nothing of the user's home is read: keys, cache and home are below the case's folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The contract of the shipped gate.
const GATE: &str = "kind: compute\nnode_id: ethical\nversion: \"0.1.0\"\nworld: aim:step/gate@0.1.0\n\
                    component: { path: gate.wasm }\nasks: [{ capability: codex }]\ncodex: ../codex.json\n";

/// A folder, and `aimctl` in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a command came to.
pub(crate) struct Came {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Came {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Every line of stdout as JSON.
    pub(crate) fn documents(&self) -> Vec<serde_json::Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The exit code and that the code is named on stderr.
    pub(crate) fn assert_refused(&self, exit: i32, code: &str) {
        assert_eq!(self.code, exit, "{}", self.stderr);
        assert!(self.stderr.contains(code), "{}", self.stderr);
        assert!(self.stdout.is_empty(), "{}", self.text());
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

impl From<Output> for Came {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The shipped gate `ethical` with its codex and the key that signed it.
    pub(crate) fn write_gate(&self) {
        self.write("contracts/ethical.yaml", GATE);
        self.write(
            "components/gate.wasm",
            fs::read(guest("gate-mcel.wasm")).unwrap(),
        );
        let codex = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/codex");
        for (name, from) in [
            ("codex.json", "default.json"),
            ("codex.json.dsse", "default.json.dsse"),
            ("publisher.pub", "publisher.pub"),
        ] {
            self.write(name, fs::read(codex.join(from)).unwrap());
        }
    }

    /// Makes a key in a folder of that name, and lists its owner as an approver of the deployment.
    pub(crate) fn list_approver(&self, name: &str) {
        let made = self.run(&["keys", "new", "approver", name]).text();
        let key = made.lines().nth(1).unwrap().replace("approver ", "");
        let config = self.read("aim.toml");
        let listed = format!(
            "{config}[gates.approvers.{name}]\nrole = \"operations\"\nactor = \"uid:70001\"\nkey = \"{key}\"\n"
        );
        self.write("aim.toml", listed);
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// `aimctl` with these arguments, ready to start.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aimctl"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .env("AIM_KEYS_DIR", self.path("keys"))
            .env("AIM_CACHE_DIR", self.path("cache"))
            .stdin(Stdio::null());
        command
    }

    /// A shell line at a terminal of its own, in the same folder and environment as [`Self::command`].
    pub(crate) fn terminal(&self, line: &str) -> Command {
        let mut command = Command::new("script");
        command
            .args(["--quiet", "--return", "--command", line, "/dev/null"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("SHELL", "/bin/sh")
            .env("HOME", self.path("home"))
            .env("AIM_KEYS_DIR", self.path("keys"))
            .env("AIM_CACHE_DIR", self.path("cache"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Came {
        self.command(arguments).output().unwrap().into()
    }
}

/// A plan of the language's own test corpus.
pub(crate) fn plan(name: &str) -> String {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("../acl/tests/plans");
    plans
        .join(name)
        .canonicalize()
        .unwrap()
        .display()
        .to_string()
}

/// A component that the guests' workspace built.
pub(crate) fn guest(name: &str) -> String {
    let built = std::env::var_os("AIM_GUESTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"),
        PathBuf::from,
    );
    let path = built.join(name);
    assert!(
        path.is_file(),
        "{} is not built: type `cargo xtask guests`",
        path.display()
    );
    path.display().to_string()
}
