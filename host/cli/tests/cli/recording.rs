//! Track records from the outside: measured from a file or from the log, written into the deployment, and felt by the next run.
//!
//! INVARIANT: no number here is the program's own: each is worked out by hand from the cases.

use std::fs;

use serde_json::Value;

use crate::{
    runs::{assert_verified, deployment},
    support::{Came, Place, guest},
};

const PLAN: &str = r#"
PLAN sure v1.0:
  QUIP "Nine times out of ten is what the tenth one hears."
  ROLE a: custom(node="sure")
  STEP say:
    ASSIGN a: "say it"
    BUDGET tokens=1, time=30s, tools=1
"#;

/// Claims 0.9 whatever comes in, where 0.85 is needed.
const SURE: &str = "kind: compute\nnode_id: sure\nversion: \"0.1.0\"\ncriticality: important\ncomponent: { path: sure.wasm }\n\
                    asks: [{ capability: attest }]\n";

/// Two of four held. The tenth from 0.8: |0.5 - 0.85| = 0.35; the last: |0.5 - 0.95| = 0.45; weighted 0.4.
const BAD: &str = "{\"confidence\": 0.8, \"held\": true}\n\n{\"confidence\": 0.899999, \"held\": false}\n\
                   {\"confidence\": 0.9, \"held\": false}\n{\"held\": true, \"confidence\": 1}\n";

fn place() -> Place {
    let place = deployment();
    place.write("plan.acl", PLAN);
    place.write("contracts/sure.yaml", SURE);
    let bytes = fs::read(guest("conformance-sure.wasm")).unwrap();
    place.write("components/sure.wasm", bytes);
    place
}

fn record(place: &Place, more: &[&str]) -> Came {
    let all = [&["gate", "record", "cases.jsonl", "--node", "sure"], more].concat();
    place.run(&all)
}

fn run(place: &Place, word: &str) -> i32 {
    let word = format!("word={word}");
    place.run(&["run", "plan.acl", "-i", &word]).code
}

/// What the newest attempt's claim was held against.
fn kappa(place: &Place) -> Value {
    let mut index = 0;
    let mut found = Value::Null;
    // BOUND: a log has an end.
    loop {
        let came = place.run(&["witness", "show", &index.to_string(), "-o", "json"]);
        if came.code != 0 {
            return found;
        }
        let kappa = &came.documents()[0]["predicate"]["kappa"];
        if !kappa.is_null() {
            found = kappa.clone();
        }
        index += 1;
    }
}

/// Negative control: with the records of the deployment left out of `rules`, the second run needs 0.85 and completes (seen).
#[test]
fn a_record_from_a_file_raises_what_the_next_run_needs() {
    let place = place();
    assert_eq!(run(&place, "one"), 0);
    assert_eq!(kappa(&place)["thresholdPpm"], 850_000);
    place.write("cases.jsonl", BAD);
    let came = record(&place, &[]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    let config = place.read("aim.toml");
    place.write("aim.toml", format!("{config}{}", came.text()));
    // Bad calibration and bad accuracy add 0.10 each, up to 0.99.
    let came = place.run(&["run", "plan.acl", "-i", "word=two"]);
    assert_eq!(came.code, 8);
    let told = "ACL-R118: 850000 ppm would do, if what was measured of";
    assert!(came.stderr.contains(told), "{}", came.stderr);
    let held = kappa(&place);
    assert_eq!(held["thresholdPpm"], 990_000, "{held}");
    assert_eq!(held["adaptedFromPpm"], 850_000, "{held}");
    assert_verified(&place);
}

#[test]
fn a_record_has_these_numbers_and_the_same_digest_in_any_order_and_form() {
    let place = place();
    place.write("cases.jsonl", BAD);
    let of = |place: &Place| record(place, &["-o", "json"]).documents().remove(0);
    let first = of(&place);
    for (name, expected) in [
        ("accuracyPpm", 500_000),
        ("cases", 4),
        ("ecePpm", 400_000),
        ("mcePpm", 450_000),
    ] {
        assert_eq!(first[name], expected, "{name} {first}");
    }
    assert_eq!(first["quality"], "recalibrate");
    assert_eq!(first["tenths"][1]["fromPpm"], 900_000, "{first}");
    let mut lines: Vec<&str> = BAD.lines().filter(|line| !line.is_empty()).collect();
    lines.reverse();
    place.write("cases.jsonl", format!("[{}]", lines.join(",")));
    assert_eq!(of(&place), first);
    place.write("cases.jsonl", BAD.replace("0.8,", "0.81,"));
    assert_ne!(of(&place)["digest"], first["digest"]);
}

#[test]
fn claims_of_the_log_count_once_and_every_bad_line_is_named() {
    let place = place();
    assert_eq!(run(&place, "one"), 0);
    assert_eq!(run(&place, "two"), 0);
    let runs = place.run(&["runs", "-o", "json"]).documents();
    let [one, two] = [0, 1].map(|place| runs[place]["run"].as_str().unwrap().to_owned());
    let case = |run: &str, held: bool| {
        format!("{{\"run\": \"{run}\", \"step\": \"say\", \"held\": {held}}}\n")
    };
    let good = format!("{}{}", case(&one, true), case(&two, false));
    place.write("cases.jsonl", &good);
    let measured = record(&place, &["-o", "json"]).documents().remove(0);
    assert_eq!(measured["cases"], 2, "{measured}");
    assert_eq!(measured["ecePpm"], 400_000, "{measured}");
    place.write(
        "cases.jsonl",
        format!(
            "{good}{}{}{}{}{}{}",
            case(&one, true),
            case("run_0000", true),
            "{\"confidence\": 1.5, \"held\": true}\n",
            "{\"confidence\": 0.5}\n",
            "{\"confidence\": 0.5, \"held\": true, \"sure\": 1}\n",
            "{\"witness\": \"0\", \"held\": true}\n",
        ),
    );
    let came = record(&place, &[]);
    came.assert_refused(2, "AIM-G032");
    for (line, why) in [
        (3, "counted at 1 already"),
        (4, "no run `run_0000`"),
        (5, "from 0 to 1"),
        (6, "missing field `held`"),
        (7, "unknown field `sure`"),
        (8, "the witness of no attempt"),
    ] {
        let at = came.stderr.find(&format!("case at {line}: "));
        let rest = at.and_then(|at| came.stderr.get(at..));
        let rest = rest.unwrap_or_else(|| panic!("no line {line}: {}", came.stderr));
        assert!(
            rest.replace('\n', " ").contains(why),
            "{why}: {}",
            came.stderr
        );
    }
    place.write("cases.jsonl", "\n");
    record(&place, &[]).assert_refused(2, "AIM-G032");
    place.write("cases.jsonl", case(&one, true));
    place
        .run(&["gate", "record", "cases.jsonl", "--node", "echo"])
        .assert_refused(2, "not of `echo`");
}
