//! What every log does.
//!
//! INVARIANT: one writer, any number of readers, and what a reader sees is a prefix of what was appended.

use aim_ports::log::{LogReader, LogWriter};

/// Runs the suite. `open` takes write access to one and the same empty log each time or says who has it; `read` opens it
/// for reading.
#[expect(
    clippy::unwrap_used,
    reason = "a suite fails by panicking, as a test does"
)]
pub fn log<W: LogWriter, R: LogReader>(
    mut open: impl FnMut() -> Result<W, String>,
    read: impl Fn() -> R,
) {
    let mut writer = open().unwrap();
    assert!(open().is_err(), "there is one writer at most");
    let reader = read();
    assert_eq!(reader.read(0, 10).unwrap(), b"", "a new log is empty");
    assert_eq!(
        reader.checkpoint().unwrap(),
        None,
        "a new log has no checkpoint"
    );

    writer.append(b"first ").unwrap();
    writer.append(b"").unwrap();
    writer.append(b"second").unwrap();
    assert_eq!(
        reader.read(0, 100).unwrap(),
        b"first second",
        "appends follow each other"
    );
    assert_eq!(reader.read(6, 3).unwrap(), b"sec", "a part can be read");
    assert_eq!(
        reader.read(12, 3).unwrap(),
        b"",
        "there is nothing at the end"
    );
    assert_eq!(
        reader.read(u64::MAX, 3).unwrap(),
        b"",
        "there is nothing past the end"
    );
    assert_eq!(
        reader.read(0, 0).unwrap(),
        b"",
        "nothing is read when nothing is asked"
    );

    let mut publisher = writer.publisher().unwrap();
    publisher.publish(b"one").unwrap();
    publisher.publish(b"two").unwrap();
    assert_eq!(
        reader.checkpoint().unwrap().unwrap(),
        b"two",
        "the newest checkpoint counts"
    );

    drop(writer);
    let mut writer = open().unwrap();
    assert_eq!(
        read().read(0, 100).unwrap(),
        b"first second",
        "a log outlives its writer"
    );
    writer.cut(6).unwrap();
    writer.append(b"other").unwrap();
    assert_eq!(
        reader.read(0, 100).unwrap(),
        b"first other",
        "appends follow a cut"
    );
    assert!(writer.cut(100).is_err(), "a cut never makes a log longer");
    assert!(
        writer.append(b"x").is_err(),
        "after a nonsensical cut nothing is written"
    );
}
