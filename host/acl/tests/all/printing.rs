//! Writing plans: what is printed is read back as the same tree, and formatting twice is formatting once.

use aim_acl::{Ast, Profile, ast::Form, compile, compile_in, format, parse, print_as};
use proptest::prelude::*;

use crate::{
    corpus::fixtures,
    trees::{braces, lines},
};

/// A tree without its places: what is written of it when every span is cut out.
fn placeless(ast: &Ast) -> String {
    let mut ast = ast.clone();
    ast.form = Form::Lines;
    let written = format!("{ast:?}");
    without(&without(&written, "span: "), "extent: ")
}

fn without(text: &str, field: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(field) {
        out.push_str(before);
        let after = after.strip_prefix("Some(").unwrap_or(after);
        let end = after
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap();
        rest = after.get(end..).unwrap();
        rest = rest.strip_prefix(')').unwrap_or(rest);
    }
    out.push_str(rest);
    out
}

fn holds(ast: &Ast, form: Form) -> Result<(), TestCaseError> {
    let written = print_as(ast, form);
    let (read, faults) = parse(&written);
    prop_assert!(faults.is_empty(), "{written}\n{faults:#?}");
    prop_assert_eq!(placeless(ast), placeless(&read), "{}", written);
    prop_assert_eq!(
        format(&written),
        Ok(written.clone()),
        "formatting changes what was printed"
    );
    Ok(())
}

proptest! {
    /// Control: with the `?` of a requirement left out of the printer, this fails (seen).
    #[test]
    fn what_is_printed_in_line_form_is_read_back_as_the_same_tree(ast in lines()) {
        holds(&ast, Form::Lines)?;
    }

    /// Control: with `forbid` printed as `require`, this fails (seen).
    #[test]
    fn what_is_printed_in_brace_form_is_read_back_as_the_same_tree(ast in braces()) {
        holds(&ast, Form::Braces)?;
    }

    /// Control: with tokens and calls exchanged in one of the two parsers, this fails.
    #[test]
    fn the_same_plan_in_two_forms_compiles_to_the_same_bytes(ast in lines()) {
        let compiled = |form| compile(&print_as(&ast, form), Profile::Lenient).map(|one| one.plan.to_json());
        match (compiled(Form::Lines), compiled(Form::Braces)) {
            (Ok(lines), Ok(braces)) => prop_assert_eq!(lines, braces),
            (Err(_), Err(_)) => {}
            (lines, braces) => prop_assert!(false, "{:?}\n{:?}", lines.is_ok(), braces),
        }
    }
}

/// Control: with comments behind statements dropped by the layout, this fails.
#[test]
fn formatting_the_corpus_keeps_every_comment_and_changes_nothing_twice() {
    for fixture in fixtures("good") {
        let (before, _) = parse(&fixture.source);
        if before.form == Form::Yaml {
            assert!(format(&fixture.source).is_err());
            continue;
        }
        let once = format(&fixture.source).unwrap();
        assert_eq!(format(&once).as_ref(), Ok(&once), "{}", fixture.name());
        let (after, _) = parse(&once);
        let texts = |ast: &Ast| {
            ast.comments
                .iter()
                .map(|one| one.text.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(&before), texts(&after), "{}\n{once}", fixture.name());
        let plan = |source: &str| {
            compile_in(source, &fixture.context())
                .unwrap()
                .plan
                .to_json()
        };
        assert_eq!(plan(&fixture.source), plan(&once), "{}", fixture.name());
    }
}

#[test]
fn a_source_with_faults_is_not_formatted() {
    let faults = format("PLAN p:\nSTPE a:\n").unwrap_err();
    assert_eq!(faults[0].code, "ACL-E004");
}

#[test]
fn the_layout_is_the_one_of_the_documentation() {
    let messy = "PLAN   p :\n#top\nSTEP a:   # why\nREQUIRES b?,c\n\n\n    ASSIGN builder:'x'\nGATE g:output.x>=1 \n  ON_FAIL   abort \"now\"\n";
    let tidy = "PLAN p:\n# top\nSTEP a:  # why\n  REQUIRES b?, c\n\n  ASSIGN builder: \"x\"\n  GATE g: output.x>=1\n    ON_FAIL abort \"now\"\n";
    assert_eq!(format(messy).unwrap(), tidy);
    let messy = "pipeline \"p\" {header{seeds:7;budgets:{tokens:12000}}\n\n\n//why\nstep a:Builder{budget:{tokens:1,/*x*/calls:2}}}";
    let tidy = "pipeline \"p\" {\n  header {\n    seeds: 7\n    budgets: { tokens: 12k }\n  }\n\n  // why\n  step a: Builder {\n    budget: {\n      tokens: 1\n      calls: 2  /* x */\n    }\n  }\n}\n";
    assert_eq!(format(messy).unwrap(), tidy);
}
