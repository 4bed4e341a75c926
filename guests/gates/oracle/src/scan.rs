//! Looks for all needles of a codex in one pass over the bytes.
//!
//! A table from each byte to the few needles that begin with it keeps the pass at about a nanosecond a byte: most bytes begin
//! none. The tables are part of the compiled codex, because an instance lives for one request only.
//! INVARIANT: a hit names the rule and the place, never the bytes that were found.

use alloc::vec::Vec;

use crate::compiled::{after, bit_of, place, row};
use crate::view::{Row, Rows, View};

/// Which rule was hit, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The rule's number.
    pub(crate) rule: usize,
    /// Offset of the needle in the bytes.
    pub(crate) at: usize,
}

/// All needles of the rules that apply, ready to look for.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    view: &'a View<'a>,
    needles: Rows<'a>,
    /// For each byte, the number of its class; zero begins no needle.
    classes: &'a [u8; 256],
    /// For each class, which second bytes can follow, and the newest needle.
    rows: &'a [[u8; row::CLASS]],
    masks: Rows<'a>,
    harmless: Rows<'a>,
}

impl<'a> Scanner<'a> {
    /// The scanner of a compiled codex; `None` when its tables make no sense.
    pub(crate) fn new(view: &'a View<'a>) -> Option<Self> {
        let classes = view.table(place::CLASSES, 1)?.bytes();
        let (rows, _) = view
            .table(place::CLASS_ROWS, row::CLASS)?
            .bytes()
            .as_chunks();
        Some(Self {
            view,
            needles: view.table(place::NEEDLES, row::NEEDLE)?,
            classes: classes.try_into().ok()?,
            rows,
            masks: view.counted(place::MASKS, row::TEXT)?,
            harmless: view.counted(place::HARMLESS, row::TEXT)?,
        })
    }

    /// Adds every hit in `bytes` to `hits`, at most one a rule. `None` when a table makes no sense.
    pub(crate) fn scan(&self, bytes: &[u8], hits: &mut Vec<Hit>) -> Option<()> {
        let nexts = bytes.iter().skip(1).chain(core::iter::once(&0));
        for (at, (byte, next)) in bytes.iter().zip(nexts).enumerate() {
            let class = self.classes.get(usize::from(*byte)).copied().unwrap_or(0);
            if class != 0 {
                let class = Row(self.rows.get(usize::from(class) - 1)?);
                if class.long(0)? & bit_of(*next) != 0 {
                    self.try_all(bytes, at, class.index(8)?, hits)?;
                }
            }
        }
        Some(())
    }

    #[inline(never)]
    fn try_all(&self, bytes: &[u8], at: usize, head: usize, hits: &mut Vec<Hit>) -> Option<()> {
        let mut number = head;
        // BOUND: `next` always names an older needle.
        while let Some(index) = number.checked_sub(1) {
            let needle = self.needles.get(index)?;
            let rule = needle.index(0)?;
            let is_known = || hits.iter().any(|hit| hit.rule == rule);
            if self.is_hit(needle, bytes, at)? && !is_known() {
                hits.push(Hit { rule, at });
            }
            let next = needle.index(4)?;
            if next >= number {
                return None;
            }
            number = next;
        }
        Some(())
    }

    fn is_hit(&self, needle: Row<'a>, bytes: &[u8], at: usize) -> Option<bool> {
        let wanted = self.view.bytes_of(needle, 16)?;
        let tail = bytes.get(at..).unwrap_or_default();
        let Some((found, rest)) = tail.split_at_checked(wanted.len()) else {
            return Some(false);
        };
        let is_equal = if needle.byte(8)? != 0 {
            found.eq_ignore_ascii_case(wanted)
        } else {
            found == wanted
        };
        if !is_equal {
            return Some(false);
        }
        match needle.byte(9)? {
            after::NOTHING => Some(true),
            after::TOKEN => {
                let (characters, least) = (needle.byte(10)?, needle.index(12)?);
                let before = at.checked_sub(1).and_then(|index| bytes.get(index));
                let is_inside = before.is_some_and(|byte| is_word(*byte));
                let run = rest.iter().take_while(|byte| belongs(characters, **byte));
                Some(!is_inside && run.take(least).count() == least)
            }
            after::ASSIGNMENT => match assigned(rest) {
                Some(value) => self.is_secret(value),
                None => Some(false),
            },
            after::URL_PASSWORD => match url_password(rest) {
                Some(value) => self.is_secret(value),
                None => Some(false),
            },
            _ => None,
        }
    }

    /// False for a mask and for a value that is no secret whatever its name is.
    fn is_secret(&self, value: &[u8]) -> Option<bool> {
        for mask in self.masks.all() {
            if value.starts_with(self.view.bytes_of(mask, 0)?) {
                return Some(false);
            }
        }
        for word in self.harmless.all() {
            if value.eq_ignore_ascii_case(self.view.bytes_of(word, 0)?) {
                return Some(false);
            }
        }
        Some(!value.is_empty())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The character sets of tokens by their numbers; no byte belongs to a set that is unknown.
fn belongs(characters: u8, byte: u8) -> bool {
    match characters {
        0 => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        1 => byte.is_ascii_alphanumeric(),
        2 => byte.is_ascii_alphanumeric() || b"+/=_-.~".contains(&byte),
        _ => false,
    }
}

/// Quotes, and the backslashes that JSON puts before them.
fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'\\')
}

/// The value after a name: `name=value`, `"name": "value"`, `name => value`, and SQL's `NAME 'value'`.
fn assigned(rest: &[u8]) -> Option<&[u8]> {
    if let Some(quoted) = rest.strip_prefix(b" '") {
        return Some(until(quoted, |byte| byte == b'\''));
    }
    let rest = skip(rest, is_quote);
    let rest = skip(rest, |byte| byte == b' ');
    let (sign, rest) = rest.split_first()?;
    if !matches!(*sign, b'=' | b':') {
        return None;
    }
    let rest = skip(rest, |byte| matches!(byte, b' ' | b'=' | b'>'));
    let rest = skip(rest, is_quote);
    let ends = |byte: u8| byte.is_ascii_whitespace() || is_quote(byte) || b",;&}".contains(&byte);
    Some(until(rest, ends))
}

/// The password of `://user:password@`.
fn url_password(rest: &[u8]) -> Option<&[u8]> {
    let ends = |byte: u8| byte.is_ascii_whitespace() || is_quote(byte) || b"/@".contains(&byte);
    let authority = until(rest, ends);
    if rest.get(authority.len()) != Some(&b'@') {
        return None;
    }
    let colon = authority.iter().position(|byte| *byte == b':')?;
    authority.get(colon + 1..)
}

fn skip(bytes: &[u8], is_skipped: impl Fn(u8) -> bool) -> &[u8] {
    let from = bytes
        .iter()
        .position(|byte| !is_skipped(*byte))
        .unwrap_or(bytes.len());
    bytes.get(from..).unwrap_or_default()
}

fn until(bytes: &[u8], is_end: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes
        .iter()
        .position(|byte| is_end(*byte))
        .unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}
