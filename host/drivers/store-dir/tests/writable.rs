//! Folders that steps may change, on a real file system.
//!
//! INVARIANT: what is done behind the folder's back is done as an attacker with the same user would.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::Path,
    thread,
};

use aim_core::staged::PathChangeKind;
use aim_ports::{
    PortFault,
    folder::{Change, Folders as _, SnapshotLimits, WritableFolder as _},
};
use aim_store_dir::{DirFolder, DirFolders};
use aim_testkit::soak::Cases;

const LIMITS: SnapshotLimits = SnapshotLimits {
    bytes_max: 1_000,
    files_max: 100,
};

fn change(kind: PathChangeKind, path: &str) -> Change {
    Change {
        kind,
        path: path.to_owned(),
        bytes: None,
    }
}

fn file(path: &str, text: &str) -> Change {
    Change {
        bytes: Some(text.as_bytes().into()),
        ..change(PathChangeKind::File, path)
    }
}

fn open(path: &Path) -> DirFolder {
    DirFolder::open(path.to_str().unwrap()).unwrap()
}

#[test]
fn changes_are_made_in_order_and_making_them_again_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("x")).unwrap();
    fs::write(home.path().join("x/old"), "old").unwrap();
    let changes = [
        change(PathChangeKind::RemoveFile, "x/old"),
        change(PathChangeKind::RemoveFolder, "x"),
        change(PathChangeKind::Folder, "d"),
        file("d/a", "one"),
        file("x", "two"),
    ];
    let folder = open(home.path());
    for _ in 0..2 {
        folder.publish(&changes).unwrap();
        let read = folder.read(LIMITS).unwrap();
        let seen: Vec<_> = read.iter().map(|one| (&*one.path, &*one.bytes)).collect();
        assert_eq!(seen, [("d/a", &b"one"[..]), ("x", &b"two"[..])]);
    }
    let before = fs::metadata(home.path().join("x"))
        .unwrap()
        .modified()
        .unwrap();
    folder.publish(&changes).unwrap();
    let after = fs::metadata(home.path().join("x"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(before, after, "what is right already is not written again");
}

/// Negative control: with parents opened by their path, or with no `is_plain`, this fails.
#[test]
fn no_change_leaves_the_folder() {
    let home = tempfile::tempdir().unwrap();
    let (inside, outside) = (home.path().join("in"), home.path().join("out"));
    fs::create_dir(&inside).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(&outside, inside.join("link")).unwrap();
    let folder = open(&inside);
    for path in [
        "../out/x",
        "/tmp/x",
        "link/x",
        "a/../../out/x",
        "",
        ".aim-x",
        "d/.aim-x",
    ] {
        assert!(folder.publish(&[file(path, "x")]).is_err(), "{path}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // A link in place of a file is replaced, never followed.
    fs::write(outside.join("canary"), "whole").unwrap();
    symlink(outside.join("canary"), inside.join("a")).unwrap();
    folder.publish(&[file("a", "new")]).unwrap();
    assert_eq!(fs::read(outside.join("canary")).unwrap(), b"whole");
    assert_eq!(fs::read(inside.join("a")).unwrap(), b"new");
}

/// Negative control: without the magic numbers in `mounts::check`, or without its look for the folder of devices, some of
/// these open.
#[test]
fn f9_the_kernels_file_systems_are_refused() {
    let root = fs::metadata("/").unwrap().dev();
    for path in ["/proc", "/proc/self", "/sys", "/dev"] {
        let Ok(about) = fs::metadata(path) else {
            continue;
        };
        // Where it is no file system of its own, it is a folder like any other.
        if path == "/dev" && about.dev() == root {
            continue;
        }
        assert!(about.is_dir());
        let opened = DirFolder::open(path).map(drop).unwrap_err();
        assert_eq!(
            (opened.fault, opened.code),
            (PortFault::Forbidden, Some("AIM-S006"))
        );
        let read = DirFolders.snapshot(path, LIMITS).unwrap_err();
        assert_eq!(read.code, Some("AIM-S006"), "{read}");
    }
}

/// Negative control: with the root opened by its name each time, this fails.
#[test]
fn f10_a_root_that_is_replaced_by_a_link_stays_the_folder_that_was_opened() {
    let home = tempfile::tempdir().unwrap();
    let (root, moved) = (home.path().join("root"), home.path().join("moved"));
    let outside = home.path().join("outside");
    fs::create_dir(&root).unwrap();
    fs::create_dir(&outside).unwrap();
    let folder = open(&root);
    fs::rename(&root, &moved).unwrap();
    symlink(&outside, &root).unwrap();
    folder.publish(&[file("a", "one")]).unwrap();
    assert_eq!(fs::read(moved.join("a")).unwrap(), b"one");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(folder.read(LIMITS).unwrap().len(), 1);
}

/// F6 on disk: somebody swaps a folder for a link while changes are published; nothing ever appears behind the link. Three hundred
/// times, a million in a soak.
/// Negative control: with parents opened by their path, this fails.
#[test]
fn f6_a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere() {
    let home = tempfile::tempdir().unwrap();
    let (root, outside) = (home.path().join("root"), home.path().join("outside"));
    fs::create_dir_all(root.join("d")).unwrap();
    fs::create_dir(&outside).unwrap();
    let folder = open(&root);
    let turns = Cases::of(1_000_000, 300);
    let swaps = turns.how_many();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..swaps {
                drop(fs::rename(root.join("d"), root.join("e")));
                drop(symlink(&outside, root.join("d")));
                drop(fs::remove_file(root.join("d")));
                drop(fs::rename(root.join("e"), root.join("d")));
            }
        });
        for turn in turns {
            drop(folder.publish(&[file("d/a", &turn.to_string())]));
        }
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}
