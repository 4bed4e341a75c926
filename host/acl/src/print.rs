//! The one way to write a plan: canonical spelling and layout, comments and order as they were.
//!
//! ```text
//! format: source --parse--> Ast --print--> statements --layout--> text      (format of format is format)
//! print:                    Ast --print--> statements --layout--> text      (parse of print is the tree)
//! ```
//!
//! INVARIANT: no comment is lost, and what is written is read back as the same tree.

use alloc::{string::String, vec::Vec};

use crate::{
    Diagnostic,
    ast::{Ast, Form},
    codes,
    diagnostic::{Faults, Severity},
    parse,
};

mod braces;
mod layout;
mod lines;
mod words;

/// Writes a tree in its own form. A tree of the YAML form, which is never written, comes out in brace form.
#[must_use]
pub fn print(ast: &Ast) -> String {
    match ast.form {
        Form::Lines => print_as(ast, Form::Lines),
        Form::Braces | Form::Yaml => print_as(ast, Form::Braces),
    }
}

/// Writes a tree in line or brace form. Line form has no words for shards, fan-out, reduce, flow, effects, pins and the
/// like; a tree that has them loses them there.
#[must_use]
pub fn print_as(ast: &Ast, form: Form) -> String {
    let mut bare = ast.clone();
    if form != ast.form {
        // Comments stand where the other form's statements are; they are only kept in place.
        bare.comments = Vec::new();
    }
    layout(&bare, form, "")
}

fn layout(ast: &Ast, form: Form, source: &str) -> String {
    match form {
        Form::Lines => layout::write(lines::statements(ast), &ast.comments, layout::LINES, source),
        Form::Braces | Form::Yaml => layout::write(
            braces::statements(ast),
            &ast.comments,
            layout::BRACES,
            source,
        ),
    }
}

/// Formats a source of line or brace form.
///
/// # Errors
/// All diagnostics of the source when it has errors, or when it is YAML, which has formatters of its own.
pub fn format(source: &str) -> Result<String, Vec<Diagnostic>> {
    let mut faults = Faults::default();
    let ast = parse::parse(source, &mut faults);
    if ast.form == Form::Yaml && !faults.has_errors() {
        let fault = Diagnostic::error(codes::BAD_YAML, 0..0, "a YAML plan is not formatted here");
        faults.push(fault.help("use a YAML formatter, or write the plan in line or brace form"));
    }
    let diagnostics = faults.into_sorted(source);
    if diagnostics
        .iter()
        .any(|one| one.severity == Severity::Error)
    {
        return Err(diagnostics);
    }
    Ok(layout(&ast, ast.form, source))
}
