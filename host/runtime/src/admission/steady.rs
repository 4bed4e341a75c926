//! A plan's claim to give the same answer every time, held against what its steps are granted.
//!
//! INVARIANT: no step of a plan that makes the claim reads the machine's clock or chance, or asks another machine.

use aim_core::{
    access::{Capability, Grant, Mode},
    plan::Step,
};

use super::{RefusedReason, Request};

/// Every granted use whose answer may be another one the next time; empty where the plan claims nothing.
pub(super) fn check(request: &Request<'_>, step: &Step, granted: &Grant) -> Vec<RefusedReason> {
    if !request.plan.header().is_deterministic {
        return Vec::new();
    }
    let uses = granted.uses().filter(|used| {
        let is_real = used.mode == Some(Mode::Real);
        is_real || matches!(used.capability, Capability::Http | Capability::Model)
    });
    let mut names: Vec<String> = (uses)
        .map(|used| match used.mode {
            Some(mode) => format!("{}.{}", used.capability.name(), mode.word()),
            None => used.capability.name().to_owned(),
        })
        .collect();
    names.dedup();
    let reasons = names.into_iter().map(|name| RefusedReason {
        code: "AIM-R075",
        message: format!(
            "`{name}` is granted to step `{}`, and the plan claims to be deterministic",
            step.name
        ),
        help: "take `deterministic: true` out of the header, or have the contract ask for nothing but virtual clocks and chance"
            .to_owned(),
        is_denial: false,
    });
    reasons.collect()
}
