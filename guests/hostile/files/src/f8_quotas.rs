//! F8: filling the folder, by bytes, by streams, by files, by names and by sizes that are only said.

use crate::walk::{Descriptor, Seen, create, shown};

/// Does `once` until it fails; the number of times it did not, and the failure.
fn until_refused(most: u32, mut once: impl FnMut(u32) -> String) -> (u32, String) {
    for turn in 0..most {
        let result = once(turn);
        if result != "ok" {
            return (turn, result);
        }
    }
    (most, "never refused".to_owned())
}

pub(crate) fn run(root: &Descriptor) -> Seen {
    let mut seen = Seen::new();
    let mut note = |what: &str, result: String| seen.push((what.to_owned(), result));
    if let Ok(file) = create(root, "sparse") {
        note("a sparse terabyte", shown(file.set_size(1 << 40)));
        note("one byte at a terabyte", shown(file.write(b"x", 1 << 40)));
        note(
            "one byte at the end of all",
            shown(file.write(b"x", u64::MAX)),
        );
    }
    let piece = vec![7_u8; 4_096];
    if let Ok(file) = create(root, "large") {
        let (turns, result) = until_refused(4_096, |turn| {
            shown(file.write(&piece, u64::from(turn) * 4_096))
        });
        note("pieces until refused", format!("{turns} {result}"));
        note(
            "the file is what was taken",
            file.stat().map_or(0, |stat| stat.size).to_string(),
        );
    }
    if let Ok(file) = create(root, "streamed")
        && let Ok(stream) = file.append_via_stream()
    {
        let (_, result) = until_refused(4_096, |_| match stream.blocking_write_and_flush(&piece) {
            Ok(()) => "ok".to_owned(),
            Err(_) => "refused".to_owned(),
        });
        note("a stream", result);
    }
    let _ = root.unlink_file_at("large");
    let _ = root.unlink_file_at("streamed");
    note("a name of 4096", shown(create(root, &"n".repeat(4_096))));
    note("a name of 256", shown(create(root, &"n".repeat(256))));
    let (files, result) = until_refused(1_000_000, |turn| shown(create(root, &format!("f{turn}"))));
    note("files until refused", format!("{files} {result}"));
    note("a folder more", shown(root.create_directory_at("d")));
    note("a name of the host's own", shown(create(root, ".aim-x")));
    seen
}
