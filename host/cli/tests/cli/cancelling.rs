//! Runs that somebody stops, with Ctrl-C or from another terminal, whatever they are at: a call, a guest, a gate, a wait.
//! Ctrl-C goes to every process that the run has started, unless they are in groups of their own.
//!
//! INVARIANT: what was cut off has its witness, nothing is left running, and the evidence verifies.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    gates::judged_by,
    http,
    orchestrating::{TRYING, count, made, of_type, place, stage, state},
    runs::assert_verified,
    support::Place,
};

/// How somebody stops a run.
#[derive(Debug, Clone, Copy)]
enum By {
    Interrupt,
    Command,
}

const BOTH: [By; 2] = [By::Interrupt, By::Command];

fn begin(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.process_group(0).spawn().unwrap()
}

/// Returns once a guest of the run has computed for a second: where long guests do, on the host's slow lane.
pub(crate) fn wait_until_it_spins(child: &mut Child) {
    let tasks = format!("/proc/{}/task", child.id());
    let text = |task: &Path, file: &str| fs::read_to_string(task.join(file)).unwrap_or_default();
    // Behind the name in parentheses the 12th and 13th field count hundredths of a second, the guest's and the kernel's.
    let ticks = |task: &Path| -> u64 {
        let stat = text(task, "stat");
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        fields
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum()
    };
    // BOUND: what spins is there before its fuel or its deadline ends, and whatever ends is noticed.
    loop {
        assert_eq!(child.try_wait().unwrap(), None, "it ends before it spins");
        let tasks = fs::read_dir(&tasks).into_iter().flatten().flatten();
        let mut lanes = tasks.filter(|task| text(&task.path(), "comm").trim_end() == "aim-slow");
        if lanes.any(|lane| ticks(&lane.path()) >= 100) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Stops the run and waits for its end: interrupted, cancelled in the evidence, and whole.
/// Control: with side processes in the group of their parent, the signer is gone before it has signed, the run fails with 70
/// and every test here does (seen).
fn stop(place: &Place, mut child: Child, by: By) {
    assert_eq!(child.try_wait().unwrap(), None, "{by:?}: it is at work");
    match by {
        By::Interrupt => {
            let id = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process_group(id, rustix::process::Signal::INT).unwrap();
        }
        By::Command => {
            let came = place.run(&["cancel", "last"]);
            assert_eq!(came.code, 0, "{}", came.stderr);
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{by:?}");
    let cancelled = ("cancelled".to_owned(), "ACL-S205".into());
    assert_eq!(state(place), cancelled, "{by:?}");
    assert_verified(place);
}

/// The outcome of each attempt of the newest run, in order.
fn outcomes(place: &Place) -> Vec<String> {
    let shown = place.run(&["witness", "show", "last", "-o", "json"]);
    let plan = shown.documents().remove(0);
    let steps = plan["predicate"]["steps"].as_array().unwrap().clone();
    let of_step = |step: &Value| step["attempts"].as_array().unwrap().clone();
    let witnesses = steps.iter().flat_map(of_step);
    witnesses
        .map(|witness| {
            let came = place.run(&["witness", "show", witness.as_str().unwrap(), "-o", "json"]);
            let outcome = came.documents()[0]["predicate"]["outcome"]["kind"].clone();
            outcome.as_str().unwrap().to_owned()
        })
        .collect()
}

/// A call that nobody answers: whether the other side has done it is not known, and the witness says so. Nobody is asked what to
/// do about it, because the run is over.
/// Control: with the look at the cancel left out of `ask_about`, a question is asked that nobody can answer, and this fails
/// (seen).
#[test]
fn a_run_that_waits_for_a_server_stops() {
    for by in BOTH {
        let server = http::serve(|_| None);
        let limits = "limits: { effect_ms_max: 600000, deadline_ms_max: 3600000 }\n";
        let place = http::deployment(server.port, http::LOOPBACK, limits);
        place.write("plan.acl", place.read("plan.acl").replace("30s", "600s"));
        let input = http::input(&http::request(server.port, "/v1/pay"));
        let child = begin(&place, &["run", "plan.acl", "-i", &input]);
        server.came.recv_timeout(Duration::from_secs(60)).unwrap();
        stop(&place, child, by);
        assert_eq!(outcomes(&place), ["indeterminate"], "{by:?}");
        assert_eq!(count(&place, of_type("question.asked")), 0, "{by:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

const SPINNING: &str = r#"
pipeline "spinning" {
  header { quip: "A dog and its tail never agreed on an end." }
  role a: custom { node: "player" }
  step first: a { does: "say it", budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
  step turn: a { does: "turn", depends first, budget: { tokens: 1, wall_ms: 600000, calls: 1 } }
  step next: a { does: "say it", depends turn, budget: { tokens: 1, wall_ms: 30000, calls: 1 } }
}
"#;

#[test]
fn a_run_whose_guest_spins_stops() {
    for by in BOTH {
        let place = stage(SPINNING);
        let script = r#"script={"turn":{"spin":true},"*":{}}"#;
        let mut child = begin(&place, &["run", "plan.acl", "-i", script]);
        let mut talk = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(talk.any(|line| line.unwrap().contains("✓ first")));
        wait_until_it_spins(&mut child);
        stop(&place, child, by);
        drop(talk);
        assert_eq!(outcomes(&place), ["completed", "cancelled"], "{by:?}");
    }
}

/// Steps in a row, each of which runs whatever became of the one before.
fn chain(steps: usize) -> String {
    let step = |at: usize| {
        let before = match at {
            0 => String::new(),
            _ => format!("    REQUIRES s{}?\n", at - 1),
        };
        format!(
            "  STEP s{at}:\n{before}    ASSIGN a: \"x\"\n    BUDGET tokens=1, time=30s, tools=1\n"
        )
    };
    let steps: String = (0..steps).map(step).collect();
    format!("PLAN p:\n  QUIP \"One hand claps.\"\n  ROLE a: custom(node=\"echo\")\n{steps}")
}

/// A gate is never cut off: it is asked to its own end, which its limits bound, and no answer is a denial. Each of the steps keeps
/// its gate busy for as long as a gate may take, so one is at work whenever the stop comes.
/// Control: with the look at the cancel left out before a step begins, every step runs and this fails (seen).
#[test]
fn a_run_whose_gate_spins_stops() {
    for by in BOTH {
        let place = judged_by("crawl-egress", "");
        let gate = place.read("contracts/ethical.yaml");
        place.write("contracts/ethical.yaml", format!("{gate}timeout_ms: 700\n"));
        place.write("plan.acl", chain(30));
        let child = begin(&place, &["run", "plan.acl", "-i", "word=hello"]);
        while count(&place, made("EXECUTION_COMPLETE")) == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        stop(&place, child, by);
        let outcomes = outcomes(&place);
        let cut = outcomes.iter().filter(|outcome| *outcome == "cancelled");
        assert!(cut.count() <= 1, "{by:?}: {outcomes:?}");
        assert_eq!(outcomes.first().map(String::as_str), Some("denied"));
        assert!(outcomes.len() < 30, "{by:?}: {outcomes:?}");
    }
}

#[test]
fn a_run_that_waits_between_two_tries_stops() {
    for by in BOTH {
        let place = place(&TRYING.replace("4000", "60000"));
        let mut child = begin(&place, &["run", "plan.acl", "-i", "word=hello"]);
        while count(&place, of_type("retry.scheduled")) == 0 {
            assert_eq!(child.try_wait().unwrap(), None);
            thread::sleep(Duration::from_millis(5));
        }
        stop(&place, child, by);
        assert_eq!(count(&place, made("OVERRIDE_EVENT")), 1);
        assert_eq!(outcomes(&place), ["denied"], "{by:?}");
    }
}
