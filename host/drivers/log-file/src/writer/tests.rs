//! Failures that a real disk gives rarely, from devices that give them always.
//!
//! INVARIANT: the device stands in for the log file only; everything else is the writer's own code.

use super::*;

/// A writer whose file is `device`.
fn on(device: &str) -> (tempfile::TempDir, FileLogWriter) {
    let home = tempfile::tempdir().unwrap();
    let mut writer = FileLogWriter::open(&home.path().join("d"), "test").unwrap();
    writer.evidence = File::options().write(true).open(device).unwrap();
    writer.reserve = Reserve::Unsupported;
    (home, writer)
}

// Negative control: with the result of `fdatasync` ignored, both appends succeed and the test fails.
#[test]
fn a_failed_sync_stops_the_writer_for_ever() {
    let (home, mut writer) = on("/dev/null");
    let first = writer.append(b"x").unwrap_err();
    assert_eq!(first.fault, PortFault::FailStop);
    assert_eq!(first.code, Some("AIM-D006"));
    let good = home.path().join("d/log").join(EVIDENCE);
    writer.evidence = File::options().write(true).open(&good).unwrap();
    assert_eq!(writer.append(b"x").unwrap_err().fault, PortFault::FailStop);
    assert_eq!(writer.cut(0).unwrap_err().fault, PortFault::FailStop);
    assert_eq!(std::fs::metadata(good).unwrap().len(), 0);
}

// Negative control: with `cut_back` answering `Exhausted` whatever the cut says, this test fails.
#[test]
fn a_full_disk_that_can_not_be_cut_back_stops_the_writer() {
    let (_home, mut writer) = on("/dev/full");
    assert_eq!(writer.append(b"x").unwrap_err().fault, PortFault::FailStop);
    assert_eq!(writer.append(b"x").unwrap_err().fault, PortFault::FailStop);
}

/// Negative control: with reserved blocks counted as content, this fails.
#[test]
fn reserved_blocks_do_not_count_as_content() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("d");
    let mut writer = FileLogWriter::open(&data_dir, "test").unwrap();
    writer.append(b"12345").unwrap();
    let path = data_dir.join(FOLDER).join(EVIDENCE);
    assert_eq!(std::fs::read(&path).unwrap(), b"12345");
    drop(writer);
    let mut writer = FileLogWriter::open(&data_dir, "test").unwrap();
    assert_eq!(writer.length_bytes(), 5);
    writer.append(b"6").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"123456");
}
