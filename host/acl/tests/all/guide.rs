//! The plans in the documentation are plans.

use std::{fs, path::Path};

use aim_acl::{Context, Profile, Severity, lint};

use crate::corpus::World;

/// The code blocks of a page with their info words.
fn blocks(page: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(page);
    let text = fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// Every block of `acl` compiles and is answered with nothing at all, so that what a reader copies is what the page says; one of
/// `acl error CODE` or `acl warning CODE` is answered with that code. Control: a keyword misspelt in one of the examples made
/// this fail.
#[test]
fn every_plan_of_the_guide_and_the_reference_does_what_the_text_says() {
    let mut count = 0;
    for page in ["guides/plans.md", "formats/acl.md"] {
        for (info, body) in blocks(page) {
            let mut words = info.split(' ');
            if words.next() != Some("acl") {
                continue;
            }
            count += 1;
            let context = Context {
                profile: Profile::Lenient,
                resolver: &World,
            };
            let found = lint(&body, &context);
            let errors: Vec<_> = found
                .iter()
                .filter(|one| one.severity == Severity::Error)
                .collect();
            match words.next() {
                None => assert!(found.is_empty(), "{page}:\n{body}\n{found:#?}"),
                Some(kind) => {
                    assert_eq!(errors.is_empty(), kind == "warning", "{page}:\n{body}");
                    let code = words.next().unwrap();
                    assert!(
                        found.iter().any(|one| one.code == code),
                        "{page}:\n{body}\n{found:#?}"
                    );
                }
            }
        }
    }
    assert!(count >= 15, "{count}");
}
