//! Artifacts and folders on a real file system.
//!
//! INVARIANT: what is written behind the store's back is written as an attacker with the same user would.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use aim_core::digest::Digest;
use aim_ports::{
    PortFault,
    artifact::ArtifactStore as _,
    folder::{Folders as _, SnapshotLimits},
};
use aim_store_dir::{DirArtifactStore, DirFolders};
use aim_testkit::suite;

const LIMITS: SnapshotLimits = SnapshotLimits {
    bytes_max: 1_000,
    files_max: 100,
};

fn file_of(data_dir: &Path, digest: Digest) -> PathBuf {
    let hex = digest.hex();
    data_dir
        .join("artifacts")
        .join(hex.get(..2).unwrap())
        .join(hex)
}

/// Negative control: with no comparison with the digest, this fails.
#[test]
fn artifacts_behave_as_the_port_says() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join(".aim");
    let store = DirArtifactStore::new(&data_dir);
    suite::artifact_store(&store, |_, digest, bytes| {
        fs::write(file_of(&data_dir, digest), bytes).unwrap();
    });
}

/// Negative control: with files that everybody can read, this fails.
#[test]
fn an_artifact_lies_under_its_digest_for_its_owner_only() {
    let home = tempfile::tempdir().unwrap();
    let store = DirArtifactStore::new(home.path());
    let digest = store.write(b"x").unwrap();
    let file = file_of(home.path(), digest);
    assert_eq!(fs::read(&file).unwrap(), b"x");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    assert_eq!(
        fs::read_dir(file.parent().unwrap()).unwrap().count(),
        1,
        "no left-overs"
    );
}

#[test]
fn an_empty_store_answers_without_making_anything() {
    let home = tempfile::tempdir().unwrap();
    let store = DirArtifactStore::new(&home.path().join("none"));
    let fault = store.read(Digest::of(b"x")).unwrap_err();
    assert_eq!(
        (fault.fault, fault.code),
        (PortFault::NotFound, Some("AIM-D008"))
    );
    assert!(!home.path().join("none").exists());
}

// Negative control: with NOFOLLOW taken out of the private folder, the link is read and the test fails.
#[test]
fn refuses_links_and_files_that_others_can_change() {
    let home = tempfile::tempdir().unwrap();
    let store = DirArtifactStore::new(home.path());
    let digest = store.write(b"x").unwrap();
    let file = file_of(home.path(), digest);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(store.read(digest).unwrap_err().fault, PortFault::Forbidden);
    let elsewhere = home.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert_eq!(store.read(digest).unwrap_err().fault, PortFault::Forbidden);
    assert_eq!(store.write(b"x").unwrap_err().fault, PortFault::Forbidden);
}

#[test]
fn many_writers_of_the_same_bytes_all_succeed() {
    let home = tempfile::tempdir().unwrap();
    let store = DirArtifactStore::new(home.path());
    let bytes = vec![3; 100_000];
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(store.write(&bytes), Ok(Digest::of(&bytes))));
        }
    });
    let shard = file_of(home.path(), Digest::of(&bytes));
    assert_eq!(fs::read_dir(shard.parent().unwrap()).unwrap().count(), 1);
}

fn given() -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("given");
    for (path, bytes) in suite::FOLDER_FILES {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let root = root.to_str().unwrap().to_owned();
    (home, root)
}

#[test]
fn folders_behave_as_the_port_says() {
    let (_home, root) = given();
    suite::folders(&DirFolders, &root, &format!("{root}-absent"));
}

// Negative control: with `std::fs` in place of the capability, each link is followed and the test fails.
#[test]
fn a_link_that_leads_out_is_refused() {
    for target in [
        "../secret",
        "/etc/passwd",
        "a/../../secret",
        "..",
        "up/../secret",
    ] {
        let (home, root) = given();
        fs::write(home.path().join("secret"), b"s").unwrap();
        symlink(target, Path::new(&root).join("link")).unwrap();
        let fault = DirFolders.snapshot(&root, LIMITS).unwrap_err();
        assert_eq!(fault.fault, PortFault::Forbidden, "{target}: {fault}");
        assert_eq!(fault.code, Some("AIM-D009"));
    }
}

/// Negative control: with no look for the folders above, this fails.
#[test]
fn a_link_inside_the_folder_is_followed_and_a_cycle_is_refused() {
    let (_home, root) = given();
    symlink("a/z", Path::new(&root).join("link")).unwrap();
    let files = DirFolders.snapshot(&root, LIMITS).unwrap();
    let link = files.iter().find(|file| file.path == "link").unwrap();
    assert_eq!(link.bytes, b"deep");
    symlink("..", Path::new(&root).join("a/up")).unwrap();
    let fault = DirFolders.snapshot(&root, LIMITS).unwrap_err();
    assert_eq!(fault.fault, PortFault::Forbidden, "{fault}");
}

/// Negative control: with what is neither file nor folder left out, this fails.
#[test]
fn pipes_and_odd_names_are_refused_and_never_waited_for() {
    let (_home, root) = given();
    let pipe = Path::new(&root).join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let fault = DirFolders.snapshot(&root, LIMITS).unwrap_err();
    assert_eq!(fault.fault, PortFault::Forbidden);
    assert!(fault.subject.contains("pipe"), "{fault}");
    let fault = DirFolders
        .snapshot(pipe.to_str().unwrap(), LIMITS)
        .unwrap_err();
    assert_eq!(fault.fault, PortFault::Forbidden);
    fs::remove_file(pipe).unwrap();
    let odd = std::os::unix::ffi::OsStringExt::from_vec(b"\xff".to_vec());
    let odd: std::ffi::OsString = odd;
    fs::write(Path::new(&root).join(odd), b"x").unwrap();
    assert_eq!(
        DirFolders.snapshot(&root, LIMITS).unwrap_err().fault,
        PortFault::Forbidden
    );
}

/// Negative control: with entries not counted, this fails.
#[test]
fn a_forest_of_empty_folders_ends() {
    let (_home, root) = given();
    for number in 0..100 {
        fs::create_dir(Path::new(&root).join(format!("e{number}"))).unwrap();
    }
    let limits = SnapshotLimits {
        files_max: 4,
        ..LIMITS
    };
    assert_eq!(
        DirFolders.snapshot(&root, limits).unwrap_err().fault,
        PortFault::Exhausted
    );
    assert!(DirFolders.snapshot(&root, LIMITS).is_ok());
}
