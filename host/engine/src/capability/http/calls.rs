//! The functions of `wasi:http`: `handler` sends, `request` and `fields` build what is sent, `response` is read.
//!
//! INVARIANT: a function that sends nothing is charged and not recorded.

mod fields;
mod handler;
mod request;
mod response;

use aim_core::{admission::Binding, outcome::LimitKind};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceTableError, ResourceType},
};
use wasmtime_wasi_io::streams::Error as IoError;

use super::types;
use crate::{
    adapter::{self, Fixed},
    door::charged,
    guest::{Guest, Stop},
};

pub(super) fn link_handler(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    handler::link(instance)
}

pub(super) fn link_types(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    link_receiving(instance, binding)?;
    fields::link(instance)?;
    request::link(instance)?;
    response::link(instance)?;
    instance.func_wrap(
        "http-error-code",
        |mut cx: StoreContextMut<'_, Guest>, (_,): (Resource<IoError>,)| {
            charged(&mut cx, 0)?;
            // An answer is whole before it is read, so no stream of ours fails for a reason of the other side.
            Ok((None::<types::ErrorCode>,))
        },
    )
}

/// A resource of the half that receives; no guest ever gets one.
struct Nothing;

/// Links what a toolchain imports of the half that receives. There is nothing to call it on: no request ever comes in.
fn link_receiving(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    const RESOURCES: [&str; 3] = ["incoming-request", "response-outparam", "outgoing-response"];
    for resource in RESOURCES {
        instance.resource(resource, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
    }
    let is_receiving = |function: &&String| {
        let rest = function.split_once(']').map_or("", |(_, rest)| rest);
        let resource = rest.split_once('.').map_or(rest, |(resource, _)| resource);
        RESOURCES.contains(&resource)
    };
    for function in binding.import.functions.iter().filter(is_receiving) {
        adapter::link_fixed(instance, function, Fixed::Empty, None)?;
    }
    Ok(())
}

fn push<T: Send + 'static>(guest: &mut Guest, value: T) -> wasmtime::Result<Resource<T>> {
    guest.table.push(value).map_err(|error| match error {
        ResourceTableError::Full => Stop::Limit(LimitKind::Handles).error(),
        other => other.into(),
    })
}

fn delete<T: Send + 'static>(guest: &mut Guest, resource: Resource<T>) -> wasmtime::Result<T> {
    Ok(guest.table.delete(resource)?)
}
