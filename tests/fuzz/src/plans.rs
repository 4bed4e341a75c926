//! Plans: their text, their canonical form and their conditions.
//!
//! INVARIANT: what is taken is written and read again to the same bytes.

use aim_acl::{Encoding, Lines, Place, Profile, token::TokenKind};
use aim_core::{condition::Condition, plan::Plan};

/// The text of a plan in braces. Whatever it is, it has tokens that stand in order and leave out only blanks and comments.
pub(crate) fn lexer(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let lexed = aim_acl::token::lex(text);
    let tokens = lexed.tokens.iter().map(|token| {
        assert_eq!(text.get(token.span.clone()), Some(token.text));
        assert!(!token.text.is_empty() || token.kind == TokenKind::End);
        token.span.clone()
    });
    let mut spans: Vec<_> = tokens
        .chain(lexed.comments.iter().map(|one| one.span.clone()))
        .collect();
    spans.sort_by_key(|span| (span.start, span.end));
    let mut end = 0;
    for span in spans {
        let between = text
            .get(end..span.start)
            .expect("tokens in order, on borders");
        assert!(
            between.chars().all(|c| " \t\r\n\u{feff}".contains(c)),
            "{between:?} is left out"
        );
        end = span.end;
    }
    assert_eq!(end, text.len(), "the last token stands at the end");
    let ends = lexed
        .tokens
        .iter()
        .filter(|token| token.kind == TokenKind::End);
    assert_eq!(ends.count(), 1, "one end");
}

/// A place and a plan's text, as an editor asks about them: every answer lies in the text, and the layout is final.
pub(crate) fn editor(bytes: &[u8]) {
    let Some((place, text)) = bytes.split_at_checked(2) else {
        return;
    };
    let Ok(text) = core::str::from_utf8(text) else {
        return;
    };
    let number = place
        .iter()
        .fold(0, |sum, byte| sum * 256 + usize::from(*byte));
    let lines = Lines::of(text);
    let mut offset = 0;
    for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
        let place = Place {
            line: number % 64,
            column: number / 64,
        };
        offset = lines.offset(place, encoding);
        assert!(
            text.is_char_boundary(offset),
            "{offset} is inside of a character"
        );
        let back = lines.place(offset, encoding);
        assert_eq!(
            lines.offset(back, encoding),
            offset,
            "{back:?} leads elsewhere"
        );
    }
    let (ast, _) = aim_acl::parse(text);
    let _offered = aim_acl::complete(text, offset);
    for symbol in aim_acl::symbols(&ast).all {
        for span in [symbol.name_span(text), symbol.span, symbol.extent] {
            assert!(text.get(span.clone()).is_some(), "{span:?} is outside");
        }
    }
    if let Ok(formatted) = aim_acl::format(text) {
        assert_eq!(
            aim_acl::format(&formatted).as_ref(),
            Ok(&formatted),
            "a layout that is none"
        );
    }
}

/// A plan's text. What compiles has one canonical form, and it reads back.
pub(crate) fn acl(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    for profile in [Profile::Lenient, Profile::Strict] {
        match aim_acl::compile(text, profile) {
            Ok(compiled) => plan(&compiled.plan.to_json()),
            Err(faults) => {
                assert!(!faults.is_empty(), "a refusal without a fault");
                for fault in faults {
                    let position = fault.position(text);
                    assert!(position.line >= 1 && position.column >= 1, "{fault:?}");
                }
            }
        }
    }
}

/// A plan's canonical form.
pub(crate) fn plan(bytes: &[u8]) {
    let Ok(plan) = Plan::from_json(bytes) else {
        return;
    };
    assert_eq!(plan.to_json(), bytes, "one plan, two spellings");
}

/// A condition. What is taken is taken again.
pub(crate) fn condition(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(condition) = Condition::parse(text) {
        let again = Condition::parse(text).expect("the same text");
        assert_eq!(condition, again);
    }
}
