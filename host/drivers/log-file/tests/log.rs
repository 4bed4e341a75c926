//! The log on a real file system: suite, lock, full disk, killed writer, untrusted folders.
//!
//! INVARIANT: a child process is this test binary again, with a variable that names its part.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aim_log_file::{FileLogReader, FileLogWriter, OpenLogError};
use aim_ports::{PortFault, log::LogReader as _, log::LogWriter as _};

const PART: &str = "AIM_LOG_FILE_TEST_DATA_DIR";

fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join(".aim");
    (home, data_dir)
}

fn evidence(data_dir: &Path) -> Vec<u8> {
    fs::read(data_dir.join("log/evidence.log")).unwrap()
}

#[test]
fn behaves_as_the_port_says() {
    let (_home, data_dir) = home();
    aim_testkit::suite::log(
        || FileLogWriter::open(&data_dir, "test").map_err(|error| error.to_string()),
        || FileLogReader::open(&data_dir).unwrap(),
    );
}

// Negative control: with `flock` left out, the second writer opens and the test fails.
#[test]
fn refuses_a_second_writer_and_names_the_first() {
    let (_home, data_dir) = home();
    let first = FileLogWriter::open(&data_dir, "aimctl run \u{1b}[31mplan.acl").unwrap();
    let refused = FileLogWriter::open(&data_dir, "other").unwrap_err();
    assert_eq!(refused.code(), "AIM-D003");
    let message = refused.to_string();
    assert!(
        message.contains(&std::process::id().to_string()),
        "{message}"
    );
    assert!(message.contains("aimctl run"), "{message}");
    assert!(!message.contains('\u{1b}'), "no escape reaches a terminal");
    drop(first);
    FileLogWriter::open(&data_dir, "other").unwrap();
}

#[test]
fn a_left_over_lock_file_stops_nobody() {
    let (_home, data_dir) = home();
    drop(FileLogWriter::open(&data_dir, "dead").unwrap());
    fs::write(data_dir.join("lock"), "process 1 (init)\n").unwrap();
    FileLogWriter::open(&data_dir, "next").unwrap();
}

/// Negative control: with files that everybody can read, this fails.
#[test]
fn makes_everything_for_its_owner_only() {
    let (_home, data_dir) = home();
    let writer = FileLogWriter::open(&data_dir, "test").unwrap();
    writer.publisher().unwrap().publish(b"c").unwrap();
    for (name, mode) in [
        ("", 0o700),
        ("log", 0o700),
        ("lock", 0o600),
        ("log/evidence.log", 0o600),
        ("log/checkpoint", 0o600),
    ] {
        let found = fs::metadata(data_dir.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777;
        assert_eq!(found, mode, "{name}");
    }
}

// Negative control: with `check` of the private folder answering yes to all, each case opens and the test fails.
#[test]
fn refuses_a_data_directory_that_others_can_change_or_that_is_a_link() {
    let (home, data_dir) = home();
    drop(FileLogWriter::open(&data_dir, "test").unwrap());
    let alias = home.path().join("alias");
    symlink(&data_dir, &alias).unwrap();
    let refused = FileLogWriter::open(&alias, "test").unwrap_err();
    assert_eq!(refused.code(), "AIM-D002", "{refused}");
    for name in ["", "log", "log/evidence.log", "lock"] {
        let path = data_dir.join(name);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(before.mode() | 0o022)).unwrap();
        let refused = FileLogWriter::open(&data_dir, "test").unwrap_err();
        assert_eq!(refused.code(), "AIM-D002", "{name}: {refused}");
        fs::set_permissions(&path, before).unwrap();
    }
    FileLogWriter::open(&data_dir, "test").unwrap();
}

/// Negative control: with links to files followed, this fails.
#[test]
fn refuses_a_log_that_is_a_link_to_somewhere_else() {
    let (home, data_dir) = home();
    drop(FileLogWriter::open(&data_dir, "test").unwrap());
    let victim = home.path().join("victim");
    fs::write(&victim, b"precious").unwrap();
    fs::remove_file(data_dir.join("log/evidence.log")).unwrap();
    symlink(&victim, data_dir.join("log/evidence.log")).unwrap();
    let refused = FileLogWriter::open(&data_dir, "test").unwrap_err();
    assert_eq!(refused.code(), "AIM-D002", "{refused}");
    assert_eq!(fs::read(victim).unwrap(), b"precious");
}

#[test]
fn a_missing_log_or_parent_is_named_and_nothing_is_made() {
    let (home, data_dir) = home();
    let missing = FileLogReader::open(&data_dir).unwrap_err();
    assert!(matches!(missing, OpenLogError::Missing(_)), "{missing}");
    assert_eq!(missing.code(), "AIM-D004");
    let below = FileLogWriter::open(&data_dir.join("deeper"), "test").unwrap_err();
    assert_eq!(below.code(), "AIM-D001");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_works_beside_a_writer_and_on_a_copy_that_it_can_not_write() {
    let (home, data_dir) = home();
    let mut writer = FileLogWriter::open(&data_dir, "test").unwrap();
    let reader = FileLogReader::open(&data_dir).unwrap();
    for turn in 0..20_u8 {
        writer.append(&[turn; 100]).unwrap();
        let seen = reader.read(u64::from(turn) * 100, 1_000).unwrap();
        assert_eq!(seen, [turn; 100]);
    }
    let copy = home.path().join("copy");
    fs::create_dir_all(copy.join("log")).unwrap();
    fs::write(copy.join("log/evidence.log"), evidence(&data_dir)).unwrap();
    let mode = fs::Permissions::from_mode(0o444);
    fs::set_permissions(copy.join("log/evidence.log"), mode).unwrap();
    let copied = FileLogReader::open(&copy).unwrap();
    assert_eq!(copied.read(0, 10_000).unwrap(), evidence(&data_dir));
    assert!(!copy.join("lock").exists());
}

/// Runs one test of this binary as a child, under `shell` words that come before it.
fn child(shell: &str, test: &str, data_dir: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{shell} exec \"$0\" --exact {test} --nocapture"))
        .arg(std::env::current_exe().unwrap())
        .env(PART, data_dir)
        .stdout(Stdio::piped());
    command
}

/// Child: appends until there is no more room, makes room, appends again.
#[test]
fn child_fills_the_disk() {
    let Some(data_dir) = std::env::var_os(PART).map(PathBuf::from) else {
        return;
    };
    let mut writer = FileLogWriter::open(&data_dir, "child").unwrap();
    let mut kept = 0;
    let error = loop {
        match writer.append(&[kept; 5_000]) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.fault, PortFault::Exhausted, "{error}");
    assert_eq!(error.code, Some("AIM-D005"));
    assert!(kept > 2, "{kept}");
    assert_eq!(evidence(&data_dir).len(), usize::from(kept) * 5_000);
    assert_eq!(
        writer.append(&[9; 5_000]).unwrap_err().fault,
        PortFault::Exhausted
    );
    writer.cut(5_000).unwrap();
    writer.append(&[7; 5_000]).unwrap();
    println!("FILLED {kept}");
}

// Negative control: with `cut_back` leaving the file as it is, the length check in the child fails.
#[test]
fn a_full_disk_keeps_nothing_of_the_failed_append_and_passes() {
    let (_home, data_dir) = home();
    let limits = "trap '' XFSZ; ulimit -f 64;";
    let output = child(limits, "child_fills_the_disk", &data_dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("FILLED"), "{text}");
    let bytes = evidence(&data_dir);
    assert_eq!(bytes.len(), 10_000);
    assert!(bytes.ends_with(&[7; 5_000]));
}

/// Child: appends numbered records for ever and says so after each.
#[test]
fn child_appends_for_ever() {
    let Some(data_dir) = std::env::var_os(PART).map(PathBuf::from) else {
        return;
    };
    let mut writer = FileLogWriter::open(&data_dir, "child").unwrap();
    // BOUND: the parent kills this process.
    for number in 0_u64.. {
        writer.append(&number.to_le_bytes()).unwrap();
        println!("\nDONE {number}");
    }
}

/// Negative control: with appends acknowledged and not written, this fails.
#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    let (_home, data_dir) = home();
    let mut running = child("", "child_appends_for_ever", &data_dir)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("DONE 50") {
        line.clear();
        assert_ne!(
            lines.read_line(&mut line).unwrap(),
            0,
            "the child ended early"
        );
    }
    running.kill().unwrap();
    running.wait().unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let complete = rest.rsplit_once('\n').map_or("", |(complete, _)| complete);
    let last = complete
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("DONE "));
    let acknowledged: u64 = last.map_or(50, |number| number.parse().unwrap());
    let writer = FileLogWriter::open(&data_dir, "next").unwrap();
    assert!(writer.length_bytes() >= (acknowledged + 1) * 8);
    for (number, record) in (0_u64..).zip(evidence(&data_dir).chunks_exact(8)) {
        assert_eq!(record, number.to_le_bytes());
    }
}
