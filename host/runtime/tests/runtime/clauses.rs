//! What plans promise of their execution, clause by clause, and the tests that hold it.
//!
//! INVARIANT: every test that is named here is there; whoever takes one away has to say what holds its clause instead.

use std::{collections::BTreeMap, fs, path::Path};

const SCHEDULE: &str = "host/core/src/schedule/tests.rs";
const RECOVERY: &str = "host/core/src/recovery.rs";
const FLOW: &str = "host/core/src/stateflow/tests.rs";
const ORCHESTRATION: &str = "host/runtime/tests/runtime/orchestration.rs";
const PLAYED: &str = "host/runtime/tests/runtime/played.rs";
const BUDGETS: &str = "host/runtime/tests/runtime/budgets.rs";
const IMMEDIATE: &str = "host/runtime/tests/runtime/immediate.rs";
const CRASH: &str = "host/runtime/tests/runtime/crash.rs";
const PROBES: &str = "host/runtime/tests/runtime/probes.rs";
const CONFIDENCE: &str = "host/runtime/tests/runtime/confidence.rs";
const CLI: &str = "host/cli/tests/cli/orchestrating.rs";
const CANCEL: &str = "host/cli/tests/cli/cancelling.rs";

/// The clause, the file, the test.
const CLAUSES: &[(&str, &str, &str)] = &[
    (
        "Kahn order",
        SCHEDULE,
        "nothing_runs_before_what_it_requires_and_batches_are_those_of_kahn",
    ),
    ("stable ties", SCHEDULE, "a_diamond_runs_in_stable_order"),
    (
        "bounded concurrency, caps per shard",
        SCHEDULE,
        "a_shard_without_room_lets_others_go_first",
    ),
    (
        "fan-out",
        ORCHESTRATION,
        "instances_have_paths_of_their_own_and_their_vote_is_what_goes_on",
    ),
    (
        "reduce: merge, vote, score, adjudicate",
        PLAYED,
        "what_instances_say_becomes_one_as_the_plan_says",
    ),
    (
        "bounded flow",
        ORCHESTRATION,
        "a_flow_ends_with_the_round_that_meets_its_condition_or_with_the_last",
    ),
    (
        "conditional gates",
        PLAYED,
        "a_conditional_gate_is_asked_only_where_its_condition_holds",
    ),
    (
        "retries with backoff",
        ORCHESTRATION,
        "a_step_is_tried_again_after_exactly_the_waits_that_are_on_record",
    ),
    (
        "jitter from an injected source",
        RECOVERY,
        "waits_double_up_to_their_maximum_and_jitter_only_shortens_them",
    ),
    (
        "fallback",
        ORCHESTRATION,
        "a_standby_step_answers_for_one_that_failed_and_its_dependents_get_that",
    ),
    (
        "circuit breaker opens",
        ORCHESTRATION,
        "a_breaker_leaves_a_node_alone_after_five_failures",
    ),
    (
        "circuit breaker half-opens and closes",
        PLAYED,
        "a_breaker_opens_lets_one_try_through_opens_again_and_closes",
    ),
    (
        "abort, repair, quarantine, escalate",
        ORCHESTRATION,
        "every_answer_of_a_gate_leads_where_it_says",
    ),
    (
        "a stored question, an answer, going on",
        ORCHESTRATION,
        "a_run_waits_for_a_person_and_goes_on_with_the_answer",
    ),
    (
        "answered by command",
        CLI,
        "a_run_killed_while_a_question_is_open_asks_it_once_and_goes_on_with_the_answer",
    ),
    (
        "waits or abstains",
        ORCHESTRATION,
        "a_plan_that_does_not_wait_abstains_and_ends",
    ),
    (
        "abstain under kappa",
        PLAYED,
        "what_depends_on_a_step_below_its_kappa_does_not_run_and_the_escalation_is_on_record",
    ),
    (
        "the tables of kappa",
        CONFIDENCE,
        "a_claim_is_held_against_how_much_depends_on_the_node",
    ),
    (
        "composite: reroute",
        PLAYED,
        "a_composite_that_says_reroute_has_the_standby_step_answer",
    ),
    (
        "composite: degrade",
        PLAYED,
        "a_composite_that_says_degrade_lets_it_go_marked_for_review",
    ),
    (
        "composite: a person",
        PLAYED,
        "a_composite_that_wants_a_person_waits_and_goes_on_with_the_yes",
    ),
    (
        "composite: abort",
        PLAYED,
        "a_composite_that_says_abort_ends_the_run",
    ),
    (
        "run states",
        "host/core/src/run_state.rs",
        "a_run_is_what_its_last_attempts_say",
    ),
    (
        "run state ACL-S201",
        CLI,
        "a_run_that_violates_its_policy_is_in_quarantine_and_a_person_is_asked_where_the_plan_says_so",
    ),
    (
        "run state ACL-S202",
        CLI,
        "a_run_killed_between_two_tries_makes_each_try_once",
    ),
    (
        "run state ACL-S203",
        CLI,
        "a_run_that_nobody_is_sure_about_has_abstained",
    ),
    (
        "run state ACL-S205",
        CLI,
        "a_run_that_nobody_carries_on_is_ended_by_cancel",
    ),
    (
        "the eleven transitions; an illegal one changes nothing",
        FLOW,
        "there_are_exactly_eleven_transitions_and_everything_else_changes_nothing",
    ),
    (
        "one event for each transition; events give the state again",
        ORCHESTRATION,
        "events_tell_each_transition_of_each_machine_and_no_other",
    ),
    (
        "an illegal transition is told by no event",
        PLAYED,
        "a_transition_that_a_state_does_not_know_is_told_by_no_event",
    ),
    (
        "history gives the state again",
        FLOW,
        "replaying_the_history_gives_the_same_state",
    ),
    (
        "overrides",
        FLOW,
        "an_override_goes_anywhere_but_back_to_the_beginning_and_keeps_who_and_why",
    ),
    (
        "retry limits, one try included",
        FLOW,
        "the_partial_verdict_that_reaches_the_limit_ends_the_step",
    ),
    (
        "the table of states",
        FLOW,
        "a_state_that_lasts_too_long_fires_its_fallback_and_not_before",
    ),
    (
        "EXECUTING times out",
        IMMEDIATE,
        "a_step_that_executes_for_longer_than_the_table_allows_is_stopped",
    ),
    (
        "EVALUATING times out",
        PLAYED,
        "a_step_that_is_evaluated_for_longer_than_the_table_allows_is_refused",
    ),
    (
        "RETRY and REPAIR time out",
        ORCHESTRATION,
        "a_step_that_nobody_mends_in_time_is_over_when_the_table_says_so",
    ),
    (
        "transient and permanent failures",
        RECOVERY,
        "only_transient_failures_are_tried_again_and_only_where_that_does_no_harm",
    ),
    (
        "cancel in a call",
        CANCEL,
        "a_run_that_waits_for_a_server_stops",
    ),
    ("cancel in a guest", CANCEL, "a_run_whose_guest_spins_stops"),
    ("cancel in a gate", CANCEL, "a_run_whose_gate_spins_stops"),
    (
        "cancel in a wait",
        CANCEL,
        "a_run_that_waits_between_two_tries_stops",
    ),
    (
        "cancel at a question",
        CLI,
        "a_run_that_nobody_carries_on_is_ended_by_cancel",
    ),
    (
        "budgets: calls and cost, overrun",
        IMMEDIATE,
        "a_call_past_the_plans_budget_is_not_made_and_ends_the_step",
    ),
    (
        "budgets: time, overrun",
        BUDGETS,
        "a_guest_that_uses_up_the_plans_time_is_stopped_and_the_plan_is_named_for_it",
    ),
    (
        "budgets: tokens",
        BUDGETS,
        "tokens_are_charged_before_a_model_is_asked_and_those_that_were_not_moved_are_given_back",
    ),
    (
        "budgets: pools",
        IMMEDIATE,
        "what_earlier_tries_have_used_of_the_plans_pool_is_gone_for_later_ones",
    ),
    (
        "budgets: soft, the step saves",
        BUDGETS,
        "a_step_that_is_to_save_is_told_before_and_after_it_crosses_its_mark",
    ),
    (
        "budgets: soft, a smaller model",
        IMMEDIATE,
        "past_a_soft_mark_a_smaller_model_goes_on_and_there_is_an_event",
    ),
    (
        "resume at any point",
        CRASH,
        "d6_a_failed_sync_at_any_append_stops_the_host_and_the_run_resumes_to_the_same_outputs",
    ),
    (
        "resume between instances",
        CLI,
        "a_run_killed_between_instances_of_a_fan_out_repeats_exactly_those_that_were_not_done",
    ),
    (
        "resume tells each transition once",
        ORCHESTRATION,
        "a_run_that_dies_anywhere_tells_each_transition_once",
    ),
    (
        "intents without outcome",
        IMMEDIATE,
        "after_a_crash_between_intent_and_outcome_the_request_is_not_sent_again",
    ),
    (
        "probes run, visible and witnessed",
        PROBES,
        "every_probe_of_a_plan_runs_after_it_and_holds_and_has_its_witness",
    ),
    (
        "probes are switched by recorded policy",
        PROBES,
        "a_plan_without_a_probe_that_is_on_is_refused_and_what_is_off_is_in_the_lock",
    ),
    (
        "probes take nothing from a plan",
        BUDGETS,
        "probes_take_no_share_of_a_plans_pool",
    ),
];

#[test]
fn every_clause_has_the_test_that_is_named_for_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts = BTreeMap::new();
    for (clause, file, test) in CLAUSES {
        let text = texts
            .entry(file)
            .or_insert_with(|| fs::read_to_string(root.join(file)).unwrap());
        let is_there = text.contains(&format!("fn {test}("));
        assert!(is_there, "{clause}: `{test}` is not in {file}");
    }
    // A gate that nobody evaluates is a plan of the corpus that is refused.
    let refused = root.join("host/acl/tests/plans/bad/ACL-E048-no_evaluator.acl");
    assert!(refused.is_file());
}
