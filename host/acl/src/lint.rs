//! Lints: plans that compile and may still not be what their author wants.
//!
//! INVARIANT: a lint is a warning and never an error, and it says what to write instead.

use alloc::{collections::BTreeSet, format};

use aim_core::{name::StepName, plan::BUILTIN_ROLES};

use crate::{
    ast::{Ast, Form, GatePlace, GateType, Rule, RuleEvent, Step, Subject},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// A description of more bytes is worth a remark: it is sent with every attempt.
const DESCRIPTION_BYTES_MAX: usize = 2_000;
/// Kinds of steps that claim how sure they are.
const CLAIMING: [&str; 3] = ["reasoner", "verifier", "critic"];

pub(crate) fn lint(ast: &Ast, faults: &mut Faults) {
    for step in ast.steps() {
        long_description(step, faults);
        no_confidence(ast, step, faults);
    }
    unreduced(ast, faults);
    wildcards(ast, faults);
}

fn long_description(step: &Step, faults: &mut Faults) {
    let Some(text) = step
        .assign
        .as_ref()
        .and_then(|assign| assign.description.as_ref())
    else {
        return;
    };
    if text.value.len() > DESCRIPTION_BYTES_MAX {
        let message = format!("the description has {} bytes", text.value.len());
        let fault = Diagnostic::warning(codes::LONG_PROMPT, text.span.clone(), message);
        faults.push(fault.help(format!(
            "say it in at most {DESCRIPTION_BYTES_MAX}, and give the rest as an input"
        )));
    }
}

/// A step that claims something, and nobody asks how sure it is.
fn no_confidence(ast: &Ast, step: &Step, faults: &mut Faults) {
    let role = step.assign.as_ref().and_then(|assign| assign.role.as_ref());
    let (Some(role), Some(name)) = (role, &step.name) else {
        return;
    };
    let declared = ast
        .roles
        .iter()
        .find(|known| known.name.value == role.value)
        .and_then(|role| role.kind.as_ref());
    let kind = declared.map_or_else(
        || role.value.as_str().to_ascii_lowercase(),
        |kind| kind.value.as_str().into(),
    );
    if !BUILTIN_ROLES.contains(&kind.as_str()) || !CLAIMING.contains(&kind.as_str()) {
        return;
    }
    let asks = |path: &[alloc::string::String]| {
        path.iter()
            .any(|field| field.contains("confidence") || field.contains("uq"))
    };
    let own = step.gates.iter().any(|gate| {
        gate.emits
            .iter()
            .any(|emit| emit.value == crate::ast::Emit::Uq)
            || gate
                .clauses
                .iter()
                .any(|clause| asks(clause.check.value.condition.path()))
    });
    let typed = ast
        .shards
        .iter()
        .flat_map(|shard| &shard.gates)
        .any(|gate| {
            let is_uq = matches!(&gate.place, GatePlace::Typed(kind) if kind.value == GateType::Uq);
            is_uq
                && gate
                    .inputs
                    .iter()
                    .any(|input| input.value.value == crate::ast::Source::Step(name.value.clone()))
        });
    if !own && !typed && step.kappa.is_none() && ast.settings.kappa.is_none() {
        let message = format!("nothing asks how sure `{}` is", name.value);
        let fault = Diagnostic::warning(codes::NO_CONFIDENCE, step.span.clone(), message);
        faults.push(fault.help(match ast.form {
            Form::Lines => "ask in a gate of the step, such as `GATE sure: output.confidence >= 0.85`",
            Form::Braces => "ask in a gate, such as `output.confidence >= 0.85`, or set `kappa`",
            Form::Yaml => {
                "declare a gate, such as `sure: output.confidence >= 0.85`, and name it in the step: `gates: [sure]`"
            }
        }));
    }
}

fn unreduced(ast: &Ast, faults: &mut Faults) {
    let shards = || ast.shards.iter();
    let reduced: BTreeSet<&StepName> = shards()
        .flat_map(|shard| &shard.reduces)
        .map(|reduce| &reduce.from.value)
        .collect();
    let paired = |name: &StepName| {
        shards()
            .flat_map(|shard| &shard.fanouts)
            .any(|other| other.from.value == *name && other.from_bounds.is_some())
    };
    for fanout in shards().flat_map(|shard| &shard.fanouts) {
        if !reduced.contains(&fanout.to.value) && !paired(&fanout.to.value) {
            let message = format!(
                "the instances of `{}` are never reduced to one",
                fanout.to.value
            );
            let fault = Diagnostic::warning(codes::UNREDUCED, fanout.span.clone(), message);
            faults.push(fault.help(format!(
                "write `reduce {} -> <step> using vote=majority`",
                fanout.to.value
            )));
        }
    }
}

fn wildcards(ast: &Ast, faults: &mut Faults) {
    for rule in ast
        .shards
        .iter()
        .flat_map(|shard| &shard.rules)
        .flat_map(|rules| &rules.rules)
    {
        let wide = match rule {
            Rule::On { event, .. } => match &event.value {
                RuleEvent::GateFail(None) => Some((&event.span, "the rule is for every gate")),
                RuleEvent::StepFail(None) => Some((&event.span, "the rule is for every step")),
                _ => None,
            },
            Rule::RequireHitl(subjects) => (subjects.iter())
                .find(|subject| subject.value == Subject::All)
                .map(|subject| (&subject.span, "a person is asked before every step")),
        };
        if let Some((span, message)) = wide {
            let fault = Diagnostic::warning(codes::WILDCARD, span.clone(), message);
            faults.push(fault.help(
                "name what it is meant for, so that a new gate or step does not get it unseen",
            ));
        }
    }
}
