//! Form A: one statement a line. A line that can not be read costs itself only; the next line is read as usual.
//!
//! INVARIANT: every line that is not blank or a comment becomes part of the tree or a diagnostic, never neither.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::ops::Range;

use aim_core::plan::STEPS_MAX;

use crate::{
    ast::{Ast, Form, Gate, Shard, Spanned, Step},
    codes,
    cursor::{self, Cursor},
    diagnostic::{Diagnostic, Faults},
    suggest::closest,
};

mod plan;
mod step;

pub(crate) use step::BUDGET;
pub(super) use step::{checked, checked_at};

/// Every keyword of line form.
pub(crate) const KEYWORDS: [&str; 10] = [
    "PLAN", "QUIP", "ROLE", "STEP", "ASSIGN", "REQUIRES", "BUDGET", "GATE", "CHECK", "ON_FAIL",
];
/// Every keyword with the form of its statement.
const STATEMENTS: [(&str, &str); 10] = [
    ("PLAN", "PLAN <name>:` or `PLAN <name> v1.0:"),
    ("QUIP", "QUIP \"<text>\""),
    ("ROLE", "ROLE <name>: <kind>(<key>=<value>, ...)"),
    ("STEP", "STEP <name>:"),
    ("ASSIGN", "ASSIGN <role>: \"<description>\""),
    ("REQUIRES", "REQUIRES <step>, <step>?"),
    (
        "BUDGET",
        "BUDGET tokens=<n>, time=<n>s, tools=<n>, cost=<n>",
    ),
    ("GATE", "GATE <name>: <condition>"),
    ("CHECK", "CHECK <condition>"),
    ("ON_FAIL", "ON_FAIL <action>"),
];

/// Reads a source.
pub(crate) fn parse(source: &str, faults: &mut Faults) -> Ast {
    let mut parser = Parser {
        ast: Ast {
            form: Form::Lines,
            comments: cursor::comments(source),
            shards: alloc::vec![Shard {
                span: 0..source.len(),
                ..Shard::default()
            }],
            ..Ast::default()
        },
        faults,
        is_gate_open: false,
        early: None,
        step_count: 0,
    };
    for line in cursor::lines(source) {
        parser.line(line);
    }
    let Parser { ast, .. } = parser;
    if ast.header.is_none() {
        let fault = Diagnostic::error(codes::NO_HEADER, 0..0, "no PLAN header found");
        faults.push(fault.help("begin the plan with `PLAN <name>:`"));
    }
    ast
}

/// The state between lines.
struct Parser<'f> {
    ast: Ast,
    faults: &'f mut Faults,
    /// True while `CHECK` and `ON_FAIL` belong to the gate that was last begun.
    is_gate_open: bool,
    /// The first statement above the header.
    early: Option<Spanned<String>>,
    step_count: usize,
}

impl Parser<'_> {
    fn line(&mut self, mut line: Cursor<'_>) {
        let word = keyword(&mut line);
        line.skip_blanks();
        // A misspelt keyword is reported and then read as what was meant, so that it costs no second report.
        let meant = match form_of(word.value) {
            Some(_) => Some(word.value),
            None => self.unknown(&word, &line),
        };
        let Some(meant) = meant else { return };
        self.is_gate_open &= matches!(meant, "CHECK" | "ON_FAIL");
        self.note_place(&word, meant);
        let end = line.line_span().end;
        match meant {
            "PLAN" => self.plan(line),
            "QUIP" => self.quip(line),
            "ROLE" => self.role(line),
            "STEP" => self.step(line),
            "ASSIGN" => self.assign(line),
            "REQUIRES" => self.requires(line),
            "BUDGET" => self.budget(line),
            "GATE" => self.gate(line),
            "CHECK" => self.check(line),
            _ => self.on_fail(line),
        }
        if !matches!(meant, "PLAN" | "QUIP" | "ROLE")
            && let Some(step) = self.last_step()
        {
            step.extent.end = end;
        }
    }

    /// Remembers the first statement above the header, and reports it once the header comes.
    fn note_place(&mut self, word: &Spanned<&str>, meant: &str) {
        if meant != "PLAN" {
            if self.ast.header.is_none() && self.early.is_none() {
                self.early = Some(owned(word));
            }
        } else if let Some(early) = self.early.take() {
            let message = format!("{} stands before the PLAN header", early.value);
            let help = "move `PLAN <name>:` to the top";
            self.faults
                .error(codes::OUT_OF_PLACE, early.span, message, help);
        }
    }

    /// Reports a word that is no keyword, and returns the keyword that was probably meant.
    fn unknown(&mut self, word: &Spanned<&str>, line: &Cursor<'_>) -> Option<&'static str> {
        if word.value.is_empty() {
            let help = "every line begins with a keyword, a comment with `#`";
            self.faults
                .error(codes::SYNTAX, line.line_span(), "expected a keyword", help);
            return None;
        }
        let known = KEYWORDS;
        let meant = closest(word.value, known);
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the keywords are {}", known.join(", ")),
        };
        let shown: String = word.value.chars().take(40).collect();
        let message = format!("unknown keyword `{shown}`");
        self.faults
            .error(codes::UNKNOWN_KEYWORD, word.span.clone(), message, help);
        meant
    }

    /// Reports a line that does not have its statement's form.
    fn malformed(&mut self, keyword: &str, span: Range<usize>, what: &str) {
        let form = form_of(keyword).unwrap_or_default();
        let message = format!("invalid {keyword} syntax: {what}");
        self.faults
            .error(codes::SYNTAX, span, message, format!("write `{form}`"));
    }

    /// Asks for a character that the form has here.
    fn expect(&mut self, keyword: &str, line: &mut Cursor<'_>, token: char, after: &str) -> bool {
        let is_there = line.eat(token);
        if !is_there {
            let what = format!("expected `{token}` after {after}");
            self.malformed(keyword, line.rest_span(), &what);
        }
        is_there
    }

    pub(super) fn has_step(&self) -> bool {
        self.step_count > 0
    }

    /// The step that was last begun.
    pub(super) fn last_step(&mut self) -> Option<&mut Step> {
        self.ast.shards.last_mut()?.steps.last_mut()
    }

    /// Refuses whatever follows a complete statement.
    fn expect_end(&mut self, keyword: &str, line: &mut Cursor<'_>) {
        line.skip_blanks();
        if !line.is_at_end() {
            self.malformed(keyword, line.rest_span(), "unexpected text at the end");
        }
    }

    /// Reports a statement that may stand only once.
    fn repeated(&mut self, keyword: &str, span: Range<usize>, first: Range<usize>) {
        let message = format!("{keyword} is repeated");
        let fault = Diagnostic::error(codes::REPEATED, span, message);
        self.faults
            .push(fault.help("keep one of the two").label(first, "first here"));
    }

    /// The step that is being described, or a report that there is none.
    fn open_step(&mut self, keyword: &str, line: &Cursor<'_>) -> Option<&mut Step> {
        if !self.has_step() {
            let message = format!("{keyword} stands outside a step");
            let help = "begin a step with `STEP <name>:` above it";
            self.faults
                .error(codes::OUT_OF_PLACE, line.line_span(), message, help);
        }
        self.last_step()
    }

    /// The gates of the open step, or of the plan before the first step.
    fn open_gates(&mut self) -> &mut Vec<Gate> {
        let steps = self.ast.shards.last_mut().map(|shard| &mut shard.steps);
        match steps.and_then(|steps| steps.last_mut()) {
            Some(step) => &mut step.gates,
            None => &mut self.ast.gates,
        }
    }

    /// Opens a step for the lines that follow.
    fn push_step(&mut self, step: Step) {
        self.step_count += 1;
        if self.step_count == STEPS_MAX + 1 {
            let message = format!("the plan has more than {STEPS_MAX} steps");
            self.faults.error(
                codes::TOO_LARGE,
                step.span.clone(),
                message,
                "split the plan",
            );
        }
        if let Some(shard) = self.ast.shards.last_mut() {
            shard.steps.push(step);
        }
    }
}

/// How a keyword's statement is written.
pub(crate) fn form_of(keyword: &str) -> Option<&'static str> {
    let row = STATEMENTS.iter().find(|(known, _)| *known == keyword);
    row.map(|(_, form)| *form)
}

/// Takes the word that a line begins with.
fn keyword<'a>(line: &mut Cursor<'a>) -> Spanned<&'a str> {
    let start = line.clone();
    let rest = line.rest();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = rest
        .find(|c| !is_word(c))
        .and_then(|end| rest.get(..end))
        .unwrap_or(rest);
    line.advance(word.len());
    Spanned {
        value: word,
        span: start.offset()..line.offset(),
    }
}

/// A spanned text as an owned one.
fn owned(text: &Spanned<&str>) -> Spanned<String> {
    Spanned {
        value: text.value.to_owned(),
        span: text.span.clone(),
    }
}
