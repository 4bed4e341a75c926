//! G20 to G23 and G29: more of everything that a host keeps or does for a step.
//!
//! INVARIANT: what is dropped is counted, and the count is in the witness.

use aim_core::outcome::{Failure, LimitKind, Outcome, Trap};

use crate::case::Case;

const FUEL: Outcome = Outcome::Limit(LimitKind::Fuel);
const BYTES: Outcome = Outcome::Limit(LimitKind::HostCallBytes);
const MEMORY: Outcome = Outcome::Limit(LimitKind::Memory);

/// Negative control: with `take_random` always giving what is asked, the first attempt ends on memory.
#[test]
fn g20_random_numbers_end_at_the_limit() {
    let random = [Outcome::Limit(LimitKind::Random)];
    Case::hostile_std("g20-random-flood times=1 bytes=67108864").ends(&random);
    Case::hostile_std("g20-random-flood times=1000000 bytes=64").ends(&random);
    Case::hostile_std("g20-random-flood times=8 bytes=64").ends(&[Outcome::Completed]);
}

/// Negative control: with a log buffer that never runs out, nothing is dropped.
#[test]
fn g21_a_flood_of_logs_is_cut_and_counted() {
    let lines =
        Case::hostile("g21-log-lines times=1000000 bytes=1024").limit("host_calls_max", 3_000);
    let attempt = lines
        .limit("log_bytes_max", 10_000)
        .ends(&[Outcome::Limit(LimitKind::HostCalls)]);
    let dropped = attempt.host_calls.log_bytes_dropped;
    assert!(dropped > 3_000_000 - 20_000, "{dropped}");
    Case::hostile("g21-log-line bytes=8388608").ends(&[BYTES]);
    Case::hostile("g21-log-line bytes=104857600").ends(&[MEMORY]);
}

/// Negative control: with no count of emissions in `invoke::answered`, or with no look at the size of emissions in
/// `invoke::answered`, this fails.
#[test]
fn g21_a_flood_of_artifacts_or_emissions_is_cut() {
    let artifacts = Case::hostile("g21-artifacts times=1000 bytes=1024").limit("artifacts_max", 5);
    let attempt = artifacts.ends(&[Outcome::Completed]);
    assert_eq!(attempt.outputs.len(), 1, "the guest was told and answered");
    let emissions = Case::hostile("g21-emissions times=300 bytes=1");
    emissions.ends(&[Outcome::Limit(LimitKind::Emissions)]);
    let payload =
        Case::hostile("g21-emissions times=1 bytes=600000").limit("payload_bytes_max", 500_000);
    payload.ends(&[Outcome::Limit(LimitKind::Payload)]);
}

/// What it leaves is the same whatever the number of writes was. In a soak a thousand times, so that whoever watches its memory
/// sees that nothing is kept. Negative control: with a byte kept for every empty write, this fails.
#[test]
fn g22_empty_writes_leave_nothing_and_end_on_fuel() {
    for turn in aim_testkit::soak::Cases::of(1_000, 1) {
        let case =
            Case::hostile_std("g22-empty-writes times=100000000").limit("fuel_max", 50_000_000);
        let calls = case.ends(&[FUEL]).host_calls;
        let left = (calls.logs, calls.log_bytes_dropped);
        assert_eq!(left, (None, 0), "turn {turn}");
    }
}

/// Negative control: without `door::charge` in `adapter::enter` the readings are all made.
#[test]
fn g23_readings_of_the_clock_and_sleeps_of_nothing_are_charged() {
    for flood in ["g23-clock-read", "g23-clock-sleep"] {
        let case =
            Case::hostile_std(&format!("{flood} times=10000000")).limit("fuel_max", 50_000_000);
        let attempt = case.ends(&[FUEL, Outcome::Limit(LimitKind::Handles)]);
        let calls: u64 = attempt.host_calls.adapters.values().sum();
        assert!((1_000..250_000).contains(&calls), "{flood}: {calls}");
    }
    let case = Case::hostile_std("g23-clock-poll times=100000000").limit("fuel_max", 20_000_000);
    case.ends(&[FUEL]);
}

/// Negative control: with `text::neutralise` handing text through, this fails.
#[test]
fn g29_the_text_of_an_error_is_cut_and_neutralised() {
    let attempt =
        Case::hostile("g29-error-text bytes=400000").ends(&[Outcome::Failed(Failure::Permanent)]);
    let fault = attempt.fault.unwrap();
    assert!(
        fault.message.len() < 600 && fault.code.len() < 50,
        "{}",
        fault.message.len()
    );
    assert!(fault.message.contains("\\u{1b}E"), "{}", fault.message);
    Case::hostile("g29-error-text bytes=4000000").ends(&[BYTES]);
    Case::hostile("g29-error-text bytes=52428800").ends(&[MEMORY]);
}

/// A trap a hundred thousand calls deep is told in one sentence, without the names that the guest gave its functions.
/// Negative control: with the backtrace in the fault of a trap, this fails.
#[test]
fn g29_a_deep_trap_is_told_in_one_sentence() {
    let attempt = Case::hostile("g10-recursion").ends(&[Outcome::Trapped(Trap::StackOverflow)]);
    let fault = attempt.fault.unwrap();
    assert!(
        fault.message.len() < 250 && !fault.message.contains('\n'),
        "{}",
        fault.message
    );
}

/// An answer that claims a denial which no transcript holds is a failure of the step, not of the operator.
/// Negative control: with a guest's denial believed without its record, this fails.
#[test]
fn a_denial_that_never_happened_is_a_failure_of_the_step() {
    let attempt = Case::hostile("unfounded-denial").ends(&[Outcome::Failed(Failure::Permanent)]);
    assert!(attempt.host_calls.denials.is_empty());
}
