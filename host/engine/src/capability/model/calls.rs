//! The function of `aim:model/complete`.
//!
//! INVARIANT: a request is charged and its digest recorded before it is denied.

use aim_core::{digest::Digest, transcript::Fields};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use super::types::{Completion, Request};
use crate::{
    door::{self, Class},
    guest::Guest,
};

const COMPLETE: &str = "aim:model/complete.complete";
/// The rule that a denial cites.
const RULE: &str = "model.selection";

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
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
