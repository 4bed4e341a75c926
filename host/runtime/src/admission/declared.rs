//! A grant held against what the plan says of the step: the effects that it declares, and in how many branches it runs.
//!
//! INVARIANT: once a plan declares effects, no step of it is granted one that it does not declare; and a step is not admitted
//! for more branches than its grant can be divided among.

use std::collections::BTreeSet;

use aim_core::{
    access::{Grant, TokenLimits, undeclared, undivided},
    plan::Step,
};

use super::{Node, RefusedReason, Request};

/// Everything that the plan and the grant disagree about.
pub(super) fn check(
    request: &Request<'_>,
    step: &Step,
    node: &Node,
    granted: &Grant,
) -> Vec<RefusedReason> {
    let mut reasons = Vec::new();
    if request.plan.declares_effects() {
        let missing = undeclared(granted, &step.effects);
        let declared = step.effects.iter().map(|effect| effect.word());
        let whole: BTreeSet<&str> = declared
            .chain(missing.iter().map(|(_, effect)| effect.word()))
            .collect();
        let whole: Vec<&str> = whole.into_iter().collect();
        reasons.extend(missing.iter().map(|(used, effect)| RefusedReason {
            code: "AIM-P044",
            message: format!(
                "`{used}` is granted and has the effect `{}`, which step `{}` does not declare",
                effect.word(),
                step.name
            ),
            help: format!(
                "write `effects: [{}]` in the step, or take the ask out of the contract",
                whole.join(", ")
            ),
            is_denial: false,
        }));
    }
    let branches = u32::try_from(step.instances()).unwrap_or(u32::MAX);
    let limits = TokenLimits::of(&node.contract.limits);
    let short = undivided(granted, limits, branches);
    reasons.extend(short.into_iter().map(|(ask, error)| RefusedReason {
        code: error.code(),
        message: format!("`{ask}`: {error}"),
        help: "ask for more calls in the contract, or run fewer branches".to_owned(),
        is_denial: false,
    }));
    reasons
}
