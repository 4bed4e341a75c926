//! `wasi:io`: polls, streams and their errors, on whatever a granted or adapted interface has put into the table.
//!
//! What a call does is the engine library's own; what stands behind a stream is the capability's. Here every call is
//! charged, for itself and for the bytes that cross, so that asking is never free.
//!
//! Which of several waits is over depends on the machine's time where that is granted; then the answer is written down, and a
//! replay gives it again. All other answers follow from what was written down of the thing behind them.
//!
//! INVARIANT: every function of `wasi:io` is charged before it does anything; what a read or a splice has moved is charged
//! before the guest sees it.

use aim_core::transcript::{CallVerdict, Fields};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceTable, ResourceType},
};
use wasmtime_wasi_io::{
    bindings::wasi::io::{
        error::HostError,
        poll::{Host as HostPoll, HostPollable},
        streams::{Host as HostStreams, HostInputStream, HostOutputStream, StreamError},
    },
    poll::DynPollable,
    streams::{DynInputStream, DynOutputStream, Error, StreamResult},
};

use crate::{
    door::{self, charged},
    guest::Guest,
};

const READY: &str = "wasi:io/poll.[method]pollable.ready";
const POLL: &str = "wasi:io/poll.poll";

type Cx<'a> = StoreContextMut<'a, Guest>;
type Input = Resource<DynInputStream>;
type Output = Resource<DynOutputStream>;
type Told<T> = wasmtime::Result<(Result<T, StreamError>,)>;

/// Links one of the three interfaces.
pub(crate) fn link(
    instance: &mut LinkerInstance<'_, Guest>,
    interface: &str,
) -> wasmtime::Result<()> {
    match interface {
        "wasi:io/error" => link_error(instance),
        "wasi:io/poll" => link_poll(instance),
        "wasi:io/streams" => {
            link_input(instance)?;
            link_skips(instance)?;
            link_output(instance)?;
            link_zeroes(instance)?;
            link_splices(instance)
        }
        other => wasmtime::bail!("`{other}` is no plumbing"),
    }
}

fn table<'a>(cx: &'a mut Cx<'_>) -> &'a mut ResourceTable {
    &mut cx.data_mut().table
}

/// A stream's answer as the guest gets it, once the bytes that it moved are charged.
fn told<T>(cx: &mut Cx<'_>, answer: StreamResult<T>, moved: impl Fn(&T) -> usize) -> Told<T> {
    match answer {
        Ok(value) => {
            let bytes = moved(&value);
            if bytes > 0 {
                charged(cx, bytes)?;
            }
            Ok((Ok(value),))
        }
        Err(error) => {
            let error = HostStreams::convert_stream_error(table(cx), error)?;
            Ok((Err(error),))
        }
    }
}

/// What one call may ask a stream for.
fn capped(cx: &Cx<'_>, len: u64) -> u64 {
    len.min(u64::from(cx.data().limits.host_call_bytes_max))
}

/// Where no more bytes cross than were charged already.
const fn none<T>(_: &T) -> usize {
    0
}

/// Bytes that went from one stream to another.
fn length(moved: &u64) -> usize {
    usize::try_from(*moved).unwrap_or(usize::MAX)
}

fn link_error(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.resource("error", ResourceType::host::<Error>(), |mut cx, rep| {
        HostError::drop(table(&mut cx), Resource::new_own(rep))
    })?;
    instance.func_wrap(
        "[method]error.to-debug-string",
        |mut cx: Cx<'_>, (error,): (Resource<Error>,)| {
            charged(&mut cx, 0)?;
            let text = HostError::to_debug_string(table(&mut cx), error)?;
            charged(&mut cx, text.len())?;
            Ok((text,))
        },
    )
}

fn link_poll(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    let pollable = ResourceType::host::<DynPollable>();
    instance.resource("pollable", pollable, |mut cx, rep| {
        HostPollable::drop(table(&mut cx), Resource::new_own(rep))
    })?;
    instance.func_wrap_async(
        "[method]pollable.ready",
        |mut cx: Cx<'_>, (pollable,): (Resource<DynPollable>,)| {
            Box::new(async move {
                charged(&mut cx, 0)?;
                Ok((ready(&mut cx, pollable).await?,))
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]pollable.block",
        |mut cx: Cx<'_>, (pollable,): (Resource<DynPollable>,)| {
            Box::new(async move {
                charged(&mut cx, 0)?;
                HostPollable::block(table(&mut cx), pollable).await
            })
        },
    )?;
    instance.func_wrap_async(
        "poll",
        |mut cx: Cx<'_>, (pollables,): (Vec<Resource<DynPollable>>,)| {
            Box::new(async move {
                charged(&mut cx, door::elements(pollables.len()))?;
                Ok((poll(&mut cx, pollables).await?,))
            })
        },
    )
}

/// Whether one wait is over.
async fn ready(cx: &mut Cx<'_>, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
    if !cx.data().held.wants_real_clock {
        return HostPollable::ready(table(cx), pollable).await;
    }
    let is_ready = match door::played_numbers(cx.data(), READY).as_deref() {
        Some([told]) => *told != 0,
        _ => HostPollable::ready(table(cx), pollable).await?,
    };
    let answer = Fields::new().number(u64::from(is_ready));
    door::record(cx.data_mut(), READY, CallVerdict::Ok, Fields::new(), answer)?;
    Ok(is_ready)
}

/// Waits until one of several is over, and says which are.
async fn poll(
    cx: &mut Cx<'_>,
    pollables: Vec<Resource<DynPollable>>,
) -> wasmtime::Result<Vec<u32>> {
    if !cx.data().held.wants_real_clock {
        return HostPoll::poll(table(cx), pollables).await;
    }
    let count = pollables.len();
    let over = match played_poll(cx.data(), count) {
        Some(told) => told,
        None => HostPoll::poll(table(cx), pollables).await?,
    };
    let mut answer = Fields::new();
    for index in &over {
        answer = answer.number(u64::from(*index));
    }
    let asked = Fields::new().number(count as u64);
    door::record(cx.data_mut(), POLL, CallVerdict::Ok, asked, answer)?;
    Ok(over)
}

/// What was over then, of as many waits; `None` where that is no answer to this call.
fn played_poll(guest: &Guest, count: usize) -> Option<Vec<u32>> {
    let told = door::played_numbers(guest, POLL)?.into_iter();
    let told: Option<Vec<u32>> = told.map(|one| u32::try_from(one).ok()).collect();
    let is_there = |index: &u32| usize::try_from(*index).is_ok_and(|index| index < count);
    told.filter(|told| !told.is_empty() && told.iter().all(is_there))
}

fn link_input(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    let stream = ResourceType::host::<DynInputStream>();
    instance.resource_async("input-stream", stream, |mut cx, rep| {
        Box::new(async move { HostInputStream::drop(table(&mut cx), Resource::new_own(rep)).await })
    })?;
    instance.func_wrap(
        "[method]input-stream.read",
        |mut cx: Cx<'_>, (stream, len): (Input, u64)| {
            charged(&mut cx, 0)?;
            let len = capped(&cx, len);
            let read = HostInputStream::read(table(&mut cx), stream, len);
            told(&mut cx, read, Vec::len)
        },
    )?;
    instance.func_wrap_async(
        "[method]input-stream.blocking-read",
        |mut cx: Cx<'_>, (stream, len): (Input, u64)| {
            Box::new(async move {
                charged(&mut cx, 0)?;
                let len = capped(&cx, len);
                let read = HostInputStream::blocking_read(table(&mut cx), stream, len).await;
                told(&mut cx, read, Vec::len)
            })
        },
    )?;
    instance.func_wrap(
        "[method]input-stream.subscribe",
        |mut cx: Cx<'_>, (stream,): (Input,)| {
            charged(&mut cx, 0)?;
            Ok((HostInputStream::subscribe(table(&mut cx), stream)?,))
        },
    )
}

fn link_skips(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]input-stream.skip",
        |mut cx: Cx<'_>, (stream, len): (Input, u64)| {
            charged(&mut cx, 0)?;
            let len = capped(&cx, len);
            let skipped = HostInputStream::skip(table(&mut cx), stream, len);
            told(&mut cx, skipped, length)
        },
    )?;
    instance.func_wrap_async(
        "[method]input-stream.blocking-skip",
        |mut cx: Cx<'_>, (stream, len): (Input, u64)| {
            Box::new(async move {
                charged(&mut cx, 0)?;
                let len = capped(&cx, len);
                let skipped = HostInputStream::blocking_skip(table(&mut cx), stream, len).await;
                told(&mut cx, skipped, length)
            })
        },
    )
}

fn link_output(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    let stream = ResourceType::host::<DynOutputStream>();
    instance.resource_async("output-stream", stream, |mut cx, rep| {
        Box::new(
            async move { HostOutputStream::drop(table(&mut cx), Resource::new_own(rep)).await },
        )
    })?;
    instance.func_wrap(
        "[method]output-stream.check-write",
        |mut cx: Cx<'_>, (stream,): (Output,)| {
            charged(&mut cx, 0)?;
            let room = HostOutputStream::check_write(table(&mut cx), stream);
            told(&mut cx, room, none)
        },
    )?;
    instance.func_wrap(
        "[method]output-stream.write",
        |mut cx: Cx<'_>, (stream, bytes): (Output, Vec<u8>)| {
            charged(&mut cx, bytes.len())?;
            let written = HostOutputStream::write(table(&mut cx), stream, bytes);
            told(&mut cx, written, none)
        },
    )?;
    instance.func_wrap_async(
        "[method]output-stream.blocking-write-and-flush",
        |mut cx: Cx<'_>, (stream, bytes): (Output, Vec<u8>)| {
            Box::new(async move {
                charged(&mut cx, bytes.len())?;
                let table = table(&mut cx);
                let written = HostOutputStream::blocking_write_and_flush(table, stream, bytes);
                let written = written.await;
                told(&mut cx, written, none)
            })
        },
    )?;
    link_flushes(instance)
}

fn link_flushes(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]output-stream.flush",
        |mut cx: Cx<'_>, (stream,): (Output,)| {
            charged(&mut cx, 0)?;
            let flushed = HostOutputStream::flush(table(&mut cx), stream);
            told(&mut cx, flushed, none)
        },
    )?;
    instance.func_wrap_async(
        "[method]output-stream.blocking-flush",
        |mut cx: Cx<'_>, (stream,): (Output,)| {
            Box::new(async move {
                charged(&mut cx, 0)?;
                let flushed = HostOutputStream::blocking_flush(table(&mut cx), stream).await;
                told(&mut cx, flushed, none)
            })
        },
    )?;
    instance.func_wrap(
        "[method]output-stream.subscribe",
        |mut cx: Cx<'_>, (stream,): (Output,)| {
            charged(&mut cx, 0)?;
            Ok((HostOutputStream::subscribe(table(&mut cx), stream)?,))
        },
    )
}

fn link_zeroes(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]output-stream.write-zeroes",
        |mut cx: Cx<'_>, (stream, len): (Output, u64)| {
            charged(&mut cx, length(&len))?;
            let written = HostOutputStream::write_zeroes(table(&mut cx), stream, len);
            told(&mut cx, written, none)
        },
    )?;
    instance.func_wrap_async(
        "[method]output-stream.blocking-write-zeroes-and-flush",
        |mut cx: Cx<'_>, (stream, len): (Output, u64)| {
            Box::new(async move {
                charged(&mut cx, length(&len))?;
                let table = table(&mut cx);
                let written = HostOutputStream::blocking_write_zeroes_and_flush(table, stream, len);
                let written = written.await;
                told(&mut cx, written, none)
            })
        },
    )
}

fn link_splices(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]output-stream.splice",
        |mut cx: Cx<'_>, (output, input, len): (Output, Input, u64)| {
            charged(&mut cx, 0)?;
            let len = capped(&cx, len);
            let moved = HostOutputStream::splice(table(&mut cx), output, input, len);
            told(&mut cx, moved, length)
        },
    )?;
    instance.func_wrap_async(
        "[method]output-stream.blocking-splice",
        |mut cx: Cx<'_>, (output, input, len): (Output, Input, u64)| {
            Box::new(async move {
                charged(&mut cx, 0)?;
                let len = capped(&cx, len);
                let table = table(&mut cx);
                let moved = HostOutputStream::blocking_splice(table, output, input, len).await;
                told(&mut cx, moved, length)
            })
        },
    )
}
