//! The functions of `wasi:config/store`.
//!
//! INVARIANT: every value that a guest got is in the transcript.

use aim_core::{
    access::Capability,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use super::types::Error;
use crate::{
    door::{self, Class},
    guest::Guest,
};

type Cx<'a> = StoreContextMut<'a, Guest>;

const GET: &str = "wasi:config/store.get";
const GET_ALL: &str = "wasi:config/store.get-all";

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("get", |mut cx: Cx<'_>, (key,): (String,)| {
        let value = cx.data().held.config.get(&key).cloned();
        let bytes = key.len() + value.as_ref().map_or(0, String::len);
        door::begin(&mut cx, Class::Read, bytes)?;
        let guest = cx.data_mut();
        let request = Fields::new().text(&key);
        // A key that is not granted has no value here, and no token.
        let result = match value {
            Some(_) if !paid(guest, &key, bytes) => Err(refused()),
            value => Ok(value),
        };
        conclude(guest, GET, request, result, |value| {
            Fields::new().option(value.as_deref())
        })
    })?;
    instance.func_wrap("get-all", |mut cx: Cx<'_>, (): ()| {
        let values = cx.data().held.config.iter();
        let values: Vec<(String, String)> = values.map(|(k, v)| (k.clone(), v.clone())).collect();
        let bytes = values.iter().map(|(k, v)| k.len() + v.len()).sum();
        door::begin(&mut cx, Class::Read, bytes)?;
        let guest = cx.data_mut();
        let is_paid = values
            .iter()
            .all(|(key, value)| paid(guest, key, key.len() + value.len()));
        let result = if is_paid { Ok(values) } else { Err(refused()) };
        conclude(guest, GET_ALL, Fields::new(), result, |values| {
            let values = values.iter();
            values.fold(Fields::new(), |fields, (k, v)| fields.text(k).text(v))
        })
    })
}

fn paid(guest: &mut Guest, key: &str, bytes: usize) -> bool {
    door::take(guest, (Capability::Config, None, key), bytes)
}

/// What the guest gets instead of a value that no token paid for.
fn refused() -> Error {
    Error::Upstream("denied by the grant's token".to_owned())
}

fn conclude<T>(
    guest: &mut Guest,
    function: &'static str,
    request: Fields,
    result: Result<T, Error>,
    show: impl FnOnce(&T) -> Fields,
) -> wasmtime::Result<(Result<T, Error>,)> {
    let (verdict, response) = match &result {
        Ok(value) => (CallVerdict::Ok, show(value)),
        Err(_) => {
            guest.denials = guest.denials.saturating_add(1);
            let why = door::uncovered(guest, function).unwrap_or_default();
            (CallVerdict::Denied, why)
        }
    };
    door::record(guest, function, verdict, request, response)?;
    Ok((result,))
}
