//! What an editor asks: where names are, what can be written, what can be mended.

use aim_acl::{
    CompletionKind, Context, Profile, SymbolKind, complete, complete_with, fixed, lint, parse,
    symbols, token::lex,
};

use crate::corpus::{World, fixtures};

const PLAN: &str = "pipeline \"p\" {\n  role r: llm\n  step first: r { budget: { tokens: 1 wall_ms: 1 calls: 1 } }\n  step second: Builder { depends first }\n}\n";

#[test]
fn a_name_is_found_where_it_is_used_and_where_it_is_defined() {
    let (ast, _) = parse(PLAN);
    let table = symbols(&ast);
    let used = PLAN.rfind("first").unwrap();
    let definition = table.definition(used).unwrap();
    assert_eq!(
        (definition.kind, definition.name.as_str()),
        (SymbolKind::Step, "first")
    );
    assert_eq!(definition.span.start, PLAN.find("first").unwrap());
    assert!(PLAN.get(definition.extent.clone()).unwrap().ends_with('}'));
    assert_eq!(table.references(used).count(), 2);
    assert_eq!(table.at(0), None);
}

#[test]
fn every_name_of_the_corpus_stands_where_the_table_says() {
    for fixture in fixtures("good") {
        let (ast, _) = parse(&fixture.source);
        if ast.form == aim_acl::ast::Form::Yaml {
            continue;
        }
        for symbol in symbols(&ast).all {
            let written = fixture.source.get(symbol.span.clone()).unwrap();
            let named = written.replace(['.', '-'], "_");
            assert!(
                named.contains(&symbol.name),
                "{}: {symbol:?} is `{written}`",
                fixture.name()
            );
        }
    }
}

#[test]
fn what_is_offered_fits_the_place() {
    let offered = |source: &str| {
        let at = source.find('|').unwrap();
        complete(&source.replace('|', ""), at)
    };
    let steps = offered("PLAN p:\nSTEP one:\n  ASSIGN builder: \"x\"\nSTEP two:\n  REQUIRES |");
    assert!(steps.iter().all(|one| one.kind == CompletionKind::Step));
    assert_eq!(
        steps
            .iter()
            .map(|one| one.text.as_str())
            .collect::<Vec<_>>(),
        ["one"]
    );
    let roles = offered("PLAN p:\nROLE own: llm\nSTEP one:\n  ASSIGN o|");
    assert!(
        roles.iter().any(|one| one.text == "own") && roles.iter().any(|one| one.text == "operator")
    );
    let types = offered("pipeline \"p\" {\n  gate g: |\n}");
    assert!(types.iter().any(|one| one.text == "UQGate"));
    let effects = offered("pipeline \"p\" {\n  step a: Builder {\n    effects: [|\n  }\n}");
    assert!(effects.iter().any(|one| one.text == "net.read"));
    let keys = offered("pipeline \"p\" {\n  step a: Builder {\n    bud|\n  }\n}");
    assert!(keys.iter().any(|one| one.text == "budget"));
    assert_eq!(offered("PLAN p:\nQUIP \"|"), []);
}

/// What is offered at the bar of a source, nodes being `n.one` and `n.two`, as one text.
fn offered_at(source: &str) -> String {
    let at = source.find('|').unwrap();
    let offers = complete_with(&source.replace('|', ""), at, &["n.one", "n.two"]);
    let texts: Vec<&str> = offers.iter().map(|one| one.text.as_str()).collect();
    texts.join(" ")
}

#[test]
fn every_place_of_a_plan_is_offered_what_belongs_there() {
    let in_lines = |line: &str| {
        offered_at(&format!(
            "PLAN p:\nROLE own: llm\nSTEP zero:\nSTEP one:\n{line}"
        ))
    };
    let in_braces = |text: &str| {
        offered_at(&format!(
            "import policy \"r\" as house\npipeline \"p\" {{\n  step one: Builder {{ gate egress g {{ require output.x }} }}\n{text}"
        ))
    };
    for (found, wanted) in [
        (in_lines("  ROLE x: llm(node=\"|"), "n.one n.two"),
        (in_lines("  ROLE x: llm(node=n.|"), "n.one n.two"),
        (
            in_lines("  GATE g: output.x\n    ON_FAIL fallback(|"),
            "zero",
        ),
        (in_lines("  BUDGET tokens=1, |"), "cost time tokens tools"),
        (in_lines("  # REQ|"), ""),
        (in_braces("  role r: llm { node: \"|"), "n.one n.two"),
        (in_braces("  header { risk: |"), "critical high low medium"),
        (
            in_braces("  header { inputs: { a: str|"),
            "any array artifact boolean evidence number object string",
        ),
        (in_braces("  header { policy: |"), "house"),
        (
            in_braces("  header {\n    budgets: { tokens: 1, |"),
            "backoff calls cost headroom pool tokens wall_ms",
        ),
        (in_braces("  step two: Builder { inputs: { a: |"), "one ALL"),
        (in_braces("  step two: Builder { depends one, |"), "one"),
        (
            in_braces("  step two: Builder { gate egress {\n on_fail {\n if (output.x) fallback(|"),
            "one",
        ),
        (
            in_braces("  step two: Builder { gate egress { |"),
            "emit forbid on_fail require",
        ),
        (
            in_braces("  gate u: UQGate { |"),
            "inputs min on_fail policy strict",
        ),
        (in_braces("  policy rewrite { on gate_fail(|"), "g"),
        (
            in_braces("  policy rewrite { on |"),
            "gate_fail low_confidence over_budget policy_violation step_fail",
        ),
        (
            in_braces("  reduce one[1..2] -> one using |"),
            "adjudicate=verifier merge=maxRS score=mean vote=majority",
        ),
        (in_braces("  // step |"), ""),
        (in_braces("  step two: Builder { does: \"step |"), ""),
    ] {
        assert_eq!(found, wanted);
    }
    assert!(in_braces("  policy rewrite { on step_fail(one) => |").contains("quarantine"));
    assert!(in_braces("  policy rewrite { require HITL for |").starts_with("one db.query"));
}

/// Control: with the default of another part put in, the plan that is compiled differs and this fails.
#[test]
fn what_is_mended_compiles_to_the_same_plan_without_that_warning() {
    let mut mended = 0;
    for fixture in fixtures("good") {
        let context = Context {
            profile: Profile::Lenient,
            resolver: &World,
        };
        let found = lint(&fixture.source, &context);
        if found.iter().all(|one| one.fix.is_none()) {
            continue;
        }
        mended += 1;
        let better = fixed(&fixture.source, &found);
        let plan = |source: &str| {
            aim_acl::compile_in(source, &context)
                .unwrap()
                .plan
                .to_json()
        };
        assert_eq!(
            plan(&fixture.source),
            plan(&better),
            "{}\n{better}",
            fixture.name()
        );
        assert!(
            lint(&better, &context).iter().all(|one| one.fix.is_none()),
            "{better}"
        );
    }
    assert!(mended >= 3, "{mended}");
}

#[test]
fn the_tokens_of_any_corpus_plan_lie_in_order_and_cover_what_is_written() {
    for fixture in fixtures("good").into_iter().chain(fixtures("bad")) {
        let lexed = lex(&fixture.source);
        let mut end = 0;
        for token in &lexed.tokens {
            assert!(token.span.start >= end, "{}", fixture.name());
            assert_eq!(fixture.source.get(token.span.clone()), Some(token.text));
            end = token.span.end;
        }
        assert_eq!(end, fixture.source.len(), "{}", fixture.name());
    }
}
