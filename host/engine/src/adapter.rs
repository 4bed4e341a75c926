//! Links adapted interfaces: the answers of core's table, made of the component's own types where nothing else is needed.
//!
//! INVARIANT: an adapted function does nothing outside its own store; every call is counted and charged.

use std::sync::PoisonError;

use aim_core::{
    adapter::{Answer, TABLE},
    admission::Binding,
    outcome::LimitKind,
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceType, Type, Val},
};
use wasmtime_wasi_io::{
    async_trait,
    bytes::Bytes,
    poll::{DynPollable, Pollable, subscribe},
    streams::{
        DynInputStream, DynOutputStream, InputStream, OutputStream, StreamError, StreamResult,
    },
};

use crate::{
    capability::filesystem::types::Datetime,
    clock::{READ_NS, Sleep},
    door::{self, Class},
    guest::{Guest, SharedSink, Stop},
};

type Cx<'a> = StoreContextMut<'a, Guest>;

/// A resource of an adapted interface; no guest ever gets one.
struct Nothing;

/// An answer that needs nothing but the function's type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fixed {
    /// The error case of the function's result.
    Error(&'static str),
    /// The emptiest value.
    Empty,
}

/// Links every function of an adapted import.
pub(crate) fn link(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    for resource in &binding.import.resources {
        instance.resource(resource, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
    }
    for function in &binding.import.functions {
        let row = TABLE.iter().position(|row| {
            row.interface == binding.interface && row.function == function.as_str()
        });
        let Some((row, answer)) = row.and_then(|at| Some((at, TABLE.get(at)?.answer))) else {
            wasmtime::bail!("`{}` has no row for `{function}`", binding.interface);
        };
        match (answer, binding.interface.as_str()) {
            (Answer::End, _) => link_exit(instance, function, row)?,
            (Answer::Virtual, "wasi:clocks/monotonic-clock") => {
                link_monotonic(instance, function, row)?;
            }
            (Answer::Virtual, "wasi:clocks/wall-clock") => link_wall(instance, function, row)?,
            (Answer::Virtual, interface) if interface.starts_with("wasi:random/") => {
                link_random(instance, function, row)?;
            }
            (Answer::Empty, "wasi:cli/stdin" | "wasi:cli/stdout" | "wasi:cli/stderr") => {
                link_stdio(instance, function, row)?;
            }
            (Answer::Error(case), _) => {
                link_fixed(instance, function, Fixed::Error(case), Some(row))?;
            }
            (Answer::Empty | Answer::Virtual, _) => {
                link_fixed(instance, function, Fixed::Empty, Some(row))?;
            }
        }
    }
    Ok(())
}

fn enter(cx: &mut Cx<'_>, row: usize, bytes: usize) -> wasmtime::Result<()> {
    cx.data_mut().count_adapter(row);
    door::charge(cx, Class::Adapted, bytes)
}

/// Links a function that always gives the same answer, made of its own result type.
pub(crate) fn link_fixed(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &str,
    fixed: Fixed,
    row: Option<usize>,
) -> wasmtime::Result<()> {
    instance.func_new_async(function, move |mut cx, ty, arguments, results| {
        Box::new(async move {
            match row {
                Some(row) => enter(&mut cx, row, 0)?,
                None => door::charge(&mut cx, Class::Adapted, 0)?,
            }
            for (slot, ty) in results.iter_mut().zip(ty.results()) {
                *slot = match fixed {
                    Fixed::Error(case) => error_value(&ty, case)?,
                    Fixed::Empty => empty_value(&ty)?,
                };
            }
            give_back(&mut cx, arguments).await
        })
    })
}

/// Ends the borrows that came as arguments; no function of WASI 0.2 takes one inside a list or record but `poll`.
async fn give_back(cx: &mut Cx<'_>, arguments: &[Val]) -> wasmtime::Result<()> {
    for argument in arguments {
        if let Val::Resource(resource) = argument
            && !resource.owned()
        {
            resource.resource_drop_async(&mut *cx).await?;
        }
    }
    Ok(())
}

fn error_value(ty: &Type, case: &str) -> wasmtime::Result<Val> {
    let Type::Result(result) = ty else {
        wasmtime::bail!("function has no error to answer with");
    };
    let error = match result.err() {
        None => None,
        Some(Type::Enum(_)) => Some(Box::new(Val::Enum(case.to_owned()))),
        Some(Type::Variant(_)) => Some(Box::new(Val::Variant(case.to_owned(), None))),
        Some(_) => wasmtime::bail!("function's error is neither enum nor variant"),
    };
    Ok(Val::Result(Err(error)))
}

fn empty_value(ty: &Type) -> wasmtime::Result<Val> {
    Ok(match ty {
        Type::Bool => Val::Bool(false),
        Type::U8 => Val::U8(0),
        Type::U16 => Val::U16(0),
        Type::U32 => Val::U32(0),
        Type::U64 => Val::U64(0),
        Type::S32 => Val::S32(0),
        Type::String => Val::String(String::new()),
        Type::List(_) => Val::List(Vec::new()),
        Type::Option(_) => Val::Option(None),
        Type::Enum(cases) => {
            let first = cases.names().next().unwrap_or_default();
            Val::Enum(first.to_owned())
        }
        Type::Record(record) => {
            let fields = record
                .fields()
                .map(|field| Ok((field.name.to_owned(), empty_value(&field.ty)?)));
            Val::Record(fields.collect::<wasmtime::Result<_>>()?)
        }
        Type::Result(result) => {
            let value = result.ok().map(|ty| empty_value(&ty)).transpose()?;
            Val::Result(Ok(value.map(Box::new)))
        }
        _ => wasmtime::bail!("type has no empty value"),
    })
}

fn link_exit(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &str,
    row: usize,
) -> wasmtime::Result<()> {
    if function == "exit-with-code" {
        return instance.func_wrap(function, move |mut cx: Cx<'_>, (code,): (u8,)| {
            enter(&mut cx, row, 0)?;
            Err::<(), _>(Stop::Exit(code).error())
        });
    }
    instance.func_wrap(
        function,
        move |mut cx: Cx<'_>, (status,): (Result<(), ()>,)| {
            enter(&mut cx, row, 0)?;
            Err::<(), _>(Stop::Exit(u8::from(status.is_err())).error())
        },
    )
}

fn link_monotonic(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &str,
    row: usize,
) -> wasmtime::Result<()> {
    match function {
        "now" => instance.func_wrap(function, move |mut cx: Cx<'_>, (): ()| {
            enter(&mut cx, row, 0)?;
            Ok((cx.data().clock.read(),))
        }),
        "resolution" => instance.func_wrap(function, move |mut cx: Cx<'_>, (): ()| {
            enter(&mut cx, row, 0)?;
            Ok((READ_NS,))
        }),
        _ => {
            let is_relative = function == "subscribe-duration";
            instance.func_wrap(function, move |mut cx: Cx<'_>, (when,): (u64,)| {
                enter(&mut cx, row, 0)?;
                Ok((sleep(cx.data_mut(), when, is_relative)?,))
            })
        }
    }
}

fn sleep(
    guest: &mut Guest,
    when: u64,
    is_relative: bool,
) -> wasmtime::Result<Resource<DynPollable>> {
    let base = if is_relative { guest.clock.peek() } else { 0 };
    let sleep = Sleep {
        clock: std::sync::Arc::clone(&guest.clock),
        when_ns: base.saturating_add(when),
    };
    let sleep = guest.table.push(sleep)?;
    subscribe(&mut guest.table, sleep)
}

fn link_wall(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &str,
    row: usize,
) -> wasmtime::Result<()> {
    let is_now = function == "now";
    instance.func_wrap(function, move |mut cx: Cx<'_>, (): ()| {
        enter(&mut cx, row, 0)?;
        let millis = cx.data().context.pinned_time.millis();
        let now = Datetime {
            seconds: millis / 1000,
            nanoseconds: u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000,
        };
        let resolution = Datetime {
            seconds: 0,
            nanoseconds: 1_000_000,
        };
        Ok((if is_now { now } else { resolution },))
    })
}

fn link_random(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &str,
    row: usize,
) -> wasmtime::Result<()> {
    match function {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            instance.func_wrap(function, move |mut cx: Cx<'_>, (len,): (u64,)| {
                let len = take_random(cx.data_mut(), len)?;
                enter(&mut cx, row, len)?;
                let mut bytes = vec![0; len];
                stream(cx.data_mut()).fill(&mut bytes);
                Ok((bytes,))
            })
        }
        "insecure-seed" => instance.func_wrap(function, move |mut cx: Cx<'_>, (): ()| {
            enter(&mut cx, row, 16)?;
            let (one, two) = (random_u64(cx.data_mut())?, random_u64(cx.data_mut())?);
            Ok(((one, two),))
        }),
        _ => instance.func_wrap(function, move |mut cx: Cx<'_>, (): ()| {
            enter(&mut cx, row, 8)?;
            Ok((random_u64(cx.data_mut())?,))
        }),
    }
}

fn take_random(guest: &mut Guest, len: u64) -> wasmtime::Result<usize> {
    let Some(left) = guest.random_left_bytes.checked_sub(len) else {
        return Err(Stop::Limit(LimitKind::Random).error());
    };
    guest.random_left_bytes = left;
    Ok(usize::try_from(len)?)
}

fn random_u64(guest: &mut Guest) -> wasmtime::Result<u64> {
    take_random(guest, 8)?;
    let mut bytes = [0; 8];
    stream(guest).fill(&mut bytes);
    Ok(u64::from_le_bytes(bytes))
}

/// The attempt's random stream: a function of the run's seed, the step and the number of the attempt.
fn stream(guest: &mut Guest) -> &mut blake3::OutputReader {
    let context = &guest.context;
    guest.random.get_or_insert_with(|| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"aim:random\0");
        hasher.update(&context.seed.to_le_bytes());
        hasher.update(&context.attempt.to_le_bytes());
        hasher.update(context.step.as_bytes());
        hasher.finalize_xof()
    })
}

fn link_stdio(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &str,
    row: usize,
) -> wasmtime::Result<()> {
    if function == "get-stdin" {
        return instance.func_wrap(function, move |mut cx: Cx<'_>, (): ()| {
            enter(&mut cx, row, 0)?;
            let stream: DynInputStream = Box::new(ClosedInput);
            Ok((cx.data_mut().table.push(stream)?,))
        });
    }
    let is_stderr = function == "get-stderr";
    instance.func_wrap(function, move |mut cx: Cx<'_>, (): ()| {
        enter(&mut cx, row, 0)?;
        let guest = cx.data_mut();
        let stream: DynOutputStream = Box::new(SinkStream(guest.sink(is_stderr)));
        Ok((guest.table.push(stream)?,))
    })
}

/// Standard input: at its end from the start.
struct ClosedInput;

#[async_trait]
impl Pollable for ClosedInput {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for ClosedInput {
    fn read(&mut self, _size: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}

/// Standard output and error: kept up to the log budget, counted beyond, never blocking, and nothing kept of empty writes.
struct SinkStream(SharedSink);

/// Bytes that one write may bring.
const WRITE_BYTES_MAX: usize = 64 * 1024;

#[async_trait]
impl Pollable for SinkStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for SinkStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = bytes.len().min(sink.left_bytes);
        sink.left_bytes -= keep;
        let kept = bytes.get(..keep).unwrap_or_default();
        sink.bytes.extend_from_slice(kept);
        sink.dropped_bytes = sink
            .dropped_bytes
            .saturating_add((bytes.len() - keep) as u64);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}
