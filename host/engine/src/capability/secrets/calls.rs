//! The functions of `aim:secret/handles`.
//!
//! INVARIANT: what crosses is a name or a placeholder, never a value.

use aim_core::{
    access::Capability,
    secret::placeholder,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use crate::{
    door::{self, Class},
    guest::Guest,
    wit,
};

const NAMES: &str = "aim:secret/handles.names";
const PLACEHOLDER: &str = "aim:secret/handles.placeholder";

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("names", |mut cx: StoreContextMut<'_, Guest>, (): ()| {
        door::begin(&mut cx, Class::Read, 0)?;
        let guest = cx.data_mut();
        let names: Vec<String> = guest.secrets.iter().cloned().collect();
        let response = names
            .iter()
            .fold(Fields::new(), |fields, name| fields.text(name));
        door::record(guest, NAMES, CallVerdict::Ok, Fields::new(), response)?;
        Ok((names,))
    })?;
    instance.func_wrap("placeholder", of_name)
}

fn of_name(
    mut cx: StoreContextMut<'_, Guest>,
    (name,): (String,),
) -> wasmtime::Result<(Result<String, wit::HostError>,)> {
    door::begin(&mut cx, Class::Read, name.len())?;
    let guest = cx.data_mut();
    let request = Fields::new().text(&name);
    let result = if guest.secrets.contains(&name) {
        door::spend(
            guest,
            (Capability::Secrets, None, &name),
            name.len(),
            PLACEHOLDER,
        )
        .map(|()| placeholder(&name))
    } else {
        let shown = crate::text::neutralise(&name, 64);
        Err(door::denied(
            guest,
            Capability::Secrets.name(),
            PLACEHOLDER,
            &shown,
        ))
    };
    door::conclude(guest, PLACEHOLDER, request, result, |text| {
        Fields::new().text(text)
    })
}
