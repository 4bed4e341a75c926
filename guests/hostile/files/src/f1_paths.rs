//! F1: paths that lead out, to read and to write.

use crate::walk::{Descriptor, Seen, create, open, shown};

pub(crate) fn run(root: &Descriptor) -> Seen {
    let mut seen = Seen::new();
    for path in [
        "../x",
        "..",
        "/etc/passwd",
        "a/../../x",
        ".//..//",
        "",
        "x\0y",
        "a/../../data/a/b",
    ] {
        seen.push((format!("read {path:?}"), shown(open(root, path))));
        seen.push((format!("write {path:?}"), shown(create(root, path))));
        seen.push((
            format!("make {path:?}"),
            shown(root.create_directory_at(path)),
        ));
        let moved = root.rename_at("a/b", root, path);
        seen.push((format!("move {path:?}"), shown(moved)));
    }
    seen
}
