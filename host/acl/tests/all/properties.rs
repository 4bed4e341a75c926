//! What holds for any text.

use std::collections::BTreeSet;

use aim_acl::{
    Context, Diagnostic, Profile, Resolver as _, Severity, WordKind, ast::Form, codes, compile,
    compile_in, format, lint, parse, print_as, vocabulary,
};
use aim_core::plan::{Effect, Plan};
use proptest::{prelude::*, sample::select, strategy::ValueTree as _, test_runner::TestRunner};

use crate::{
    constructs::words,
    sound::{Bits, bits, sound},
    trees::{braces, lines},
};

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
        let linted = lint(
            source,
            &Context {
                profile,
                resolver: &aim_acl::Alone,
            },
        );
        for span in linted.iter().flat_map(all_spans) {
            prop_assert!(source.get(span.clone()).is_some(), "{span:?}");
        }
        if let Ok(compiled) = compiled {
            prop_assert!(faults.iter().all(|fault| fault.severity != Severity::Error));
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

/// Text that is nearly a plan in braces or YAML: fragments in any order.
fn fragments() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "pipeline \"p\" {",
        "header {",
        "shard \"s\" {",
        "step a: Builder {",
        "step b: Critic {",
        "}",
        "}",
        "}",
        "\n",
        "\n",
        ",",
        ";",
        "gate egress g {",
        "gate u: UQGate {",
        "require output.x >= 1",
        "forbid output.y",
        "emit vif, uq",
        "on_fail { abort }",
        "if (output.z) retry(2)",
        "fallback(b)",
        "inputs: { x: a, y: ALL }",
        "depends a, b?",
        "budget: { tokens: 1k wall_ms: 2 calls: 3 }",
        "effects: [net.read, fs.write]",
        "fanout a -> b[1..3]",
        "reduce b[1..3] -> a using vote=majority",
        "flow f(a, max_iter=2)",
        "policy rewrite {",
        "on over_budget => warn",
        "require HITL for a",
        "caps { max_parallel: 2 }",
        "HHNI:a/b",
        "WINDOW:1..2",
        "1..",
        "\"open",
        "/* x",
        "// y",
        "import policy \"rules.aclp\" as p",
        "id: p",
        "steps:",
        "  - id: a",
        "    action: log",
        "\t",
        "[",
        "(",
        "{{",
    ]);
    let odd = "[^\n]{0,3}".boxed();
    prop::collection::vec(
        prop_oneof![9 => piece.prop_map(str::to_owned).boxed(), 1 => odd],
        0..24,
    )
    .prop_map(|pieces| pieces.join(" "))
}

proptest! {
    /// Control: with the policy's answer left out of the check, an effect that is only asked for is admitted and this fails;
    /// with `undeclared` left out, one that is granted and not declared is.
    #[test]
    fn no_plan_admits_an_effect_that_is_not_declared_asked_for_and_granted(
        steps in prop::collection::vec((0_u16..512, 0_u16..512, 0_u16..512, 0_u8..4), 1..5)
    ) {
        // Most steps declare just what they are granted: chance alone would never meet it.
        let exact = |(declared, asked, granted, dice): (u16, u16, u16, u8)| {
            (if dice > 0 { asked & granted } else { declared }, asked, granted)
        };
        let steps: Vec<(u16, u16, u16)> = steps.into_iter().map(exact).collect();
        let mut source = String::from("pipeline \"p\" {\n");
        for (index, (declared, asked, granted)) in steps.iter().enumerate() {
            let words: Vec<&str> = bits(*declared & (*asked | 1)).map(Effect::word).collect();
            source += &format!("role r{index}: operator {{ node: \"n{asked}-{granted}\" }}\n");
            source += &format!("step s{index}: r{index} {{ effects: [{}] }}\n", words.join(", "));
        }
        source += "}\n";
        let context = Context { profile: Profile::Lenient, resolver: &Bits };
        let declares = |(declared, asked, _): &(u16, u16, u16)| declared & (asked | 1);
        let is_declaring = steps.iter().any(|step| declares(step) != 0);
        let is_allowed = steps.iter().all(|step| {
            let (declared, allowed) = (declares(step), step.1 & step.2);
            declared & !allowed == 0 && (!is_declaring || allowed & !declared == 0)
        });
        let compiled = compile_in(&source, &context);
        prop_assert_eq!(compiled.is_ok(), is_allowed, "{}", source);
        if let Ok(compiled) = compiled {
            for (index, (_, asked, granted)) in steps.iter().enumerate() {
                let step = compiled.plan.steps().iter().find(|step| step.name.as_str() == format!("s{index}")).unwrap();
                prop_assert!(step.effects.iter().all(|effect| bits(asked & granted).any(|one| one == *effect)));
            }
        }
    }

    /// Control: with `effects` left out of the checks beside contracts, this fails (seen).
    #[test]
    fn no_plan_of_any_construct_admits_more_than_is_declared_asked_for_and_granted(source in sound(5)) {
        let context = Context { profile: Profile::Lenient, resolver: &Bits };
        let compiled = compile_in(&source, &context);
        prop_assert_eq!(&compile_in(&source, &context), &compiled, "{}", source);
        let Ok(compiled) = compiled else { return Ok(()) };
        for step in compiled.plan.steps() {
            let Some(facts) = Bits.node(&compiled.plan, step) else {
                prop_assert!(step.effects.is_empty() || !step.name.as_str().starts_with('s'), "{}", source);
                continue;
            };
            let allowed: BTreeSet<Effect> = facts.asked.intersection(&facts.granted).copied().collect();
            prop_assert!(step.effects.iter().all(|effect| allowed.contains(effect)), "{}", source);
            prop_assert!(
                !compiled.plan.declares_effects() || allowed.iter().all(|effect| step.effects.contains(effect)),
                "{}", source
            );
        }
    }

    /// Controls: with the header's pins, or with a gate's `when`, left out by the printer, this fails (seen).
    #[test]
    fn a_plan_that_is_printed_compiles_to_the_same_bytes(source in sound(10)) {
        let context = Context { profile: Profile::Lenient, resolver: &Bits };
        let plan = |text: &str| compile_in(text, &context).map(|compiled| compiled.plan.to_json()).ok();
        let printed = print_as(&parse(&source).0, Form::Braces);
        prop_assert_eq!(plan(&source), plan(&printed), "{}\n{}", source, printed);
        prop_assert_eq!(plan(&source), plan(&format(&source).unwrap()), "{}", source);
    }

    #[test]
    fn anything_like_braces_or_yaml_is_answered_inside_its_own_bounds(source in fragments()) {
        holds(&source)?;
    }

    #[test]
    fn a_truncated_pipeline_is_answered(cut in 0_usize..1_200, which in 0_usize..3) {
        let sources = [
            include_str!("../plans/good/braces_step_gates.acl"),
            include_str!("../plans/good/braces_rules.acl"),
            include_str!("../plans/good/yaml_seed_to_tensor.acl"),
        ];
        let source = sources[which];
        let cut = (0..=cut.min(source.len())).rev().find(|at| source.is_char_boundary(*at)).unwrap();
        holds(source.get(..cut).unwrap())?;
    }

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

/// The words of some hundreds of texts, always the same ones.
fn samples(of: impl Strategy<Value = String>, count: usize) -> (BTreeSet<String>, Vec<String>) {
    let mut runner = TestRunner::deterministic();
    let texts: Vec<String> = (0..count)
        .map(|_| of.new_tree(&mut runner).unwrap().current())
        .collect();
    (texts.iter().flat_map(|text| words(text)).collect(), texts)
}

/// Words that a printer has no use for: it writes another word of the same meaning.
const OTHER_SPELLINGS: [&str; 6] = ["log", "hitl", "plan", "True", "False", "CHECK"];

// Control: with the gates of steps taken out of `trees::braces`, this names `ingress`, which has no other place (seen).
#[test]
fn generated_trees_have_every_word_of_their_form() {
    let of_lines = lines().prop_map(|ast| print_as(&ast, Form::Lines));
    let of_braces = braces().prop_map(|ast| print_as(&ast, Form::Braces));
    for (form, said) in [
        (Form::Lines, samples(of_lines, 300).0),
        (Form::Braces, samples(of_braces, 300).0),
    ] {
        let missing: Vec<&str> = (vocabulary(form).iter().map(|word| word.text))
            .filter(|word| !said.contains(*word) && !OTHER_SPELLINGS.contains(word))
            .collect();
        assert!(missing.is_empty(), "{form:?}: {missing:?}");
    }
}

// Control: with steps whose effects are never those that are granted, hardly a plan compiles and this fails (seen).
#[test]
fn sound_plans_compile_for_the_most_part_and_with_every_construct() {
    let context = Context {
        profile: Profile::Lenient,
        resolver: &Bits,
    };
    let (_, texts) = samples(sound(10), 300);
    let mut good = Vec::new();
    let mut why = BTreeSet::new();
    for text in &texts {
        match compile_in(text, &context) {
            Ok(_) => good.push(text),
            Err(faults) => {
                let errors = faults
                    .into_iter()
                    .filter(|fault| fault.severity == Severity::Error);
                why.extend(errors.map(|fault| fault.code.to_owned() + " " + &fault.message));
            }
        }
    }
    assert!(good.len() > 200, "{} of 300: {why:#?}", good.len());
    let said: BTreeSet<String> = good.iter().flat_map(|text| words(text)).collect();
    let is_of_a_gate =
        |word: &str| word.ends_with("Gate") && !["UQGate", "SchemaGate"].contains(&word);
    let constructs = vocabulary(Form::Braces)
        .into_iter()
        .filter(|word| word.kind != WordKind::Value);
    let missing: Vec<&str> = (constructs.map(|word| word.text))
        .filter(|word| !said.contains(*word) && !is_of_a_gate(word))
        .filter(|word| !OTHER_SPELLINGS.contains(word))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
