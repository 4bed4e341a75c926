//! Plans: their text, their canonical form and their conditions.
//!
//! INVARIANT: what is taken is written and read again to the same bytes.

use aim_acl::Profile;
use aim_core::{condition::Condition, plan::Plan};

/// A plan's text. What compiles has one canonical form, and it reads back.
pub(crate) fn acl(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    for profile in [Profile::Lenient, Profile::Strict] {
        match aim_acl::compile(text, profile) {
            Ok(compiled) => plan(&compiled.plan.to_json()),
            Err(faults) => {
                assert!(!faults.is_empty(), "a refusal without a fault");
                for fault in faults {
                    let position = fault.position(text);
                    assert!(position.line >= 1 && position.column >= 1, "{fault:?}");
                }
            }
        }
    }
}

/// A plan's canonical form.
pub(crate) fn plan(bytes: &[u8]) {
    let Ok(plan) = Plan::from_json(bytes) else {
        return;
    };
    assert_eq!(plan.to_json(), bytes, "one plan, two spellings");
}

/// A condition. What is taken is taken again.
pub(crate) fn condition(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(condition) = Condition::parse(text) {
        let again = Condition::parse(text).expect("the same text");
        assert_eq!(condition, again);
    }
}
