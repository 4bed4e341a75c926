//! Every capability is built from the same files, so that whoever knows one finds their way in all of them.
//!
//! INVARIANT: the table in `src/capability.rs` is what this test holds the folder against.

use std::{collections::BTreeSet, fs, path::Path};

use aim_core::access::Capability;

const FILES: [&str; 4] = ["calls", "state", "streams", "types"];

/// Names in a folder: files without their ending, and folders.
fn names(folder: &Path, is_folder: bool) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let entries = entries.filter(|entry| entry.file_type().unwrap().is_dir() == is_folder);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            name.strip_suffix(".rs").unwrap_or(&name).to_owned()
        })
        .collect()
}

/// What is wrong with the module `name` in `folder`.
fn faults(folder: &Path, name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let own = folder.join(name);
    let text = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap_or_default();
    if !text.contains("\npub(crate) fn link(") {
        faults.push(format!("{name}.rs has no `link`"));
    }
    if text.contains("func_wrap") {
        faults.push(format!(
            "{name}.rs holds a call: it belongs in {name}/calls.rs"
        ));
    }
    if !own.is_dir() {
        faults.push(format!("{name}/ is not there"));
        return faults;
    }
    let files = names(&own, false);
    if !files.contains("calls") {
        faults.push(format!("{name}/calls.rs is not there"));
    }
    for other in files.iter().filter(|file| !FILES.contains(&file.as_str())) {
        faults.push(format!("{name}/{other}.rs has no place in the vocabulary"));
    }
    for other in names(&own, true).iter().filter(|inner| *inner != "calls") {
        faults.push(format!("{name}/{other}/ has no place in the vocabulary"));
    }
    faults
}

// Negative control: `consult/calls.rs` renamed to `consult/check.rs` is found twice, as missing and as unknown (seen).
#[test]
fn every_capability_is_built_from_the_same_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/capability");
    let known: BTreeSet<String> = Capability::ALL
        .iter()
        .map(|one| one.name().to_owned())
        .collect();
    assert_eq!(
        names(&folder, false),
        known,
        "one module for each capability"
    );
    assert_eq!(
        names(&folder, true),
        known,
        "one folder for each capability"
    );
    let faults: Vec<String> = known
        .iter()
        .flat_map(|name| faults(&folder, name))
        .collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn a_module_outside_of_the_vocabulary_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("good.rs", "mod calls;\n\npub(crate) fn link() {}\n");
    write("good/calls.rs", "");
    write("good/calls/more.rs", "");
    write("good/state.rs", "");
    assert_eq!(faults(folder.path(), "good"), Vec::<String>::new());
    write("bad.rs", "fn link() { func_wrap(); }\n");
    write("bad/handler.rs", "");
    write("bad/more/calls.rs", "");
    assert_eq!(faults(folder.path(), "bad").len(), 5);
    assert_eq!(faults(folder.path(), "none").len(), 2);
}
