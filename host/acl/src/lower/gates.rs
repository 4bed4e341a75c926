//! Gates as the IR has them: named, with an answer for when they do not hold, at the step that they judge.
//!
//! INVARIANT: a gate of a type that nothing judges is refused here, and no gate of a source is left out.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use aim_core::{
    condition::Root,
    name::StepName,
    plan::{self, Check, Clause, GatePhase, JudgeCheck, JudgeKind, OnFail, Rules},
};

use super::{Steps, duplicate, graph::Graph, ppm, recovery};
use crate::{
    ast::{self, Ast, Emit, Gate, GatePlace, GateType, Source, Spanned},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// How sure a step must be when neither the gate nor the step nor the plan says: the routine threshold.
const KAPPA_PPM: u32 = 700_000;

/// Every gate of a plan.
pub(crate) struct Gates {
    of_steps: Vec<Vec<plan::Gate>>,
    pub(super) of_plan: Vec<plan::Gate>,
    /// The tries that the gates of each step ask for, where one of them has it tried again.
    tries: Vec<Option<u32>>,
    /// The same of the plan's own gates.
    tries_of_plan: Option<u32>,
    /// Calls of flows that ask something of their own result.
    covered: BTreeSet<usize>,
}

impl Gates {
    /// Hands over the gates of a step.
    pub(super) fn take(&mut self, index: usize) -> Vec<plan::Gate> {
        self.of_steps
            .get_mut(index)
            .map(core::mem::take)
            .unwrap_or_default()
    }

    /// The tries that a step is given by its gates, and by the plan's own where it is one that they judge.
    pub(super) fn tries(&self, index: usize, is_judged_by_plan: bool) -> Option<u32> {
        let own = self.tries.get(index).copied().flatten();
        own.max(self.tries_of_plan.filter(|_| is_judged_by_plan))
    }

    fn ask_tries(&mut self, index: usize, asked: Option<u32>) {
        if let Some(known) = self.tries.get_mut(index) {
            *known = asked.max(*known);
        }
    }

    /// Notes a step whose output is asked about elsewhere.
    pub(super) fn cover(&mut self, index: Option<usize>) {
        self.covered.extend(index);
    }

    /// True when the plan itself asks something of the step's output.
    pub(crate) fn covers(&self, index: usize) -> bool {
        let gates = self.of_steps.get(index);
        self.covered.contains(&index)
            || gates.is_some_and(|gates| gates.iter().any(|gate| gate.phase == GatePhase::Egress))
    }
}

struct Names<'a> {
    plan: BTreeMap<StepName, &'a Range<usize>>,
    steps: Vec<BTreeMap<StepName, Range<usize>>>,
}

pub(super) fn resolve(ast: &Ast, steps: &Steps<'_>, graph: &Graph, faults: &mut Faults) -> Gates {
    let mut names = Names {
        plan: BTreeMap::new(),
        steps: alloc::vec![BTreeMap::new(); steps.all.len()],
    };
    let mut gates = Gates {
        of_steps: alloc::vec![Vec::new(); steps.all.len()],
        of_plan: Vec::new(),
        tries: alloc::vec![None; steps.all.len()],
        tries_of_plan: None,
        covered: BTreeSet::new(),
    };
    for gate in &ast.gates {
        if let Some(name) = &gate.name
            && let Some(first) = names.plan.insert(name.value.clone(), &name.span)
        {
            faults.push(duplicate("gate", name, first));
        }
        let name = gate.name.as_ref().map(|name| name.value.clone());
        gates.tries_of_plan = gates.tries_of_plan.max(tries(ast, gate, name.as_ref()));
        gates.of_plan.extend(lower(ast, gate, name, faults));
    }
    for (index, (_, step)) in steps.all.iter().enumerate() {
        for gate in &step.gates {
            let name = names.take(index, gate, faults);
            gates.ask_tries(index, tries(ast, gate, name.as_ref()));
            let lowered = lower(ast, gate, name, faults);
            if let Some(slot) = gates.of_steps.get_mut(index) {
                slot.extend(lowered);
            }
        }
    }
    for gate in ast.shards.iter().flat_map(|shard| &shard.gates) {
        typed(ast, gate, steps, graph, &mut names, &mut gates, faults);
    }
    gates
}

impl Names<'_> {
    /// The name of a gate at a step: its own, which may stand once, else its side's.
    fn take(&mut self, index: usize, gate: &Gate, faults: &mut Faults) -> Option<StepName> {
        let taken = self.steps.get_mut(index)?;
        if let Some(name) = &gate.name {
            let first = taken.insert(name.value.clone(), name.span.clone());
            let first = first.or_else(|| self.plan.get(&name.value).map(|span| (*span).clone()));
            if let Some(first) = first {
                faults.push(duplicate("gate", name, &first));
            }
            return Some(name.value.clone());
        }
        let side = if gate.place == GatePlace::Ingress {
            "ingress"
        } else {
            "egress"
        };
        // BOUND: a step has fewer gates than names are tried.
        for number in 1..=taken.len() + self.plan.len() + 1 {
            let text = if number == 1 {
                side.to_string()
            } else {
                format!("{side}_{number}")
            };
            let name = StepName::parse(&text).ok()?;
            if !taken.contains_key(&name) && !self.plan.contains_key(&name) {
                taken.insert(name.clone(), gate.span.clone());
                return Some(name);
            }
        }
        None
    }
}

/// A condition as the IR has it.
pub(super) fn clause_of(check: &Spanned<ast::Check>) -> Clause {
    Clause {
        condition: check.value.condition.clone(),
        source: check.value.source.clone(),
    }
}

fn lower(
    ast: &Ast,
    gate: &Gate,
    name: Option<StepName>,
    faults: &mut Faults,
) -> Option<plan::Gate> {
    if let GatePlace::Typed(kind) = &gate.place {
        out_of_place(kind, faults);
        return None;
    }
    if !gate.has_check {
        let fault = Diagnostic::error(
            codes::INCOMPLETE,
            gate.span.clone(),
            "the gate has no condition",
        );
        let help = match ast.form {
            ast::Form::Lines => "write it after the colon or as `CHECK <condition>` below",
            ast::Form::Braces => "write `require <condition>`",
            ast::Form::Yaml => "write `check: <condition>`",
        };
        faults.push(fault.help(help));
    }
    let phase = if gate.place == GatePlace::Ingress {
        GatePhase::Ingress
    } else {
        GatePhase::Egress
    };
    roots(gate, phase, faults);
    let on_fail = answers(ast, gate, name.as_ref())?;
    let (required, forbidden): (Vec<_>, Vec<_>) =
        gate.clauses.iter().partition(|clause| !clause.is_forbid);
    let require: Vec<Clause> = required
        .iter()
        .map(|clause| clause_of(&clause.check))
        .collect();
    let forbid: Vec<Clause> = forbidden
        .iter()
        .map(|clause| clause_of(&clause.check))
        .collect();
    let check = match require.as_slice() {
        [only] if forbid.is_empty() && gate.emits.is_empty() => Check::Condition(only.clone()),
        [] if forbid.is_empty() && gate.emits.is_empty() => return None,
        _ => Check::Rules(Rules {
            emit: gate.emits.iter().map(|emit| emitted(emit.value)).collect(),
            forbid,
            require,
        }),
    };
    Some(plan::Gate {
        check,
        name: name?,
        severity: plan::Gate::severity_of(&on_fail),
        on_fail,
        phase,
        when: gate.when.as_ref().map(clause_of),
    })
}

fn out_of_place(kind: &Spanned<GateType>, faults: &mut Faults) {
    let message = format!(
        "a {} stands beside steps, not in their place",
        kind.value.word()
    );
    let fault = Diagnostic::error(codes::OUT_OF_PLACE, kind.span.clone(), message);
    faults.push(fault.help("write it in the shard, with `inputs: { <name>: <step> }`"));
}

const fn emitted(emit: Emit) -> plan::Emit {
    match emit {
        Emit::Vif => plan::Emit::Vif,
        Emit::Uq => plan::Emit::Uq,
        Emit::Rs => plan::Emit::Rs,
    }
}

/// What a gate can see: on the way in only what comes in.
fn roots(gate: &Gate, phase: GatePhase, faults: &mut Faults) {
    let reactions = gate
        .on_fail
        .iter()
        .filter_map(|reaction| reaction.when.as_ref());
    let checks = gate
        .clauses
        .iter()
        .map(|clause| &clause.check)
        .chain(reactions)
        .chain(&gate.when);
    for check in checks.filter(|check| check.value.condition.root() == Root::Output) {
        if phase == GatePhase::Ingress {
            let message = "a gate on the way in can not ask about `output`";
            let fault = Diagnostic::error(codes::BAD_CONDITION, check.span.clone(), message);
            faults.push(fault.help("ask about `input.<field>`, or make it a gate on the way out"));
        }
    }
    if phase == GatePhase::Ingress
        && let Some(emit) = gate.emits.first()
    {
        let fault = Diagnostic::error(
            codes::OUT_OF_PLACE,
            emit.span.clone(),
            "nothing is attested on the way in",
        );
        faults.push(fault.help("make it a gate on the way out"));
    }
}

/// The most tries that an answer of the gate asks for: its own, or the one that a rule has for it.
fn tries(ast: &Ast, gate: &Gate, name: Option<&StepName>) -> Option<u32> {
    let own = gate.on_fail.iter();
    let own = own.filter_map(|reaction| reaction.action.value.as_ref());
    let is_open = gate.on_fail.last().is_none_or(|last| last.when.is_some());
    let of_rules = name.filter(|_| is_open);
    let of_rules = of_rules.and_then(|name| recovery::for_gate(ast, name));
    own.chain(of_rules).filter_map(recovery::tries).max()
}

/// What happens when the gate does not hold: what it says, else what the rules say, else the run ends.
fn answers(ast: &Ast, gate: &Gate, name: Option<&StepName>) -> Option<Vec<OnFail>> {
    let mut answers = Vec::with_capacity(gate.on_fail.len() + 1);
    for reaction in &gate.on_fail {
        let mut answer = recovery::on_fail(reaction.action.value.as_ref()?);
        answer.condition = reaction.when.as_ref().map(clause_of);
        answers.push(answer);
    }
    if answers.last().is_none_or(|last| last.condition.is_some()) {
        let of_rules = name.and_then(|name| recovery::for_gate(ast, name));
        answers
            .push(of_rules.map_or_else(|| OnFail::always(plan::Action::Abort), recovery::on_fail));
    }
    Some(answers)
}

const fn kind_of(kind: GateType) -> JudgeKind {
    match kind {
        GateType::Parity => JudgeKind::Parity,
        GateType::Policy => JudgeKind::Policy,
        GateType::Provenance => JudgeKind::Provenance,
        GateType::Uq => JudgeKind::Uq,
        GateType::Diff => JudgeKind::Diff,
        GateType::Schema => JudgeKind::Schema,
        GateType::Hitl => JudgeKind::Hitl,
    }
}

/// A typed gate judges each of the steps that it is given, before anything leaves that step.
fn typed(
    ast: &Ast,
    gate: &Gate,
    steps: &Steps<'_>,
    graph: &Graph,
    names: &mut Names<'_>,
    gates: &mut Gates,
    faults: &mut Faults,
) {
    let Some(kind) = judge_kind(gate, faults) else {
        return;
    };
    beside_the_point(gate, kind, faults);
    let (inputs, judged) = given(gate, steps, faults);
    for at in (graph.order.iter().copied()).filter(|index| judged.contains(index)) {
        let Some(name) = names.take(at, gate, faults) else {
            return;
        };
        let Some(on_fail) = answers(ast, gate, Some(&name)) else {
            return;
        };
        gates.ask_tries(at, tries(ast, gate, Some(&name)));
        let check = JudgeCheck {
            inputs: inputs.clone(),
            is_strict: gate.strict.as_ref().is_some_and(|strict| strict.value),
            kind,
            policy: (gate.policy.as_ref()).map(|policy| String::from(policy.value.as_str())),
            threshold_ppm: (kind == JudgeKind::Uq).then(|| threshold(ast, gate, steps, at)),
        };
        let lowered = plan::Gate {
            check: Check::Judge(check),
            name,
            severity: plan::Gate::severity_of(&on_fail),
            on_fail,
            phase: GatePhase::Egress,
            when: gate.when.as_ref().map(clause_of),
        };
        if let Some(slot) = gates.of_steps.get_mut(at) {
            slot.push(lowered);
        }
    }
}

/// Words of a typed gate by which its type does not judge: whoever wrote one is told that it changes nothing.
fn beside_the_point(gate: &Gate, kind: JudgeKind, faults: &mut Faults) {
    if !kind.has_evaluator() {
        return;
    }
    let policy = gate.policy.as_ref().map(|one| ("policy", &one.span));
    let is_schema = kind == JudgeKind::Schema;
    let min = gate.min.as_ref().filter(|_| is_schema);
    let strict = gate.strict.as_ref().filter(|_| is_schema);
    let min = min.map(|one| ("min", &one.span));
    let strict = strict.map(|one| ("strict", &one.span));
    for (word, span) in policy.into_iter().chain(min).chain(strict) {
        let what = if is_schema { "SchemaGate" } else { "UQGate" };
        let message = format!("a {what} does not judge by `{word}`");
        let fault = Diagnostic::warning(codes::IDLE_WORD, span.clone(), message);
        faults.push(fault.help(format!("take `{word}` out: it changes nothing")));
    }
}

/// The judge of a typed gate; a type that nothing judges is reported and read on.
fn judge_kind(gate: &Gate, faults: &mut Faults) -> Option<JudgeKind> {
    let GatePlace::Typed(kind) = &gate.place else {
        let message = "a gate without a type stands outside a step";
        let fault = Diagnostic::error(codes::OUT_OF_PLACE, gate.span.clone(), message);
        let help = "move it into its step, or give it a type: `gate <name>: UQGate { ... }`";
        faults.push(fault.help(help));
        return None;
    };
    let judge = kind_of(kind.value);
    if !judge.has_evaluator() {
        let message = format!("nothing here judges a {}", kind.value.word());
        let fault = Diagnostic::error(codes::NO_EVALUATOR, kind.span.clone(), message);
        let help = "a gate that nobody evaluates would be one that passes; use a UQGate, a SchemaGate or conditions";
        faults.push(fault.help(help));
    }
    Some(judge)
}

/// The steps that a typed gate is given, by its own names and by index.
fn given(
    gate: &Gate,
    steps: &Steps<'_>,
    faults: &mut Faults,
) -> (BTreeMap<StepName, StepName>, BTreeSet<usize>) {
    let (mut inputs, mut judged) = (BTreeMap::new(), BTreeSet::new());
    for input in &gate.inputs {
        let span = &input.value.span;
        if let Source::Step(step) = &input.value.value {
            judged.extend(steps.find(step, span, faults));
            inputs.insert(input.name.value.clone(), step.clone());
        } else {
            let fault = Diagnostic::error(codes::BAD_VALUE, span.clone(), "a gate is given steps");
            faults.push(fault.help("write the name of a step"));
        }
    }
    if gate.inputs.is_empty() {
        let message = "the gate is given no step to judge";
        let fault = Diagnostic::error(codes::INCOMPLETE, gate.span.clone(), message);
        faults.push(fault.help("write `inputs: { <name>: <step> }`"));
    }
    (inputs, judged)
}

fn threshold(ast: &Ast, gate: &Gate, steps: &Steps<'_>, at: usize) -> u32 {
    let of_step = steps.all.get(at).and_then(|(_, step)| step.kappa.as_ref());
    let written = gate
        .min
        .as_ref()
        .or(of_step)
        .or(ast.settings.kappa.as_ref());
    written.map_or(KAPPA_PPM, |share| ppm(&share.value))
}
