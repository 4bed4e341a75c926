//! `demo --what-if`: one line of the input is changed; which steps give another output?
//! INVARIANT: steps are compared by the digests in their witnesses, not by what they print.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, ensure};

use super::{Demo, Place, refused::copy_folder};
use crate::say;

/// Digests of what each step released: its output and the artifacts beside it.
type Outputs = BTreeMap<String, String>;

/// Runs the plan as it is and with two changes.
pub(super) fn run(demo: &Demo) -> Result<()> {
    let logs = demo.example("logs/upstream-down");
    say::line("1. the logs as they are");
    let before = outputs(demo, "before", &logs)?;
    say::line("\n2. one word changed in a line that nobody cites (client.log, line 3)");
    let beside = changed(demo, "beside", &logs, "client.log", 2, "POST", "PUT")?;
    compare(&before, &outputs(demo, "beside-run", &beside)?)?;
    say::line("\n3. one word changed in a line that the report cites (nginx-error.log, line 36)");
    let cited = changed(
        demo,
        "cited",
        &logs,
        "nginx-error.log",
        35,
        "Connection",
        "connection",
    )?;
    compare(&before, &outputs(demo, "cited-run", &cited)?)
}

/// A copy of the logs with the first `old` of one line replaced.
fn changed(
    demo: &Demo,
    name: &str,
    logs: &Path,
    file: &str,
    line: usize,
    old: &str,
    new: &str,
) -> Result<std::path::PathBuf> {
    let folder = demo.folder.join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    copy_folder(logs, &folder)?;
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path)?;
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let target = lines.get_mut(line).context("the line is not there")?;
    let replaced = target.replacen(old, new, 1);
    ensure!(
        replaced != *target,
        "the line to change holds no `{old}`: {target}"
    );
    *target = replaced;
    std::fs::write(&path, lines.join("\n"))?;
    Ok(folder)
}

fn outputs(demo: &Demo, data: &str, logs: &Path) -> Result<Outputs> {
    let place = Place { keys: "keys", data };
    demo.forget(&place)?;
    demo.run_plan(&place, "plan.acl", logs)?
        .expect(0, "the run")?;
    let data = demo.data(&place);
    let events = demo.quietly(
        place.keys,
        &["logs", "--data-dir", &data.to_string_lossy(), "-o", "json"],
    )?;
    events.expect(0, "`aimctl logs`")?;
    let mut outputs = Outputs::new();
    for line in events.stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        let text = |pointer: &str| event.pointer(pointer).and_then(|value| value.as_str());
        if text("/event_type") == Some("artifact.delivered")
            && let (Some(step), Some(digest)) = (text("/attributes/step"), text("/artifact_id"))
        {
            let artifacts = text("/attributes/artifacts").unwrap_or_default();
            outputs.insert(step.to_owned(), format!("{digest} {artifacts}"));
        }
    }
    ensure!(!outputs.is_empty(), "the log names no delivered output");
    Ok(outputs)
}

fn compare(before: &Outputs, after: &Outputs) -> Result<()> {
    let mut changes = 0;
    for step in before
        .keys()
        .chain(after.keys().filter(|step| !before.contains_key(*step)))
    {
        let word = match (before.get(step), after.get(step)) {
            (Some(old), Some(new)) if old == new => "same",
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "no output any more",
            (None, _) => "new output",
        };
        changes += usize::from(word != "same");
        say::line(&format!("    {step:<10} {word}"));
    }
    ensure!(changes > 0, "a changed line changed no step");
    Ok(())
}
