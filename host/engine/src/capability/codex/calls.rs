//! The functions of `aim:gate/codex`.
//!
//! INVARIANT: document and preparation cross whole, charged by their bytes.

use aim_core::transcript::{CallVerdict, Fields};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use crate::{
    door::{self, Class},
    guest::Guest,
};

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("document", |mut cx: StoreContextMut<'_, Guest>, (): ()| {
        let codex = std::sync::Arc::clone(&cx.data().codex);
        door::begin(&mut cx, Class::Read, 0)?;
        door::charge(&mut cx, Class::Read, codex.len())?;
        door::record(
            cx.data_mut(),
            "aim:gate/codex.document",
            CallVerdict::Ok,
            Fields::new(),
            Fields::new().number(codex.len() as u64),
        )?;
        Ok((codex,))
    })?;
    instance.func_wrap("prepared", |mut cx: StoreContextMut<'_, Guest>, (): ()| {
        let prepared = std::sync::Arc::clone(&cx.data().prepared);
        door::begin(&mut cx, Class::Read, 0)?;
        door::charge(&mut cx, Class::Read, prepared.len())?;
        door::record(
            cx.data_mut(),
            "aim:gate/codex.prepared",
            CallVerdict::Ok,
            Fields::new(),
            Fields::new().number(prepared.len() as u64),
        )?;
        Ok((prepared,))
    })
}
