//! The function of `aim:log/log`.
//!
//! INVARIANT: a line is neutralised before it is kept, and its digest is all that the transcript has of it.

use aim_core::{
    access::Capability,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use crate::{
    call::LogLevel,
    door::{self, Class},
    guest::Guest,
    wit,
};

const WRITE: &str = "aim:log/log.write";

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("write", write)
}

type Line = (wit::Level, String, Vec<(String, String)>);

fn write(
    mut cx: StoreContextMut<'_, Guest>,
    (level, message, fields): Line,
) -> wasmtime::Result<()> {
    let contents = fields.iter().fold(message.len(), |sum, (name, value)| {
        sum + name.len() + value.len()
    });
    let bytes = contents.saturating_add(door::elements(fields.len()));
    door::begin(&mut cx, Class::Write, bytes)?;
    let level = match level {
        wit::Level::Trace => LogLevel::Trace,
        wit::Level::Debug => LogLevel::Debug,
        wit::Level::Info => LogLevel::Info,
        wit::Level::Warn => LogLevel::Warn,
        wit::Level::Error => LogLevel::Error,
    };
    let mut request = Fields::new().text(level.word()).text(&message);
    for (name, value) in &fields {
        request = request.text(name).text(value);
    }
    let guest = cx.data_mut();
    let digest = aim_core::digest::Digest::of(&request.finish());
    let digest = Fields::new().bytes(digest.as_bytes());
    if door::take(guest, (Capability::Log, None, "any"), bytes) {
        guest.log.push(level, "log", &message, &fields);
        return door::record(guest, WRITE, CallVerdict::Ok, digest, Fields::new());
    }
    guest
        .log
        .count_dropped(u64::try_from(bytes).unwrap_or(u64::MAX));
    guest.denials = guest.denials.saturating_add(1);
    let response = door::uncovered(guest, WRITE).unwrap_or_default();
    door::record(guest, WRITE, CallVerdict::Denied, digest, response)
}
