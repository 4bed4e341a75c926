//! Statements, comments and blank lines in their places.
//!
//! INVARIANT: comments are written in their order and each exactly once; a line is broken only where its block is.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use crate::ast::Comment;

/// No line with a block in it is longer, if the block can be written in several lines.
const WIDTH: usize = 100;

/// One statement.
#[derive(Debug, Clone, Default)]
pub(super) struct Statement {
    /// Where it stood.
    pub(super) span: Range<usize>,
    /// What stands before its block, or all of it.
    pub(super) head: String,
    /// Its block.
    pub(super) body: Option<Vec<Self>>,
    /// True when the block is written in one line if it fits.
    pub(super) is_inline: bool,
}

/// How a form writes blocks and comments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    comment: &'static str,
    has_braces: bool,
}

pub(super) const LINES: Style = Style {
    comment: "#",
    has_braces: false,
};
pub(super) const BRACES: Style = Style {
    comment: "//",
    has_braces: true,
};

impl Statement {
    pub(super) fn leaf(span: &Range<usize>, head: String) -> Self {
        Self {
            span: span.clone(),
            head,
            ..Self::default()
        }
    }

    pub(super) fn block(span: &Range<usize>, head: String, body: Vec<Self>) -> Self {
        Self {
            span: span.clone(),
            head,
            body: Some(body),
            is_inline: false,
        }
    }

    pub(super) fn inline(span: &Range<usize>, head: String, body: Vec<Self>) -> Self {
        Self {
            is_inline: true,
            ..Self::block(span, head, body)
        }
    }

    /// The statement in one line, if all blocks in it can be.
    fn one_line(&self) -> Option<String> {
        let Some(body) = &self.body else {
            return Some(self.head.clone());
        };
        if !self.is_inline {
            return None;
        }
        let parts: Option<Vec<String>> = body.iter().map(Self::one_line).collect();
        let parts = parts?.join(", ");
        let inner = if parts.is_empty() {
            String::from("{}")
        } else {
            alloc::format!("{{ {parts} }}")
        };
        Some(if self.head.is_empty() {
            inner
        } else {
            alloc::format!("{} {inner}", self.head)
        })
    }
}

/// Writes statements in the order in which they stood.
pub(super) fn write(
    statements: Vec<Statement>,
    comments: &[Comment],
    style: Style,
    source: &str,
) -> String {
    let mut writer = Writer {
        out: String::new(),
        comments,
        style,
        source,
        is_open_ended: false,
        is_block_start: true,
    };
    writer.statements(statements, 0);
    writer.comments_before(usize::MAX, 0);
    writer.out
}

struct Writer<'a> {
    out: String,
    comments: &'a [Comment],
    style: Style,
    source: &'a str,
    /// True when the last line ends in a comment that nothing can follow.
    is_open_ended: bool,
    is_block_start: bool,
}

impl Writer<'_> {
    fn statements(&mut self, mut statements: Vec<Statement>, depth: usize) {
        statements.sort_by_key(|statement| statement.span.start);
        for statement in statements {
            self.comments_before(statement.span.start, depth);
            self.blank_before(statement.span.start);
            self.statement(statement, depth);
        }
    }

    fn statement(&mut self, statement: Statement, depth: usize) {
        let span = statement.span.start..self.end(&statement);
        let has_comments = self
            .comments
            .first()
            .is_some_and(|comment| comment.span.start < span.end);
        let fits = |line: &String| line.chars().count() + 2 * depth <= WIDTH && !has_comments;
        if let Some(line) = statement
            .one_line()
            .filter(|line| statement.body.is_none() || fits(line))
        {
            self.line(&line, depth);
            return self.comments_inside(span.end, depth);
        }
        let mut head = statement.head;
        if self.style.has_braces {
            head.push_str(if head.is_empty() { "{" } else { " {" });
        }
        self.line(&head, depth);
        self.is_block_start = true;
        self.statements(statement.body.unwrap_or_default(), depth + 1);
        self.comments_before(span.end, depth + 1);
        self.is_block_start = false;
        if self.style.has_braces {
            self.line("}", depth);
        }
    }

    /// Where a statement ends: at the bracket that closes its block, where its span ends before it.
    fn end(&self, statement: &Statement) -> usize {
        let Range { start, end } = statement.span;
        let before = |at: usize| self.source.get(..at).unwrap_or_default().trim_end();
        let of_condition = before(start).strip_suffix('(').map(str::trim_end);
        let of_condition = of_condition.and_then(|text| text.strip_suffix("if"));
        let opening = of_condition.map_or(before(start), str::trim_end);
        if statement.body.is_none() || before(end).ends_with('}') || !opening.ends_with('{') {
            return end;
        }
        let mut at = end;
        // BOUND: each turn passes a comment.
        loop {
            let rest = self.source.get(at..).unwrap_or_default();
            let next = rest.trim_start_matches([' ', '\t', '\r', '\n', ',', ';']);
            at += rest.len() - next.len();
            match self.comments.iter().find(|one| one.span.start == at) {
                Some(one) => at = one.span.end.max(at + 1),
                None => return if next.starts_with('}') { at } else { end },
            }
        }
    }

    fn line(&mut self, text: &str, depth: usize) {
        for _ in 0..depth {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
        self.is_open_ended = false;
        self.is_block_start = false;
    }

    /// Keeps one blank line where the source had any, but none at the start of a block.
    fn blank_before(&mut self, start: usize) {
        let before = self.source.get(..start).unwrap_or_default();
        let line = before.trim_end_matches([' ', '\t']);
        let gap = line.len() - line.trim_end().len();
        let lines = line
            .get(line.len() - gap..)
            .unwrap_or_default()
            .matches('\n')
            .count();
        if lines >= 2 && !self.is_block_start && !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn next_comment(&mut self, before: usize) -> Option<Comment> {
        let (first, rest) = self.comments.split_first()?;
        if first.span.start >= before {
            return None;
        }
        self.comments = rest;
        Some(first.clone())
    }

    /// True when something other than blanks stands before it on its line.
    fn is_trailing(&self, comment: &Comment) -> bool {
        let before = self.source.get(..comment.span.start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        !line.trim_matches(['\u{feff}', ' ', '\t']).is_empty()
    }

    fn comments_before(&mut self, before: usize, depth: usize) {
        while let Some(comment) = self.next_comment(before) {
            self.comment(&comment, depth);
        }
    }

    /// Comments that stood inside a statement of one line go behind it.
    fn comments_inside(&mut self, end: usize, depth: usize) {
        while let Some(comment) = self.next_comment(end) {
            self.comment(&comment, depth);
        }
    }

    fn comment(&mut self, comment: &Comment, depth: usize) {
        let text = self.text(comment);
        let can_follow = !self.out.is_empty() && !self.is_open_ended && !text.contains('\n');
        if self.is_trailing(comment) && can_follow {
            self.out.pop();
            self.out.push_str("  ");
            self.out.push_str(&text);
            self.out.push('\n');
        } else {
            self.blank_before(comment.span.start);
            self.line(&text, depth);
        }
        self.is_open_ended = !comment.is_block || text.contains('\n');
    }

    fn text(&self, comment: &Comment) -> String {
        match (comment.is_block, comment.text.is_empty()) {
            (true, true) => "/* */".into(),
            (true, false) => alloc::format!("/* {} */", comment.text),
            (false, true) => self.style.comment.into(),
            (false, false) => alloc::format!("{} {}", self.style.comment, comment.text),
        }
    }
}
