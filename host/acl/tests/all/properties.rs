//! What holds for any text.

use aim_acl::{Diagnostic, Profile, codes, compile, parse};
use aim_core::plan::Plan;
use proptest::prelude::*;

/// Text that is nearly a plan: lines of keywords and fragments, in any order.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-d]",
        "builder",
        "output\\.[ab]",
        "\"[ -~]{0,4}\"",
        "[ -~]{0,3}",
        "[^\n]{0,3}"
    ];
    let keyword = prop_oneof![
        Just("PLAN"),
        Just("QUIP"),
        Just("ROLE"),
        Just("STEP"),
        Just("ASSIGN"),
        Just("REQUIRES"),
        Just("BUDGET"),
        Just("GATE"),
        Just("CHECK"),
        Just("ON_FAIL"),
        Just("#"),
        Just("step"),
    ];
    let mark = prop_oneof![
        Just(":"),
        Just(": "),
        Just(","),
        Just("?"),
        Just("("),
        Just(")"),
        Just("="),
        Just(" "),
        Just("\"")
    ];
    let line = (keyword, prop::collection::vec((word, mark), 0..4)).prop_map(|(keyword, parts)| {
        let parts: String = parts
            .into_iter()
            .map(|(word, mark)| format!("{word}{mark}"))
            .collect();
        format!("{keyword} {parts}\n")
    });
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

/// Text that is mostly a plan, so that the later stages see it.
fn mostly() -> impl Strategy<Value = String> {
    let statement = prop_oneof![
        "STEP [a-e]:",
        "ASSIGN (builder|critic|own|none): \"[ -!#-\\[\\]-~é]{0,6}\"",
        "REQUIRES [a-e]\\??(, ?[a-e]\\??){0,2}",
        "BUDGET tokens=[0-9]{1,3}, time=[0-9](s|ms|m), tools=[1-9]",
        "BUDGET tokens=[1-9]",
        "GATE [g-j]: output\\.[ab]( (==|>=|!=) (-?[0-9](\\.[0-9])?|'[ -&(-\\[\\]-~]{0,3}'|true))?",
        "GATE [g-j]:\n\tCHECK\toutput.x\t==\t'a\tb'\nON_FAIL (abort|warn|escalate|retry)",
        "ROLE own: llm\\(node=[a-z]{1,3}, k=\"[ -!#-\\[\\]-~]{0,3}\"\\)",
        "QUIP '[ -&(-\\[\\]-~\t]{0,6}'",
    ];
    let step = "STEP [a-i]:\nASSIGN (builder|critic): \"[a-z\t]{0,6}\"(\nREQUIRES [a-i])?";
    let lines = prop::collection::vec(prop_oneof![3 => statement.boxed(), 5 => step.boxed()], 1..9);
    lines.prop_map(|lines| format!("PLAN p:\n{}", lines.join("\n")))
}

fn all_spans(fault: &Diagnostic) -> impl Iterator<Item = std::ops::Range<usize>> {
    let labels: Vec<_> = fault.labels.iter().map(|(span, _)| span.clone()).collect();
    std::iter::once(fault.span.clone()).chain(labels)
}

fn holds(source: &str) -> Result<(), TestCaseError> {
    let (_, faults) = parse(source);
    for profile in [Profile::Strict, Profile::Lenient] {
        let compiled = compile(source, profile);
        let found = match &compiled {
            Ok(compiled) => &compiled.warnings,
            Err(faults) => faults,
        };
        for span in found.iter().chain(&faults).flat_map(all_spans) {
            prop_assert!(source.get(span.clone()).is_some(), "{span:?}");
        }
        // The compiler never hands on what core would refuse, and never says so instead of what is wrong.
        prop_assert!(
            found.iter().all(|fault| fault.code != codes::BAD_IR.id),
            "{found:?}"
        );
        prop_assert_eq!(&compile(source, profile), &compiled);
        if let Ok(compiled) = compiled {
            prop_assert!(
                faults
                    .iter()
                    .all(|fault| fault.severity != aim_acl::Severity::Error)
            );
            prop_assert_eq!(Plan::from_json(&compiled.plan.to_json()), Ok(compiled.plan));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_answered_inside_its_own_bounds(source in "(?s).{0,200}") {
        holds(&source)?;
    }

    #[test]
    fn anything_like_a_plan_is_answered_inside_its_own_bounds(source in nearly()) {
        holds(&source)?;
    }

    #[test]
    fn whatever_compiles_is_read_back_and_compiles_to_the_same_bytes(source in mostly()) {
        holds(&source)?;
    }

    #[test]
    fn a_truncated_plan_is_answered(cut in 0_usize..900) {
        let source = include_str!("../plans/good/user_authentication.acl");
        let cut = (0..=cut.min(source.len())).rev().find(|at| source.is_char_boundary(*at)).unwrap();
        holds(source.get(..cut).unwrap())?;
    }
}
