//! F3: slashes at the end of a path, of a link's name and of a rename's target.

use crate::walk::{Descriptor, Seen, create, open, shown};

pub(crate) fn run(root: &Descriptor) -> Seen {
    let mut seen = Seen::new();
    let mut note = |what: &str, result: String| seen.push((what.to_owned(), result));
    note("read file/", shown(open(root, "a/b/")));
    note("read file//", shown(open(root, "a/b//")));
    note("read file/.", shown(open(root, "a/b/.")));
    note("create new/", shown(create(root, "new/")));
    note(
        "move file to new/",
        shown(root.rename_at("a/b", root, "new/")),
    );
    note(
        "move file/ to new",
        shown(root.rename_at("a/b/", root, "new")),
    );
    note("remove file/", shown(root.unlink_file_at("a/b/")));
    note("link to new/", shown(root.symlink_at("a/b", "new/")));
    note("the file is still there", shown(open(root, "a/b")));
    note("no new one is", shown(open(root, "new")));
    seen
}
