//! Recognising a secret in what came back.
//!
//! An answer is looked at as it is and with its escapes undone: percent-encoding, backslash escapes (JSON's, and `\x41`),
//! HTML's character references, and all of them together, twice. In each of these views the secret is searched as it
//! is, in any case; in base64 of both alphabets at all three alignments, with or without padding and line breaks; and in hex
//! with or without separators. A secret that is base64 itself, as that of basic authentication, is also known by what it
//! decodes to.
//!
//! What this can not see: a secret that was cut, reversed, hashed, compressed, enciphered or written in another character
//! set, and any part of one. An answer that says it is compressed is none that can be searched.
//!
//! INVARIANT: what is found is a secret in one of these forms; an answer is never changed to make it pass.

use alloc::{borrow::Cow, vec::Vec};

use base64::{
    Engine as _, alphabet,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig,
        general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
    },
};
use zeroize::Zeroizing;

use super::SECRET_BYTES_MIN;

type Hidden = Zeroizing<Vec<u8>>;
type View<'a> = Cow<'a, [u8]>;

/// Takes base64 as it is found in the world: with padding or without, whatever the last bits are.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// True when `secret` stands somewhere in `bytes` in a form that can be recognised.
pub(super) fn appears(secret: &[u8], bytes: &[u8]) -> bool {
    let forms = Forms::of(secret);
    let mut views: Vec<View<'_>> = alloc::vec![Cow::Borrowed(bytes)];
    for undo in [Undo::PERCENT, Undo::BACKSLASH, Undo::REFERENCE, Undo::ALL] {
        views.extend(undo.view(bytes));
    }
    let twice = (views.last())
        .filter(|_| views.len() > 1)
        .and_then(|once| Undo::ALL.view(once).map(Cow::into_owned));
    views.extend(twice.map(Cow::Owned));
    views.iter().any(|view| forms.stand_in(view))
}

/// What is searched for.
struct Forms {
    /// As it is and, for base64, decoded; in lower case.
    plain: Vec<Hidden>,
    base64: Vec<Hidden>,
    hex: Vec<Hidden>,
}

impl Forms {
    fn of(secret: &[u8]) -> Self {
        let mut values = alloc::vec![Zeroizing::new(secret.to_vec())];
        for symbols in [alphabet::STANDARD, alphabet::URL_SAFE] {
            let decoded = GeneralPurpose::new(&symbols, LENIENT).decode(secret);
            let decoded = Zeroizing::new(decoded.unwrap_or_default());
            if decoded.len() >= SECRET_BYTES_MIN {
                values.push(decoded);
            }
        }
        Self {
            base64: values.iter().flat_map(|value| base64(value)).collect(),
            hex: values.iter().map(|value| hex(value)).collect(),
            plain: values.iter().map(|value| lower(value)).collect(),
        }
    }

    fn stand_in(&self, view: &[u8]) -> bool {
        let is_in = |haystack: &[u8], forms: &[Hidden]| {
            forms.iter().any(|form| contains(haystack, form.as_slice()))
        };
        is_in(&lower(view), &self.plain)
            || is_in(&without(view, b" \t\r\n"), &self.base64)
            || is_in(&lower(&without(view, b" \t\r\n:-")), &self.hex)
    }
}

fn lower(bytes: &[u8]) -> Hidden {
    Zeroizing::new(bytes.to_ascii_lowercase())
}

fn without(bytes: &[u8], left_out: &[u8]) -> Hidden {
    let kept = bytes.iter().filter(|byte| !left_out.contains(byte));
    Zeroizing::new(kept.copied().collect())
}

/// The inner part of the secret's base64, at each alignment and in both alphabets: what stands before a secret shifts it,
/// and the characters at both ends depend on the neighbours.
fn base64(secret: &[u8]) -> Vec<Hidden> {
    let mut forms = Vec::new();
    for shift in 0..3_usize {
        let mut shifted = Zeroizing::new(alloc::vec![0_u8; shift]);
        shifted.extend_from_slice(secret);
        for text in [
            Zeroizing::new(STANDARD_NO_PAD.encode(&*shifted)),
            Zeroizing::new(URL_SAFE_NO_PAD.encode(&*shifted)),
        ] {
            let from = shift.saturating_mul(8).div_ceil(6);
            let until = shifted.len().saturating_mul(8) / 6;
            let inner = text.as_bytes().get(from..until).unwrap_or_default();
            forms.push(Zeroizing::new(inner.to_vec()));
        }
    }
    forms
}

fn hex(bytes: &[u8]) -> Hidden {
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len() * 2));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0x0f] {
            out.extend(b"0123456789abcdef".get(usize::from(nibble)));
        }
    }
    out
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else {
        return false;
    };
    let mut rest = haystack;
    // BOUND: every turn takes at least one byte off the front.
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        let Some(found) = rest.get(at..) else {
            return false;
        };
        if found.starts_with(needle) {
            return true;
        }
        rest = found.get(1..).unwrap_or_default();
    }
    false
}

/// Which escapes are undone.
#[derive(Clone, Copy)]
struct Undo {
    percent: bool,
    backslash: bool,
    reference: bool,
}

impl Undo {
    const NONE: Self = Self {
        percent: false,
        backslash: false,
        reference: false,
    };
    const PERCENT: Self = Self {
        percent: true,
        ..Self::NONE
    };
    const BACKSLASH: Self = Self {
        backslash: true,
        ..Self::NONE
    };
    const REFERENCE: Self = Self {
        reference: true,
        ..Self::NONE
    };
    const ALL: Self = Self {
        percent: true,
        backslash: true,
        reference: true,
    };

    /// `bytes` with the escapes undone; `None` where there is nothing that begins like one.
    fn view(self, bytes: &[u8]) -> Option<View<'static>> {
        let begins = |byte: &u8| match byte {
            b'%' => self.percent,
            b'\\' => self.backslash,
            b'&' => self.reference,
            _ => false,
        };
        bytes
            .iter()
            .any(begins)
            .then(|| Cow::Owned(self.undone(bytes)))
    }

    fn undone(self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        // BOUND: every turn takes at least one byte off the front.
        while let Some((first, after)) = rest.split_first() {
            let escape = match first {
                b'%' if self.percent => hex_value(after, 2),
                b'\\' if self.backslash => backslash(after),
                b'&' if self.reference => reference(after),
                _ => None,
            };
            let (byte, taken) = escape.unwrap_or((*first, 0));
            out.push(byte);
            rest = after.get(taken..).unwrap_or_default();
        }
        out
    }
}

/// The byte that `digits` hex digits at the front stand for, and how many bytes they take; `None` for anything else.
fn hex_value(bytes: &[u8], digits: usize) -> Option<(u8, usize)> {
    let text = core::str::from_utf8(bytes.get(..digits)?).ok()?;
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = u32::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
    Some((u8::try_from(value).ok()?, digits))
}

/// What stands behind a backslash: `u0041`, `x41`, or a byte that stands for itself.
fn backslash(after: &[u8]) -> Option<(u8, usize)> {
    let (kind, rest) = after.split_first()?;
    let digits = match kind {
        b'u' => 4,
        b'x' => 2,
        b'"' | b'\\' | b'/' | b'\'' => return Some((*kind, 1)),
        _ => return None,
    };
    let (byte, taken) = hex_value(rest, digits)?;
    Some((byte, taken + 1))
}

/// What stands behind an ampersand: `#65;`, `#x41;`, or the name of a character that markup escapes.
fn reference(after: &[u8]) -> Option<(u8, usize)> {
    const LONGEST: usize = 10;
    let window = after.get(..LONGEST.min(after.len()))?;
    let end = window.iter().position(|byte| *byte == b';')?;
    let name = core::str::from_utf8(window.get(..end)?).ok()?;
    let byte = match name {
        "amp" => b'&',
        "lt" => b'<',
        "gt" => b'>',
        "quot" => b'"',
        "apos" => b'\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']);
            let value = hex.map_or_else(
                || number.parse::<u32>(),
                |digits| u32::from_str_radix(digits, 16),
            );
            u8::try_from(value.ok()?).ok()?
        }
    };
    Some((byte, end + 1))
}

#[cfg(test)]
mod tests {
    use alloc::{
        format,
        string::{String, ToString},
    };

    use super::*;

    const CANARY: &str = "canary-7f3a+/\"\\<&>secret=value";

    fn found(answer: impl AsRef<[u8]>) -> bool {
        appears(CANARY.as_bytes(), answer.as_ref())
    }

    fn each(write: impl Fn(u8) -> String) -> String {
        CANARY.bytes().map(write).collect()
    }

    // Negative controls: with the plain form alone, with one alignment of base64, with one of the four ways of undoing or
    // the second round left out, or with the separators kept, a line of this list fails.
    #[test]
    fn an_echo_is_seen_in_the_usual_encodings_at_every_alignment() {
        let padded = base64::engine::general_purpose::STANDARD;
        let padded_url = base64::engine::general_purpose::URL_SAFE;
        for before in ["", "a", "ab", "abc", "user:"] {
            for behind in ["", " and more"] {
                let text = format!("{before}{CANARY}{behind}");
                assert!(found(&text), "{text}");
                assert!(found(text.to_uppercase()), "{text}");
                for encoded in [
                    STANDARD_NO_PAD.encode(&text),
                    URL_SAFE_NO_PAD.encode(&text),
                    padded.encode(&text),
                    padded_url.encode(&text),
                ] {
                    assert!(found(format!("x {encoded} y")), "{encoded}");
                    let (one, two) = encoded.split_at(13);
                    assert!(found(format!("{one}\r\n{two}")), "{encoded}");
                    assert!(found(encoded.replace('+', "%2B").replace('/', "\\/")));
                }
            }
        }
    }

    #[test]
    fn an_echo_is_seen_in_hex_and_behind_escapes() {
        for answer in [
            each(|byte| format!("{byte:02x}")),
            each(|byte| format!("{byte:02X}")),
            each(|byte| format!("{byte:02x}:")),
            each(|byte| format!("{byte:02x} ")),
            each(|byte| format!("%{byte:02X}")),
            each(|byte| format!("%{byte:02x}")),
            each(|byte| format!("%25{byte:02x}")),
            each(|byte| format!("\\u{byte:04x}")),
            each(|byte| format!("\\x{byte:02x}")),
            each(|byte| format!("&#{byte};")),
            each(|byte| format!("&#x{byte:x};")),
            "q=canary-7f3a%2B/%22\\%3C&%3Esecret%3Dvalue".to_string(),
            serde_json::to_string(CANARY).unwrap(),
            CANARY
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('/', "\\/"),
            CANARY
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;"),
            serde_json::to_string(&CANARY.replace('&', "&amp;").replace('<', "&lt;")).unwrap(),
        ] {
            assert!(found(&answer), "{answer}");
        }
    }

    #[test]
    fn the_password_behind_basic_authentication_is_seen_with_its_user() {
        let basic = base64::engine::general_purpose::STANDARD.encode("user:long password");
        for answer in [b"hello user:long password!".as_slice(), basic.as_bytes()] {
            assert!(appears(basic.as_bytes(), answer));
        }
        assert!(!appears(basic.as_bytes(), b"hello user"));
    }

    #[test]
    fn what_holds_no_secret_is_let_through() {
        for answer in [
            "",
            "%",
            "%2",
            "%zz\\",
            "\\u00",
            "&#",
            "&#999999999;&nothing;&",
            "canary-7f3a+/\"\\<&>secret=valu",
            "canary-7f3a and its secret=value",
        ] {
            assert!(!found(answer), "{answer}");
        }
        assert!(!found([0xff, b'%', 0xff, b'\\', b'u', 0xc3, 0x28]));
    }
}
