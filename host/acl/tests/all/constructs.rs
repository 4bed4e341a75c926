//! Every construct of the language, and a plan of the corpus that has it: what is claimed of the language can be looked up.
//!
//! INVARIANT: a plan that is named here is one of `tests/plans/good`, so `corpus.rs` holds what it compiles to.

use std::collections::BTreeSet;

use aim_acl::{WordKind, ast::Form, parse, token::lex, vocabulary};

use crate::corpus::{Fixture, fixtures};

/// What it is, the plan that has it, and the text by which it is found there.
type Row = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const LINES: &[Row] = &[
    ("the canonical sample", "user_authentication", "PLAN user_authentication:"),
    ("a plan with a version", "versioned_with_everything", "PLAN everything v1.0:"),
    ("names of digits", "lines_zero_named_steps", "PLAN 1st:"),
    ("comments, blank lines and blanks anywhere", "lines_ingress_words", "# every comment stays"),
    ("a role of kind hhni", "user_authentication", "hhni(k=20, scope=\"auth\")"),
    ("a role of kind llm", "user_authentication", "llm(model=\"m-large\", temperature=0.2)"),
    ("a role of kind custom", "versioned_with_everything", "ROLE scribe: custom()"),
    ("a role that nobody declares", "user_authentication", "ASSIGN builder:"),
    ("the eight roles", "lines_eight_roles", "ASSIGN witness:"),
    ("several requirements in one line", "diamond_in_source_order", "REQUIRES right, left"),
    ("an optional requirement", "versioned_with_everything", "rumours?"),
    ("a budget of tokens, time and tools", "user_authentication", "BUDGET tokens=4000, time=60s, tools=5"),
    ("a budget with cost", "lines_cost", "cost=0.25"),
    ("a budget of the whole plan", "lines_cost", "BUDGET tokens=100, time=10s, tools=4, cost=0.50"),
    ("no budget", "one_step", "ASSIGN operator"),
    ("several gates of a step", "user_authentication", "GATE reviewed: output.security.reviewed == True"),
    ("a gate above the first step", "lines_block_gates", "GATE whole:"),
    ("a gate as a block", "lines_block_gates", "CHECK output.done"),
    ("every operator", "lines_condition_kinds", "GATE lt: output.f < 0.001"),
    ("truth of a path", "lines_condition_kinds", "output.i.j.k"),
    ("booleans in both spellings", "lines_condition_kinds", "output.g == True"),
    ("every answer of a gate", "lines_every_action", "ON_FAIL degrade"),
    ("a standby step", "lines_fallback", "fallback(ask_other)"),
    ("a quip", "versioned_with_everything", "QUIP"),
    ("line ends of another system", "carriage_returns_and_bom", "line ends of another system"),
];

#[rustfmt::skip]
const BRACES: &[Row] = &[
    ("header, shard, steps, typed gate", "braces_triage", "pipeline \"triage\" {"),
    ("the same words with `plan`", "braces_alias_plan", "plan \"alias\" v1.0 {"),
    ("both kinds of comments", "braces_comments", "/* a block"),
    ("a text with quotes in it", "braces_roles", "\"collect \\\"notes\\\"\""),
    ("a name with points and hyphens", "braces_worked_sweep", "\"tides.and-harbours.v1\""),
    ("snapshot and seeds", "braces_pins", "snapshot: \"snap-9\" seeds: 42"),
    ("budgets of a plan", "braces_budgets", "pool: fair, headroom: 1.1"),
    ("thousands by k", "braces_separators", "tokens: 12k"),
    ("pins of a plan", "braces_worked_sweep", "pins: { model: \"reader@77aa\""),
    ("the seed of a pin as a text", "braces_worked_sweep", "seed: \"1337\""),
    ("the policy of a plan", "braces_import_policy", "header { policy: house }"),
    ("a claim of determinism", "braces_pins", "deterministic: true"),
    ("a schema version", "braces_pins", "schema_version: \"2.0.0\""),
    ("declared inputs of the run", "braces_inputs", "inputs: { logs: artifact, limit: number, verbose: boolean }"),
    ("caps of a shard", "braces_fanout_vote", "caps { max_parallel: 3 token_pool: 20k wall_ms_pool: 60000 }"),
    ("two shards with gates between", "braces_shards_gated", "shard \"write\""),
    ("inputs from steps, texts and numbers", "braces_inputs", "mode: \"fast\", below: -3"),
    ("inputs of the run", "braces_inputs", "input.logs"),
    ("the whole trace", "braces_triage", "trace: ALL"),
    ("a selector of the index", "braces_pins", "slice: HHNI:notes/2025"),
    ("a selector of the graph", "braces_pins", "SEG:claims/open"),
    ("a selector by names and numbers", "braces_worked_sweep", "HHNI:library->section(\"Coasts, old and new\")->paragraph#4"),
    ("an instant", "braces_pins", "ASOF:2025-01-31T00:00:00Z"),
    ("a window of time", "braces_window", "WINDOW:2025-01-01T00:00:00Z..2025-02-01T00:00:00Z"),
    ("a window among the inputs", "braces_worked_cause", "time: WINDOW:"),
    ("model and tools", "braces_pins", "tools: [\"grep\", \"sum\"]"),
    ("pins of a step", "braces_pins", "pins: { index: \"idx-3\" seed: 7 }"),
    ("a soft budget", "braces_budgets", "{ max: 2000 soft: 1500 }"),
    ("the policy of a step", "braces_import_policy", "step a: Builder { policy: house"),
    ("requirements without inputs", "braces_shards_gated", "depends: [a, b?]"),
    ("retries, breaker, fallback", "braces_recovery", "breaker: { failures: 3 cooldown_ms: 30000 }"),
    ("kappa, criticality, silence", "braces_recovery", "silence: abstain"),
    ("a question before a step", "braces_recovery", "question: \"May it be called?\""),
    ("a gate on the way in", "braces_step_gates", "gate ingress {"),
    ("a gate on the way out", "braces_step_gates", "gate egress {"),
    ("require and forbid", "braces_step_gates", "forbid output.truncated"),
    ("emissions of a step", "braces_step_gates", "emit vif, uq, rs"),
    ("an answer under a condition", "braces_step_gates", "if (output.lines > 10) reroute read_less"),
    ("every answer of a gate", "braces_gate_language", "if (output.large) degrade { backoff: route_smaller_model, keep: 3 }"),
    ("hitl with its question", "braces_gate_language", "hitl \"who sent this?\""),
    ("a gate under a condition", "braces_conditional_gate", "when output.audience == \"public\""),
    ("a gate on the result", "braces_plan_gate", "gate egress settled"),
    ("a typed gate, strict", "braces_triage", "gate sure: UQGate { inputs: { uq: decide } strict: true }"),
    ("a typed gate with a threshold", "braces_uq_min", "min: 0.85"),
    ("a typed gate under a policy", "braces_worked_build", "policy: \"risk_bands\""),
    ("a gate about the shape", "braces_schema_gate", "SchemaGate"),
    ("a fan-out with an option", "braces_fanout_vote", "with temperature=\"0.7\""),
    ("instances in pairs", "braces_pairs", "fanout part[1..3] -> test[1..3]"),
    ("the best of several", "braces_fanout_merge", "using merge=maxRS"),
    ("the majority of several", "braces_fanout_vote", "using vote=majority with quorum=2, tie=first"),
    ("the mean of several", "braces_fanout_score", "using score=mean"),
    ("a verifier over several", "braces_adjudicate", "using adjudicate=verifier"),
    ("steps that are only implied", "braces_implied_steps", "fanout ask -> page[1..2]"),
    ("a bounded flow", "braces_flow", "flow refine(draft, criticise, max_iter=3) until output.confidence >= 0.9 else release"),
    ("a flow that says only how often", "braces_flow_default_until", "flow again(try_it, max_iter=2)"),
    ("an imported flow", "braces_import_flow", "import flow \"check.acl\" as c"),
    ("an imported policy", "braces_import_policy", "import policy \"rules.aclp\" as house"),
    ("the plan's own rules", "braces_rules", "on gate_fail(fresh) => quarantine"),
    ("one rule for several gates", "braces_every_event", "on gate_fail(one|two) => quarantine"),
    ("a rule about budgets", "braces_rules", "on over_budget => degrade"),
    ("people before steps and effects", "braces_rules", "require HITL for tell, mail.send"),
    ("every effect", "braces_every_effect", "[net.read, net.write, fs.read, fs.write, proc.exec, secrets.read, mail.send, db.query, seg.write]"),
    ("commas, semicolons and line ends", "braces_separator_marks", "z: true\n"),
    ("a worked example: a sweep and a claim", "braces_worked_sweep", "reduce page[1..6] -> findings using merge=maxRS"),
    ("a worked example: a drawing, the work, its tests", "braces_worked_build", "step tests: Operator"),
    ("a worked example: readings, guesses, a verdict", "braces_worked_cause", "reduce probe[1..5] -> verdict using adjudicate=verifier"),
];

#[rustfmt::skip]
const YAML: &[Row] = &[
    ("one participant, a gate on its result", "yaml_capsule_to_map", "call: draw_map"),
    ("participants in a row", "yaml_map_to_nodes", "of: \"@result.read_map\""),
    ("components where program text was", "yaml_nodes_to_specs", "call: expand_nodes"),
    ("an input that must be given", "yaml_capsule_to_map", "required: true"),
    ("an input with a default", "yaml_map_to_nodes", "default: \"nodes.db\""),
    ("a list as a default", "yaml_map_to_nodes", "- \"Grace\""),
    ("the name of an output", "yaml_capsule_to_map", "@output.map_path"),
    ("the result of a step", "yaml_seed_to_tensor", "@result.read"),
    ("a field of a result", "yaml_capsule_to_map", "@result.drawn_map.score"),
    ("a gate that a step names", "yaml_seed_to_tensor", "@gate.complete"),
    ("the plan's own name", "yaml_capsule_to_map", "@plan.id"),
    ("a reference inside of a text", "yaml_capsule_to_map", "The map is at @output.map_path."),
    ("values within values", "yaml_capsule_to_map", "event: \"plan.capsule_to_map\""),
    ("participants as roles", "yaml_seed_to_tensor", "judge: { role: verifier, node: judge-node }"),
    ("an answer that only logs", "yaml_every_action", "on_fail: log"),
    ("an answer that logs and aborts", "yaml_capsule_to_map", "- action: abort"),
    ("every action", "yaml_every_action", "action: todo"),
    ("gates as a list", "yaml_gate_list", "- id: enough"),
    ("steps in their order", "yaml_in_order", "action: todo"),
    ("steps without names", "yaml_nodes_to_specs", "- action: log"),
];

fn good(name: &str) -> Fixture {
    let found = fixtures("good").into_iter().find(|one| one.name() == name);
    found.unwrap_or_else(|| panic!("there is no plan `{name}`"))
}

#[test]
fn every_construct_is_in_the_plan_that_the_table_names() {
    for (form, rows) in [
        (Form::Lines, LINES),
        (Form::Braces, BRACES),
        (Form::Yaml, YAML),
    ] {
        for (what, name, text) in rows {
            let fixture = good(name);
            assert!(
                fixture.source.contains(text),
                "{what}: `{text}` is not in {name}"
            );
            assert_eq!(parse(&fixture.source).0.form, form, "{name}");
        }
    }
}

/// What a plan says outside of its comments, cut into words; `net.read` and `vote=majority` stay whole.
pub(crate) fn words(source: &str) -> BTreeSet<String> {
    let (ast, _) = parse(source);
    let mut bare = source.to_owned();
    for comment in ast.comments.iter().rev() {
        bare.replace_range(comment.span.clone(), " ");
    }
    let is_mark = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '='));
    let mut words: BTreeSet<String> = bare.split(is_mark).map(str::to_owned).collect();
    words.extend(lex(&bare).tokens.iter().map(|token| token.text.to_owned()));
    let parts = bare.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.extend(parts.map(str::to_owned));
    words
}

/// Words that nothing compiles with yet: a plan with one is refused, and that plan is in the corpus as well.
fn is_refused(kind: WordKind, word: &str) -> bool {
    let refused = [
        "ParityGate",
        "PolicyGate",
        "ProvenanceGate",
        "DiffGate",
        "HITLGate",
    ];
    kind == WordKind::GateType && refused.contains(&word)
}

/// Control: with `braces_every_effect` taken away, this names the six effects that no other plan has (seen).
#[test]
fn every_word_of_the_language_is_in_a_plan_that_compiles() {
    for form in [Form::Lines, Form::Braces] {
        let of_form = |fixture: &Fixture| parse(&fixture.source).0.form == form;
        let said = |folder: &str| -> BTreeSet<String> {
            let plans = fixtures(folder).into_iter().filter(of_form);
            plans.flat_map(|fixture| words(&fixture.source)).collect()
        };
        let (good, bad) = (said("good"), said("bad"));
        let missing: Vec<&str> = (vocabulary(form).iter())
            .filter(|word| !(is_refused(word.kind, word.text) && bad.contains(word.text)))
            .map(|word| word.text)
            .filter(|word| !good.contains(*word))
            .collect();
        assert!(missing.is_empty(), "{form:?}: {missing:?}");
    }
}
