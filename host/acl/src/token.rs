//! The tokens of brace form: words, texts, numbers, selectors and marks, each with its bytes.
//!
//! INVARIANT: every byte of a source belongs to exactly one token, a comment or blank space, and any text has tokens.

use alloc::{borrow::ToOwned, vec::Vec};
use core::ops::Range;

use crate::ast::Comment;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its text.
    pub text: &'a str,
    /// Its bytes.
    pub span: Range<usize>,
    /// True when only blanks and comments stand before it on its line.
    pub is_first_on_line: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Letters, digits and `_`, not a number.
    Word,
    /// A text in quotes of either kind, quotes included.
    Text,
    /// A text that its line ends before a quote does.
    OpenText,
    /// Digits, with a point and further digits, or with a final `k`.
    Number,
    /// `HHNI:`, `SEG:`, `ASOF:` or `WINDOW:` with what follows.
    Selector,
    /// `->`, `=>`, `..` or a comparison.
    Operator,
    /// Any other single character.
    Mark,
    /// The end of the source; stands exactly once, at the end.
    End,
}

/// The tokens and comments of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lexed<'a> {
    /// Tokens in source order; the last one is [`TokenKind::End`].
    pub tokens: Vec<Token<'a>>,
    /// Comments in source order.
    pub comments: Vec<Comment>,
    /// Where a `/*` stands that nothing closes.
    pub open_comment: Option<Range<usize>>,
}

const OPERATORS: [&str; 9] = ["->", "=>", "..", ">=", "<=", "==", "!=", ">", "<"];
/// Words that begin a selector when a colon follows.
pub(crate) const SELECTORS: [&str; 4] = ["HHNI", "SEG", "ASOF", "WINDOW"];

/// Cuts a source of brace form into tokens. Never fails: what is no token of the language is a [`TokenKind::Mark`].
#[must_use]
pub fn lex(source: &str) -> Lexed<'_> {
    let mut lexer = Lexer {
        source,
        at: 0,
        is_first_on_line: true,
        lexed: Lexed {
            tokens: Vec::new(),
            comments: Vec::new(),
            open_comment: None,
        },
    };
    // BOUND: every turn takes at least one character.
    while lexer.step() {}
    lexer.lexed
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    is_first_on_line: bool,
    lexed: Lexed<'a>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            self.push(TokenKind::End, 0);
            return false;
        };
        match first {
            '\n' => {
                self.is_first_on_line = true;
                self.at += 1;
            }
            '\u{feff}' if self.at == 0 => self.at += first.len_utf8(),
            ' ' | '\t' | '\r' => self.at += 1,
            '"' | '\'' => self.text(rest, first),
            _ if rest.starts_with("//") || rest.starts_with("/*") => self.comment(rest),
            _ if is_word(first) => self.word(rest, first),
            _ => {
                let operator = OPERATORS.iter().find(|op| rest.starts_with(**op));
                match operator {
                    Some(operator) => self.push(TokenKind::Operator, operator.len()),
                    None => self.push(TokenKind::Mark, first.len_utf8()),
                }
            }
        }
        true
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        let span = self.at..self.at + length;
        self.lexed.tokens.push(Token {
            kind,
            text: self.source.get(span.clone()).unwrap_or_default(),
            span,
            is_first_on_line: self.is_first_on_line,
        });
        self.is_first_on_line = false;
        self.at += length;
    }

    fn text(&mut self, rest: &str, quote: char) {
        let mut chars = rest.char_indices().skip(1);
        while let Some((index, c)) = chars.next() {
            match c {
                '\n' => return self.push(TokenKind::OpenText, index),
                '\\' => {
                    if let Some((index, '\n')) = chars.next() {
                        return self.push(TokenKind::OpenText, index);
                    }
                }
                _ if c == quote => return self.push(TokenKind::Text, index + c.len_utf8()),
                _ => {}
            }
        }
        self.push(TokenKind::OpenText, rest.len());
    }

    fn comment(&mut self, rest: &str) {
        let is_block = rest.starts_with("/*");
        let body = rest.get(2..).unwrap_or_default();
        let (text, length) = if is_block {
            if let Some(end) = body.find("*/") {
                (body.get(..end).unwrap_or_default(), end + 4)
            } else {
                self.lexed.open_comment = Some(self.at..self.at + 2);
                (body, rest.len())
            }
        } else {
            let line = body.find('\n').and_then(|end| body.get(..end));
            let line = line.unwrap_or(body).trim_end_matches('\r');
            (line, line.len() + 2)
        };
        self.lexed.comments.push(Comment {
            text: text.trim().to_owned(),
            is_block,
            span: self.at..self.at + length,
        });
        if text.contains('\n') {
            self.is_first_on_line = true;
        }
        self.at += length;
    }

    fn word(&mut self, rest: &str, first: char) {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        let after = rest.get(end..).unwrap_or_default();
        if SELECTORS.contains(&word)
            && let Some(path) = after.strip_prefix(':')
        {
            let path = path_length(path);
            if path > 0 {
                return self.push(TokenKind::Selector, end + 1 + path);
            }
        }
        if !first.is_ascii_digit() {
            return self.push(TokenKind::Word, end);
        }
        let digits = word.strip_suffix('k').unwrap_or(word);
        let is_number = digits.bytes().all(|b| b.is_ascii_digit());
        let fraction = after.strip_prefix('.').map_or(0, |after| {
            let end = after.find(|c| !is_word(c)).unwrap_or(after.len());
            let part = after.get(..end).unwrap_or_default();
            let digits = part.strip_suffix('k').unwrap_or(part);
            let is_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            if is_digits { end + 1 } else { 0 }
        });
        match is_number {
            true if fraction > 0 && digits == word => self.push(TokenKind::Number, end + fraction),
            true => self.push(TokenKind::Number, end),
            false => self.push(TokenKind::Word, end),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How far a selector goes: up to what ends a path, a text in parentheses included, as in `section("Sign-in")`.
fn path_length(text: &str) -> usize {
    let mut length = 0;
    // BOUND: every turn takes a text in parentheses, or ends.
    loop {
        let rest = text.get(length..).unwrap_or_default();
        let plain = rest.find(is_path_end).unwrap_or(rest.len());
        length += plain;
        let call = rest.get(plain..).and_then(|rest| rest.strip_prefix("(\""));
        let end = call.and_then(|call| {
            let end = call.find(['"', '\n'])?;
            call.get(end..)?.starts_with("\")").then_some(end)
        });
        match end.filter(|_| plain > 0) {
            Some(end) => length += end + 4,
            None => return length,
        }
    }
}

fn is_path_end(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            ',' | ';' | '{' | '}' | '(' | ')' | '[' | ']' | '"' | '\''
        )
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn kinds(source: &str) -> Vec<(TokenKind, &str)> {
        lex(source)
            .tokens
            .iter()
            .map(|token| (token.kind, token.text))
            .collect()
    }

    #[test]
    fn numbers_ranges_and_selectors_are_told_apart() {
        use TokenKind::{End, Mark, Number, Operator, Selector, Word};
        assert_eq!(
            kinds("b[1..4] 120k 0.5 2nd HHNI:a/b..c, ASOF:2025-01-01T00:00:00Z"),
            [
                (Word, "b"),
                (Mark, "["),
                (Number, "1"),
                (Operator, ".."),
                (Number, "4"),
                (Mark, "]"),
                (Number, "120k"),
                (Number, "0.5"),
                (Word, "2nd"),
                (Selector, "HHNI:a/b..c"),
                (Mark, ","),
                (Selector, "ASOF:2025-01-01T00:00:00Z"),
                (End, ""),
            ]
        );
    }

    #[test]
    fn a_selector_may_name_parts_by_texts_and_ends_where_they_do() {
        use TokenKind::{End, Mark, OpenText, Selector, Text, Word};
        let named = "HHNI:system->section(\"Sign in, out\")->paragraph#3";
        assert_eq!(
            kinds(&alloc::format!("{named}, x")),
            [(Selector, named), (Mark, ","), (Word, "x"), (End, "")]
        );
        assert_eq!(
            kinds("SEG:a(\"b\" SEG:c(d)")[..4],
            [
                (Selector, "SEG:a"),
                (Mark, "("),
                (Text, "\"b\""),
                (Selector, "SEG:c")
            ]
        );
        assert_eq!(
            kinds("HHNI:a(\"b\nc")[..3],
            [(Selector, "HHNI:a"), (Mark, "("), (OpenText, "\"b")]
        );
        assert_eq!(kinds("HHNI:(\"b\")")[0], (Word, "HHNI"));
    }

    #[test]
    fn an_open_text_ends_with_its_line_and_an_open_comment_with_the_source() {
        assert_eq!(
            kinds("\"a\nb")[..2],
            [(TokenKind::OpenText, "\"a"), (TokenKind::Word, "b")]
        );
        assert_eq!(lex("a /* b").open_comment, Some(2..4));
    }
}
