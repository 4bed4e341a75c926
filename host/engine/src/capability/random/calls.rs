//! The functions of the three interfaces.
//!
//! INVARIANT: a call over its limit ends the attempt before a byte is made.

use aim_core::{
    access::Capability,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use super::state::{granted, number, take};
use crate::{
    door::{self, Class},
    guest::Guest,
};

type Cx<'a> = StoreContextMut<'a, Guest>;

const BYTES: &str = "wasi:random/random.get-random-bytes";
const U64: &str = "wasi:random/random.get-random-u64";
const INSECURE_BYTES: &str = "wasi:random/insecure.get-insecure-random-bytes";
const INSECURE_U64: &str = "wasi:random/insecure.get-insecure-random-u64";
const SEED: &str = "wasi:random/insecure-seed.insecure-seed";

pub(super) fn link_random(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("get-random-bytes", |cx: Cx<'_>, (len,): (u64,)| {
        Ok((draw(cx, BYTES, len)?,))
    })?;
    instance.func_wrap("get-random-u64", |cx: Cx<'_>, (): ()| {
        Ok((number(&draw(cx, U64, 8)?),))
    })
}

pub(super) fn link_insecure(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("get-insecure-random-bytes", |cx: Cx<'_>, (len,): (u64,)| {
        Ok((draw(cx, INSECURE_BYTES, len)?,))
    })?;
    instance.func_wrap("get-insecure-random-u64", |cx: Cx<'_>, (): ()| {
        Ok((number(&draw(cx, INSECURE_U64, 8)?),))
    })
}

pub(super) fn link_seed(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("insecure-seed", |cx: Cx<'_>, (): ()| {
        let bytes = draw(cx, SEED, 16)?;
        let (one, two) = bytes.split_at_checked(8).unwrap_or((&bytes, &[]));
        Ok(((number(one), number(two)),))
    })
}

/// Permits, charges, makes and records `len` bytes.
fn draw(mut cx: Cx<'_>, function: &'static str, len: u64) -> wasmtime::Result<Vec<u8>> {
    let count = take(cx.data_mut(), len)?;
    door::begin(&mut cx, Class::Read, count)?;
    let mode = door::mode_of(cx.data(), Capability::Random);
    door::spend_or_stop(cx.data(), (Capability::Random, mode, "any"), count)?;
    let guest = cx.data_mut();
    let bytes = granted(guest, function, count)?;
    let request = Fields::new().number(len);
    let response = Fields::new().bytes(&bytes);
    door::record(guest, function, CallVerdict::Ok, request, response)?;
    Ok(bytes)
}
