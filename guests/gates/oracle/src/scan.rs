//! Looks for all needles of a codex in one pass over the bytes.
//!
//! A table from the first byte to the few needles that begin with it keeps the pass at about a nanosecond a byte: most
//! bytes begin none. Nothing is compiled, because an instance lives for one request only.
//! INVARIANT: a hit names the rule and the place, never the bytes that were found.

use alloc::vec::Vec;
use core::num::NonZeroU16;

use crate::codex::{Characters, Codex, Rule};
use crate::text::Text;

/// Which rule was hit, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The caller's own number for the rule.
    pub(crate) rule: usize,
    /// Offset of the needle in the bytes.
    pub(crate) at: usize,
}

/// What must follow a needle.
#[derive(Debug, Clone, Copy)]
enum After {
    Nothing,
    Token {
        characters: Characters,
        least: usize,
    },
    Assignment,
    UrlPassword,
}

#[derive(Debug, Clone, Copy)]
struct Needle<'a> {
    bytes: &'a [u8],
    any_case: bool,
    after: After,
    rule: usize,
}

/// All needles of the rules that apply, ready to look for.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    needles: Vec<Link<'a>>,
    /// For each first byte, the newest needle that begins with it.
    heads: [Option<NonZeroU16>; 256],
    /// For each first byte, which second bytes can follow it in a needle: bit `second % 64`.
    seconds: [u64; 256],
    masks: &'a [Text<'a>],
    harmless: &'a [Text<'a>],
}

/// A needle, and the number of the next one with the same first byte. Numbers count from one.
#[derive(Debug)]
struct Link<'a> {
    needle: Needle<'a>,
    next: Option<NonZeroU16>,
}

impl<'a> Scanner<'a> {
    /// Makes a scanner for numbered rules. Rules that do not look at bytes add nothing.
    pub(crate) fn new(
        codex: &'a Codex<'a>,
        rules: impl Iterator<Item = (usize, &'a Rule<'a>)>,
    ) -> Self {
        let mut scanner = Self {
            needles: Vec::with_capacity(96),
            heads: [None; 256],
            seconds: [0; 256],
            masks: &codex.masks,
            harmless: &codex.harmless,
        };
        for (number, rule) in rules {
            scanner.add_rule(number, rule);
        }
        scanner
    }

    fn add_rule(&mut self, rule: usize, authored: &'a Rule<'a>) {
        for text in authored.text.iter().flatten() {
            self.add(Needle {
                bytes: text.as_bytes(),
                any_case: true,
                after: After::Nothing,
                rule,
            });
        }
        for text in authored.assignment.iter().flatten() {
            self.add(Needle {
                bytes: text.as_bytes(),
                any_case: true,
                after: After::Assignment,
                rule,
            });
        }
        if let Some(token) = &authored.token {
            let least = usize::try_from(token.least).unwrap_or(usize::MAX);
            let after = After::Token {
                characters: token.characters,
                least,
            };
            for text in &token.prefixes {
                // A prefix that ends with a space, such as `Bearer `, is a word of a protocol: those ignore case.
                let any_case = text.ends_with(' ');
                self.add(Needle {
                    bytes: text.as_bytes(),
                    any_case,
                    after,
                    rule,
                });
            }
        }
        if authored.url_password.is_some() {
            self.add(Needle {
                bytes: b"://",
                any_case: false,
                after: After::UrlPassword,
                rule,
            });
        }
    }

    fn add(&mut self, needle: Needle<'a>) {
        let Some(first) = needle.bytes.first() else {
            return;
        };
        let second = needle.bytes.get(1);
        for first in cases(*first, needle.any_case) {
            let bits = match second {
                None => u64::MAX,
                Some(second) => {
                    cases(*second, needle.any_case).fold(0, |bits, byte| bits | bit_of(byte))
                }
            };
            let index = usize::from(first);
            if let (Some(head), Some(seconds)) =
                (self.heads.get_mut(index), self.seconds.get_mut(index))
            {
                self.needles.push(Link {
                    needle,
                    next: *head,
                });
                // BOUND: `codex::parse` refuses a codex with more needles than numbers.
                *head = u16::try_from(self.needles.len())
                    .ok()
                    .and_then(NonZeroU16::new);
                *seconds |= bits;
            }
        }
    }

    /// Adds every hit in `bytes` to `hits`, at most one a rule.
    pub(crate) fn scan(&self, bytes: &[u8], hits: &mut Vec<Hit>) {
        let nexts = bytes.iter().skip(1).chain(core::iter::once(&0));
        for (at, (byte, next)) in bytes.iter().zip(nexts).enumerate() {
            let seconds = self.seconds.get(usize::from(*byte)).copied().unwrap_or(0);
            if seconds & bit_of(*next) != 0 {
                self.try_all(bytes, at, *byte, hits);
            }
        }
    }

    #[inline(never)]
    fn try_all(&self, bytes: &[u8], at: usize, first: u8, hits: &mut Vec<Hit>) {
        let mut number = self.heads.get(usize::from(first)).copied().flatten();
        // BOUND: `next` always names an older needle.
        while let Some(link) =
            number.and_then(|number| self.needles.get(usize::from(number.get()) - 1))
        {
            let is_known = || hits.iter().any(|hit| hit.rule == link.needle.rule);
            if self.is_hit(&link.needle, bytes, at) && !is_known() {
                hits.push(Hit {
                    rule: link.needle.rule,
                    at,
                });
            }
            number = link.next;
        }
    }

    fn is_hit(&self, needle: &Needle<'_>, bytes: &[u8], at: usize) -> bool {
        let Some((found, rest)) = bytes
            .get(at..)
            .and_then(|tail| tail.split_at_checked(needle.bytes.len()))
        else {
            return false;
        };
        let is_equal = if needle.any_case {
            found.eq_ignore_ascii_case(needle.bytes)
        } else {
            found == needle.bytes
        };
        is_equal
            && match needle.after {
                After::Nothing => true,
                After::Token { characters, least } => {
                    let before = at.checked_sub(1).and_then(|index| bytes.get(index));
                    let is_inside = before.is_some_and(|byte| is_word(*byte));
                    let run = rest.iter().take_while(|byte| belongs(characters, **byte));
                    !is_inside && run.take(least).count() == least
                }
                After::Assignment => assigned(rest).is_some_and(|value| self.is_secret(value)),
                After::UrlPassword => url_password(rest).is_some_and(|value| self.is_secret(value)),
            }
    }

    /// False for a mask and for a value that is no secret whatever its name is.
    fn is_secret(&self, value: &[u8]) -> bool {
        let is_masked = self
            .masks
            .iter()
            .any(|mask| value.starts_with(mask.as_bytes()));
        let is_harmless = self
            .harmless
            .iter()
            .any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
        !value.is_empty() && !is_masked && !is_harmless
    }
}

/// The byte, in both cases where case does not count.
fn cases(byte: u8, any_case: bool) -> impl Iterator<Item = u8> {
    let other = if byte.is_ascii_uppercase() {
        byte.to_ascii_lowercase()
    } else {
        byte.to_ascii_uppercase()
    };
    core::iter::once(byte).chain((any_case && other != byte).then_some(other))
}

fn bit_of(byte: u8) -> u64 {
    1 << (byte % 64)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn belongs(characters: Characters, byte: u8) -> bool {
    match characters {
        Characters::UpperDigits => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        Characters::Alphanumeric => byte.is_ascii_alphanumeric(),
        Characters::Base64 => byte.is_ascii_alphanumeric() || b"+/=_-.~".contains(&byte),
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
