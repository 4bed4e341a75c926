//! What the closed language accepts, means and refuses.

use alloc::{format, string::ToString, vec::Vec};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::verdict::Verdict;

fn verdict(condition: &str, output: &Value) -> Verdict {
    evaluate(&Condition::parse(condition).unwrap(), Some(output)).verdict
}

/// Control: with numbers read through binary floating point, this fails.
#[test]
fn numbers_are_compared_as_they_are_written() {
    let output = json!({"a": 0.1, "b": 0.85, "c": 9_007_199_254_740_993_u64, "d": -2.5, "e": 1e-7});
    for (condition, wanted) in [
        ("output.a == 0.1", Verdict::Pass),
        ("output.a == 0.10", Verdict::Pass),
        ("output.b >= 0.85", Verdict::Pass),
        ("output.b > 0.85", Verdict::Fail),
        // One more than 2^53: a comparison in floating point would call these equal.
        ("output.c == 9007199254740992", Verdict::Fail),
        ("output.c > 9007199254740992", Verdict::Pass),
        ("output.d < -2.4", Verdict::Pass),
        ("output.d <= -2.50", Verdict::Pass),
        ("output.d < 0", Verdict::Pass),
        ("output.e == 0.0000001", Verdict::Pass),
        ("output.e != 0", Verdict::Pass),
    ] {
        assert_eq!(verdict(condition, &output), wanted, "{condition}");
    }
}

#[test]
fn text_and_booleans_know_equality_only() {
    let output = json!({"t": "green", "b": true});
    assert_eq!(verdict("output.t == \"green\"", &output), Verdict::Pass);
    assert_eq!(verdict("output.t != 'green'", &output), Verdict::Fail);
    assert_eq!(verdict("output.b == True", &output), Verdict::Pass);
    assert_eq!(verdict("output.b == false", &output), Verdict::Fail);
    for ordered in ["output.t < \"red\"", "output.b >= true"] {
        let error = Condition::parse(ordered).unwrap_err();
        assert_eq!(error.kind, ConditionErrorKind::Order, "{ordered}");
    }
}

#[test]
fn a_bare_path_asks_for_truth() {
    let output =
        json!({"n": null, "z": 0, "o": 1, "e": "", "s": "x", "l": [], "m": {}, "f": {"g": true}});
    for (path, wanted) in [
        ("n", Verdict::Fail),
        ("z", Verdict::Fail),
        ("o", Verdict::Pass),
        ("e", Verdict::Fail),
        ("s", Verdict::Pass),
        ("l", Verdict::Fail),
        ("m", Verdict::Fail),
        ("f", Verdict::Pass),
        ("f.g", Verdict::Pass),
    ] {
        assert_eq!(
            verdict(&format!("output.{path}"), &output),
            wanted,
            "{path}"
        );
    }
}

/// Control: with errors given as `fail`, this fails.
#[test]
fn every_way_of_not_knowing_is_an_error_and_says_so_without_the_value() {
    let output = json!({"token": "hunter2", "list": ["hunter2"], "none": null});
    for condition in [
        "output.absent",
        "output.absent == 1",
        "output.token.inner",
        "output.list.first",
        "output.token >= 1",
        "output.none == \"x\"",
        "output.list == \"hunter3\"",
    ] {
        let judged = evaluate(&Condition::parse(condition).unwrap(), Some(&output));
        assert_eq!(judged.verdict, Verdict::Error, "{condition}");
        assert!(!judged.reason.contains("hunter2"), "{}", judged.reason);
    }
    let judged = evaluate(&Condition::parse("output.x").unwrap(), None);
    assert_eq!(judged.verdict, Verdict::Error);
    assert!(judged.reason.contains("exactly one JSON body"));
}

#[test]
fn refuses_what_is_outside_the_language_and_points_at_it() {
    use ConditionErrorKind::*;
    for (text, kind, at) in [
        ("", Empty, ""),
        ("  ", Empty, ""),
        ("output", Path, "output"),
        ("output.", Path, "output."),
        ("result.x", Path, "result.x"),
        ("input", Path, "input"),
        ("outputs.x", Path, "outputs.x"),
        ("__import__('os')", Path, "__import__('os')"),
        ("output.x = 1", Operator, "= 1"),
        ("output.x and output.y", Operator, "and output.y"),
        ("output.x()", Operator, "()"),
        ("output.x >=", Literal, ""),
        ("output.x == output.y", Literal, "output.y"),
        ("output.x == NaN", Literal, "NaN"),
        ("output.x == \"a", Quote, "\"a"),
        ("output.x == \"a\\n\"", Quote, "\"a\\n\""),
        ("output.x == 1e5", Number, "1e5"),
        ("output.x == 1.", Number, "1."),
        ("output.x == 0x10", Number, "0x10"),
        ("output.x > 'a'", Order, "> 'a'"),
        ("output.x > 1 and true", Trailing, "and true"),
        ("output.x == 'a' 'b'", Trailing, "'b'"),
    ] {
        let error = Condition::parse(text).unwrap_err();
        assert_eq!(error.kind, kind, "{text}");
        assert_eq!(text.get(error.span), Some(at), "{text}");
    }
    let deep = format!("output{}", ".a".repeat(17));
    assert_eq!(Condition::parse(&deep).unwrap_err().kind, Depth);
    let long = format!("output.x == \"{}\"", "a".repeat(SOURCE_BYTES_MAX));
    assert_eq!(Condition::parse(&long).unwrap_err().kind, TooLong);
}

#[test]
fn one_number_has_one_spelling_in_the_ir() {
    for spelling in ["output.x >= 1", "output.x>=1.0", "output.x  >=  001.00"] {
        let condition = Condition::parse(spelling).unwrap();
        assert_eq!(
            serde_json::to_string(&condition).unwrap(),
            r#"{"comparison":{"literal":{"number":"1"},"operator":">="},"path":["x"]}"#
        );
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_inside_its_own_bounds(text in ".{0,80}") {
        if let Err(error) = Condition::parse(&text) {
            prop_assert!(text.get(error.span).is_some());
        }
    }

    #[test]
    fn the_canonical_spelling_means_the_same(
        path in "[a-c]{1,2}(\\.[a-c]){0,2}",
        operator in "(>=|<=|>|<|==|!=)",
        literal in "(-?[0-9]{1,20}(\\.[0-9]{1,20})?|True|false|'[ -~]{0,6}'|\"[ -~]{0,6}\")",
    ) {
        if let Ok(condition) = Condition::parse(&format!("output.{path} {operator} {literal}")) {
            prop_assert_eq!(Condition::parse(&condition.to_string()), Ok(condition));
        }
    }

    #[test]
    fn judging_never_panics_and_passes_only_what_holds(
        output in any_value(),
        path in "[ab](\\.[ab]){0,2}",
        tail in "( (>=|<=|>|<|==|!=) (-?[0-9]{1,4}(\\.[0-9])?|true|'x'))?",
    ) {
        if let Ok(condition) = Condition::parse(&format!("output.{path}{tail}")) {
            let judged = evaluate(&condition, Some(&output));
            let held = holds(&condition, Some(&output)) == Ok(true);
            prop_assert_eq!(judged.verdict == Verdict::Pass, held);
        }
    }

    #[test]
    fn decimals_order_like_integers(a in any::<i64>(), b in any::<i64>()) {
        let [x, y] = [a, b].map(|n| Decimal::parse(&n.to_string()).unwrap());
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        prop_assert_eq!(x.to_string(), a.to_string());
    }

    #[test]
    fn decimals_order_like_scaled_integers(a in -99_999_i64..99_999, b in -99_999_i64..99_999, places in 0_usize..5) {
        let written = |n: i64| {
            let digits = format!("{:06}", n.unsigned_abs());
            let (whole, fraction) = digits.split_at(6 - places);
            let sign = if n < 0 { "-" } else { "" };
            if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
        };
        let values: Vec<Decimal> = [a, b].into_iter().map(|n| Decimal::parse(&written(n)).unwrap()).collect();
        prop_assert_eq!(values[0].cmp(&values[1]), a.cmp(&b));
    }
}
