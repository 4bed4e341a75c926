//! G1 to G11: computation and memory without end, and calls within calls.
//!
//! INVARIANT: no test here waits for a limit longer than the limit itself.

use aim_core::outcome::{LimitKind, Outcome, Trap};
use serde_json::json;

use crate::{
    case::Case,
    component::{edited, guest, replaced, smallest, with_more},
};

const FUEL: Outcome = Outcome::Limit(LimitKind::Fuel);
const DEADLINE: Outcome = Outcome::Limit(LimitKind::Deadline);

fn fuel_used(attempt: &aim_core::witness::AttemptPredicate) -> u64 {
    let fuel = attempt.budgets.iter().find(|budget| budget.name == "fuel");
    fuel.unwrap().used
}

/// Negative control: with the fuel of `store::arm` set to its greatest value, this ends on its deadline.
#[test]
fn g1_an_endless_loop_ends_on_fuel_with_the_same_count_every_time() {
    let fuel = || {
        Case::hostile("g1-infinite-loop")
            .limit("fuel_max", 5_000_000)
            .ends(&[FUEL])
    };
    assert_eq!(
        (fuel_used(&fuel()), fuel_used(&fuel())),
        (5_000_000, 5_000_000)
    );
}

/// Negative control: with the deadline check of `store::on_tick` and the outer sleep of `invoke::run` taken away, this goes
/// on until its fuel is gone.
#[test]
fn g1_an_endless_loop_ends_on_the_deadline() {
    let case = Case::hostile("g1-infinite-loop").limit("fuel_max", 1_000_000_000_000);
    case.limit("deadline_ms_max", 20).ends(&[DEADLINE]);
}

/// Negative control: with nobody looking at the cancellation, this fails.
#[test]
fn g1_a_loop_of_a_run_that_is_cancelled_ends_as_cancelled() {
    let case = Case::hostile("g1-infinite-loop").limit("fuel_max", 1_000_000_000_000);
    let attempt = case.ends_cancelled();
    assert!(attempt.fault.is_some());
}

/// Negative control: with `set_fuel` after the instantiation, this ends on the deadline.
#[test]
fn g2_a_loop_in_the_start_function_ends_on_fuel() {
    let case = Case::of(guest("hostile-g2-start-loop")).limit("fuel_max", 1_000_000);
    case.limit("deadline_ms_max", 20_000).ends(&[FUEL]);
}

/// Negative control: without `door::charge` in `door::begin` all the calls are made.
#[test]
fn g3_work_that_hides_in_the_host_is_charged_by_call_and_by_byte() {
    let case = Case::hostile("g3-host-calls times=1000000").limit("fuel_max", 100_000_000);
    let attempt = case.limit("host_calls_max", 10_000_000).ends(&[FUEL]);
    assert!(
        attempt.host_calls.calls < 100_000,
        "{}",
        attempt.host_calls.calls
    );
    let case =
        Case::hostile("g21-log-lines times=1000000 bytes=4096").limit("fuel_max", 100_000_000);
    let attempt = case.limit("host_calls_max", 10_000_000).ends(&[FUEL]);
    assert!(
        attempt.host_calls.calls < 6_000,
        "{}",
        attempt.host_calls.calls
    );
}

/// Negative control: see the test of the same name in the engine, which waits on a port for real.
#[test]
fn g4_a_wait_in_the_host_ends_on_the_deadline() {
    for wait in ["g4-sleep", "g4-poll"] {
        let case = Case::hostile_std(&format!("{wait} ms=3600000"));
        case.limit("deadline_ms_max", 300).ends(&[DEADLINE]);
    }
    Case::hostile_std("g4-stdin").ends(&[Outcome::Completed]);
}

/// Negative control: with neither the check of `store::on_tick` nor the outer sleep of `invoke::run`, this fails.
#[test]
fn g5_copying_all_memory_over_and_over_ends_on_the_deadline() {
    let case = Case::hostile("g5-bulk-copy bytes=33554432").limit("deadline_ms_max", 50);
    case.limit("fuel_max", 1_000_000_000_000).ends(&[DEADLINE]);
}

/// Negative control: with `memory_growing` of the limiter always true, the one step gets its whole slot and the other, of
/// four memories, traps.
#[test]
fn g6_growing_memory_is_refused_at_the_limit_summed_over_all_memories() {
    for grow in ["g6-memory-grow-once", "g6-memory-grow-pages"] {
        let attempt = Case::hostile(grow)
            .limit("memory_bytes_max", 8 << 20)
            .ends(&[Outcome::Completed]);
        let memory = attempt
            .budgets
            .iter()
            .find(|budget| budget.name == "memory_bytes");
        assert!(memory.unwrap().used <= 8 << 20);
    }
    let many = Case::of(guest("hostile-g6-many-memories"));
    many.limit("memory_bytes_max", 8 << 20)
        .ends(&[Outcome::Completed]);
}

/// Negative control: with 64-bit memories switched on in the reader, this fails.
#[test]
fn g7_memories_and_tables_beyond_32_bits_are_refused() {
    for part in [
        "(memory i64 0x1000000000000)",
        "(table i64 0xffffffffff funcref)",
    ] {
        let component = with_more(&smallest(), &format!("(core module {part})"));
        Case::of(component).refused("AIM-A024");
    }
}

/// Ten million elements are more than any slot has; twenty thousand are more than the contract allows and no more than that.
/// Negative control: with `table_growing` of the limiter always true the guest gets its twenty thousand and traps.
#[test]
fn g8_growing_tables_is_refused_at_the_limit_and_a_hundred_are_too_many() {
    Case::of(guest("hostile-g8-table-grow")).ends(&[Outcome::Completed]);
    let fewer = edited("hostile-g8-table-grow", |text| {
        replaced(&text, "(i32.const 10000000)", "(i32.const 20000)")
    });
    Case::of(fewer.clone()).ends(&[Outcome::Completed]);
    let allowed = Case::of(fewer).limit("table_elements_max", 100_000);
    allowed.ends(&[Outcome::Trapped(Trap::Unreachable)]);
    let tables = "(table 1 funcref)".repeat(99);
    let component = edited("hostile-g8-table-grow", |text| {
        replaced(
            &text,
            "  (table $wide 1 funcref)\n",
            &format!("(table $wide 1 funcref){tables}"),
        )
    });
    assert_eq!(Case::of(component).does_not_load(), "AIM-A032");
}

/// Negative control: with no look at the class, this fails.
#[test]
fn g9_ten_thousand_instances_in_one_component_do_not_load() {
    let flood = |count: usize| {
        let instances = "(core instance (instantiate $flood))".repeat(count);
        let module = "(core module $flood (func))";
        Case::of(with_more(&smallest(), &format!("{module}{instances}")))
    };
    flood(10_000).refused("AIM-A024");
    assert_eq!(flood(900).does_not_load(), "AIM-A040");
}

/// The limit on instances counts on its own: a contract that allows two gets two.
/// Negative control: with ten thousand instances allowed by the limiter, this fails.
#[test]
fn g9_instances_end_at_the_contracts_own_limit() {
    let component = with_more(
        &smallest(),
        "(core module $more (func)) (core instance (instantiate $more)) (core instance (instantiate $more))",
    );
    let instances = || Case::of(component.clone());
    instances().ends(&[Outcome::Completed]);
    instances()
        .limit("instances_max", 2)
        .ends(&[Outcome::Limit(LimitKind::Instances)]);
}

/// Negative control: with the arm for a full stack taken out of `trap::trapped`, this fails.
#[test]
fn g10_recursion_ends_the_stack_and_nothing_else() {
    let overflow = [Outcome::Trapped(Trap::StackOverflow)];
    Case::hostile("g10-recursion").ends(&overflow);
    Case::of(guest("hostile-g10-mutual-recursion")).ends(&overflow);
}

/// Negative control: with a guest that does not call from there it completes, and with the arm of `trap::trapped` taken
/// away it is an ABI trap.
#[test]
fn g11_a_call_within_a_call_ends_at_the_fixed_depth() {
    let attempt =
        Case::of(guest("hostile-g11-reentry")).ends(&[Outcome::Limit(LimitKind::Reentry)]);
    assert_eq!(
        attempt.host_calls.calls, 1,
        "the second call never reached the host"
    );
    let harmless = edited("hostile-g11-reentry", |text| {
        replaced(&text, "(global.set $is_inside (i32.const 1))", "")
    });
    Case::of(harmless).ends(&[Outcome::Completed]);
}

/// The sizes of the guests above are limits of the contract: what a contract may not raise, it can not.
/// Negative control: with no comparison with the ceiling in `Limits::faults_under`, this fails.
#[test]
fn g11_no_contract_allows_a_deeper_call() {
    let error = crate::rig::contract("n", &json!({ "limits": { "reentry_max": 2 } }));
    assert!(error.unwrap_err().contains("reentry_max"));
}
