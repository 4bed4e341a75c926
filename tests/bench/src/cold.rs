//! What happens once: starting `aimctl run` with a warm compile cache, and the memory of a host that waits.
//!
//! INVARIANT: every start has a data directory of its own, so that each runs its step.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use aim_core::leaf::SigningMode;

use crate::{
    Result,
    case::{Case, Gates, Storage},
    fixture::{ECHO_CONTRACT, Fixture, PLAN},
    process::resident_mib,
    say,
    stats::Values,
};

/// Starts that are measured.
const STARTS: usize = 20;
const GATE_CONTRACT: &str = r#"{
  "kind": "compute", "node_id": "ethical-gate", "version": "0.1.0",
  "component": { "path": "gate-mcel.wasm" }, "world": "aim:step/gate@0.1.0",
  "asks": [{ "capability": "codex" }], "codex": "../codex.json"
}"#;
const DEPLOYMENT: &str = r#"contracts = ["contracts"]
components = ["components"]
probes = { off = ["all"] }

[gates]
ethical = "ethical-gate"
codex_keys = "publisher.pub"
"#;

/// What was measured once.
#[derive(Debug, Clone)]
pub(crate) struct Cold {
    /// Milliseconds from starting the process to its end.
    pub(crate) start_ms: Values,
    /// Resident MiB of an idle host: all, and without what files back.
    pub(crate) idle_mib: (f64, f64),
}

/// Measures both.
pub(crate) fn measure(fixture: &Fixture) -> Result<Cold> {
    let folder = fixture.places.temporary()?;
    deploy(fixture, folder.path())?;
    // The first one makes keys and compiles.
    start(fixture, folder.path(), "warm")?;
    let mut times = Vec::with_capacity(STARTS);
    for number in 0..STARTS {
        let began = Instant::now();
        start(fixture, folder.path(), &format!("data-{number}"))?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Cold {
        start_ms: Values::new(times),
        idle_mib: idle_memory(fixture)?,
    })
}

fn deploy(fixture: &Fixture, folder: &Path) -> Result<()> {
    let contracts = folder.join("contracts");
    let components = folder.join("components");
    std::fs::create_dir(&contracts)?;
    std::fs::create_dir(&components)?;
    let beside = fixture.places.codex.with_extension("json.dsse");
    let signature = std::fs::read(&beside)?;
    let publisher = std::fs::read(beside.with_file_name("publisher.pub"))?;
    let files: [(PathBuf, &[u8]); 9] = [
        (folder.join("plan.acl"), PLAN.as_bytes()),
        (folder.join("aim.toml"), DEPLOYMENT.as_bytes()),
        (folder.join("codex.json"), &fixture.codex),
        (folder.join("codex.json.dsse"), &signature),
        (folder.join("publisher.pub"), &publisher),
        // JSON is YAML.
        (contracts.join("echo.yaml"), ECHO_CONTRACT.as_bytes()),
        (contracts.join("gate.yaml"), GATE_CONTRACT.as_bytes()),
        (
            components.join("conformance-echo.wasm"),
            &fixture.step_bytes,
        ),
        (components.join("gate-mcel.wasm"), &fixture.gate_bytes),
    ];
    for (file, bytes) in files {
        std::fs::write(file, bytes)?;
    }
    Ok(())
}

fn start(fixture: &Fixture, folder: &Path, data: &str) -> Result<()> {
    let output = Command::new(&fixture.places.aimctl)
        .current_dir(folder)
        .args(["run", "plan.acl", "-i", "message=hello"])
        .arg("--keys-dir")
        .arg(folder.join("keys"))
        .arg("--cache-dir")
        .arg(folder.join("cache"))
        .arg("--data-dir")
        .arg(folder.join(data))
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`aimctl run` ended with {}: {said}", output.status).into())
}

/// Starts this program once more, to be a host that waits.
fn idle_memory(fixture: &Fixture) -> Result<(f64, f64)> {
    let output = Command::new(std::env::current_exe()?)
        .arg("--idle")
        .arg("--guests")
        .arg(&fixture.places.guests)
        .arg("--aimctl")
        .arg(&fixture.places.aimctl)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(all)), Some(Ok(anonymous))) => Ok((all, anonymous)),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("the idle host said nothing of use: {said}").into())
        }
    }
}

/// Opens a host on disk with a signer process, compiles nothing new, waits for nothing, and says how large it is.
pub(crate) fn be_idle(fixture: &Fixture) -> Result<()> {
    let opened = fixture.open(Case {
        storage: Storage::Durable,
        signing: SigningMode::Each,
        gates: Gates::Ethical,
        in_flight: 1,
        workers: 2,
    })?;
    let (all, anonymous) = resident_mib()?;
    opened.close()?;
    say::line(&format!("{all:.1} {anonymous:.1}"));
    Ok(())
}
