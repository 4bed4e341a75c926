//! Code that is not written here: calls and attributes with a better replacement.
//!
//! The rules look at tokens, so a comment may say why something is not used.
//!
//! INVARIANT: each ban names its replacement and the folders where it doesn't hold, with the reason beside it.

use crate::{
    finding::{Finding, assert_found, assert_none},
    source::{self, Token},
};

/// One thing that is not written.
struct Ban {
    /// Consecutive tokens.
    tokens: &'static [&'static str],
    instead: &'static str,
    /// Path prefixes where it may stand all the same.
    except: &'static [&'static str],
}

/// Where `unsafe` is needed: loading native code, the guest's allocator, and the page-by-page touch of one hostile guest.
const UNSAFE: &[&str] = &[
    "host/engine/src/load.rs",
    "sdk/rust/src/memory.rs",
    "guests/hostile/",
];

/// The bench measures a bare engine beside ours and so links it the plain way.
const BENCH: &[&str] = &["tests/bench/"];

const BANS: &[Ban] = &[
    Ban {
        tokens: &["define_unknown_imports_as_traps"],
        instead: "refuse the component at admission: an import that is not granted never binds",
        except: &[],
    },
    Ban {
        tokens: &["define_unknown_imports_as_default_values"],
        instead: "refuse the component at admission: an import that is not granted never binds",
        except: &[],
    },
    Ban {
        tokens: &["add_to_linker"],
        instead: "add_to_linker_instance, one interface at a time, under the component's exact import string",
        except: BENCH,
    },
    Ban {
        tokens: &["add_to_linker_sync"],
        instead: "add_to_linker_instance, one interface at a time, under the component's exact import string",
        except: BENCH,
    },
    Ban {
        tokens: &["add_to_linker_async"],
        instead: "add_to_linker_instance, one interface at a time, under the component's exact import string",
        except: BENCH,
    },
    Ban {
        tokens: &["get_module_export"],
        instead: "the component's own exports: the core lookup can panic below engine 48.0.9",
        except: &[],
    },
    Ban {
        tokens: &["verify_batch"],
        instead: "verify_strict for each signature: batches skip the weak-key check and can disagree with it",
        except: &[],
    },
    Ban {
        tokens: &["unsafe"],
        instead: "the safe design; the places where unsafe code may stand are listed in tests/tidy",
        except: UNSAFE,
    },
    Ban {
        tokens: &["todo", "!"],
        instead: "the code, or a smaller promise",
        except: &[],
    },
    Ban {
        tokens: &["unimplemented", "!"],
        instead: "the code, or a typed refusal",
        except: &[],
    },
    Ban {
        tokens: &["#", "[", "ignore"],
        instead: "a test that runs, or none",
        except: &[],
    },
    Ban {
        tokens: &["should_panic"],
        instead: "an assertion on the returned error",
        except: &[],
    },
    Ban {
        tokens: &["#", "[", "allow"],
        instead: "expect with a reason, which ends with its cause",
        except: &[],
    },
    Ban {
        tokens: &["thread_rng"],
        instead: "an identity derived from what it identifies (docs/GLOSSARY.md)",
        except: &[],
    },
];

fn check(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let in_force = BANS
        .iter()
        .filter(|ban| !ban.except.iter().any(|place| path.starts_with(place)));
    in_force
        .flat_map(|ban| {
            let hits = tokens
                .windows(ban.tokens.len())
                .filter(|window| is_hit(ban, window));
            hits.map(|window| {
                let says = format!(
                    "{} is not written; instead: {}",
                    ban.tokens.concat(),
                    ban.instead
                );
                Finding::new(format!("{path}:{}", window[0].line), says)
            })
        })
        .collect()
}

fn is_hit(ban: &Ban, window: &[Token]) -> bool {
    ban.tokens
        .iter()
        .zip(window)
        .all(|(banned, token)| *banned == token.text)
}

/// Crate roots that can't forbid unsafe code because a module of theirs needs it, or has a list entry above.
const MAY_NOT_FORBID: [&str; 2] = ["host/engine/src/lib.rs", "sdk/rust/src/lib.rs"];

fn check_root(path: &str, text: &str) -> Option<Finding> {
    let is_root = path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs");
    let is_held = is_root && !path.starts_with("guests/") && !MAY_NOT_FORBID.contains(&path);
    let compact: String = text.split_whitespace().collect();
    let forbids = compact.contains("#![forbid(unsafe_code)]");
    (is_held && !forbids)
        .then(|| Finding::new(path, "is a crate root without #![forbid(unsafe_code)]"))
}

#[test]
fn every_crate_forbids_unsafe_code_but_those_that_need_it() {
    let sources = source::sources();
    assert_none(
        sources
            .iter()
            .filter_map(|(path, text)| check_root(path, text))
            .collect(),
    );
}

#[test]
fn no_source_holds_code_with_a_better_replacement() {
    let findings = source::sources().into_iter().flat_map(|(path, text)| {
        match source::tokens(&path, &text, true) {
            Ok(tokens) => check(&path, &tokens),
            Err(finding) => vec![finding],
        }
    });
    assert_none(findings.collect());
}

#[cfg(test)]
mod controls {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<Finding> {
        check(path, &source::tokens(path, text, true).unwrap())
    }

    #[test]
    fn finds_each_banned_thing() {
        for ban in BANS {
            let closed = if ban.tokens.starts_with(&["#", "["]) {
                "] fn f() {}"
            } else {
                ""
            };
            let text = format!("{}{closed}", ban.tokens.concat());
            assert_found(&found("host/core/src/x.rs", &text), "x.rs:1", ban.instead);
        }
    }

    #[test]
    fn finds_a_crate_root_that_allows_unsafe_code() {
        let found: Vec<Finding> = check_root("host/trust/src/lib.rs", "//! x")
            .into_iter()
            .collect();
        assert_found(&found, "host/trust", "forbid");
        assert_eq!(check_root("host/trust/src/key.rs", "//! x"), None);
    }

    #[test]
    fn a_comment_and_the_listed_places_are_free() {
        assert_none(found(
            "host/core/src/x.rs",
            "// unsafe\n/// todo!() is not written\nfn f() {}",
        ));
        assert_none(found("host/engine/src/load.rs", "unsafe { load() }"));
        assert_found(
            &found("host/trust/src/x.rs", "unsafe { load() }"),
            "x.rs:1",
            "unsafe",
        );
    }
}
