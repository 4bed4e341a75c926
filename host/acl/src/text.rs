//! Places in a source as editors count them: lines from 0, columns in code units of an agreed encoding.
//!
//! A line ends at a line feed, at a carriage return, or at the two together, as the Language Server Protocol (3.17, "Text
//! Documents") has it. The language itself knows only the line feed, so lines here and in [`crate::Position`] may differ
//! where a source holds a carriage return of its own; such a source is refused anyway.
//!
//! INVARIANT: every place leads to a byte on a character border of the source, however far outside of it the place is.

use alloc::vec::Vec;

/// What a column counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of two bytes; characters beyond the first plane count twice.
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// The units that a character takes.
    #[must_use]
    pub const fn units(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
            Self::Utf32 => 1,
        }
    }
}

/// A line and a column, both from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in units of the encoding that it was asked in.
    pub column: usize,
}

/// Where the lines of a source are.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    source: &'a str,
    /// The first byte of each line; never empty.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Finds the lines of a source.
    #[must_use]
    pub fn of(source: &'a str) -> Self {
        let bytes = source.as_bytes();
        let is_feed = |index: usize| bytes.get(index) == Some(&b'\n');
        let ends = bytes.iter().enumerate().filter_map(|(index, byte)| {
            let is_end = *byte == b'\n' || (*byte == b'\r' && !is_feed(index + 1));
            is_end.then_some(index + 1)
        });
        Self {
            source,
            starts: core::iter::once(0).chain(ends).collect(),
        }
    }

    /// The number of lines; one more than there are line ends.
    #[must_use]
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// A line without its end, and its first byte. A line behind the last one is the empty end of the source.
    fn line(&self, line: usize) -> (usize, &'a str) {
        let end_of_source = self.source.len();
        let start = self.starts.get(line).copied().unwrap_or(end_of_source);
        let end = self
            .starts
            .get(line.saturating_add(1))
            .copied()
            .unwrap_or(end_of_source);
        let text = self.source.get(start..end).unwrap_or_default();
        (start, text.trim_end_matches(['\n', '\r']))
    }

    /// Finds the place of a byte. A byte inside a character counts as the character's first, one inside a line's end as the
    /// end of the line, one behind the source as the source's end.
    #[must_use]
    pub fn place(&self, offset: usize, encoding: Encoding) -> Place {
        let after = self.starts.partition_point(|start| *start <= offset);
        let line = after.saturating_sub(1);
        let (start, text) = self.line(line);
        let chars = text.char_indices();
        let before = chars.take_while(|(index, c)| start + index + c.len_utf8() <= offset);
        Place {
            line,
            column: before.map(|(_, c)| encoding.units(c)).sum(),
        }
    }

    /// Finds the byte at a place. A column behind its line counts as the line's end, one inside a character as the
    /// character's first byte, a line behind the last one as the source's end.
    #[must_use]
    pub fn offset(&self, place: Place, encoding: Encoding) -> usize {
        let (start, text) = self.line(place.line);
        let mut units = 0;
        for (index, c) in text.char_indices() {
            units += encoding.units(c);
            if units > place.column {
                return start + index;
            }
        }
        start + text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "a\u{e9}\u{1f980}z\r\nzwei\rdrei\n";

    #[test]
    fn a_column_counts_what_was_agreed() {
        let lines = Lines::of(SOURCE);
        let z = SOURCE.find('z').unwrap_or_default();
        for (encoding, column) in [
            (Encoding::Utf8, 7),
            (Encoding::Utf16, 4),
            (Encoding::Utf32, 3),
        ] {
            let place = Place { line: 0, column };
            assert_eq!(lines.place(z, encoding), place, "{encoding:?}");
            assert_eq!(lines.offset(place, encoding), z, "{encoding:?}");
        }
    }

    #[test]
    fn lines_end_at_feed_return_or_both() {
        let lines = Lines::of(SOURCE);
        assert_eq!(lines.count(), 4);
        let of = |word: &str| lines.place(SOURCE.find(word).unwrap_or_default(), Encoding::Utf16);
        assert_eq!(of("zwei"), Place { line: 1, column: 0 });
        assert_eq!(of("drei"), Place { line: 2, column: 0 });
        assert_eq!(
            lines.offset(Place { line: 3, column: 0 }, Encoding::Utf16),
            SOURCE.len()
        );
    }

    #[test]
    fn a_place_outside_leads_to_the_nearest_border() {
        let lines = Lines::of(SOURCE);
        let offset = |line, column| lines.offset(Place { line, column }, Encoding::Utf16);
        assert_eq!(offset(0, 99), SOURCE.find('\r').unwrap_or_default());
        assert_eq!(offset(99, 0), SOURCE.len());
        // Control: with `line + 1` left to overflow, this panicked.
        assert_eq!(offset(usize::MAX, usize::MAX), SOURCE.len());
        // The second half of the character beyond the first plane.
        assert_eq!(offset(0, 3), 3);
        assert_eq!(
            lines.place(5, Encoding::Utf16),
            Place { line: 0, column: 2 }
        );
        assert_eq!(
            lines.place(999, Encoding::Utf16),
            Place { line: 3, column: 0 }
        );
    }
}
