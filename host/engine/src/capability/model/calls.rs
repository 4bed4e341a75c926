//! The function of `aim:model/complete`.
//!
//! INVARIANT: a request is permitted, charged for all the tokens that it may take, and its digest recorded, before anything is
//! done about it; and nothing is.

use aim_core::{access::Capability, digest::Digest, transcript::Fields};
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
    let tokens = u64::from(request.output_tokens_max);
    let wanted = (Capability::Model, None, "any");
    let spent = door::spend_tokens(guest, wanted, (request.bytes(), tokens), COMPLETE);
    let error = spent.err().unwrap_or_else(|| {
        // No model was asked, so none of them was moved.
        door::give_back_tokens(guest, tokens);
        door::denied(guest, RULE, COMPLETE, &target)
    });
    let fields = Fields::new().bytes(digest.as_bytes());
    door::conclude(guest, COMPLETE, fields, Err(error), |_| Fields::new())
}
