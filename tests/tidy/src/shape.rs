//! Sizes and openings: how long a file and a function may be, and that every file says what it is for.
//!
//! INVARIANT: lengths are counted in source lines of the committed text, tests included.

use syn::{ImplItemFn, ItemFn, TraitItemFn, visit::Visit};

use crate::{
    finding::{Finding, assert_found, assert_none},
    source,
};

/// No Rust source is longer.
const FILE_LINES_MAX: usize = 1_000;
/// From here on the test prints the question whether the file holds two ideas.
const FILE_LINES_ASKED: usize = 600;
/// No function is longer, signature and braces included.
const FUNCTION_LINES_MAX: usize = 70;

fn check_file(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        let says = format!("has {lines} lines, at most {FILE_LINES_MAX}: split it by idea");
        findings.push(Finding::new(path, says));
    }
    if !text.starts_with("//!") {
        findings.push(Finding::new(
            path,
            "doesn't open with `//!` and what it decides",
        ));
    }
    if path.ends_with("/mod.rs") {
        findings.push(Finding::new(
            path,
            "is a mod.rs: name it after its folder, beside it",
        ));
    }
    findings
}

fn check_functions(path: &str, text: &str) -> Vec<Finding> {
    let file = match syn::parse_file(text) {
        Ok(file) => file,
        Err(e) => return vec![Finding::new(path, format!("is no Rust source: {e}"))],
    };
    let mut visitor = Functions {
        path,
        findings: Vec::new(),
    };
    visitor.visit_file(&file);
    visitor.findings
}

struct Functions<'a> {
    path: &'a str,
    findings: Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let lines = body
            .brace_token
            .span
            .close()
            .end()
            .line
            .saturating_sub(first)
            + 1;
        if lines > FUNCTION_LINES_MAX {
            let place = format!("{}:{first}", self.path);
            let says = format!(
                "{} has {lines} lines, at most {FUNCTION_LINES_MAX}",
                signature.ident
            );
            self.findings.push(Finding::new(place, says));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.measure(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.measure(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig, body);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let sources = source::sources();
    for (path, text) in &sources {
        let lines = text.lines().count();
        if lines > FILE_LINES_ASKED {
            println!("{path}: {lines} lines; does it hold two ideas?");
        }
    }
    assert_none(
        sources
            .iter()
            .flat_map(|(path, text)| check_file(path, text))
            .collect(),
    );
}

#[test]
fn functions_fit_on_a_page() {
    let sources = source::sources();
    assert_none(
        sources
            .iter()
            .flat_map(|(path, text)| check_functions(path, text))
            .collect(),
    );
}

#[test]
fn finds_a_long_file_a_silent_file_and_a_mod_file() {
    let long = format!("//! x\n{}", "\n".repeat(FILE_LINES_MAX));
    assert_found(&check_file("a.rs", &long), "a.rs", "lines");
    assert_found(&check_file("b.rs", "fn b() {}"), "b.rs", "open with");
    assert_found(&check_file("c/mod.rs", "//! x"), "c/mod.rs", "mod.rs");
    assert_none(check_file("d.rs", "//! x\nfn d() {}\n"));
}

#[test]
fn finds_long_functions_wherever_they_stand() {
    let body = "\n".repeat(FUNCTION_LINES_MAX);
    for around in [
        "fn long() {@}",
        "impl A { fn long() {@} }",
        "trait A { fn long() {@} }",
        "fn a() { fn long() {@} }",
    ] {
        let found = check_functions("a.rs", &around.replace('@', &body));
        assert_found(&found, "a.rs:1", "long has");
    }
    let short = "\n".repeat(FUNCTION_LINES_MAX - 1);
    assert_none(check_functions("a.rs", &format!("fn short() {{{short}}}")));
}
