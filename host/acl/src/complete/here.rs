//! Where in brace form a place is: in which block, and behind which words of its statement.
//!
//! INVARIANT: only what stands before the place counts, so an answer never depends on what is not written yet.

use alloc::vec::Vec;

use crate::{
    parse::braces,
    token::{self, Token, TokenKind},
};

/// A block that is open at a place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block<'a> {
    /// The word that began it; empty outside of every block.
    pub(super) head: &'a str,
    /// The word that began the block around it.
    pub(super) outer: &'a str,
    /// What stands behind the word that began it, which is the name where it has one.
    pub(super) name: &'a str,
    /// True for a gate with a type.
    pub(super) is_typed: bool,
}

/// What stands before a place.
#[derive(Debug)]
pub(super) struct Here<'a> {
    /// The innermost block.
    pub(super) block: Block<'a>,
    /// The name of the step around it.
    pub(super) step: Option<&'a str>,
    /// The words and marks of the statement so far, without the word that is being written.
    pub(super) statement: Vec<&'a str>,
    /// True inside of a text.
    pub(super) is_in_text: bool,
    /// True inside of a comment.
    pub(super) is_in_comment: bool,
}

impl<'a> Here<'a> {
    /// Reads a source up to a place.
    pub(super) fn of(before: &'a str) -> Self {
        let lexed = token::lex(before);
        let last = lexed.comments.last();
        let is_in_comment = lexed.open_comment.is_some()
            || last.is_some_and(|last| !last.is_block && last.span.end == before.len());
        let mut tokens = lexed.tokens;
        tokens.pop();
        let mut is_in_text = false;
        if let Some(last) = tokens.last()
            && last.span.end == before.len()
        {
            is_in_text = last.kind == TokenKind::OpenText;
            if matches!(
                last.kind,
                TokenKind::Word | TokenKind::Number | TokenKind::OpenText
            ) {
                tokens.pop();
            }
        }
        let mut walk = Walk::default();
        for (index, token) in tokens.iter().enumerate() {
            walk.take(token, tokens.get(index + 1));
        }
        let is_new_line = before
            .rsplit('\n')
            .next()
            .is_some_and(|line| line.trim().chars().all(|c| c.is_alphanumeric() || c == '_'));
        if is_new_line && walk.is_complete() {
            walk.statement.clear();
        }
        let step = walk.blocks.iter().rev().find(|block| block.head == "step");
        Self {
            step: step.map(|block| block.name),
            block: walk.blocks.last().copied().unwrap_or_default(),
            statement: walk.statement,
            is_in_text,
            is_in_comment,
        }
    }
}

#[derive(Default)]
struct Walk<'a> {
    blocks: Vec<Block<'a>>,
    statement: Vec<&'a str>,
    /// Brackets and parentheses of the statement that are open.
    open: usize,
}

impl<'a> Walk<'a> {
    /// True when a statement may end where a line does.
    fn is_complete(&self) -> bool {
        let last = self.statement.last().copied().unwrap_or_default();
        self.open == 0 && !matches!(last, "," | ":" | "->" | "=>" | "=")
    }

    fn take(&mut self, token: &Token<'a>, next: Option<&Token<'a>>) {
        let begins = self.open == 0
            && token.kind == TokenKind::Word
            && (braces::STATEMENTS.contains(&token.text) && !self.is_condition()
                || braces::KEYS.contains(&token.text) && next.is_some_and(|next| next.text == ":"));
        if begins || (token.is_first_on_line && self.is_complete()) {
            self.end();
        }
        match token.text {
            "{" => self.enter(),
            "}" => {
                self.blocks.pop();
                self.end();
            }
            ";" => self.end(),
            "," if self.open == 0 && self.is_map() => self.end(),
            "[" | "(" => {
                self.open += 1;
                self.statement.push(token.text);
            }
            "]" | ")" => {
                self.open = self.open.saturating_sub(1);
                self.statement.push(token.text);
            }
            text => self.statement.push(text),
        }
    }

    /// True where a word that begins statements elsewhere is part of a path.
    fn is_condition(&self) -> bool {
        self.statement.last() == Some(&".")
    }

    fn end(&mut self) {
        self.statement.clear();
        self.open = 0;
    }

    fn enter(&mut self) {
        let first = self.statement.first().copied().unwrap_or_default();
        let last = self.statement.last().copied().unwrap_or_default();
        let head = if last == "degrade" { last } else { first };
        self.blocks.push(Block {
            head,
            name: self.statement.get(1).copied().unwrap_or_default(),
            outer: self.blocks.last().map_or("", |block| block.head),
            is_typed: head == "gate" && self.statement.contains(&":"),
        });
        self.end();
    }

    /// True where a comma divides keys with values.
    fn is_map(&self) -> bool {
        let head = self.blocks.last().map_or("", |block| block.head);
        !matches!(
            head,
            "step" | "policy" | "shard" | "pipeline" | "plan" | "gate" | ""
        )
    }
}
