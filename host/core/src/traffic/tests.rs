//! Traffic under every limit, and under random load against its invariants.
//!
//! INVARIANT: each limit has a case in which it alone decides.

use alloc::{collections::BTreeSet, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::access::Ask;

const LIMITS: TrafficLimits = TrafficLimits {
    attempts_max: 4,
    attempts_per_tenant_max: 3,
    memory_bytes_max: 100,
    waiting_max: 5,
    waiting_per_tenant_max: 3,
};

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn enter(traffic: &mut Traffic, name: &str, memory_bytes: u64) -> Ticket {
    traffic.enter(&tenant(name), memory_bytes).unwrap()
}

#[test]
fn an_attempt_that_fits_runs_at_once() {
    let mut traffic = Traffic::new(LIMITS);
    let ticket = enter(&mut traffic, "a", 100);
    assert!(traffic.runs(ticket));
}

#[test]
fn memory_is_what_is_shared_out_and_not_slots() {
    let mut traffic = Traffic::new(LIMITS);
    let large = enter(&mut traffic, "a", 80);
    let second = enter(&mut traffic, "b", 30);
    assert!(!traffic.runs(second), "110 of 100 bytes");
    assert_eq!(traffic.leave(large), [second]);
    assert!(traffic.runs(second));
}

#[test]
fn a_small_attempt_does_not_overtake_a_large_one() {
    let mut traffic = Traffic::new(LIMITS);
    let running = enter(&mut traffic, "a", 60);
    let large = enter(&mut traffic, "b", 90);
    let small = enter(&mut traffic, "c", 10);
    assert!(!traffic.runs(small), "it would fit, and b was first");
    assert_eq!(traffic.leave(running), [large, small]);
}

#[test]
fn a_tenant_with_its_share_does_not_hold_up_another() {
    let mut traffic = Traffic::new(LIMITS);
    for _ in 0..3 {
        enter(&mut traffic, "greedy", 1);
    }
    let fourth = enter(&mut traffic, "greedy", 1);
    let other = enter(&mut traffic, "modest", 1);
    assert!(!traffic.runs(fourth));
    assert!(traffic.runs(other));
}

#[test]
fn tenants_take_turns_however_much_one_of_them_asks_for() {
    let mut traffic = Traffic::new(LIMITS);
    let running = enter(&mut traffic, "a", 100);
    let greedy: Vec<Ticket> = (0..3).map(|_| enter(&mut traffic, "a", 100)).collect();
    let modest = enter(&mut traffic, "b", 100);
    assert_eq!(traffic.leave(running), [greedy[0]]);
    assert_eq!(
        traffic.leave(greedy[0]),
        [modest],
        "b's turn is before a's second"
    );
    assert_eq!(traffic.leave(modest), [greedy[1]]);
}

#[test]
fn queues_are_bounded_for_each_tenant_and_for_all() {
    let mut traffic = Traffic::new(LIMITS);
    let running = enter(&mut traffic, "a", 100);
    for _ in 0..3 {
        enter(&mut traffic, "a", 1);
    }
    let refused = traffic.enter(&tenant("a"), 1).unwrap_err();
    assert_eq!(refused, BusyError::TenantFull { waiting: 3 });
    enter(&mut traffic, "b", 1);
    enter(&mut traffic, "b", 1);
    let refused = traffic.enter(&tenant("c"), 1).unwrap_err();
    assert_eq!(refused, BusyError::Full { waiting: 5 });
    traffic.leave(running);
    assert!(traffic.enter(&tenant("c"), 1).is_ok(), "room again");
}

#[test]
fn what_can_never_fit_is_refused_and_does_not_wait() {
    let mut traffic = Traffic::new(LIMITS);
    let refused = traffic.enter(&tenant("a"), 101).unwrap_err();
    assert_eq!(refused.code(), "AIM-R061");
    assert_eq!(traffic.counts(), (0, 0));
}

#[test]
fn whoever_gives_up_waiting_leaves_no_trace() {
    let mut traffic = Traffic::new(LIMITS);
    let running = enter(&mut traffic, "a", 100);
    let waiting = enter(&mut traffic, "b", 1);
    let behind = enter(&mut traffic, "b", 1);
    assert_eq!(traffic.leave(waiting), []);
    assert_eq!(traffic.leave(running), [behind]);
    traffic.leave(behind);
    assert_eq!(traffic.counts(), (0, 0));
    assert!(traffic.tenants.is_empty() && traffic.turns.is_empty());
}

#[test]
fn zero_is_no_limit() {
    let limits = TrafficLimits {
        waiting_max: 0,
        ..LIMITS
    };
    assert_eq!(limits.faults(), ["waiting_max"]);
    assert!(TrafficLimits::DEFAULT.faults().is_empty());
}

proptest! {
    /// Control: without `memory <= memory_bytes_max` in `has_room` this fails within a few cases.
    #[test]
    fn random_load_never_exceeds_a_limit_and_always_drains(
        arrivals in prop::collection::vec((0_u8..4, 1_u64..=100, any::<bool>()), 1..200),
    ) {
        let mut traffic = Traffic::new(LIMITS);
        let mut inside: Vec<Ticket> = Vec::new();
        for (index, (who, memory_bytes, leaves)) in arrivals.into_iter().enumerate() {
            let name = tenant(["a", "b", "c", "d"][usize::from(who)]);
            inside.extend(traffic.enter(&name, memory_bytes).ok());
            if leaves && !inside.is_empty() {
                traffic.leave(inside.remove(index % inside.len()));
            }
            let sum: u64 = traffic.running.values().map(|run| run.memory_bytes).sum();
            prop_assert!(sum <= LIMITS.memory_bytes_max && sum == traffic.memory_bytes);
            prop_assert!(traffic.running.len() <= 4);
            prop_assert!(traffic.tenants.values().all(|tenant| tenant.running <= 3));
            let queued: usize = traffic.tenants.values().map(|t| t.waiting.len()).sum();
            prop_assert_eq!(queued, usize::try_from(traffic.waiting).unwrap());
            prop_assert!(queued <= 5);
        }
        let mut seen = BTreeSet::new();
        // BOUND: everybody who is inside leaves once.
        while let Some(ticket) = inside.iter().copied().find(|ticket| traffic.runs(*ticket)) {
            prop_assert!(seen.insert(ticket));
            inside.retain(|other| *other != ticket);
            traffic.leave(ticket);
        }
        prop_assert!(inside.is_empty(), "nobody waits for ever");
        prop_assert_eq!(traffic.counts(), (0, 0));
    }
}

#[test]
fn memory_is_the_guests_own_and_what_the_host_keeps_for_it() {
    let limits = Limits {
        memory_bytes_max: 1,
        artifact_bytes_max: 10,
        kv_bytes_max: 100,
        folder_bytes_max: 1_000,
        effect_bytes_max: 10_000,
        ..Limits::DEFAULT
    };
    let ask = |capability, modes: &[Mode], names: usize| Ask {
        modes: modes.iter().copied().collect(),
        scope: (0..names).map(|name| alloc::format!("n{name}")).collect(),
        ..Ask::plain(capability)
    };
    let bytes = |asks: &[Ask]| {
        let grant = Grant {
            asks: asks.into(),
            policy: None,
        };
        memory_bytes(&limits, &grant)
    };
    let (read, write) = (Mode::Read, Mode::Write);
    assert_eq!(bytes(&[Ask::plain(Capability::Log)]), 1);
    assert_eq!(bytes(&[ask(Capability::Artifact, &[read], 0)]), 1);
    assert_eq!(
        bytes(&[ask(Capability::Artifact, &[Mode::Put, read], 0)]),
        11
    );
    assert_eq!(bytes(&[ask(Capability::Keyvalue, &[read], 3)]), 1);
    assert_eq!(bytes(&[ask(Capability::Keyvalue, &[write], 3)]), 301);
    assert_eq!(bytes(&[ask(Capability::Filesystem, &[read], 3)]), 1);
    assert_eq!(bytes(&[ask(Capability::Filesystem, &[write], 2)]), 2_001);
    assert_eq!(
        bytes(&[ask(Capability::Filesystem, &[read, write], 2)]),
        4_001
    );
    let all = [
        ask(Capability::Http, &[Mode::Request], 9),
        ask(Capability::Artifact, &[Mode::Put], 0),
    ];
    assert_eq!(bytes(&all), 10_011);
}
