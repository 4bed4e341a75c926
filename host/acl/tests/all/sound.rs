//! Plans in braces that mostly compile, with every construct that brace form has: what only holds of plans that make sense
//! is proved on these.
//!
//! INVARIANT: whatever a plan of these names is there, so what is refused is refused for what it means.

use std::fmt::Write as _;

use aim_acl::{NodeFacts, Resolver};
use aim_core::plan::{BUILTIN_ROLES, Effect, Plan, Step};
use proptest::{prelude::*, sample::select};

/// Nodes that ask and are granted what their ids say, one bit an effect.
pub(crate) struct Bits;

impl Resolver for Bits {
    fn import(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "rules.aclp" => Ok(b"permit nothing".to_vec()),
            _ => Err("none".into()),
        }
    }

    fn node(&self, plan: &Plan, step: &Step) -> Option<NodeFacts> {
        let role = plan.roles().get(&step.role)?;
        let node = role
            .params
            .iter()
            .find(|(name, _)| name.as_str() == "node")?
            .1;
        let (asked, rest) = node.strip_prefix('n')?.split_once('-')?;
        let granted = rest.split('-').next()?;
        Some(NodeFacts {
            node: node.clone(),
            asked: bits(asked.parse().ok()?).collect(),
            granted: bits(granted.parse().ok()?).collect(),
            ..NodeFacts::default()
        })
    }
}

/// The effects of a mask.
pub(crate) fn bits(mask: u16) -> impl Iterator<Item = Effect> {
    Effect::ALL
        .into_iter()
        .enumerate()
        .filter(move |(bit, _)| mask & (1 << bit) != 0)
        .map(|(_, effect)| effect)
}

/// One step as bits: each decides whether something is said.
#[derive(Debug, Clone)]
struct Dice {
    says: u32,
    effects: (u16, u16, u16),
    kind: &'static str,
    action: &'static str,
}

impl Dice {
    fn is(&self, bit: u32) -> bool {
        self.says & (1 << bit) != 0
    }
}

const ACTIONS: [&str; 12] = [
    "abort \"no\"",
    "escalate \"who?\"",
    "hitl",
    "abstain",
    "warn",
    "log",
    "retry(2)",
    "repair",
    "quarantine",
    "degrade { backoff: truncate, keep: 2 }",
    "reroute spare",
    "fallback(spare)",
];
const REDUCERS: [&str; 4] = [
    "merge=maxRS",
    "vote=majority with quorum=2, tie=first",
    "score=mean",
    "adjudicate=verifier",
];

fn dice() -> impl Strategy<Value = Dice> {
    let mask = || 0_u16..512;
    (
        any::<u32>(),
        (mask(), mask(), mask()),
        select(&BUILTIN_ROLES[..]),
        select(&ACTIONS[..]),
    )
        .prop_map(|(says, effects, kind, action)| Dice {
            says,
            effects,
            kind,
            action,
        })
}

/// A plan that mostly compiles with [`Bits`]. `honest` is how many of ten plans declare just what they are granted.
pub(crate) fn sound(honest: u32) -> impl Strategy<Value = String> {
    let steps = prop::collection::vec(dice(), 2..6);
    (any::<u32>(), 0_u32..10, select(&REDUCERS[..]), steps)
        .prop_map(move |(says, ten, reducer, steps)| written(says, ten < honest, reducer, &steps))
}

fn written(says: u32, is_honest: bool, reducer: &str, steps: &[Dice]) -> String {
    let is = |bit: u32| says & (1 << bit) != 0;
    let mut text = String::new();
    if is(0) {
        text += "import policy \"rules.aclp\" as house\n";
    }
    text += "pipeline \"p\" v1.0 {\n";
    if is(1) {
        text += "header {\nsnapshot: \"s-1\"; seeds: 7, schema_version: \"2.0.0\" deterministic: false risk: high silence: abstain\n";
        text += "inputs: { seed: artifact, limit: number } kappa: 0.25 quip: \"a spoon in two soups\"\n";
        text += "budgets: { tokens: 900k wall_ms: 900k, calls: 900 cost: 90.5 pool: fair headroom: 1.1 }\n";
        text += "pins: { model: \"m@1\" index: \"i@1\" tool: \"t@1\" seed: \"9\" }\n";
        text += if is(0) { "policy: house }\n" } else { "}\n" };
    }
    if is(2) {
        text += "gate egress settled { require output.state != \"open\" on_fail warn }\n";
    }
    for (index, step) in steps.iter().enumerate() {
        let (declared, asked, granted) = effects(step, is_honest);
        let _ = declared;
        let kind = step.kind;
        let _ = writeln!(
            text,
            "role r{index}: {kind} {{ node: \"n{asked}-{granted}-{index}\" k: 2 }}"
        );
    }
    text += "role judge: verifier { node: \"n0-0-judge\" }\n";
    if is(3) {
        text += "shard \"main\" {\ncaps { max_parallel: 2 token_pool: 800k wall_ms_pool: 800k }\n";
    }
    for (index, step) in steps.iter().enumerate() {
        let mut step = step.clone();
        if is(7) && index == steps.len() - 1 {
            // A step that another one stands in for takes part in no flow.
            step.says &= !(1 << 12);
            if step.action.contains("spare") {
                step.action = "repair";
            }
        }
        write_step(&mut text, index, &step, is_honest, is(0) && is(4));
    }
    text += "step spare: Operator { budget: { tokens: 5 wall_ms: 5 calls: 1 } }\n";
    between(&mut text, says, reducer, steps.len());
    text += if is(3) { "}\n}\n" } else { "}\n" };
    text
}

fn effects(step: &Dice, is_honest: bool) -> (u16, u16, u16) {
    let (declared, asked, granted) = step.effects;
    let (asked, granted) = if is_honest {
        (asked, granted & asked)
    } else {
        (asked, granted)
    };
    (if is_honest { granted } else { declared }, asked, granted)
}

fn write_step(text: &mut String, index: usize, step: &Dice, is_honest: bool, has_policy: bool) {
    let (declared, ..) = effects(step, is_honest);
    let _ = writeln!(text, "step s{index}: r{index} {{");
    if step.is(0) {
        *text += "does: \"say \\\"it\\\" → once\"\n";
    }
    if index > 0 {
        let mark = if step.is(1) && step.is(2) { "?" } else { "" };
        let _ = writeln!(text, "depends s{}{mark}", index - 1);
    }
    if step.is(3) {
        *text += "inputs: { a: \"x\", b: -1.5; c: true, d: input.seed e: HHNI:a->section(\"b, c\")#3, f: SEG:g/h }\n";
        *text += "time: WINDOW:2025-01-01T00:00:00Z..2025-02-01T00:00:00Z\n";
    }
    if step.is(17) && !step.is(3) {
        *text += "time: ASOF:2025-01-31T00:00:00Z\n";
    }
    if step.is(4) {
        let _ = writeln!(
            text,
            "slice: HHNI:notes/2025 model: \"m{index}\" tools: [\"grep\", \"sum\"]"
        );
    }
    if step.is(4) && step.is(18) {
        let _ = writeln!(
            text,
            "pins: {{ model: \"m{index}@1\" index: \"i\" tool: \"t\" seed: 3 }}"
        );
    }
    *text += if step.is(5) {
        "budget: { tokens: { max: 90 soft: 50 } wall_ms: 50, calls: 2; cost: 0.25 backoff: summarize }\n"
    } else {
        "budget: { tokens: 90 wall_ms: 50 calls: 2 }\n"
    };
    let words: Vec<&str> = bits(declared).map(Effect::word).collect();
    let _ = writeln!(text, "effects: [{}]", words.join(", "));
    for (bit, part) in [
        (6, "retries: { max_attempts: 2 backoff_ms: 10 }\n"),
        (7, "breaker: { failures: 3 cooldown_ms: 10 }\n"),
        (8, "kappa: 0.75\n"),
        (9, "criticality: important\n"),
        (10, "idempotent: true\n"),
        (11, "question: \"may it?\"\n"),
        (12, "fallback: spare\n"),
        (
            13,
            "gate ingress fit { require input.ok; forbid input.bad == \"x\"\n on_fail { if (input.x > 0.5) abstain \"why\"; abort } }\n",
        ),
    ] {
        if step.is(bit) {
            *text += part;
        }
    }
    if has_policy {
        *text += "policy: house\n";
    }
    if step.is(14) || step.is(15) {
        let when = if step.is(16) {
            " when output.kind == \"public\""
        } else {
            ""
        };
        let action = step.action;
        let _ = writeln!(
            text,
            "gate egress fine{when} {{ require output.score >= 0.5\n forbid output.leak emit vif, uq, rs on_fail {{ if (output.y) {action}; quarantine }} }}"
        );
    }
    *text += "}\n";
}

/// What stands between steps, for steps `s0` to the last.
fn between(text: &mut String, says: u32, reducer: &str, count: usize) {
    let is = |bit: u32| says & (1 << bit) != 0;
    let last = count - 1;
    if is(5) {
        let judge = if reducer.starts_with("adjudicate") {
            "judge"
        } else {
            "Builder"
        };
        let _ = writeln!(
            text,
            "step many: Planner {{ depends s{last} budget: {{ tokens: 5 wall_ms: 5 calls: 1 }} }}"
        );
        let _ = writeln!(
            text,
            "step one: {judge} {{ budget: {{ tokens: 5 wall_ms: 5 calls: 1 }} }}"
        );
        let pairs = if is(6) {
            "fanout many[1..3] -> more[1..3]\n"
        } else {
            ""
        };
        let from = if is(6) { "more" } else { "many" };
        let _ = write!(
            text,
            "fanout s{last} -> many[1..3] with heat=\"0.5\"\n{pairs}reduce {from}[1..3] -> one using {}\n",
            reducer
        );
    }
    if is(7) {
        let release = if is(8) { " else release" } else { "" };
        let _ = writeln!(
            text,
            "flow again(s{last}, max_iter=2) until output.done == true{release}"
        );
    }
    if is(9) {
        let _ = writeln!(
            text,
            "gate sure: UQGate {{ inputs: {{ uq: s0 }} min: 0.5, strict: true on_fail {{ escalate \"please\" }} }}"
        );
        let _ = writeln!(
            text,
            "gate shape: SchemaGate {{ inputs: {{ it: s{last} }} on_fail: repair }}"
        );
    }
    if is(10) {
        *text += "policy rewrite {\non gate_fail => quarantine\non over_budget(s0) => degrade { backoff: truncate }\n";
        *text += "on step_fail(s0) => escalate; on low_confidence => abstain \"who knows\"\n";
        *text += "on policy_violation => escalate\nrequire HITL for s0, mail.send\n}\n";
    }
    if is(11) {
        *text += "step note: Witness { inputs: { trace: ALL } budget: { tokens: 5 wall_ms: 5 calls: 1 } }\n";
    }
}
