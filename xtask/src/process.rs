//! Running other programs: one way to run, one way to capture, one way to say what went wrong.
//! INVARIANT: an exit code other than zero is an error that names the command.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::say;

/// What lies between the tries of a command that fetches something.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(45),
];

/// Runs a command with its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("can not start {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and returns what it printed.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("can not start {}", shown(command)))?;
    if !output.status.success() {
        bail!(
            "{} ended with {}: {}",
            shown(command),
            output.status,
            last_lines(&output)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command that fetches something as [`capture`] does, again after a pause when the network has failed it: a mirror
/// that is out of reach for a minute must not fail whoever builds. A command that is no good fails as well, only later.
pub(crate) fn fetch(command: &mut Command) -> Result<String> {
    fetch_with(command, &PAUSES)
}

fn fetch_with(command: &mut Command, pauses: &[Duration]) -> Result<String> {
    for pause in pauses {
        match capture(command) {
            Ok(text) => return Ok(text),
            Err(error) => say::progress(&format!("{error:#}; again in {} s", pause.as_secs())),
        }
        std::thread::sleep(*pause);
    }
    capture(command)
}

/// Runs a command for at most `limit` and says whether it succeeded. Its output is dropped.
pub(crate) fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut child) = quiet.spawn() else {
        return false;
    };
    let start = Instant::now();
    // BOUND: ends with the child or with the limit.
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if start.elapsed() < limit => std::thread::sleep(Duration::from_millis(50)),
            _ => break,
        }
    }
    // A child that is already gone needs no killing; either way it is not waited for longer.
    drop(child.kill());
    drop(child.wait());
    false
}

fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args().take(6) {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    format!("`{text}`")
}

fn last_lines(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(8);
    lines.get(from..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command that fails until it was started so often, and says how often it was.
    fn at_last(folder: &std::path::Path, least: u32) -> Command {
        let mut command = Command::new("sh");
        let script = "echo x >> tries; n=$(wc -l < tries); echo $n; test $n -ge $0";
        command
            .args(["-c", script, &least.to_string()])
            .current_dir(folder);
        command
    }

    // Negative control: with a single try in `fetch_with`, the second case fails (seen).
    #[test]
    fn what_fetches_is_tried_again_and_not_for_ever() {
        let pauses = [Duration::ZERO; 3];
        for (least, is_fetched) in [(1, true), (4, true), (5, false)] {
            let folder = tempfile::tempdir().unwrap();
            let fetched = fetch_with(&mut at_last(folder.path(), least), &pauses);
            let tries = std::fs::read_to_string(folder.path().join("tries")).unwrap();
            assert_eq!(tries.lines().count(), least.min(4) as usize);
            let said = fetched.ok().map(|text| text.trim().to_owned());
            assert_eq!(said, is_fetched.then(|| least.to_string()));
        }
    }
}
