//! Private folders against hostile names, owners and modes.
//!
//! INVARIANT: each refusal here was seen to fail with its check taken out of `check` or `open_with`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    thread,
};

use super::*;

fn folder() -> (tempfile::TempDir, PrivateDir) {
    let home = tempfile::tempdir().unwrap();
    let dir = PrivateDir::open_or_create(&home.path().join("d"), Privacy::Secret).unwrap();
    (home, dir)
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Negative control: with files that everybody can read, this fails.
#[test]
fn makes_folders_and_files_for_their_owner_only() {
    let (_home, dir) = folder();
    dir.replace("f", b"x").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(dir.path()), 0o700);
    assert_eq!(mode(&dir.path().join("f")), 0o600);
    assert_eq!(mode(dir.subfolder("s").unwrap().path()), 0o700);
}

/// Negative control: with no check of the mode, this fails.
#[test]
fn refuses_a_folder_or_file_that_others_can_reach() {
    let (_home, dir) = folder();
    dir.replace("f", b"x").unwrap();
    let path = dir.path().to_path_buf();
    for mode in [0o640, 0o604, 0o620, 0o602] {
        chmod(&path.join("f"), mode);
        assert!(dir.read("f", 9).unwrap_err().is_forbidden(), "{mode:o}");
    }
    chmod(&path, 0o750);
    assert!(PrivateDir::open(&path, Privacy::Secret).is_err());
    assert!(PrivateDir::open(&path, Privacy::Readable).is_ok());
    chmod(&path, 0o770);
    let refused = PrivateDir::open(&path, Privacy::Readable).unwrap_err();
    assert!(refused.to_string().contains("chmod 755"), "{refused}");
}

/// Negative control: with no check of the kind, or with links to files followed, this fails.
#[test]
fn refuses_links_pipes_and_folders_in_place_of_files() {
    let (home, dir) = folder();
    fs::write(home.path().join("secret"), b"s").unwrap();
    chmod(&home.path().join("secret"), 0o600);
    symlink(home.path().join("secret"), dir.path().join("link")).unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    rustix::fs::mknodat(
        CWD,
        dir.path().join("pipe"),
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    for name in ["link", "folder", "pipe"] {
        assert!(dir.read(name, 9).unwrap_err().is_forbidden(), "{name}");
        assert!(dir.open_or_create_file(name).is_err(), "{name}");
    }
    symlink(dir.path(), home.path().join("alias")).unwrap();
    let alias = PrivateDir::open_or_create(&home.path().join("alias"), Privacy::Secret);
    assert!(alias.unwrap_err().is_forbidden());
}

/// Negative control: with no check of the owner, this fails.
#[test]
fn refuses_what_somebody_else_owns() {
    let (_home, dir) = folder();
    dir.replace("f", b"x").unwrap();
    let other = rustix::fs::Uid::from_raw(65_534);
    if rustix::fs::chown(dir.path().join("f"), Some(other), None).is_err() {
        // Only root can give files away; then a file that root owns serves as the foreign one.
        let system = PrivateDir::open(Path::new("/usr"), Privacy::Readable);
        assert!(matches!(system, Err(PrivateDirError::Owner { .. })));
        return;
    }
    let refused = dir.read("f", 9);
    assert!(matches!(
        refused,
        Err(PrivateDirError::Owner { owner: 65_534, .. })
    ));
}

#[test]
fn replacing_leaves_no_temporary_file_and_never_a_half() {
    let (_home, dir) = folder();
    let old = vec![b'a'; 70_000];
    let new = vec![b'b'; 90_000];
    dir.replace("f", &old).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..40 {
                let bytes = if turn % 2 == 0 { &new } else { &old };
                dir.replace("f", bytes).unwrap();
            }
        });
        for _ in 0..200 {
            let seen = dir.read("f", 100_000).unwrap();
            assert!(seen == old || seen == new, "{} bytes", seen.len());
        }
    });
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Negative control: with a file replaced that is there, this fails.
#[test]
fn of_several_first_writers_exactly_one_wins() {
    let (_home, dir) = folder();
    let wins: usize = thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u8)
            .map(|id| {
                scope.spawn({
                    let dir = &dir;
                    move || dir.create_new("f", &[id]).is_ok()
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|w| usize::from(w.join().unwrap()))
            .sum()
    });
    assert_eq!(wins, 1);
    assert_eq!(dir.read("f", 9).unwrap().len(), 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Negative control: with no bound on what is read, this fails.
#[test]
fn does_not_read_more_than_it_was_told() {
    let (_home, dir) = folder();
    dir.replace("f", b"12345").unwrap();
    assert!(matches!(
        dir.read("f", 4),
        Err(PrivateDirError::TooLarge(_, 4))
    ));
    assert_eq!(dir.read("f", 5).unwrap(), b"12345");
    assert!(matches!(dir.read("g", 5), Err(PrivateDirError::Missing(_))));
}
