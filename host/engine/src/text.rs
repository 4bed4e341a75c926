//! Guest text made harmless: what a terminal, a log or a bidirectional layout would act on is written visibly.
//!
//! INVARIANT: the result has no control, format or line-separating character, whatever went in.

/// Targets of the `log` and `tracing` facades that carry guest bytes at debug level in the engine's dependencies: any
/// subscriber that this project installs caps them at info, in code.
pub const GUEST_BYTES_LOG_TARGETS: &[&str] = &[
    "wasmtime",
    "wasmtime_wasi",
    "wasmtime_wasi_io",
    "wasmtime_internal_cranelift",
    "cranelift_codegen",
];

/// Escapes `text` and keeps at most `bytes_max` bytes of the result; a cut is marked.
#[must_use]
pub fn neutralise(text: &str, bytes_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(bytes_max));
    for c in text.chars() {
        let before = out.len();
        if is_harmless(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
        if out.len() > bytes_max {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// True for text of at most `bytes_max` bytes that [`neutralise`] would leave as it is.
pub(crate) fn is_plain(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && text.chars().all(is_harmless)
}

/// True for characters that only ever show themselves.
const fn is_harmless(c: char) -> bool {
    let code = c as u32;
    match code {
        0x20..=0x7e => true,
        0x00..=0x9f => false,
        // Soft hyphen, Arabic letter mark, Mongolian vowel separator: invisible.
        0xad | 0x061c | 0x180e => false,
        // Zero-width, direction marks and embeddings, line and paragraph separators.
        0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f => false,
        // Byte order mark, interlinear annotations, tags, private noncharacters.
        0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_terminals_and_layouts_act_on() {
        for bad in [
            "\u{1b}[31mred",
            "a\rb",
            "a\nb",
            "a\u{8}b",
            "\u{1b}]52;c;AAAA\u{7}",
            "\u{9b}2J",
            "\u{2028}",
            "\u{202e}evil",
            "\u{2066}x",
            "\u{200b}",
            "\u{feff}",
        ] {
            let shown = neutralise(bad, 1000);
            assert!(shown.chars().all(is_harmless), "{shown:?}");
            assert!(shown.contains("\\u{"), "{shown:?}");
        }
        assert_eq!(neutralise("žluťoučký 🦀 <tag>", 1000), "žluťoučký 🦀 <tag>");
    }

    #[test]
    fn cuts_at_a_character_and_says_so() {
        assert_eq!(neutralise("ééé", 4), "éé…");
        assert_eq!(neutralise("\u{1b}", 3), "…");
    }
}
