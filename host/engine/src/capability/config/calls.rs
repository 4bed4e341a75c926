//! The functions of `wasi:config/store`.
//!
//! INVARIANT: every value that a guest got is in the transcript.

use aim_core::transcript::{CallVerdict, Fields};
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
        let request = Fields::new().text(&key);
        let response = Fields::new().option(value.as_deref());
        door::record(cx.data_mut(), GET, CallVerdict::Ok, request, response)?;
        Ok((Ok::<_, Error>(value),))
    })?;
    instance.func_wrap("get-all", |mut cx: Cx<'_>, (): ()| {
        let values = cx.data().held.config.iter();
        let values: Vec<(String, String)> = values.map(|(k, v)| (k.clone(), v.clone())).collect();
        let bytes = values.iter().map(|(k, v)| k.len() + v.len()).sum();
        door::begin(&mut cx, Class::Read, bytes)?;
        let response = values
            .iter()
            .fold(Fields::new(), |fields, (k, v)| fields.text(k).text(v));
        let guest = cx.data_mut();
        door::record(guest, GET_ALL, CallVerdict::Ok, Fields::new(), response)?;
        Ok((Ok::<_, Error>(values),))
    })
}
