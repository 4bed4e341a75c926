//! `demo --refused`: a step that asks too much, a step that hides what it imports, a step that leaks, and tampered evidence.
//! INVARIANT: each refusal is compared with the exit code that documents it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Demo, Place};
use crate::say;

/// Runs every refusal.
pub(super) fn run(demo: &Demo) -> Result<()> {
    let place = Place {
        keys: "keys",
        data: "refused",
    };
    demo.forget(&place)?;
    let logs = demo.example("logs/wrong-password");
    say::line("1. a step asks for a folder that the operator's policy does not grant it");
    demo.run_plan(&place, "refused/asks.acl", &logs)?
        .expect(3, "the greedy plan")?;
    say::line("   exit 3: denied; no guest ran, and the refusal has its own leaf in the log\n");
    say::line("2. a step imports what its contract does not ask for");
    demo.run_plan(&place, "refused/sly.acl", &logs)?
        .expect(2, "the sly plan")?;
    say::line("   exit 2: not admitted; every import is named\n");
    say::line("3. a step lets a credential out");
    demo.run_plan(&place, "leak.acl", &logs)?
        .expect(3, "the leaking plan")?;
    say::line(
        "   exit 3: the ethical gate stopped it; with the redacting step the same lines pass:\n",
    );
    demo.run_plan(&place, "plan.acl", &logs)?
        .expect(0, "the redacting plan")?;
    say::line("\n4. the evidence of all that, as it is");
    demo.verify(&place)?.expect(0, "the verification")?;
    tampered(demo, &place)
}

fn tampered(demo: &Demo, place: &Place<'_>) -> Result<()> {
    let log = |data: &Path| data.join("log").join("evidence.log");
    say::line("\n5. one bit of it flipped");
    let flipped = copy(demo, place, "flipped")?;
    let mut bytes = std::fs::read(log(&flipped))?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("the log is empty")? ^= 1;
    std::fs::write(log(&flipped), bytes)?;
    demo.verify_with(place.keys, &flipped)?
        .expect(4, "verifying flipped evidence")?;
    say::line("   exit 4\n\n6. its last third cut off");
    let cut = copy(demo, place, "cut")?;
    let bytes = std::fs::read(log(&cut))?;
    std::fs::write(
        log(&cut),
        bytes.get(..bytes.len() / 3 * 2).unwrap_or_default(),
    )?;
    demo.verify_with(place.keys, &cut)?
        .expect(4, "verifying cut evidence")?;
    say::line("   exit 4\n\n7. made again by somebody else, with other keys");
    let forged = Place {
        keys: "other-keys",
        data: "forged",
    };
    demo.forget(&forged)?;
    let logs = demo.example("logs/wrong-password");
    demo.run_plan(&forged, "plan.acl", &logs)?
        .expect(0, "the forger's run")?;
    demo.verify_with(place.keys, &demo.data(&forged))?
        .expect(4, "verifying forged evidence")?;
    say::line("   exit 4");
    Ok(())
}

/// Copies the evidence, so that the original stays as it is.
fn copy(demo: &Demo, place: &Place<'_>, name: &str) -> Result<PathBuf> {
    let to = demo.folder.join(name);
    if to.exists() {
        std::fs::remove_dir_all(&to)?;
    }
    copy_folder(&demo.data(place), &to)?;
    Ok(to)
}

pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
