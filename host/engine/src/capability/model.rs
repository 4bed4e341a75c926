//! `aim:model/complete`: model calls. Linked, so that a component that needs them can be admitted, and denied on every call,
//! because nothing selects a model yet.
//!
//! INVARIANT: no request leaves the host, whatever the grant says; every call is recorded as a denial.

mod types;

use aim_core::{digest::Digest, transcript::Fields};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use crate::{
    door::{self, Class},
    guest::Guest,
};
use types::{Completion, Request};

const COMPLETE: &str = "aim:model/complete.complete";
/// The rule that a denial cites.
const RULE: &str = "model.selection";

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("complete", complete)
}

type Answer = (Result<Completion, crate::wit::HostError>,);

fn complete(
    mut cx: StoreContextMut<'_, Guest>,
    (request,): (Request,),
) -> wasmtime::Result<Answer> {
    door::begin(&mut cx, Class::Write, request.bytes())?;
    let guest = cx.data_mut();
    let digest = Digest::of(&request.fields().finish());
    let target = crate::text::neutralise(&request.layer, 64);
    let error = door::denied(guest, RULE, COMPLETE, &target);
    let fields = Fields::new().bytes(digest.as_bytes());
    door::conclude(guest, COMPLETE, fields, Err(error), |_| Fields::new())
}
