//! Selectors of memory, and the time that memory is read at.
//!
//! INVARIANT: a path leads down only: no part of it is empty, `.` or `..`, inside of quotes neither.

use alloc::string::String;

use super::{Broken, Parsed, Parser};
use crate::{
    ast::{Moment, Selector, Spanned},
    codes,
    instant::instant,
    token::TokenKind,
};

impl Parser<'_, '_> {
    /// `HHNI:<path>` or `SEG:<path>`
    pub(super) fn selector(&mut self) -> Parsed<Spanned<Selector>> {
        let token = self.stream.peek(0);
        let (kind, path) = token.text.split_once(':').unwrap_or_default();
        let is_graph = kind == "SEG";
        let is_known = token.kind == TokenKind::Selector && (is_graph || kind == "HHNI");
        if !is_known || !is_path(path) {
            let help = "write `HHNI:<path>` or `SEG:<path>`, parts of the path divided by `/` or `->`, none of them empty, `.` or `..`; a part may end in `(\"<name>\")` or `#<number>`";
            self.faults.error(
                codes::BAD_SELECTOR,
                token.span.clone(),
                "expected a selector",
                help,
            );
            return Err(Broken);
        }
        self.stream.next();
        let path = String::from(path);
        Ok(Spanned::new(Selector { is_graph, path }, token.span))
    }

    /// `ASOF:<instant>` or `WINDOW:<instant>..<instant>`
    pub(super) fn moment(&mut self) -> Parsed<Spanned<Moment>> {
        let token = self.stream.peek(0);
        let (kind, text) = token.text.split_once(':').unwrap_or_default();
        let value = match kind {
            "ASOF" => instant(text).map(|_| Moment::AsOf(text.into())),
            "WINDOW" => text.split_once("..").and_then(|(from, to)| {
                let (first, last) = (instant(from)?, instant(to)?);
                (first < last).then(|| Moment::Window(from.into(), to.into()))
            }),
            _ => None,
        };
        let Some(value) = value.filter(|_| token.kind == TokenKind::Selector) else {
            let help = "write `ASOF:2025-01-31T00:00:00Z`, or `WINDOW:<instant>..<later instant>`; instants are in UTC";
            self.faults.error(
                codes::BAD_SELECTOR,
                token.span.clone(),
                "expected an instant or a window of time",
                help,
            );
            return Err(Broken);
        };
        self.stream.next();
        Ok(Spanned::new(value, token.span))
    }
}

/// True for parts divided by `/` or `->`, each a name with an optional `("text")` and an optional `#number`.
fn is_path(path: &str) -> bool {
    let mut rest = path;
    // BOUND: every turn takes a part.
    loop {
        let end = ["/", "->", "(\""]
            .iter()
            .filter_map(|mark| rest.find(mark))
            .min();
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        let (part, after) = match after.strip_prefix("(\"") {
            None => (part, after),
            Some(named) => {
                let Some((text, after)) = named.split_once("\")") else {
                    return false;
                };
                if !text.split('/').all(is_part) {
                    return false;
                }
                let number = after.find(['/', '-']).unwrap_or(after.len());
                let (number, after) = after.split_at(number);
                if !(number.is_empty() || is_number(number)) {
                    return false;
                }
                (part, after)
            }
        };
        let name = part.split_once('#');
        let is_named = match name {
            Some((name, number)) => is_part(name) && is_number(number.trim_start_matches('#')),
            None => is_part(part),
        };
        if !is_named {
            return false;
        }
        match after.strip_prefix("->").or_else(|| after.strip_prefix('/')) {
            Some(next) => rest = next,
            None => return after.is_empty(),
        }
    }
}

fn is_part(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
}

/// `#3`, or its digits.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_path;

    #[test]
    fn a_path_leads_down_by_names_texts_and_numbers() {
        for path in [
            "notes",
            "notes/2025",
            "a/b..c",
            "system->section(\"Sign in\")->paragraph#3",
            "code->folder(\"services/auth\")",
            "section(\"a\")#2/line#7",
        ] {
            assert!(is_path(path), "{path}");
        }
        for path in [
            "",
            "/a",
            "a//b",
            "a->",
            "->a",
            "../a",
            "a/./b",
            "a(\"..\")",
            "a(\"b/../c\")",
            "a(\"\")",
            "a(\"b\")c",
            "a(\"b",
            "a#",
            "a#x",
            "(\"a\")",
        ] {
            assert!(!is_path(path), "{path}");
        }
    }
}
