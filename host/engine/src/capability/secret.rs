//! `aim:secret/handles`: the names of granted secrets, and the text that stands for one in a header's value.
//!
//! INVARIANT: no secret is in reach here; a guest learns the names that its own contract asked for.

use aim_core::{access::Capability, secret::placeholder, transcript::Fields};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use crate::{
    door::{self, Class},
    guest::Guest,
    wit,
};

const PLACEHOLDER: &str = "aim:secret/handles.placeholder";

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    door::tell(
        instance,
        "aim:secret/handles.names",
        |cx| Ok(cx.data().secrets.iter().cloned().collect::<Vec<String>>()),
        |names| {
            names
                .iter()
                .fold(Fields::new(), |fields, name| fields.text(name))
        },
    )?;
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
        Ok(placeholder(&name))
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
