//! F2: links to the outside, long chains and loops. No snapshot holds a link, so there is nothing to follow.

use crate::walk::{Descriptor, Seen, open, shown};

pub(crate) fn run(root: &Descriptor) -> Seen {
    let mut seen = Seen::new();
    for path in [
        "outside",
        "outside/passwd",
        "chain63",
        "loop",
        "loop/loop/loop",
    ] {
        seen.push((format!("read {path}"), shown(open(root, path))));
        seen.push((format!("follow {path}"), shown(root.readlink_at(path))));
    }
    seen
}
