//! The functions of `aim:host/context`.
//!
//! INVARIANT: every answer is a copy of the call's own context, and recorded.

use aim_core::{
    access::Capability,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use crate::{
    door::{self, Class, tell},
    guest::Guest,
};

#[expect(
    clippy::ptr_arg,
    reason = "`tell` hands on a reference to the answer's own type"
)]
fn text(text: &String) -> Fields {
    Fields::new().text(text)
}

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    macro_rules! tell_text {
        ($name:literal, $field:ident) => {
            tell(
                instance,
                Capability::Context,
                concat!("aim:host/context.", $name),
                |cx| Ok(cx.data().context.$field.clone()),
                text,
            )?;
        };
    }
    tell_text!("run-id", run);
    tell_text!("step-name", step);
    tell_text!("role", role);
    tell_text!("tenant", tenant);
    tell_text!("actor", actor);
    tell_text!("correlation-id", correlation);
    tell_text!("traceparent", traceparent);
    tell(
        instance,
        Capability::Context,
        "aim:host/context.causation-id",
        |cx| Ok(cx.data().context.causation.clone()),
        |value| Fields::new().option(value.as_deref()),
    )?;
    tell(
        instance,
        Capability::Context,
        "aim:host/context.attempt",
        |cx| Ok(cx.data().context.attempt),
        |value| Fields::new().number(u64::from(*value)),
    )?;
    tell(
        instance,
        Capability::Context,
        "aim:host/context.plan",
        |cx| Ok(cx.data().context.plan.to_string()),
        text,
    )?;
    tell(
        instance,
        Capability::Context,
        "aim:host/context.component",
        |cx| Ok(cx.data().context.component.to_string()),
        text,
    )?;
    tell(
        instance,
        Capability::Context,
        "aim:host/context.seed",
        |cx| Ok(cx.data().context.seed),
        |value| Fields::new().number(*value),
    )?;
    instance.func_wrap("label", label)
}

fn label(
    mut cx: StoreContextMut<'_, Guest>,
    (key,): (String,),
) -> wasmtime::Result<(Option<String>,)> {
    door::begin(&mut cx, Class::Read, key.len())?;
    door::spend_or_stop(cx.data(), (Capability::Context, None, "any"), key.len())?;
    let guest = cx.data_mut();
    let value = guest.context.labels.get(&key).cloned();
    door::record(
        guest,
        "aim:host/context.label",
        CallVerdict::Ok,
        Fields::new().text(&key),
        Fields::new().option(value.as_deref()),
    )?;
    Ok((value,))
}
