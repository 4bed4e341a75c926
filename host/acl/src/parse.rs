//! From text to tree: which surface form a source has, and its parser.
//!
//! INVARIANT: the form is decided by the first token alone, so a fault further down never changes how a source is read.

use alloc::format;

use crate::{
    SOURCE_BYTES_MAX,
    ast::{Ast, Form},
    codes, cursor,
    diagnostic::{Diagnostic, Faults},
    token,
};

mod action;
mod amount;
pub(crate) mod braces;
mod lines;
mod yaml;

pub(crate) use action::ACTIONS;
pub(crate) use lines::{
    BUDGET as LINE_BUDGET, KEYWORDS as LINE_KEYWORDS, form_of as line_statement,
};

/// Reads a source of any form.
pub(crate) fn parse(source: &str, faults: &mut Faults) -> Ast {
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!(
            "the source has {} bytes, at most {SOURCE_BYTES_MAX} are read",
            source.len()
        );
        let fault = Diagnostic::error(codes::TOO_LARGE, 0..0, message);
        faults.push(fault.help("split the plan"));
        return Ast::default();
    }
    cursor::report_forbidden(source, faults);
    match form_of(source) {
        Form::Lines => lines::parse(source, faults),
        Form::Braces => braces::parse(source, faults),
        Form::Yaml => yaml::parse(source, faults),
    }
}

/// Finds the form of a source by its first token: `pipeline`, `plan`, `import` or `//` begin brace form, a key and a colon
/// or `---` begin YAML, everything else is read as lines.
#[must_use]
pub fn form_of(source: &str) -> Form {
    let body = first_statement(source);
    let word_end = body.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
    let (word, after) = body
        .split_at_checked(word_end.unwrap_or(body.len()))
        .unwrap_or((body, ""));
    let next = after.trim_start_matches([' ', '\t']).chars().next();
    match word {
        "pipeline" | "plan" | "import" if next != Some(':') => return Form::Braces,
        _ if body.starts_with("---") || body.starts_with("%YAML") => return Form::Yaml,
        "" => {}
        _ if lines::KEYWORDS.contains(&word) => {}
        _ if next == Some(':') => return Form::Yaml,
        _ => {}
    }
    if body.starts_with("//") || body.starts_with("/*") {
        let lexed = token::lex(body);
        let first = lexed.tokens.first().map_or("", |token| token.text);
        if matches!(first, "pipeline" | "plan" | "import" | "") {
            return Form::Braces;
        }
    }
    Form::Lines
}

/// The source from its first line that is not blank and no `#` comment.
fn first_statement(source: &str) -> &str {
    let mut rest = source.trim_start_matches('\u{feff}');
    // BOUND: every turn takes a line.
    loop {
        rest = rest.trim_start();
        if !rest.starts_with('#') {
            return rest;
        }
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
}
