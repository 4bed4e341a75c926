//! F4: links that the guest makes itself, and moving out of a folder that is only read.

use crate::walk::{Descriptor, PathFlags, Seen, open, root as mount, shown};

pub(crate) fn run(root: &Descriptor) -> Seen {
    let mut seen = Seen::new();
    let mut note = |what: &str, result: String| seen.push((what.to_owned(), result));
    note(
        "symlink to the outside",
        shown(root.symlink_at("/etc", "s")),
    );
    note("open it", shown(open(root, "s/passwd")));
    note("symlink inside", shown(root.symlink_at("a/b", "t")));
    let hard = root.link_at(PathFlags::empty(), "a/b", root, "h");
    note("hard link", shown(hard));
    if let Some(given) = mount("given") {
        let linked = given.link_at(PathFlags::empty(), "kept", root, "h");
        note("hard link out of a read-only folder", shown(linked));
        note(
            "move out of a read-only folder",
            shown(given.rename_at("kept", root, "h")),
        );
        note(
            "move into a read-only folder",
            shown(root.rename_at("a/b", &given, "h")),
        );
        note("the kept file", shown(open(&given, "kept")));
    }
    note("no link came out", shown(open(root, "h")));
    seen
}
