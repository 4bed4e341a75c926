//! Key files against exposed folders, odd files and several first users.
//!
//! INVARIANT: no test prints a seed.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    thread,
};

use super::*;

fn keys() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let keys_dir = home.path().join("config/keys");
    init(&keys_dir).unwrap();
    (home, keys_dir)
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Negative control: with files that everybody can read, this fails.
#[test]
fn makes_three_different_keys_once_for_their_owner_only() {
    let (_home, keys_dir) = keys();
    let seeds = Role::ALL.map(|role| load_secret(&keys_dir, role).unwrap());
    let publics = Role::ALL.map(|role| load_public(&keys_dir, role).unwrap());
    for (index, seed) in seeds.iter().enumerate() {
        assert_eq!(seed.public(), publics[index]);
        assert_ne!(seed.public(), publics[(index + 1) % 3]);
    }
    init(&keys_dir).unwrap();
    assert_eq!(
        Role::ALL.map(|role| load_public(&keys_dir, role).unwrap()),
        publics
    );
    for entry in fs::read_dir(&keys_dir).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
}

// Negative control: with the mode check of the private folder taken out, every case loads and the test fails.
#[test]
fn s6_refuses_a_key_or_folder_that_others_can_read() {
    let (_home, keys_dir) = keys();
    let refuses = |case: &str| {
        let error = load_secret(&keys_dir, Role::Step).unwrap_err();
        assert_eq!(error.code(), "AIM-K002", "{case}: {error}");
        assert_eq!(init(&keys_dir).unwrap_err().code(), "AIM-K002", "{case}");
    };
    for mode in [0o644, 0o640, 0o604, 0o660] {
        chmod(&keys_dir.join("step.key"), mode);
        refuses(&format!("{mode:o}"));
    }
    chmod(&keys_dir.join("step.key"), 0o600);
    chmod(&keys_dir, 0o750);
    refuses("folder");
    chmod(&keys_dir, 0o700);
    load_secret(&keys_dir, Role::Step).unwrap();
}

// Negative control: with NOFOLLOW taken out of the private folder, both links are followed and the test fails.
#[test]
fn refuses_links_to_keys_and_folders() {
    let (home, keys_dir) = keys();
    let moved = home.path().join("moved.key");
    fs::rename(keys_dir.join("log.key"), &moved).unwrap();
    symlink(&moved, keys_dir.join("log.key")).unwrap();
    assert_eq!(
        load_secret(&keys_dir, Role::Log).unwrap_err().code(),
        "AIM-K002"
    );
    let alias = home.path().join("alias");
    symlink(&keys_dir, &alias).unwrap();
    assert_eq!(
        load_secret(&alias, Role::Step).unwrap_err().code(),
        "AIM-K002"
    );
}

#[test]
fn refuses_every_other_form_and_the_key_of_another_role() {
    let (_home, keys_dir) = keys();
    let file = keys_dir.join("step.key");
    let good = fs::read(&file).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let other_role = fs::read(keys_dir.join("log.key")).unwrap();
    let mut bad = vec![
        Vec::new(),
        text.trim_end().as_bytes().to_vec(),
        text.replace('\n', "\r\n").into_bytes(),
        text.replace("v1", "v2").into_bytes(),
        text.to_uppercase().into_bytes(),
        [good.as_slice(), b"\n"].concat(),
        vec![b'x'; 100_000],
        b"\xff\xfe".to_vec(),
        other_role,
    ];
    bad.extend((0..good.len()).map(|length| good[..length].to_vec()));
    for bytes in bad {
        fs::write(&file, &bytes).unwrap();
        let error = load_secret(&keys_dir, Role::Step).unwrap_err();
        assert_eq!(error.code(), "AIM-K003", "{error}");
    }
}

/// Negative control: with weak keys taken, this fails.
#[test]
fn refuses_weak_public_keys_and_halves_that_do_not_belong_together() {
    let (_home, keys_dir) = keys();
    let file = keys_dir.join("cache.pub");
    // The neutral element: any message verifies under it with a fixed signature.
    let mut weak = [0; 32];
    weak[0] = 1;
    fs::write(&file, public_text(Role::Cache, &weak)).unwrap();
    assert_eq!(
        load_public(&keys_dir, Role::Cache).unwrap_err().code(),
        "AIM-K003"
    );
    let other = load_public(&keys_dir, Role::Log).unwrap();
    fs::write(&file, public_text(Role::Cache, &other)).unwrap();
    assert!(matches!(init(&keys_dir), Err(KeyFileError::Mismatch(_))));
}

/// Negative control: with a file replaced that is there, this fails.
#[test]
fn first_users_at_the_same_time_end_up_with_the_same_keys() {
    let home = tempfile::tempdir().unwrap();
    let keys_dir = home.path().join("keys");
    let publics: Vec<[u8; 32]> = thread::scope(|scope| {
        let users: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    init(&keys_dir).unwrap();
                    load_secret(&keys_dir, Role::Step).unwrap().public()
                })
            })
            .collect();
        users.into_iter().map(|user| user.join().unwrap()).collect()
    });
    assert!(publics.iter().all(|key| *key == publics[0]));
    assert_eq!(fs::read_dir(&keys_dir).unwrap().count(), 6, "no left-overs");
}

/// Negative control: with `Debug` printing the seed, this fails.
#[test]
fn s7_a_printed_seed_shows_nothing() {
    let (_home, keys_dir) = keys();
    let seed = load_secret(&keys_dir, Role::Step).unwrap();
    let hex = encode_hex(seed.bytes());
    let printed = format!("{seed:?} {:?}", [&seed]);
    assert!(!printed.contains(hex.get(..8).unwrap()) && printed.contains("hidden"));
    let missing = load_secret(Path::new("/nowhere"), Role::Step).unwrap_err();
    assert_eq!(missing.code(), "AIM-K004");
}
