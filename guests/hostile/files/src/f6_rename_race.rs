//! F6: a name that is moved away and opened, over and over, while another attempt does the same.

use crate::walk::{Descriptor, Seen, content, shown};

pub(crate) fn run(root: &Descriptor) -> Seen {
    let mut strange = 0_u32;
    let mut moved = "ok".to_owned();
    for turn in 0..2_000 {
        let (from, to) = if turn % 2 == 0 {
            ("a", "c")
        } else {
            ("c", "a")
        };
        moved = shown(root.rename_at(from, root, to));
        for path in ["a/b", "c/b", "a/../c/b", "c/../a/b"] {
            if content(root, path).is_ok_and(|text| text != "inside") {
                strange += 1;
            }
        }
    }
    vec![
        ("last move".to_owned(), moved),
        ("strange content".to_owned(), strange.to_string()),
    ]
}
