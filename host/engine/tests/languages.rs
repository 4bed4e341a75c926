//! Python and JavaScript as their own toolchains make them: what they may do works, what nobody granted says no, and what they do
//! too much of ends.
//!
//! INVARIANT: components are the bytes that `cargo xtask languages` built, nothing is taken out of them, and each is compiled
//! once for all tests.

mod native;

use aim_core::{
    adapter::Profile,
    admission::World,
    class::Class,
    limits::Limits,
    outcome::{LimitKind, Outcome, Trap},
};
use aim_engine::{Allocator, LinkedStep, StepEnd, StepReport};
use serde_json::{Value, json};

use crate::support::{Try, admitted_as, answer, asks_without_folder, guest};

fn python() -> LinkedStep {
    native::step("languages/python-probe", Profile::ComponentizePy)
}

fn javascript() -> LinkedStep {
    native::step("languages/js-probe", Profile::ComponentizeJs)
}

async fn on(step: &LinkedStep, operation: &str) -> StepReport {
    limited(step, operation, json!({}), |_| {}).await
}

async fn limited(
    step: &LinkedStep,
    operation: &str,
    body: Value,
    change: impl FnOnce(&mut Limits),
) -> StepReport {
    let mut attempt = Try::new(operation, &body);
    attempt.limits = Limits::BIG;
    attempt.asks = asks_without_folder();
    attempt.with_limits(change).on(step).await
}

fn outcome(report: &StepReport) -> Outcome {
    match &report.end {
        StepEnd::Ended(outcome, _) => outcome.clone(),
        other => panic!("{other:?}"),
    }
}

/// After an attack: the next envelope is served as if nothing had been.
async fn assert_unharmed(step: &LinkedStep) {
    let report = limited(step, "echo", json!({ "still": "here" }), |_| {}).await;
    assert_eq!(answer(&report), json!({ "ok": { "still": "here" } }));
}

/// The guest saw an exception of one of these types.
fn assert_denied(report: &StepReport, operation: &str, types: &[&str]) {
    let answer = answer(report);
    let seen = answer["err"]["type"].as_str().unwrap_or_default();
    assert!(types.contains(&seen), "{operation}: {answer}");
}

fn calls(report: &StepReport, function: &str) -> u64 {
    report.adapter_calls().get(function).copied().unwrap_or(0)
}

#[tokio::test]
async fn python_and_javascript_use_what_they_are_granted() {
    for step in [python(), javascript()] {
        assert_eq!(step.allocator(), Allocator::OnDemand);
        let report = on(&step, "everything").await;
        let said = &answer(&report)["ok"];
        assert_eq!(said["role"], "tester");
        assert_eq!(said["attempt"], 2);
        assert_eq!(report.staged.len(), 1);
        assert_eq!(
            said["artifact"],
            report.staged[0].reference.digest.to_string()
        );
        assert_eq!(report.logs[0].message, "hello");
    }
}

/// P8.
/// Negative control: with another instant than the pinned one, this fails.
#[tokio::test]
async fn clocks_and_chance_are_virtual_and_the_same_on_every_run() {
    for step in [python(), javascript()] {
        for operation in ["clocks", "chance"] {
            let (one, two) = (on(&step, operation).await, on(&step, operation).await);
            assert_eq!(answer(&one), answer(&two), "{operation}");
            assert_eq!(one.fuel_used, two.fuel_used, "{operation}");
            assert_eq!(one.adapter_calls(), two.adapter_calls(), "{operation}");
        }
        let report = on(&step, "clocks").await;
        assert_eq!(answer(&report)["ok"]["wall"], 1_700_000_000);
    }
    let slept = limited(&python(), "clocks", json!({ "seconds": 20 }), |_| {}).await;
    assert_eq!(answer(&slept)["ok"]["slept_ms"], 20_000);
}

/// Negative control: with no count in `adapter::enter`, this fails.
#[tokio::test]
async fn adapters_count_what_was_called_and_leave_out_what_was_not() {
    let step = python();
    let report = on(&step, "echo").await;
    assert!(calls(&report, "wasi:random/random.get-random-bytes") > 0);
    assert!(calls(&report, "wasi:cli/environment.get-environment") > 0);
    let sockets = "wasi:sockets/tcp-create-socket.create-tcp-socket";
    assert_eq!(calls(&report, sockets), 0);
    assert!(!report.adapter_calls().contains_key(sockets));
    assert_eq!(calls(&on(&step, "listen").await, sockets), 1);
}

/// Negative control: with the host's environment in the answer, this fails.
#[tokio::test]
async fn a_python_step_finds_no_network_no_files_no_environment_no_programs_and_no_threads() {
    let step = python();
    for (operation, types) in [
        ("connect", &["OSError", "PermissionError", "gaierror"][..]),
        ("listen", &["PermissionError"]),
        ("datagram", &["PermissionError"]),
        ("resolve", &["OSError", "PermissionError", "gaierror"]),
        ("fetch", &["URLError"]),
        ("read-file", &["FileNotFoundError"]),
        ("write-file", &["FileNotFoundError"]),
        ("list-folder", &["FileNotFoundError"]),
        ("run-program", &["OSError"]),
        ("thread", &["RuntimeError"]),
    ] {
        assert_denied(&on(&step, operation).await, operation, types);
    }
    let seen = answer(&on(&step, "environment").await);
    let nothing = json!({ "arguments": [], "stdin": "", "variables": {} });
    assert_eq!(seen["ok"], nothing);
    assert_unharmed(&step).await;
}

/// Negative control: with no comparison in `VirtualClock::sleep_until`, or with `memory_growing` of the limiter always
/// true, this fails.
#[tokio::test]
async fn a_python_step_that_sleeps_exits_spins_or_hoards_ends_and_harms_nobody() {
    let step = python();
    let slept = limited(&step, "clocks", json!({ "seconds": 3600 }), |_| {}).await;
    assert_eq!(outcome(&slept), Outcome::Limit(LimitKind::Deadline));
    for operation in ["leave", "leave-politely"] {
        let left = on(&step, operation).await;
        assert_eq!(outcome(&left), Outcome::Trapped(Trap::Exit), "{operation}");
    }
    let less_fuel = |limits: &mut Limits| limits.fuel_max = 200_000_000;
    let spun = limited(&step, "spin", json!({}), less_fuel).await;
    assert_eq!(outcome(&spun), Outcome::Limit(LimitKind::Fuel));
    for operation in ["allocate", "hoard"] {
        let report = on(&step, operation).await;
        assert_denied(&report, operation, &["MemoryError"]);
        assert!(report.memory_peak_bytes <= Limits::BIG.memory_bytes_max);
    }
    assert_denied(&on(&step, "recurse").await, "recurse", &["RecursionError"]);
    assert_unharmed(&step).await;
}

#[tokio::test]
async fn an_exception_that_nobody_catches_is_a_trap_with_its_traceback_in_the_logs() {
    let report = on(&python(), "raise").await;
    assert_eq!(outcome(&report), Outcome::Trapped(Trap::Unreachable));
    let said = |text: &str| report.logs.iter().any(|line| line.message.contains(text));
    assert!(
        said("RuntimeError: nobody catches this"),
        "{:?}",
        report.logs
    );
    let report = on(&javascript(), "throw").await;
    assert_eq!(outcome(&report), Outcome::Trapped(Trap::Unreachable));
}

/// Negative control: with an answer that is no error of the interface, this fails.
#[tokio::test]
async fn a_javascript_step_that_fetches_gets_an_exception_and_nothing_is_sent() {
    let step = javascript();
    for operation in ["fetch", "fetch-post"] {
        assert_denied(&on(&step, operation).await, operation, &["Error"]);
    }
    let report = on(&step, "fetch").await;
    assert_eq!(calls(&report, "wasi:http/outgoing-handler.handle"), 1);
    let seen = answer(&on(&step, "environment").await);
    assert_eq!(seen["ok"]["process"], "undefined");
    assert_unharmed(&step).await;
}

/// Negative control: with no comparison in `VirtualClock::sleep_until`, this fails.
#[tokio::test]
async fn a_javascript_step_that_waits_spins_or_hoards_ends_and_harms_nobody() {
    let step = javascript();
    for operation in ["sleep", "interval"] {
        let report = on(&step, operation).await;
        assert_eq!(
            outcome(&report),
            Outcome::Limit(LimitKind::Deadline),
            "{operation}"
        );
    }
    let never = on(&step, "never").await;
    assert_eq!(outcome(&never), Outcome::Trapped(Trap::Unreachable));
    let less_fuel = |limits: &mut Limits| limits.fuel_max = 200_000_000;
    let spun = limited(&step, "spin", json!({}), less_fuel).await;
    assert_eq!(outcome(&spun), Outcome::Limit(LimitKind::Fuel));
    let hoarded = on(&step, "hoard").await;
    assert_eq!(answer(&hoarded)["err"]["message"], "out of memory");
    assert!(hoarded.memory_peak_bytes <= Limits::BIG.memory_bytes_max);
    assert_denied(&on(&step, "recurse").await, "recurse", &["InternalError"]);
    assert_unharmed(&step).await;
}
