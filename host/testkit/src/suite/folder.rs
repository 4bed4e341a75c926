//! What every reader of folders does.
//!
//! INVARIANT: a snapshot is complete and sorted, or an error.

use aim_ports::{
    PortFault,
    folder::{Folders, SnapshotLimits},
};

/// The files that the given folder must hold for [`folders`]; 11 bytes in all.
pub const FOLDER_FILES: [(&str, &[u8]); 4] = [
    ("b", b"second"),
    ("a/z", b"deep"),
    ("a.txt", b"x"),
    ("a/empty", b""),
];

/// Runs the suite on a folder `given` with exactly [`FOLDER_FILES`] and a name `absent` of no folder.
pub fn folders(reader: &dyn Folders, given: &str, absent: &str) {
    let limits = SnapshotLimits {
        bytes_max: 11,
        files_max: 4,
    };
    let files = reader.snapshot(given, limits).unwrap_or_default();
    let mut expected = FOLDER_FILES;
    expected.sort_unstable();
    let seen: Vec<(&str, &[u8])> = files
        .iter()
        .map(|file| (file.path.as_str(), file.bytes.as_slice()))
        .collect();
    assert_eq!(seen, expected, "every file is there once, sorted by path");

    for limits in [
        SnapshotLimits {
            bytes_max: 10,
            ..limits
        },
        SnapshotLimits {
            files_max: 3,
            ..limits
        },
    ] {
        let fault = reader.snapshot(given, limits).map_err(|error| error.fault);
        assert_eq!(
            fault,
            Err(PortFault::Exhausted),
            "more than {limits:?} is refused"
        );
    }
    let fault = reader.snapshot(absent, limits).map_err(|error| error.fault);
    assert_eq!(
        fault,
        Err(PortFault::NotFound),
        "an absent folder is not found"
    );
}
