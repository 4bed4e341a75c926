//! A plan's soft marks held against the component: whoever is to save must be able to hear of it.
//!
//! INVARIANT: `summarize` and `truncate` are work of the step; a step that nobody can tell is not admitted with them.

use aim_core::{
    access::Capability,
    admission::{How, Linkage},
    plan::{SoftBackoff, Step},
};

use super::RefusedReason;

/// Why the step's way to save can not be; `None` where it can. The host tells a step by labels, so it has to read them.
pub(super) fn check(step: &Step, linkage: &Linkage) -> Option<RefusedReason> {
    let soft = step.budget.soft?;
    if soft.backoff == SoftBackoff::RouteSmallerModel {
        return None;
    }
    let mut bindings = linkage.bindings().iter();
    let is_told = bindings.any(|one| one.how == How::Serve(Capability::Context));
    (!is_told).then(|| RefusedReason {
        code: "AIM-R074",
        message: format!(
            "`backoff: {}` is the step's own work, and its component does not import `aim:host/context`: it can't be told",
            soft.backoff.word()
        ),
        help: "use a component that looks up the labels `backoff` and `soft.*` of `aim:host/context`, or give the step a \
               fallback and write `route_smaller_model`"
            .to_owned(),
        is_denial: false,
    })
}
