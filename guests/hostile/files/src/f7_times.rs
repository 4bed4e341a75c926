//! F7: times before 1970, which an unsigned number can only pretend, and in the year 10^9.

use crate::walk::{Descriptor, NewTimestamp, PathFlags, Seen, create, shown};
use wasip2::clocks::wall_clock::Datetime;

pub(crate) fn run(root: &Descriptor) -> Seen {
    let mut seen = Seen::new();
    let Ok(file) = create(root, "a/b") else {
        return seen;
    };
    for (what, seconds, nanoseconds) in [
        ("the largest", u64::MAX, u32::MAX),
        ("minus one", u64::MAX, 0),
        ("the year 10^9", 31_556_952_000_000_000, 0),
        ("a large fraction", 0, u32::MAX),
        ("a usual one", 1_700_000_000, 0),
    ] {
        let time = NewTimestamp::Timestamp(Datetime {
            seconds,
            nanoseconds,
        });
        seen.push((what.to_owned(), shown(file.set_times(time, time))));
        let at = root.set_times_at(PathFlags::empty(), "a/b", time, NewTimestamp::NoChange);
        seen.push((format!("{what}, by path"), shown(at)));
    }
    seen
}
