//! The port's promises, each with the case that would break it.

use aim_ports::schema::{SchemaCompiler, SchemaError, SchemaFault, SchemaFaultKind};
use serde_json::{Value, json};

use crate::JsonSchemas;

fn refusal(schema: &Value) -> SchemaError {
    JsonSchemas
        .compile(schema.to_string().as_bytes())
        .map(|_| schema.to_string())
        .unwrap_err()
}

fn faults(schema: &Value, body: &str) -> Vec<SchemaFault> {
    let compiled = JsonSchemas.compile(schema.to_string().as_bytes()).unwrap();
    compiled.check(body.as_bytes()).err().unwrap_or_default()
}

fn person() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object", "required": ["name", "age"], "additionalProperties": false,
        "properties": { "name": { "type": "string" }, "age": { "$ref": "#/$defs/age" } },
        "$defs": { "age": { "type": "integer", "minimum": 0 } },
    })
}

#[test]
fn accepts_what_the_schema_allows() {
    assert!(faults(&person(), r#"{"name":"a","age":1}"#).is_empty());
    assert!(faults(&json!(true), "[1,2]").is_empty());
}

#[test]
fn names_every_fault_at_its_place() {
    let found = faults(&person(), r#"{"name":5,"extra":1,"other/one":2}"#);
    let mut found: Vec<_> = found.iter().map(|f| (f.kind, f.field.as_str())).collect();
    found.sort_by_key(|(_, field)| *field);
    assert_eq!(
        found,
        [
            (SchemaFaultKind::MissingKey, "/age"),
            (SchemaFaultKind::UnknownKey, "/extra"),
            (SchemaFaultKind::Value, "/name"),
            (SchemaFaultKind::UnknownKey, "/other~1one"),
        ]
    );
}

#[test]
fn never_repeats_a_value_of_the_body() {
    for (schema, body) in [
        (json!({ "type": "integer" }), r#""hunter2""#),
        (json!({ "pattern": "^a+$" }), r#""hunter2""#),
        (json!({ "enum": ["a"] }), r#""hunter2""#),
        (json!({ "const": 5 }), r#""hunter2""#),
        (json!({ "maxLength": 2 }), r#""hunter2""#),
        (json!({ "format": "date" }), r#""hunter2""#),
        (json!({ "anyOf": [{ "type": "null" }] }), r#""hunter2""#),
        (json!({ "not": {} }), r#""hunter2""#),
        (json!({ "uniqueItems": true }), r#"["hunter2","hunter2"]"#),
        (json!({ "contains": false }), r#"["hunter2"]"#),
        (
            json!({ "propertyNames": { "maxLength": 1 } }),
            r#"{"ab":"hunter2"}"#,
        ),
        (json!({ "items": false }), r#"["hunter2"]"#),
        (json!({ "unevaluatedItems": false }), r#"["hunter2"]"#),
        (json!({ "multipleOf": 2 }), "13371337"),
    ] {
        let found = faults(&schema, body);
        assert!(!found.is_empty(), "{schema}");
        for fault in found {
            assert!(
                !fault.message.contains("hunter2"),
                "{schema}: {}",
                fault.message
            );
            assert!(
                !fault.message.contains("1337"),
                "{schema}: {}",
                fault.message
            );
        }
    }
}

#[test]
fn refuses_a_body_that_is_not_one_plain_json_document() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for body in ["", "{", "{} {}", "nope", r#"{"a":1,"a":2}"#, "\u{1}", &deep] {
        let found = faults(&json!(true), body);
        assert_eq!(found.len(), 1, "{body}");
        assert_eq!(found[0].kind, SchemaFaultKind::NotJson, "{body}");
    }
}

/// Without `closed::check` these are refused by the compiler's own offline mode at best; with neither, the first would be
/// looked for on disk.
#[test]
fn refuses_references_that_lead_outside() {
    for reference in [
        "file:///etc/passwd",
        "https://example.com/schema.json",
        "other.json",
        "https://json-schema.org/draft/2020-12/schema",
        "#name",
    ] {
        let error = refusal(&json!({ "properties": { "a": { "$ref": reference } } }));
        assert_eq!(error.field, "/properties/a/$ref");
    }
    assert_eq!(
        refusal(&json!({ "$id": "https://example.com/" })).field,
        "/$id"
    );
    assert_eq!(refusal(&json!({ "$ref": "#/$defs/none" })).field, "");
    let other_draft = json!({ "$schema": "http://json-schema.org/draft-07/schema#" });
    assert_eq!(refusal(&other_draft).field, "/$schema");
}

/// A circle that takes no step into the body never ends. With `closed::check` taken out, these schemas compile.
#[test]
fn refuses_references_that_go_around_in_a_circle() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }] }),
        json!({ "not": { "$ref": "#" } }),
        json!({ "$ref": "#/$defs/a", "$defs": {
            "a": { "anyOf": [{ "$ref": "#/$defs/b" }] }, "b": { "if": { "$ref": "#/$defs/a" } },
        } }),
    ] {
        assert!(refusal(&schema).detail.contains("leads back"), "{schema}");
    }
    let tree = json!({ "type": "object", "properties": { "left": { "$ref": "#" } }, "additionalProperties": false });
    assert!(faults(&tree, r#"{"left":{"left":{}}}"#).is_empty());
    assert_eq!(faults(&tree, r#"{"left":{"right":{}}}"#).len(), 1);
}

#[test]
fn refuses_references_that_multiply() {
    let mut defs = serde_json::Map::new();
    for index in 0..30 {
        let next = json!({ "$ref": format!("#/$defs/d{}", index + 1) });
        defs.insert(format!("d{index}"), json!({ "allOf": [next, next] }));
    }
    defs.insert("d30".to_owned(), json!({ "type": "null" }));
    let error = refusal(&json!({ "$ref": "#/$defs/d0", "$defs": defs }));
    assert!(
        error.detail.contains("apply to one place"),
        "{}",
        error.detail
    );
}

#[test]
fn refuses_what_is_not_a_schema() {
    assert_eq!(refusal(&json!({ "type": "text" })).field, "/type");
    assert!(!refusal(&json!({ "properties": 5 })).detail.is_empty());
    assert!(!refusal(&json!({ "pattern": "(" })).detail.is_empty());
    assert!(
        !refusal(&json!({ "pattern": "(?=look)ahead" }))
            .detail
            .is_empty()
    );
    assert!(
        !refusal(&json!({ "pattern": "(a{1000}){1000}" }))
            .detail
            .is_empty()
    );
    assert!(!refusal(&json!("text")).detail.is_empty());
    assert!(JsonSchemas.compile(b"{").is_err());
    assert!(JsonSchemas.compile(&vec![b' '; 300 * 1024]).is_err());
}

#[test]
fn a_body_with_many_faults_gives_a_bounded_answer() {
    let body = Value::from((0..10_000).map(|_| "x").collect::<Vec<_>>()).to_string();
    let found = faults(&json!({ "items": { "type": "integer" } }), &body);
    assert_eq!(found.len(), 64);
}

/// `{"a":{"a":...}}`, so many levels, with `end` inside.
fn nested(levels: usize, end: &str) -> String {
    format!("{}{end}{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

// Negative control: without the look at `cost::is_bounded`, the first body takes longer than anybody waits.
#[test]
fn a_body_that_doubles_the_work_with_every_level_is_refused_before_it_is_begun() {
    let of = |a: Value| json!({ "$ref": "#/$defs/t", "$defs": { "t": { "type": ["object", "number"], "properties": { "a": a } } } });
    let t = json!({ "$ref": "#/$defs/t" });
    for twice in [
        json!({ "anyOf": [t, t] }),
        json!({ "allOf": [t], "unevaluatedProperties": false }),
    ] {
        let schema = of(twice);
        let found = faults(&schema, &nested(100, "\"x\""));
        assert_eq!(found.len(), 1, "{schema}");
        assert!(found[0].message.contains("more work"), "{schema}");
        let small = faults(&schema, &nested(3, "\"x\""));
        assert!(
            small
                .iter()
                .all(|fault| !fault.message.contains("more work"))
        );
        assert!(!small.is_empty(), "a small one is judged");
    }
    let once = of(t);
    assert!(faults(&once, &nested(100, "1")).is_empty());
    let both = json!({ "properties": { "l": { "$ref": "#" }, "r": { "$ref": "#" } } });
    assert!(faults(&both, r#"{"l":{"l":{},"r":{}},"r":{"l":{}}}"#).is_empty());
    let many = Value::from((0..200_000).collect::<Vec<_>>()).to_string();
    assert!(
        faults(
            &json!({ "items": { "type": "integer", "minimum": 0 } }),
            &many
        )
        .is_empty()
    );
}
