//! Links adapted interfaces: the answers of core's table, made of the component's own types where nothing else is needed.
//!
//! INVARIANT: an adapted function does nothing outside its own store; every call is counted and charged.

use aim_core::{
    adapter::{Answer, TABLE},
    admission::Binding,
    outcome::LimitKind,
};
use wasmtime::{
    StoreContextMut,
    component::{
        LinkerInstance, Resource, ResourceAny, ResourceTableError, ResourceType, Type, Val,
    },
};
use wasmtime_wasi_io::{
    async_trait,
    poll::{DynPollable, Pollable, subscribe},
    streams::{DynInputStream, DynOutputStream},
};

use crate::{
    capability::{
        cli::streams::{GivenInput, SinkStream},
        clocks::datetime,
        filesystem::types::Datetime,
        random::state,
    },
    clock::{READ_NS, Sleep},
    door::{self, Class},
    guest::{Guest, Stop},
};

type Cx<'a> = StoreContextMut<'a, Guest>;

/// A resource of an adapted interface: a handle with nothing behind it. Guests get one only where a toolchain has to make it
/// before it reaches the function that says no, such as an HTTP request.
struct Nothing;

/// An answer that needs nothing but the function's type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fixed {
    /// The error case of the function's result.
    Error(&'static str),
    /// The emptiest value; for a resource a handle with nothing behind it.
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
            (Answer::Virtual, _) if function.ends_with(".subscribe") => {
                link_subscribe(instance, function, row)?;
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
                    Fixed::Empty => match ty {
                        Type::Own(_) => stand_in(&mut cx)?,
                        ty => empty_value(&ty)?,
                    },
                };
            }
            give_back(&mut cx, arguments).await
        })
    })
}

/// A new handle with nothing behind it.
fn stand_in(cx: &mut Cx<'_>) -> wasmtime::Result<Val> {
    let resource = Resource::<Nothing>::new_own(0);
    Ok(Val::Resource(ResourceAny::try_from_resource(resource, cx)?))
}

/// Ends the borrows that came as arguments and drops what was given away, wherever in them it lies.
async fn give_back(cx: &mut Cx<'_>, arguments: &[Val]) -> wasmtime::Result<()> {
    let mut open: Vec<&Val> = arguments.iter().collect();
    // BOUND: as many rounds as the arguments have parts; the engine limits those.
    while let Some(value) = open.pop() {
        match value {
            Val::Resource(resource) => resource.resource_drop_async(&mut *cx).await?,
            Val::Option(Some(inner))
            | Val::Result(Ok(Some(inner)) | Err(Some(inner)))
            | Val::Variant(_, Some(inner)) => open.push(inner),
            Val::List(items) | Val::Tuple(items) => open.extend(items),
            Val::Record(fields) => open.extend(fields.iter().map(|(_, value)| value)),
            _ => {}
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
        Type::Variant(variant) => {
            let Some(case) = variant.cases().next() else {
                wasmtime::bail!("variant has no case");
            };
            let value = case.ty.map(|ty| empty_value(&ty)).transpose()?;
            Val::Variant(case.name.to_owned(), value.map(Box::new))
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

/// Nothing is ever awaited: a poll of a resource with nothing behind it is ready at once.
fn link_subscribe(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &str,
    row: usize,
) -> wasmtime::Result<()> {
    instance.func_wrap(
        function,
        move |mut cx: Cx<'_>, (_of,): (Resource<Nothing>,)| {
            enter(&mut cx, row, 0)?;
            let table = &mut cx.data_mut().table;
            let ready = table.push(Ready)?;
            Ok((subscribe(table, ready)?,))
        },
    )
}

/// Ready at once.
struct Ready;

#[async_trait]
impl Pollable for Ready {
    async fn ready(&mut self) {}
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

pub(crate) fn sleep(
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
        let now = datetime(cx.data().context.pinned_time);
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
                let len = state::take(cx.data_mut(), len)?;
                enter(&mut cx, row, len)?;
                Ok((state::seeded(cx.data_mut(), len),))
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

fn random_u64(guest: &mut Guest) -> wasmtime::Result<u64> {
    let len = state::take(guest, 8)?;
    Ok(state::number(&state::seeded(guest, len)))
}

/// A full table is the handle limit; anything else is a handle that the guest made up.
pub(crate) fn table_error(error: ResourceTableError) -> wasmtime::Error {
    match error {
        ResourceTableError::Full => Stop::Limit(LimitKind::Handles).error(),
        other => other.into(),
    }
}

fn link_stdio(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &str,
    row: usize,
) -> wasmtime::Result<()> {
    if function == "get-stdin" {
        return instance.func_wrap(function, move |mut cx: Cx<'_>, (): ()| {
            enter(&mut cx, row, 0)?;
            let stream: DynInputStream = Box::new(GivenInput::closed());
            Ok((cx.data_mut().table.push(stream)?,))
        });
    }
    let is_stderr = function == "get-stderr";
    instance.func_wrap(function, move |mut cx: Cx<'_>, (): ()| {
        enter(&mut cx, row, 0)?;
        let guest = cx.data_mut();
        let stream: DynOutputStream = Box::new(SinkStream::new(guest.sink(is_stderr), None));
        Ok((guest.table.push(stream)?,))
    })
}
