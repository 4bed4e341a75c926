//! Which cases a test with a long form runs, and how far it has come.
//!
//! `AIM_SOAK` is the part of the long form that was asked for, as `K/N`: the K-th of N parts. The parts of one N cover every case
//! once, so a long form can be split over days and machines, and part `n+1/whole` is the case of number `n` alone. Without it a
//! test runs its short form, which is where the long one begins. `AIM_SOAK_PLACE` names a file that always holds the number of
//! the case that is being run: whoever watches sees how far it is, and a process that was killed leaves the case that did it.
//!
//! INVARIANT: which cases run depends on the two variables alone, and each is noted before it runs.

use std::{fs::File, ops::Range, os::unix::fs::FileExt as _, path::Path};

/// The numbers of the cases to run, in their order.
#[derive(Debug)]
pub struct Cases {
    left: Range<u64>,
    count: u64,
    whole: u64,
    place: Option<File>,
}

impl Cases {
    /// The cases that were asked for of `whole`, or the first `short` of them when none were.
    ///
    /// # Panics
    /// When `AIM_SOAK` is no part or the file of `AIM_SOAK_PLACE` can not be made: a soak that runs other cases than those
    /// asked for is worse than none.
    #[must_use]
    pub fn of(whole: u64, short: u64) -> Self {
        let left = match std::env::var("AIM_SOAK") {
            Ok(part) => part_of(&part, whole).unwrap_or_else(|| not_a_part(&part)),
            Err(_) => 0..short,
        };
        let place = std::env::var_os("AIM_SOAK_PLACE").map(|path| file(Path::new(&path)));
        let count = left.end - left.start;
        let cases = Self {
            left,
            count,
            whole,
            place,
        };
        cases.note(cases.left.start);
        cases
    }

    /// How many cases there are to run, with those that were already run.
    #[must_use]
    pub fn how_many(&self) -> u64 {
        self.count
    }

    /// The part's start, the case, the part's end and the whole: as text of one length, so that no reader sees half of one.
    fn note(&self, number: u64) {
        if let Some(place) = &self.place {
            let end = self.left.end;
            let start = end - self.count;
            let whole = self.whole;
            let text = format!("{start:>20} {number:>20} {end:>20} {whole:>20}\n");
            // Whoever watches misses one number; the cases are what counts.
            drop(place.write_all_at(text.as_bytes(), 0));
        }
    }
}

impl Iterator for Cases {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        match self.left.next() {
            Some(number) => {
                self.note(number);
                Some(number)
            }
            None => {
                self.note(self.left.end);
                None
            }
        }
    }
}

/// True in a soak.
#[must_use]
pub fn is_asked_for() -> bool {
    std::env::var_os("AIM_SOAK").is_some()
}

/// The numbers of part `K/N` of `whole`.
fn part_of(part: &str, whole: u64) -> Option<Range<u64>> {
    let (k, n) = part.split_once('/')?;
    let (k, n): (u64, u64) = (k.parse().ok()?, n.parse().ok()?);
    if k == 0 || k > n {
        return None;
    }
    let until = |parts: u64| u64::try_from(u128::from(whole) * u128::from(parts) / u128::from(n));
    Some(until(k - 1).ok()?..until(k).ok()?)
}

#[expect(clippy::panic, reason = "a test that was asked for nonsense fails")]
fn not_a_part(text: &str) -> ! {
    panic!("AIM_SOAK is `{text}`, not a part such as `1/3`")
}

#[expect(clippy::panic, reason = "a test that can not say where it is fails")]
fn file(path: &Path) -> File {
    File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_whole_cover_every_number_once() {
        for (whole, parts) in [(10, 3), (250_000, 7), (5, 9), (1, 1), (0, 2), (u64::MAX, 4)] {
            let mut end = 0;
            for part in 1..=parts {
                let range = part_of(&format!("{part}/{parts}"), whole).unwrap();
                assert_eq!(range.start, end);
                end = range.end;
            }
            assert_eq!(end, whole);
        }
        assert_eq!(part_of("1235/250000", 250_000), Some(1_234..1_235));
        for wrong in ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/2"] {
            assert_eq!(part_of(wrong, 10), None, "{wrong}");
        }
    }

    #[test]
    fn the_number_of_a_case_is_noted_before_it_runs() {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("aim-soak-{}", std::process::id()));
        let place = Some(file(&path));
        let mut cases = Cases {
            left: 7..9,
            count: 2,
            whole: 20,
            place,
        };
        let noted = || {
            let text = std::fs::read_to_string(&path).unwrap();
            let numbers = text.split_whitespace().map(|word| word.parse().unwrap());
            numbers.collect::<Vec<u64>>()
        };
        assert_eq!((cases.next(), noted()), (Some(7), vec![7, 7, 9, 20]));
        assert_eq!((cases.next(), noted()), (Some(8), vec![7, 8, 9, 20]));
        assert_eq!((cases.next(), noted()), (None, vec![7, 9, 9, 20]));
        assert_eq!(cases.how_many(), 2);
        std::fs::remove_file(path).unwrap();
    }
}
