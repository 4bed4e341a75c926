//! Every code that a user can meet has a page, and every page has a code.
//!
//! INVARIANT: codes are found as whole string literals outside of tests, so a page can't be kept alive by a comment.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    finding::{Finding, assert_found, assert_none},
    source, tree,
};

const PAGES: &str = "docs/errors/";

/// True for `AIM-A001` and `ACL-E014`: family, letter, digits.
fn is_code(text: &str) -> bool {
    let Some(rest) = text
        .strip_prefix("AIM-")
        .or_else(|| text.strip_prefix("ACL-"))
    else {
        return false;
    };
    let mut chars = rest.chars();
    let letter = chars.next().is_some_and(|c| c.is_ascii_uppercase());
    let digits = chars.as_str();
    letter && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

/// The codes in one source, outside of its test items.
fn codes(path: &str, text: &str) -> Result<BTreeSet<String>, Finding> {
    let tokens = source::tokens(path, text, false)?;
    let literals = tokens.iter().filter_map(source::string_literal);
    Ok(literals
        .filter(|text| is_code(text))
        .map(ToOwned::to_owned)
        .collect())
}

/// A page is `# CODE: title`, then a paragraph that begins with Cause, then one that begins with Fix.
fn check_page(path: &str, code: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let title = text.lines().next().unwrap_or("");
    let rest = title.strip_prefix(&format!("# {code}: ")).unwrap_or("");
    if rest.trim().is_empty() {
        findings.push(Finding::new(
            path,
            format!("doesn't begin with `# {code}: ` and a title"),
        ));
    }
    match (paragraph(text, "Cause"), paragraph(text, "Fix")) {
        (Some(cause), Some(fix)) if cause < fix => {}
        _ => findings.push(Finding::new(
            path,
            "needs a paragraph `Cause` and after it one `Fix`",
        )),
    }
    findings
}

/// Line of the paragraph or heading that begins with `word`, whatever it is marked up with.
fn paragraph(text: &str, word: &str) -> Option<usize> {
    let bare = |line: &str| line.trim_start_matches(['#', '*', '_', ' ']).to_owned();
    text.lines().position(|line| {
        let line = bare(line);
        line.strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    })
}

fn check(used: &BTreeMap<String, String>, pages: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (code, place) in used.iter().filter(|(code, _)| !pages.contains_key(*code)) {
        findings.push(Finding::new(
            place,
            format!("uses {code}, which has no page {PAGES}{code}.md"),
        ));
    }
    for (code, text) in pages {
        let path = format!("{PAGES}{code}.md");
        if !used.contains_key(code) {
            findings.push(Finding::new(
                &path,
                "no source uses this code: remove the page",
            ));
        }
        findings.extend(check_page(&path, code, text));
    }
    findings
}

fn pages() -> BTreeMap<String, String> {
    let files = tree::files().into_iter().filter(|f| f.starts_with(PAGES));
    let page = |path: String| {
        let code = path.strip_prefix(PAGES)?.strip_suffix(".md")?.to_owned();
        (code != "README").then(|| (code, tree::read(&path).unwrap()))
    };
    files.filter_map(page).collect()
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let (mut used, mut findings) = (BTreeMap::new(), Vec::new());
    let shipped = source::sources()
        .into_iter()
        .filter(|(path, _)| !source::is_test_source(path));
    for (path, text) in shipped {
        match codes(&path, &text) {
            Ok(codes) => used.extend(codes.into_iter().map(|code| (code, path.clone()))),
            Err(finding) => findings.push(finding),
        }
    }
    findings.extend(check(&used, &pages()));
    assert_none(findings);
}

#[test]
fn codes_in_comments_and_tests_do_not_count() {
    let text = "// \"AIM-A001\"\nfn a() -> &'static str { \"AIM-A002\" }\n#[test]\nfn t() { x(\"AIM-A003\") }";
    assert_eq!(codes("a.rs", text).unwrap(), ["AIM-A002".to_owned()].into());
    assert!(is_code("ACL-E014") && !is_code("AIM-A") && !is_code("AIM-001") && !is_code("XX-A001"));
}

#[test]
fn finds_a_code_without_a_page_and_a_page_without_a_code() {
    let used = [("AIM-A001".to_owned(), "a.rs".to_owned())].into();
    let pages = [(
        "AIM-A002".to_owned(),
        "# AIM-A002: t\n\nCause: c.\n\nFix: f.\n".to_owned(),
    )]
    .into();
    let found = check(&used, &pages);
    assert_found(&found, "a.rs", "AIM-A001");
    assert_found(&found, "AIM-A002.md", "remove the page");
    assert_eq!(found.len(), 2);
}

#[test]
fn finds_a_page_out_of_shape() {
    let shape = |text| check_page("p.md", "AIM-A001", text);
    assert_found(
        &shape("# AIM-A002: t\n\nCause: c\n\nFix: f\n"),
        "p.md",
        "title",
    );
    assert_found(
        &shape("# AIM-A001: t\n\nFix: f\n\nCause: c\n"),
        "p.md",
        "Cause",
    );
    assert_found(
        &shape("# AIM-A001: t\n\nCauses: c\n\nFix: f\n"),
        "p.md",
        "Cause",
    );
    assert_none(shape("# AIM-A001: t\n\n## Cause\n\nc\n\n## Fix\n\nf\n"));
    assert_none(shape("# AIM-A001: t\n\n**Cause.** c\n\n**Fix.** f\n"));
}
