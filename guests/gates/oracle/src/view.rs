//! Reading the compiled form where it lies.
//! INVARIANT: every offset is checked when it is used; nothing is copied but what goes into the decision.

use crate::compiled::{HEADER_WORDS, MAGIC, place, row};
use crate::types::Phase;

/// A compiled codex.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    bytes: &'a [u8],
    texts: usize,
}

/// Rows of equal size, one behind the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    bytes: &'a [u8],
    size: usize,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a>(pub(crate) &'a [u8]);

impl<'a> View<'a> {
    /// Takes a compiled form that was made for `phase`.
    pub(crate) fn new(bytes: &'a [u8], phase: Phase) -> Option<Self> {
        let view = Self { bytes, texts: 0 };
        if view.word(0)? != MAGIC || view.word(place::PHASE)? != phase.number() {
            return None;
        }
        let texts = view.offset(HEADER_WORDS - 1)?;
        Some(Self { bytes, texts })
    }

    /// A word of the header.
    pub(crate) fn word(&self, index: usize) -> Option<u32> {
        Row(self.bytes).word(index.checked_mul(4)?)
    }

    fn offset(&self, index: usize) -> Option<usize> {
        usize::try_from(self.word(index)?).ok()
    }

    /// The text whose place is at `at` of `row`.
    pub(crate) fn text(&self, row: Row<'a>, at: usize) -> Option<&'a str> {
        core::str::from_utf8(self.bytes_of(row, at)?).ok()
    }

    /// As [`Self::text`], as bytes.
    pub(crate) fn bytes_of(&self, row: Row<'a>, at: usize) -> Option<&'a [u8]> {
        let from = usize::try_from(row.word(at)?).ok()?;
        let length = usize::try_from(row.word(at.checked_add(4)?)?).ok()?;
        let from = self.texts.checked_add(from)?;
        self.bytes.get(from..from.checked_add(length)?)
    }

    /// The document's version.
    pub(crate) fn version(&self) -> Option<&'a str> {
        self.text(Row(self.bytes), place::VERSION * 4)
    }

    /// The table whose place and count stand at `index` of the header.
    pub(crate) fn table(&self, index: usize, size: usize) -> Option<Rows<'a>> {
        let count = usize::try_from(self.word(index.checked_add(1)?)?).ok()?;
        self.rows(self.offset(index)?, count, size)
    }

    /// The table whose place stands at `index` of the header and whose count stands before it.
    pub(crate) fn counted(&self, index: usize, size: usize) -> Option<Rows<'a>> {
        let from = self.offset(index)?;
        let count = usize::try_from(Row(self.bytes).word(from)?).ok()?;
        self.rows(from.checked_add(4)?, count, size)
    }

    /// What hit concerns take from futures: it lies behind them.
    pub(crate) fn less(&self) -> Option<Rows<'a>> {
        let futures = self.counted(place::FUTURES, row::FUTURE)?;
        let from = self.offset(place::FUTURES)?.checked_add(4)?;
        let from = from.checked_add(futures.bytes.len())?;
        let bytes = self.bytes.get(from..self.texts)?;
        Some(Rows {
            bytes,
            size: row::LESS,
        })
    }

    fn rows(&self, from: usize, count: usize, size: usize) -> Option<Rows<'a>> {
        let end = from.checked_add(count.checked_mul(size)?)?;
        let bytes = self.bytes.get(from..end)?;
        Some(Rows { bytes, size })
    }
}

impl<'a> Rows<'a> {
    /// All of them, in order.
    pub(crate) fn all(self) -> impl Iterator<Item = Row<'a>> {
        self.bytes.chunks_exact(self.size).map(Row)
    }

    /// One of them.
    pub(crate) fn get(self, index: usize) -> Option<Row<'a>> {
        let from = index.checked_mul(self.size)?;
        self.bytes.get(from..from.checked_add(self.size)?).map(Row)
    }

    /// How many.
    pub(crate) fn count(self) -> usize {
        self.bytes.len() / self.size
    }

    /// The bytes of a table of bytes.
    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }
}

impl Row<'_> {
    /// The word at a byte offset.
    pub(crate) fn word(&self, at: usize) -> Option<u32> {
        let four = self.0.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(four.try_into().ok()?))
    }

    /// The 64 bits at a byte offset.
    pub(crate) fn long(&self, at: usize) -> Option<u64> {
        let eight = self.0.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(eight.try_into().ok()?))
    }

    /// The signed number of 64 bits at a byte offset.
    pub(crate) fn signed(&self, at: usize) -> Option<i64> {
        Some(self.long(at)?.cast_signed())
    }

    /// The byte at an offset.
    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    /// The index at a byte offset.
    pub(crate) fn index(&self, at: usize) -> Option<usize> {
        usize::try_from(self.word(at)?).ok()
    }
}
