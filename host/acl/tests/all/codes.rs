//! Every code has a page, a plan that raises it, and one meaning.

use std::{collections::BTreeSet, fs, path::Path};

use aim_acl::{
    Profile,
    codes::{self, Code, Subject},
    compile,
};
use aim_core::plan::{CompilerPin, LOCK_VERSION, Lock, Plan};

use crate::corpus::fixtures;

fn page(code: Code) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let path = folder.join(format!("{}.md", code.id));
    fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} has no page", code.id))
}

#[test]
fn every_code_has_a_page_with_its_title_a_cause_and_a_fix() {
    for code in codes::ALL {
        let page = page(*code);
        let title = format!("# {}: {}\n", code.id, code.title);
        assert!(
            page.starts_with(&title),
            "{} does not start with {title}",
            code.id
        );
        let has_parts = page.contains("\n**Cause.** ") && page.contains("\n**Fix.** ");
        assert!(has_parts, "{}", code.id);
    }
}

#[test]
fn no_page_of_the_language_is_left_without_a_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let known: BTreeSet<String> = codes::ALL
        .iter()
        .map(|code| format!("{}.md", code.id))
        .collect();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            !(name.starts_with("ACL-E") || name.starts_with("ACL-L")) || known.contains(&name),
            "{name}"
        );
    }
}

#[test]
fn codes_are_unique_and_in_order() {
    assert!(codes::ALL.is_sorted_by(|a, b| a.id < b.id));
}

/// Codes that need a source too large to keep in the corpus; `limits.rs` raises them.
const RAISED_IN_LIMITS: [Code; 2] = [codes::TOO_LARGE, codes::TOO_MANY];

#[test]
fn every_code_of_a_source_is_raised_by_a_plan_of_the_corpus_that_is_named_after_it() {
    let raised: BTreeSet<String> = fixtures("bad")
        .iter()
        .map(|fixture| fixture.name().get(..8).unwrap().to_owned())
        .collect();
    for code in codes::ALL {
        let is_elsewhere = code.subject == Subject::Compiled || RAISED_IN_LIMITS.contains(code);
        assert_ne!(raised.contains(code.id), is_elsewhere, "{}", code.id);
    }
}

/// The codes of compiled documents, and what is said under each. `ACL-E061` has no document; `aimctl run --locked` raises it, and
/// `host/cli/tests/cli/locking.rs` holds what it says.
const OF_DOCUMENTS: [(&str, &str); 5] = [
    ("ACL-E040", "the plan ir is refused: not a plan: "),
    ("ACL-E041", "step `a`, role `builder`: "),
    ("ACL-E042", "the lock is not a canonical lock document: "),
    (
        "ACL-E060",
        "1 of the lock's fields are not what is there now",
    ),
    ("ACL-E061", ""),
];

#[test]
fn the_codes_of_compiled_documents_are_those_of_core_and_say_what_is_wrong() {
    let named: Vec<&str> = (codes::ALL.iter())
        .filter(|code| code.subject == Subject::Compiled)
        .map(|code| code.id)
        .collect();
    assert_eq!(named, OF_DOCUMENTS.map(|(code, _)| code));
    let plan = compile("PLAN p:\nSTEP a:\nASSIGN builder: \"x\"", Profile::Lenient)
        .unwrap()
        .plan;
    let lock = lock_of(&plan);
    let mut other = lock.clone();
    other.policy = plan.digest();
    let ir = Plan::from_json(b"{}").unwrap_err();
    let unread = Lock::from_json(b"{}").unwrap_err();
    let unbound = aim_core::plan::bindings(&plan, &Default::default()).unwrap_err();
    let drift = lock.check_present(&other).unwrap_err();
    let said = [
        (ir.code(), ir.to_string(), ir.help().to_string()),
        (unbound[0].code(), unbound[0].to_string(), unbound[0].help()),
        (unread.code(), unread.to_string(), unread.help()),
        (drift.code(), drift.to_string(), drift.help()),
    ];
    for ((code, message, help), (expected, begins)) in said.iter().zip(OF_DOCUMENTS) {
        assert_eq!(*code, expected);
        assert!(message.starts_with(begins), "{message}");
        assert!(!help.is_empty(), "{code}");
    }
    assert_eq!(
        lock.check_fits(&plan).unwrap_err().code(),
        codes::MISSING_PINS.id
    );
}

/// A lock that names the plan and none of its steps.
fn lock_of(plan: &Plan) -> Lock {
    let zero = aim_core::digest::Digest::of(b"");
    Lock {
        compiler: CompilerPin {
            language: plan.language_version(),
            schema: plan.schema_version(),
            version: aim_acl::COMPILER_VERSION.into(),
        },
        engine_profile: zero,
        gate_rules: None,
        gates: Default::default(),
        imports: Default::default(),
        lock_version: LOCK_VERSION,
        plan: plan.digest(),
        policy: zero,
        probes: aim_core::plan::ProbeSwitch::default().pin(),
        steps: Default::default(),
    }
}
