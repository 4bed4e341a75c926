//! Order, rooms, groups, flows: what runs when, and what never runs.

use proptest::prelude::*;

use super::*;

/// A node for every list; each list names nodes, optional ones negatively from -1 (`-1` is node 0).
fn schedule(requires: &[&[i64]]) -> Schedule {
    let groups: Vec<Group> = (0..requires.len())
        .map(|node| Group {
            members: vec![node],
            is_flow: false,
        })
        .collect();
    let need = |one: &i64| Need {
        group: usize::try_from(if *one < 0 { -one - 1 } else { *one }).unwrap(),
        least: None,
        is_optional: *one < 0,
    };
    let nodes: Vec<NodeSpec> = (requires.iter())
        .map(|list| NodeSpec {
            needs: list.iter().map(need).collect(),
            ..NodeSpec::default()
        })
        .collect();
    Schedule::new(&nodes, &groups, vec![], usize::MAX)
}

#[test]
fn a_diamond_runs_in_stable_order() {
    let mut schedule = schedule(&[&[], &[0], &[0], &[1, 2]]);
    assert_eq!(schedule.ready(), [0]);
    schedule.start(0);
    assert!(schedule.ready().is_empty() && !schedule.is_idle());
    schedule.settle(0, StepState::Completed);
    assert_eq!(schedule.ready(), [1, 2]);
    schedule.start(1);
    schedule.start(2);
    schedule.settle(2, StepState::Completed);
    assert!(schedule.ready().is_empty());
    schedule.settle(1, StepState::Completed);
    assert_eq!(schedule.ready(), [3]);
}

/// Control: with `need.is_optional` left out of `member_settled`, this fails.
#[test]
fn an_optional_requirement_runs_after_anything_and_a_hard_one_is_skipped() {
    for state in [StepState::Failed, StepState::Abstained, StepState::Waiting] {
        let mut schedule = schedule(&[&[], &[-1], &[0], &[2]]);
        assert_eq!(schedule.settle(0, state), [2, 3]);
        assert_eq!(schedule.ready(), [1]);
        assert_eq!(schedule.states()[2..], [StepState::Skipped; 2]);
    }
}

#[test]
fn an_optional_requirement_still_waits_for_the_end() {
    let mut schedule = schedule(&[&[], &[-1]]);
    schedule.start(0);
    assert!(schedule.ready().is_empty());
}

/// Control: with the rank left out of `make_ready`, plan order decides and this fails (seen).
#[test]
fn the_lowest_rank_goes_first_and_plan_order_decides_among_equals() {
    let node = |rank| NodeSpec {
        rank,
        ..NodeSpec::default()
    };
    let mut schedule = Schedule::new(&[node(2), node(1), node(0), node(1)], &[], vec![], 1);
    let mut order = Vec::new();
    while let Some(index) = schedule.next() {
        schedule.start(index);
        order.push(index);
        schedule.settle(index, StepState::Completed);
    }
    assert_eq!(order, [2, 1, 3, 0]);
}

#[test]
fn a_stopped_schedule_starts_nothing_and_lets_what_runs_end() {
    let mut schedule = schedule(&[&[], &[], &[0]]);
    schedule.start(0);
    assert_eq!(schedule.stop(), [1, 2]);
    assert!(schedule.next().is_none() && !schedule.is_idle());
    assert!(!schedule.hold(0), "nothing is held for later");
    assert!(schedule.is_idle());
    for node in 0..3 {
        schedule.wake(node);
        schedule.activate(node);
    }
    assert!(schedule.next().is_none() && schedule.ready().is_empty());
}

#[test]
fn an_unknown_requirement_never_becomes_ready() {
    assert!(schedule(&[&[7]]).ready().is_empty());
}

/// Control: without the filter on `running < most`, this fails.
#[test]
fn a_shard_without_room_lets_others_go_first() {
    let node = |shard| NodeSpec {
        shard,
        ..NodeSpec::default()
    };
    let nodes = [node(0), node(0), node(1), node(1)];
    let mut schedule = Schedule::new(&nodes, &[], vec![1, 2], 2);
    let mut started = Vec::new();
    while let Some(next) = schedule.next() {
        schedule.start(next);
        started.push(next);
    }
    assert_eq!(started, [0, 2], "one of the first shard, two in all");
    schedule.settle(2, StepState::Completed);
    assert_eq!(schedule.next(), Some(3));
    schedule.settle(0, StepState::Completed);
    assert_eq!(schedule.next(), Some(1));
}

#[test]
fn a_held_node_gives_its_room_back_and_comes_again() {
    let mut schedule = Schedule::new(&[NodeSpec::default(), NodeSpec::default()], &[], vec![1], 1);
    schedule.start(0);
    assert_eq!(schedule.next(), None);
    assert!(schedule.hold(0));
    assert_eq!(schedule.next(), Some(1));
    schedule.wake(0);
    assert_eq!(schedule.next(), Some(0));
}

#[test]
fn a_standby_node_runs_when_it_is_led_to() {
    let nodes = [
        NodeSpec::default(),
        NodeSpec {
            is_standby: true,
            ..NodeSpec::default()
        },
    ];
    let mut schedule = Schedule::new(&nodes, &[], vec![], 9);
    assert_eq!(schedule.ready(), [0]);
    schedule.activate(1);
    assert_eq!(schedule.ready(), [0, 1]);
}

/// Control: with the state left out of `make_ready`, it is due again and this fails (seen).
#[test]
fn what_runs_or_has_run_is_not_due_again_however_often_it_is_led_to() {
    let mut schedule = schedule(&[&[], &[0]]);
    schedule.start(0);
    schedule.activate(0);
    schedule.wake(0);
    assert_eq!(schedule.next(), None, "it runs");
    schedule.park(0);
    schedule.wake(0);
    assert_eq!(schedule.next(), None, "somebody has to answer");
    let mut schedule = self::schedule(&[&[], &[0]]);
    schedule.settle(0, StepState::Completed);
    schedule.wake(0);
    assert_eq!(schedule.next(), Some(1), "it is over");
}

/// A group is looked at once: what it led to has left it.
#[test]
fn a_flow_that_is_decided_twice_counts_once() {
    let need = |group| Need {
        group,
        least: None,
        is_optional: false,
    };
    let after = NodeSpec {
        needs: vec![need(0), need(1)],
        ..NodeSpec::default()
    };
    let nodes = [NodeSpec::default(), NodeSpec::default(), after];
    let flow = |member| Group {
        members: vec![member],
        is_flow: true,
    };
    let mut schedule = Schedule::new(&nodes, &[flow(0), flow(1)], vec![], 9);
    schedule.settle(0, StepState::Completed);
    schedule.settle(1, StepState::Completed);
    assert!(schedule.decide(0, true).is_empty());
    assert!(schedule.decide(0, true).is_empty());
    assert!(schedule.ready().is_empty(), "the other flow is still open");
    assert!(schedule.decide(1, true).is_empty());
    assert_eq!(schedule.ready(), [2]);
}

/// Control: with `least` ignored, the quorum below fails.
#[test]
fn a_quorum_waits_for_all_and_is_met_by_some() {
    let need = |least| Need {
        group: 0,
        least,
        is_optional: false,
    };
    let mut nodes = vec![NodeSpec::default(); 3];
    nodes.extend([Some(2), Some(3), None].map(|least| NodeSpec {
        needs: vec![need(least)],
        ..NodeSpec::default()
    }));
    let groups = [Group {
        members: vec![0, 1, 2],
        is_flow: false,
    }];
    let mut schedule = Schedule::new(&nodes, &groups, vec![], 9);
    schedule.settle(0, StepState::Completed);
    schedule.settle(1, StepState::Completed);
    assert_eq!(schedule.ready(), [2], "the last one is waited for");
    assert_eq!(schedule.settle(2, StepState::Failed), [4, 5]);
    assert_eq!(schedule.ready(), [3]);
}

#[test]
fn a_flow_is_over_when_somebody_says_so() {
    let need = Need {
        group: 0,
        least: None,
        is_optional: false,
    };
    let after = NodeSpec {
        needs: vec![need],
        ..NodeSpec::default()
    };
    let nodes = [NodeSpec::default(), NodeSpec::default(), after];
    let groups = [Group {
        members: vec![0, 1],
        is_flow: true,
    }];
    let fresh = || Schedule::new(&nodes, &groups, vec![], 9);
    let mut schedule = fresh();
    schedule.settle(0, StepState::Completed);
    schedule.settle(1, StepState::Skipped);
    assert!(schedule.ready().is_empty());
    assert!(schedule.decide(0, true).is_empty());
    assert_eq!(schedule.ready(), [2]);
    assert_eq!(fresh().decide(0, false), [2]);
}

proptest! {
    /// Control: with `make_ready` called before a group is decided, this fails (seen).
    #[test]
    fn nothing_runs_before_what_it_requires_and_batches_are_those_of_kahn(
        graph in prop::collection::vec(prop::collection::vec(0_usize..20, 0..4), 1..20),
        rooms in 1_usize..4,
    ) {
        // Edges to earlier nodes only: plan order.
        let lists: Vec<Vec<i64>> = graph.iter().enumerate().map(|(node, list)| {
            let mut list: Vec<i64> = list.iter().filter(|one| **one < node).map(|one| i64::try_from(*one).unwrap()).collect();
            list.sort_unstable();
            list.dedup();
            list
        }).collect();
        let lists: Vec<&[i64]> = lists.iter().map(Vec::as_slice).collect();
        let mut whole = schedule(&lists);
        let mut level = vec![0_usize; lists.len()];
        for node in 0..lists.len() {
            level[node] = lists[node].iter().map(|one| level[usize::try_from(*one).unwrap()] + 1).max().unwrap_or(0);
        }
        for batch in 0.. {
            let ready = whole.ready();
            let expected: Vec<usize> = (0..lists.len()).filter(|node| level[*node] == batch).collect();
            prop_assert_eq!(&ready, &expected);
            if ready.is_empty() { break }
            ready.iter().for_each(|node| whole.start(*node));
            for node in ready { whole.settle(node, StepState::Completed); }
        }
        // With little room and ends in any order, still nothing runs too early and everything runs once.
        let mut narrow = schedule(&lists);
        narrow.parallel_all_max = rooms;
        let (mut done, mut running): (Vec<usize>, Vec<usize>) = (vec![], vec![]);
        loop {
            while let Some(next) = narrow.next() {
                for one in lists[next] {
                    prop_assert!(done.contains(&usize::try_from(*one).unwrap()));
                }
                narrow.start(next);
                running.push(next);
            }
            let Some(node) = running.pop() else { break };
            narrow.settle(node, StepState::Completed);
            done.push(node);
        }
        done.sort_unstable();
        prop_assert_eq!(done, (0..lists.len()).collect::<Vec<_>>());
    }
}
