//! Rust sources as tokens, so that rules see code and never comments.
//!
//! INVARIANT: a source that doesn't parse is a finding of its own, never skipped.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::{finding::Finding, tree};

/// One token of a source, groups opened: an identifier, a punctuation mark, a literal or a bracket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// All Rust sources outside fixtures with their text.
pub(crate) fn sources() -> Vec<(String, String)> {
    tree::rust_files()
        .into_iter()
        .filter(|path| !tree::is_fixture(path))
        .map(|path| {
            let text = tree::read(&path).unwrap();
            (path, text)
        })
        .collect()
}

/// The tokens of a source in order, without doc comments; without test items too when `keep_tests` is false.
pub(crate) fn tokens(path: &str, text: &str, keep_tests: bool) -> Result<Vec<Token>, Finding> {
    let stream: TokenStream = text
        .parse()
        .map_err(|e| Finding::new(path, format!("is no Rust source: {e}")))?;
    let mut flat = Vec::new();
    flatten(stream, keep_tests, &mut flat);
    Ok(flat)
}

/// True for sources that only tests are made of.
pub(crate) fn is_test_source(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

fn flatten(stream: TokenStream, keep_tests: bool, flat: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    // BOUND: `at` grows in every turn.
    while at < trees.len() {
        match attribute(&trees, at) {
            Some((name, _)) if name.starts_with("doc") => at = after_attribute(&trees, at),
            Some((name, _)) if !keep_tests && is_test_only(&name) => at = after_item(&trees, at),
            _ => {
                push(&trees[at], keep_tests, flat);
                at += 1;
            }
        }
    }
}

/// The text of the attribute that starts at `at` and its group.
fn attribute(trees: &[TokenTree], at: usize) -> Option<(String, &Group)> {
    if !matches!(&trees[at], TokenTree::Punct(p) if p.as_char() == '#') {
        return None;
    }
    match trees.get(after_attribute(trees, at) - 1) {
        Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Bracket => {
            let text: String = g.stream().to_string().split_whitespace().collect();
            Some((text, g))
        }
        _ => None,
    }
}

/// Where the attribute at `at` ends: after `#[..]` or `#![..]`.
fn after_attribute(trees: &[TokenTree], at: usize) -> usize {
    match trees.get(at + 1) {
        Some(TokenTree::Punct(p)) if p.as_char() == '!' => at + 3,
        _ => at + 2,
    }
}

fn is_test_only(attribute: &str) -> bool {
    attribute == "test" || attribute == "cfg(test)" || attribute.starts_with("cfg(all(test")
}

/// Where the item whose attribute is at `at` ends: after its braces or its semicolon.
fn after_item(trees: &[TokenTree], at: usize) -> usize {
    let rest = trees.iter().enumerate().skip(at);
    let end = rest.filter_map(|(i, tree)| match tree {
        TokenTree::Group(g) if g.delimiter() == Delimiter::Brace => Some(i + 1),
        TokenTree::Punct(p) if p.as_char() == ';' => Some(i + 1),
        _ => None,
    });
    end.min().unwrap_or(trees.len())
}

fn push(tree: &TokenTree, keep_tests: bool, flat: &mut Vec<Token>) {
    let line = tree.span().start().line;
    let TokenTree::Group(group) = tree else {
        return flat.push(Token {
            text: tree.to_string(),
            line,
        });
    };
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    };
    flat.push(Token {
        text: open.to_owned(),
        line,
    });
    flatten(group.stream(), keep_tests, flat);
    flat.push(Token {
        text: close.to_owned(),
        line: group.span_close().start().line,
    });
}

/// The text of a plain string literal, without its quotes.
pub(crate) fn string_literal(token: &Token) -> Option<&str> {
    token.text.strip_prefix('"')?.strip_suffix('"')
}

#[test]
fn comments_and_test_items_are_no_tokens() {
    let text = "//! unsafe\n/// unsafe\nfn a() {}\n#[cfg(test)]\nmod tests { fn unsafe_b() {} }\nfn c() {}";
    let tokens = tokens("x.rs", text, false).unwrap();
    let words: Vec<&str> = tokens.iter().map(|t| t.text.as_str()).collect();
    assert_eq!(
        words,
        ["fn", "a", "(", ")", "{", "}", "fn", "c", "(", ")", "{", "}"]
    );
    assert_eq!(tokens.last().unwrap().line, 6);
}

#[test]
fn a_source_that_does_not_parse_is_a_finding() {
    assert!(tokens("x.rs", "fn a( {", true).is_err());
}
