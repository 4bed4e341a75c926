//! What holds for any text.

use std::collections::BTreeSet;

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

/// One step of a plan made of sound parts, whose edges may still form a cycle.
#[derive(Debug, Clone)]
struct SoundStep {
    requires: Vec<(usize, bool)>,
    budget: [u64; 3],
    gates: usize,
}

fn sound_steps() -> impl Strategy<Value = Vec<SoundStep>> {
    let edge = (0_usize..6, any::<bool>());
    let step = (
        prop::collection::vec(edge, 0..3),
        prop::array::uniform3(0_u64..40),
        0_usize..3,
    );
    let step = step.prop_map(|(requires, budget, gates)| SoundStep {
        requires,
        budget,
        gates,
    });
    prop::collection::vec(step, 1..7)
}

/// Writes the steps; edges to steps that do not exist, to itself and repeated ones are left out.
fn written(steps: &mut [SoundStep]) -> String {
    let mut source = String::from("PLAN p:\n");
    let count = steps.len();
    for (index, step) in steps.iter_mut().enumerate() {
        step.requires.retain(|(to, _)| *to < count && *to != index);
        step.requires.sort();
        step.requires.dedup_by_key(|(to, _)| *to);
        let names = step
            .requires
            .iter()
            .map(|(to, is_optional)| format!("n{to}{}", if *is_optional { "?" } else { "" }));
        let names: Vec<String> = names.collect();
        let [tokens, time, tools] = step.budget;
        source += &format!("STEP n{index}:\nASSIGN builder: \"x\"\n");
        source += &format!("BUDGET tokens={tokens}, time={time}ms, tools={tools}\n");
        if !names.is_empty() {
            source += &format!("REQUIRES {}\n", names.join(", "));
        }
        for gate in 0..step.gates {
            source += &format!("GATE g{gate}: output.x >= {gate}\n");
        }
    }
    source
}

/// Says whether any step reaches itself, by closing the relation: slow, and nothing like the compiler's way.
fn has_cycle(steps: &[SoundStep]) -> bool {
    let mut reaches: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (from, step) in steps.iter().enumerate() {
        reaches.extend(step.requires.iter().map(|(to, _)| (from, *to)));
    }
    loop {
        let longer: BTreeSet<(usize, usize)> = (reaches.iter())
            .flat_map(|(from, via)| {
                let onward = reaches.iter().filter(move |(start, _)| start == via);
                onward.map(move |(_, to)| (*from, *to))
            })
            .collect();
        let before = reaches.len();
        reaches.extend(longer);
        if reaches.len() == before {
            return reaches.iter().any(|(from, to)| from == to);
        }
    }
}

proptest! {
    /// Control: without the compiler's own checks on cycles or on zero, core refuses the plan and this fails.
    #[test]
    fn sound_parts_compile_exactly_when_nothing_is_zero_and_nothing_waits_for_itself(
        mut steps in sound_steps()
    ) {
        let source = written(&mut steps);
        holds(&source)?;
        let has_zero = steps.iter().any(|step| step.budget.contains(&0));
        let compiled = compile(&source, Profile::Strict);
        prop_assert_eq!(compiled.is_ok(), !has_zero && !has_cycle(&steps), "{}", source);
        let Ok(compiled) = compiled else { return Ok(()) };
        for (index, step) in steps.iter().enumerate() {
            let found = compiled.plan.steps().iter().find(|s| usize::try_from(s.id.number()) == Ok(index + 1));
            let found = found.unwrap();
            let edges: Vec<_> = (found.requires.iter())
                .map(|require| (require.step.to_string(), require.is_optional))
                .collect();
            let wanted: Vec<_> =
                step.requires.iter().map(|(to, is_optional)| (format!("n{to}"), *is_optional)).collect();
            prop_assert_eq!(edges, wanted);
            let into: Vec<bool> = (steps.iter().flat_map(|step| &step.requires))
                .filter(|(to, _)| *to == index)
                .map(|(_, is_optional)| *is_optional)
                .collect();
            prop_assert_eq!(found.is_required, into.is_empty() || into.contains(&false));
        }
    }

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
