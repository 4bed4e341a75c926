//! Every code that a run or a replay can end with, and what its user then sees.
//!
//! INVARIANT: a code of a run has a page, a case here or in the named file that raises it, and the words it is told in.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{
    replaying::lie_in_the_cache,
    runs::deployment,
    support::{Came, Place, guest},
};

/// A plan's frame around its statements.
fn plan(statements: &str) -> String {
    let budget = "budget: { tokens: 1, wall_ms: 30000, calls: 1 }";
    format!(
        "pipeline \"ends\" {{\n  header {{ quip: \"Every road ends at a door.\" }}\n  role a: custom {{ node: \"echo\" }}\n  \
         role b: custom {{ node: \"loop\" }}\n  {}\n}}\n",
        statements.replace("BUDGET", budget)
    )
}

/// A gate that the echo's word is too short for.
const SHORT: &str = "gate egress long { require output.word.size_bytes > 100; on_fail ";

/// The code of a fault, the statements that raise it, the exit, and what is told.
const FAULTS: [(&str, &str, i32, &str); 6] = [
    (
        "ACL-R101",
        "step say: b { budget: { tokens: 1, wall_ms: 300, calls: 1 } }",
        5,
        "the plan's budget of 300 ms is used up: the limit `deadline` was reached",
    ),
    (
        "ACL-R104",
        "step say: a { BUDGET } step each: a { BUDGET } step one: a { BUDGET }\n  fanout say -> each[1..2]\n  \
         reduce each[1..2] -> one using merge=maxRS",
        8,
        "reducing `each`: candidate 1 has no number `rs` of at most 9 fraction digits",
    ),
    (
        "ACL-R104",
        "step say: a { BUDGET } step each: a { BUDGET } step one: a { BUDGET }\n  fanout say -> each[1..2]\n  \
         reduce each[1..2] -> one using score=mean",
        8,
        "reducing `each`: candidate 1 has no number `score` of at most 9 fraction digits",
    ),
    (
        "ACL-R105",
        "step say: a { BUDGET }\n  flow again(say, max_iter=2) until output.never == true",
        8,
        "flow `again` ended without `output.never == true`",
    ),
    (
        "ACL-R106",
        "step first: b { breaker: { failures: 1 cooldown_ms: 60000 } BUDGET }\n  \
         step second: b { depends first? breaker: { failures: 1 cooldown_ms: 60000 } BUDGET }",
        1,
        "the node has kept failing and is left alone for a while",
    ),
    (
        "ACL-R107",
        "step say: a { question: \"May it?\" BUDGET }",
        3,
        "a person was asked and answered no",
    ),
];

/// The code of a run's state, what its gate answers, the exit, and the state's word.
const STATES: [(&str, &str, i32, &str); 5] = [
    ("ACL-S201", "quarantine", 3, "quarantined"),
    ("ACL-S202", "abort", 3, "failed"),
    ("ACL-S203", "abstain", 8, "abstained"),
    ("ACL-S204", "escalate", 9, "waiting"),
    ("ACL-S205", "escalate", 9, "cancelled"),
];

/// Codes of replays that differ: of another component, and of the recorded one.
const REPLAYS: [&str; 2] = ["ACL-D302", "ACL-D301"];

/// Codes with a case of their own: in `recording.rs`.
const ELSEWHERE: [&str; 1] = ["ACL-R118"];

fn place(plan: &str, limits: &str) -> Place {
    let place = deployment();
    place.write("plan.acl", plan);
    place.write(
        "contracts/loop.yaml",
        format!("kind: compute\nnode_id: loop\nversion: \"0.1.0\"\ncomponent: {{ path: loop.wasm }}\n{limits}"),
    );
    place.write(
        "components/loop.wasm",
        fs::read(guest("hostile-g2-start-loop.wasm")).unwrap(),
    );
    place
}

fn run(place: &Place) -> Came {
    place.run(&["run", "plan.acl", "-i", "word=hello"])
}

/// What `aimctl runs` says of the only run.
fn stands(place: &Place) -> Value {
    place.run(&["runs", "-o", "json"]).documents().remove(0)
}

// Control: with R105 told to nobody, as it was, its row fails (seen).
#[test]
fn every_fault_of_a_run_is_told_with_its_code_and_its_words() {
    for (code, statements, exit, words) in FAULTS {
        // A breaker counts failures, and a budget's end is none: there the loop runs out of its contract's fuel, and where the
        // budget's time is to run out it has fuel for far longer.
        let limits = match code {
            "ACL-R106" => "limits: { fuel_max: 1000000 }\n",
            _ => "limits: { fuel_max: 1000000000000 }\n",
        };
        let place = place(&plan(statements), limits);
        if code == "ACL-R107" {
            place.list_approver("ann");
        }
        let mut came = run(&place);
        if code == "ACL-R107" {
            let question = stands(&place)["questions"][0][0]
                .as_str()
                .unwrap()
                .to_owned();
            let by = ["--as", "ann", "--key-dir", "ann", "--yes"];
            let answer = ["answer", "last", &question, "no"];
            let answered = place.run(&[&answer[..], &by[..]].concat());
            assert_eq!(answered.code, 0, "{}", answered.stderr);
            came = run(&place);
        }
        assert_eq!(came.code, exit, "{code}: {}", came.stderr);
        let told = format!("      {code}: {words}\n");
        assert!(came.stderr.contains(&told), "{code}: {}", came.stderr);
    }
}

#[test]
fn every_state_that_is_no_success_is_listed_with_its_code_and_its_word() {
    for (code, answer, exit, word) in STATES {
        let place = place(
            &plan(&format!("step say: a {{ BUDGET {SHORT}{answer} }} }}")),
            "",
        );
        let came = run(&place);
        assert_eq!(came.code, exit, "{code}: {}", came.stderr);
        if code == "ACL-S205" {
            assert_eq!(place.run(&["cancel", "last"]).code, 0);
        }
        let run = stands(&place);
        assert_eq!(
            (&run["code"], &run["state"]),
            (&code.into(), &word.into()),
            "{run}"
        );
        let text = place.run(&["runs"]).text();
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_replay_that_differs_is_told_with_its_code_and_both_sides_of_each_field() {
    let place = deployment();
    assert_eq!(run(&place).code, 0);
    let other = "hostile-g27-nan.wasm";
    for code in REPLAYS {
        let mut replay = vec!["replay", "last", "--step", "one"];
        let path = guest(other);
        if code == "ACL-D302" {
            replay.extend(["--against", &path]);
        } else {
            // The comparison has left the other component's code in the cache.
            lie_in_the_cache(&place, other);
        }
        let came = place.run(&replay);
        assert_eq!(came.code, 7, "{}{}", came.text(), came.stderr);
        let text = came.text();
        let mut lines = text.lines();
        let standing = lines.next().unwrap();
        assert!(
            standing.starts_with("diverged") && standing.ends_with(code),
            "{text}"
        );
        let is_shown = |line: &str| {
            line.starts_with("  output 0 body: recorded blake3:")
                && line.contains(", replayed blake3:")
        };
        assert!(lines.any(is_shown), "{text}");
        assert!(came.stderr.contains("1 diverged"), "{}", came.stderr);
    }
}

#[test]
fn every_code_of_a_run_or_a_replay_has_a_page_and_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let with_case: BTreeSet<&str> = (FAULTS.iter().map(|(code, ..)| *code))
        .chain(STATES.iter().map(|(code, ..)| *code))
        .chain(REPLAYS)
        .chain(ELSEWHERE)
        .collect();
    let pages: BTreeSet<String> = (fs::read_dir(&folder).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            ["ACL-R", "ACL-S", "ACL-D"]
                .iter()
                .any(|kind| name.starts_with(kind))
        })
        .collect();
    let named: BTreeSet<String> = with_case.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(pages, named);
    for name in pages {
        let page = fs::read_to_string(folder.join(&name)).unwrap();
        let code = name.trim_end_matches(".md");
        assert!(page.starts_with(&format!("# {code}: ")), "{name}");
        assert!(
            page.contains("\n**Cause.** ") && page.contains("\n**Fix.** "),
            "{name}"
        );
    }
}
