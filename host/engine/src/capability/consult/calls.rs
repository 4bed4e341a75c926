//! The function of `aim:gate/consult`.
//!
//! INVARIANT: an objection and no answer at all are both told to the guest, never turned into a yes.

use std::sync::Arc;

use aim_core::{
    access::Capability,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use crate::{
    convert,
    door::{self, Class},
    guest::Guest,
    wit,
};

const CHECK: &str = "aim:gate/consult.check";

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap_async(
        "check",
        |cx: StoreContextMut<'_, Guest>, (action, target, payload): (String, String, Vec<u8>)| {
            Box::new(check(cx, action, target, payload))
        },
    )
}

async fn check(
    mut cx: StoreContextMut<'_, Guest>,
    action: String,
    target: String,
    payload: Vec<u8>,
) -> wasmtime::Result<(Result<wit::Decision, wit::HostError>,)> {
    let bytes = action.len() + target.len() + payload.len();
    door::begin(&mut cx, Class::Wait, bytes)?;
    let request = Fields::new().text(&action).text(&target).bytes(&payload);
    let spent = door::spend(cx.data(), (Capability::Consult, None, "any"), bytes, CHECK);
    if let Err(error) = spent {
        return door::conclude(cx.data_mut(), CHECK, request, Err(error), |_| Fields::new());
    }
    let Some(services) = cx.data().services.as_ref().map(Arc::clone) else {
        let error = wit::HostError::Unavailable("gates".to_owned());
        return door::conclude(cx.data_mut(), CHECK, request, Err(error), |_| Fields::new());
    };
    let answer = services.consult(action, target, payload).await;
    let guest = cx.data_mut();
    match answer {
        Ok(decision) => {
            // An objection counts as a denial, so that a guest that gives up over it can cite this call.
            let verdict = if decision.verdict.releases() {
                CallVerdict::Ok
            } else {
                guest.denials = guest.denials.saturating_add(1);
                CallVerdict::Denied
            };
            let json = serde_json::to_vec(&decision).unwrap_or_default();
            door::record(guest, CHECK, verdict, request, Fields::new().bytes(&json))?;
            match convert::decision_to_guest(decision) {
                Some(decision) => Ok((Ok(decision),)),
                None => Ok((Err(wit::HostError::Unavailable("gates".to_owned())),)),
            }
        }
        Err(error) => {
            let error = door::port_error(&error, "gates");
            door::conclude(guest, CHECK, request, Err(error), |_| Fields::new())
        }
    }
}
