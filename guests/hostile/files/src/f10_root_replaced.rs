//! F10: what is read when the granted folder's name leads elsewhere meanwhile.

use crate::walk::{Descriptor, Seen, content};

pub(crate) fn run(root: &Descriptor) -> Seen {
    let text = content(root, "a/b").unwrap_or_default();
    vec![("content".to_owned(), text)]
}
