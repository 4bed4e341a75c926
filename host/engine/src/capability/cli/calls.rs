//! The functions of `wasi:cli`.
//!
//! INVARIANT: what is answered is the grant's, and an exit is an end of the attempt with a code.

use std::sync::Arc;

use aim_core::{
    access::Capability,
    admission::Binding,
    digest::Digest,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, Val},
};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::{
    state::Command,
    streams::{GivenInput, SinkStream},
};
use crate::{
    adapter,
    door::{self, Class},
    guest::{Guest, Stop},
};

type Cx<'a> = StoreContextMut<'a, Guest>;

const CLI: door::Wanted<'static> = (Capability::Cli, None, "any");

const ENVIRONMENT: &str = "wasi:cli/environment.get-environment";
const ARGUMENTS: &str = "wasi:cli/environment.get-arguments";
const CWD: &str = "wasi:cli/environment.initial-cwd";
const EXIT: &str = "wasi:cli/exit.exit";
const EXIT_CODE: &str = "wasi:cli/exit.exit-with-code";
const STDIN: &str = "wasi:cli/stdin.get-stdin";

fn command(cx: &Cx<'_>) -> Arc<Command> {
    Arc::clone(&cx.data().held.command)
}

/// The answer by digest: the grant in the witness holds it.
fn digest_of<'a>(texts: impl Iterator<Item = &'a str>) -> Fields {
    let listed = texts.fold(Fields::new(), Fields::text).finish();
    Fields::new().bytes(Digest::of(&listed).as_bytes())
}

pub(super) fn link_environment(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    door::tell(
        instance,
        Capability::Cli,
        ENVIRONMENT,
        |cx| Ok(command(cx).environment.clone()),
        |list| digest_of(list.iter().flat_map(|(name, value)| [name.as_str(), value])),
    )?;
    door::tell(
        instance,
        Capability::Cli,
        ARGUMENTS,
        |cx| Ok(command(cx).arguments.clone()),
        |list| digest_of(list.iter().map(String::as_str)),
    )?;
    door::tell(
        instance,
        Capability::Cli,
        CWD,
        |_| Ok(None::<String>),
        |_| Fields::new().option(None),
    )
}

pub(super) fn link_exit(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("exit", |cx: Cx<'_>, (status,): (Result<(), ()>,)| {
        exit(cx, EXIT, u8::from(status.is_err()))
    })?;
    instance.func_wrap("exit-with-code", |cx: Cx<'_>, (code,): (u8,)| {
        exit(cx, EXIT_CODE, code)
    })
}

fn exit(mut cx: Cx<'_>, function: &'static str, code: u8) -> wasmtime::Result<()> {
    door::begin(&mut cx, Class::Read, 0)?;
    let request = Fields::new().number(u64::from(code));
    door::record(
        cx.data_mut(),
        function,
        CallVerdict::Ok,
        request,
        Fields::new(),
    )?;
    Err(Stop::Exit(code).error())
}

pub(super) fn link_stdin(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("get-stdin", |mut cx: Cx<'_>, (): ()| {
        let command = command(&cx);
        door::begin(&mut cx, Class::Read, command.stdin.len())?;
        door::spend_or_stop(cx.data(), CLI, command.stdin.len())?;
        let guest = cx.data_mut();
        let response = Fields::new().bytes(Digest::of(&command.stdin).as_bytes());
        door::record(guest, STDIN, CallVerdict::Ok, Fields::new(), response)?;
        let stream: DynInputStream = Box::new(GivenInput::of(&command.stdin));
        let stream = guest.table.push(stream).map_err(adapter::table_error)?;
        Ok((stream,))
    })
}

pub(super) fn link_output(
    instance: &mut LinkerInstance<'_, Guest>,
    is_stderr: bool,
) -> wasmtime::Result<()> {
    let (name, function) = if is_stderr {
        ("get-stderr", "wasi:cli/stderr.get-stderr")
    } else {
        ("get-stdout", "wasi:cli/stdout.get-stdout")
    };
    instance.func_wrap(name, move |mut cx: Cx<'_>, (): ()| {
        door::begin(&mut cx, Class::Read, 0)?;
        door::spend_or_stop(cx.data(), CLI, 0)?;
        let tap = door::Tap::new(cx.data(), CLI);
        let guest = cx.data_mut();
        door::record(
            guest,
            function,
            CallVerdict::Ok,
            Fields::new(),
            Fields::new(),
        )?;
        let stream: DynOutputStream = Box::new(SinkStream::new(guest.sink(is_stderr), Some(tap)));
        let stream: Resource<DynOutputStream> =
            guest.table.push(stream).map_err(adapter::table_error)?;
        Ok((stream,))
    })
}

/// There is no terminal.
pub(super) fn link_terminal(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    for name in &binding.import.functions {
        let function = match name.as_str() {
            "get-terminal-stdin" => "wasi:cli/terminal-stdin.get-terminal-stdin",
            "get-terminal-stdout" => "wasi:cli/terminal-stdout.get-terminal-stdout",
            _ => "wasi:cli/terminal-stderr.get-terminal-stderr",
        };
        instance.func_new(name, move |mut cx: Cx<'_>, _, _, results| {
            door::begin(&mut cx, Class::Read, 0)?;
            let guest = cx.data_mut();
            let none = Fields::new().option(None);
            door::record(guest, function, CallVerdict::Ok, Fields::new(), none)?;
            results.fill(Val::Option(None));
            Ok(())
        })?;
    }
    Ok(())
}
