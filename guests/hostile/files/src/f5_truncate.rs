//! F5: opening to read only, and cutting the file to nothing with the same call.

use crate::walk::{
    Descriptor, DescriptorFlags, OpenFlags, PathFlags, Seen, content, open, root as mount, shown,
};

pub(crate) fn run(root: &Descriptor) -> Seen {
    let mut seen = Seen::new();
    let mut note = |what: &str, result: String| seen.push((what.to_owned(), result));
    let cut = |root: &Descriptor, path: &str| {
        let flags = DescriptorFlags::READ;
        root.open_at(PathFlags::empty(), path, OpenFlags::TRUNCATE, flags)
    };
    note("truncate", shown(cut(root, "a/b")));
    note("content", content(root, "a/b").unwrap_or_default());
    if let Ok(file) = open(root, "a/b") {
        note("set size", shown(file.set_size(0)));
        note("write", shown(file.write(b"x", 0)));
        note("stream", shown(file.write_via_stream(0)));
    }
    if let Some(given) = mount("given") {
        note("truncate in a read-only folder", shown(cut(&given, "kept")));
        note("its content", content(&given, "kept").unwrap_or_default());
    }
    seen
}
