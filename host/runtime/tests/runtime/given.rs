//! Inputs of a run that steps name: who gets which, under which name, and that a replay gives them the same.

use aim_runtime::execute::RunReport;
use serde_json::{Value, json};

use crate::rig::Rig;

const PLAN: &str = r#"
pipeline "given" {
  header { inputs: { logs: string, limit: number, other: any } }
  role parrot: custom { node: "echo" }
  step read: parrot { inputs: { lines: input.logs } }
  step sum: parrot { inputs: { from: read, most: input.limit } }
  step all: parrot { }
}
"#;

fn body(report: &RunReport, step: &str) -> Value {
    let mut steps = report.steps.iter();
    let step = steps.find(|one| one.step.as_str() == step).unwrap();
    let released = step.released.as_ref();
    let released = released.unwrap_or_else(|| panic!("{step:?}"));
    serde_json::from_slice(&released.emissions[0].body).unwrap()
}

/// Negative control: with `Sources::named` empty, `read` sees the others and `sum` no limit (seen).
#[test]
fn a_step_is_given_the_inputs_of_the_run_that_it_names_and_no_others() {
    let rig = Rig::new(PLAN).node("echo", "conformance-echo", json!({}));
    let inputs = [("logs", "one\ntwo"), ("limit", "2"), ("other", "rest")];
    let report = rig.run(&inputs).unwrap();
    let read = body(&report, "read");
    assert_eq!(read["lines"]["value"], "one\ntwo");
    assert_eq!(read.as_object().unwrap().len(), 1, "{read}");
    let sum = body(&report, "sum");
    assert_eq!(sum["read"], read);
    assert_eq!(sum["most"]["value"], "2");
    assert_eq!(sum["most"]["artifact"], 1, "behind what `read` gave on");
    assert_eq!(sum.as_object().unwrap().len(), 2, "{sum}");
    let all = body(&report, "all");
    assert_eq!(all["other"]["value"], "rest");
    let ids: Vec<_> = (rig.attempts().iter())
        .map(|attempt| attempt.envelope.id)
        .collect();
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
    assert!(rig.verify().authenticated);
}
