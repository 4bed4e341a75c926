//! F1 to F10 in a whole run: what a step leaves in the folder that it may change, and in the one that it may only read.
//!
//! What each call answers is asserted by the tests of the same names in the engine; whether a driver leaves its folder, by
//! those of `store-dir`. Here the attack goes the whole way, publishing included.
//! INVARIANT: the folder that is only read and everything that was in the other one before are as they were.

use aim_core::outcome::Outcome;
use aim_ports::folder::{SnapshotFile, SnapshotLimits, WritableFolder as _};
use aim_testkit::MemoryFolder;

use crate::case::Case;

const LIMITS: SnapshotLimits = SnapshotLimits {
    files_max: 100,
    bytes_max: 1 << 20,
};

fn kept() -> Vec<SnapshotFile> {
    vec![SnapshotFile {
        path: "kept".to_owned(),
        bytes: b"kept".to_vec(),
    }]
}

/// The folder after the attack, by path.
fn attacked(attack: &str, limits: &[(&str, u64)]) -> Vec<(String, Vec<u8>)> {
    let data = MemoryFolder::default();
    data.put("a/b", b"inside");
    let case = Case::on_folders(attack, &data, kept());
    let case = limits
        .iter()
        .fold(case, |case, (name, value)| case.limit(name, *value));
    case.ends(&[Outcome::Completed]);
    let files = data.read(LIMITS).unwrap();
    files
        .into_iter()
        .map(|file| (file.path, file.bytes))
        .collect()
}

fn untouched() -> Vec<(String, Vec<u8>)> {
    vec![("a/b".to_owned(), b"inside".to_vec())]
}

/// Negative control: with `..` at the root let pass in `Stage::find`, files of the attack are published.
#[test]
fn f1_nothing_is_published_outside_of_the_folder_or_in_it() {
    assert_eq!(attacked("f1", &[]), untouched());
}

/// Negative control: with a slash at the end ignored in `Stage::find`, this fails.
#[test]
fn f2_f3_f4_no_way_of_writing_a_name_and_no_link_changes_a_folder() {
    for attack in ["f2", "f3", "f4"] {
        assert_eq!(attacked(attack, &[]), untouched(), "{attack}");
    }
}

/// Negative control: without the condition on `truncates` in `Node::open` the file that is published is empty.
#[test]
fn f5_a_file_that_is_opened_to_read_is_published_as_it_was() {
    assert_eq!(attacked("f5", &[]), untouched());
}

/// Two thousand renames in a run of its own, each followed by four ways of opening what was moved; in the soak fifty runs, which
/// are a hundred thousand. Negative control: with a move that loses what is in a folder, this fails.
#[test]
fn f6_what_is_moved_away_and_opened_over_and_over_is_what_it_was() {
    for turn in aim_testkit::soak::Cases::of(50, 1) {
        assert_eq!(attacked("f6", &[]), untouched(), "run {turn}");
    }
}

#[test]
fn f7_f9_f10_moves_times_and_the_kernels_names_leave_what_was_there() {
    for attack in ["f7", "f9", "f10"] {
        assert_eq!(attacked(attack, &[]), untouched(), "{attack}");
    }
}

/// Negative control: with the quotas of `Stage::resize` and `room_for_entry` taken away more than they allow is published.
#[test]
fn f8_no_more_is_published_than_the_quotas_allow() {
    let limits = [
        ("file_bytes_max", 64 * 1024),
        ("folder_bytes_max", 96 * 1024),
        ("files_max", 20),
    ];
    let files = attacked("f8", &limits);
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(files.len() <= 20, "{}", files.len());
    assert!(bytes <= 96 * 1024, "{bytes}");
    assert!(files.contains(&untouched().remove(0)));
    assert!(files.len() > 2, "it did write: {}", files.len());
}
