//! `wasi:http/types`: requests in the making, their bodies and their options.
//!
//! INVARIANT: a body is kept up to its limit and not a byte further, and so are all of them together; an empty write keeps nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceType},
};
use wasmtime_wasi_io::{
    async_trait,
    bytes::Bytes,
    poll::Pollable,
    streams::{DynOutputStream, OutputStream, StreamError, StreamResult},
};

use super::{
    charged, delete,
    fields::Fields,
    handler, push,
    types::{ErrorCode, Method, Scheme},
};
use crate::{guest::Guest, room::Room};

type Cx<'a> = StoreContextMut<'a, Guest>;

/// A request that was not sent yet.
#[derive(Debug)]
pub(crate) struct OutgoingRequest {
    pub(super) method: Method,
    pub(super) scheme: Option<Scheme>,
    pub(super) authority: Option<String>,
    pub(super) path: Option<String>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    /// Absent until the guest has asked for it.
    pub(super) body: Option<SharedBody>,
}

/// How long a guest wants to wait, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RequestOptions {
    pub(super) connect_ns: Option<u64>,
    pub(super) first_byte_ns: Option<u64>,
    pub(super) between_bytes_ns: Option<u64>,
}

/// A body, shared by its request, its resource and its stream.
#[derive(Debug, Clone)]
pub(super) struct SharedBody(Arc<Mutex<Body>>);

#[derive(Debug)]
pub(super) struct Body {
    bytes: Vec<u8>,
    room: Room,
    left_bytes: usize,
    is_too_long: bool,
    has_stream: bool,
    pub(super) is_finished: bool,
    /// What waits for the end of the body.
    pub(super) waiting: Option<handler::Waiting>,
}

impl Body {
    /// All that was written; it takes no room any more.
    fn take_bytes(&mut self) -> Vec<u8> {
        self.room.give(self.bytes.len());
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        drop(self.take_bytes());
    }
}

impl SharedBody {
    fn new(left_bytes: usize, room: Room) -> Self {
        Self(Arc::new(Mutex::new(Body {
            bytes: Vec::new(),
            room,
            left_bytes,
            is_too_long: false,
            has_stream: false,
            is_finished: false,
            waiting: None,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `outgoing-body`.
#[derive(Debug)]
pub(crate) struct OutgoingBody(SharedBody);

/// Bytes that one write may bring.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Writes into a body.
struct BodyStream(SharedBody);

#[async_trait]
impl Pollable for BodyStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for BodyStream {
    // Negative control for the test of empty writes: nothing is queued here, whatever comes.
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut body = self.0.lock();
        if body.is_finished {
            return Err(StreamError::Closed);
        }
        if bytes.len() > body.left_bytes || !body.room.take(bytes.len()) {
            body.is_too_long = true;
            drop(body.take_bytes());
            return Err(StreamError::LastOperationFailed(wasmtime::format_err!(
                "the request's body is longer than the limit"
            )));
        }
        body.left_bytes -= bytes.len();
        body.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let body = self.0.lock();
        if body.is_finished || body.is_too_long {
            return Err(StreamError::Closed);
        }
        Ok(WRITE_BYTES_MAX)
    }
}

/// Links the three resources and their functions.
pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.resource(
        "outgoing-request",
        ResourceType::host::<OutgoingRequest>(),
        |mut cx, rep| delete(cx.data_mut(), Resource::<OutgoingRequest>::new_own(rep)).map(drop),
    )?;
    instance.resource(
        "request-options",
        ResourceType::host::<RequestOptions>(),
        |mut cx, rep| delete(cx.data_mut(), Resource::<RequestOptions>::new_own(rep)).map(drop),
    )?;
    instance.resource(
        "outgoing-body",
        ResourceType::host::<OutgoingBody>(),
        |mut cx, rep| {
            let body = delete(cx.data_mut(), Resource::<OutgoingBody>::new_own(rep))?;
            abandon(&body.0);
            Ok(())
        },
    )?;
    link_request(instance)?;
    link_request_parts(instance)?;
    link_options(instance)?;
    link_body(instance)
}

/// A body that is dropped unfinished takes its request along: nothing was sent.
fn abandon(body: &SharedBody) {
    let mut body = body.lock();
    body.is_finished = true;
    if let Some(waiting) = body.waiting.take() {
        waiting.slot.fill(Err(ErrorCode::HttpProtocolError));
    }
}

fn link_request(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[constructor]outgoing-request",
        |mut cx: Cx<'_>, (headers,): (Resource<Fields>,)| {
            charged(&mut cx, 0)?;
            let headers = delete(cx.data_mut(), headers)?;
            let request = OutgoingRequest {
                method: Method::Get,
                scheme: None,
                authority: None,
                path: None,
                headers: headers.entries,
                body: None,
            };
            Ok((push(cx.data_mut(), request)?,))
        },
    )?;
    instance.func_wrap(
        "[method]outgoing-request.body",
        |mut cx: Cx<'_>, (this,): (Resource<OutgoingRequest>,)| {
            charged(&mut cx, 0)?;
            let guest = cx.data_mut();
            let left_bytes = usize::try_from(guest.effect_left_bytes).unwrap_or(usize::MAX);
            let room = guest.body_room.clone();
            let request = guest.table.get_mut(&this)?;
            if request.body.is_some() {
                return Ok((Err::<Resource<OutgoingBody>, ()>(()),));
            }
            let body = SharedBody::new(left_bytes, room);
            request.body = Some(body.clone());
            Ok((Ok(push(guest, OutgoingBody(body))?),))
        },
    )?;
    instance.func_wrap(
        "[method]outgoing-request.headers",
        |mut cx: Cx<'_>, (this,): (Resource<OutgoingRequest>,)| {
            charged(&mut cx, 0)?;
            let guest = cx.data_mut();
            let entries = guest.table.get(&this)?.headers.clone();
            Ok((push(guest, Fields::immutable(entries))?,))
        },
    )
}

/// A getter and a setter of one part of a request.
macro_rules! part {
    ($instance:ident, $get:literal, $set:literal, $field:ident, $ty:ty, $size:expr, $is_good:expr) => {
        $instance.func_wrap(
            $get,
            |mut cx: Cx<'_>, (this,): (Resource<OutgoingRequest>,)| {
                charged(&mut cx, 0)?;
                Ok((cx.data().table.get(&this)?.$field.clone(),))
            },
        )?;
        $instance.func_wrap(
            $set,
            |mut cx: Cx<'_>, (this, value): (Resource<OutgoingRequest>, $ty)| {
                let size: fn(&$ty) -> usize = $size;
                let is_good: fn(&$ty) -> bool = $is_good;
                charged(&mut cx, size(&value))?;
                if !is_good(&value) {
                    return Ok((Err::<(), ()>(()),));
                }
                cx.data_mut().table.get_mut(&this)?.$field = value;
                Ok((Ok(()),))
            },
        )?;
    };
}

/// Longest text of a part; what it may be is decided when the request is sent.
const PART_BYTES_MAX: usize = 16 * 1024;

fn is_short(text: &Option<String>) -> bool {
    text.as_ref()
        .is_none_or(|text| text.len() <= PART_BYTES_MAX)
}

fn link_request_parts(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    part!(
        instance,
        "[method]outgoing-request.method",
        "[method]outgoing-request.set-method",
        method,
        Method,
        |method| method.word().len(),
        |method| !matches!(method, Method::Other(word) if word.len() > 32 || !word.bytes().all(|b| b.is_ascii_graphic()))
    );
    part!(
        instance,
        "[method]outgoing-request.scheme",
        "[method]outgoing-request.set-scheme",
        scheme,
        Option<Scheme>,
        |_| 0,
        |scheme| !matches!(scheme, Some(Scheme::Other(_)))
    );
    part!(
        instance,
        "[method]outgoing-request.authority",
        "[method]outgoing-request.set-authority",
        authority,
        Option<String>,
        |text| text.as_ref().map_or(0, String::len),
        is_short
    );
    part!(
        instance,
        "[method]outgoing-request.path-with-query",
        "[method]outgoing-request.set-path-with-query",
        path,
        Option<String>,
        |text| text.as_ref().map_or(0, String::len),
        is_short
    );
    Ok(())
}

fn link_options(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("[constructor]request-options", |mut cx: Cx<'_>, (): ()| {
        charged(&mut cx, 0)?;
        Ok((push(cx.data_mut(), RequestOptions::default())?,))
    })?;
    macro_rules! wait {
        ($get:literal, $set:literal, $field:ident) => {
            instance.func_wrap(
                $get,
                |mut cx: Cx<'_>, (this,): (Resource<RequestOptions>,)| {
                    charged(&mut cx, 0)?;
                    Ok((cx.data().table.get(&this)?.$field,))
                },
            )?;
            instance.func_wrap(
                $set,
                |mut cx: Cx<'_>, (this, wait): (Resource<RequestOptions>, Option<u64>)| {
                    charged(&mut cx, 0)?;
                    cx.data_mut().table.get_mut(&this)?.$field = wait;
                    Ok((Ok::<(), ()>(()),))
                },
            )?;
        };
    }
    wait!(
        "[method]request-options.connect-timeout",
        "[method]request-options.set-connect-timeout",
        connect_ns
    );
    wait!(
        "[method]request-options.first-byte-timeout",
        "[method]request-options.set-first-byte-timeout",
        first_byte_ns
    );
    wait!(
        "[method]request-options.between-bytes-timeout",
        "[method]request-options.set-between-bytes-timeout",
        between_bytes_ns
    );
    Ok(())
}

fn link_body(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]outgoing-body.write",
        |mut cx: Cx<'_>, (this,): (Resource<OutgoingBody>,)| {
            charged(&mut cx, 0)?;
            let guest = cx.data_mut();
            let body = guest.table.get(&this)?.0.clone();
            if std::mem::replace(&mut body.lock().has_stream, true) {
                return Ok((Err::<Resource<DynOutputStream>, ()>(()),));
            }
            let stream: DynOutputStream = Box::new(BodyStream(body));
            Ok((Ok(push(guest, stream)?),))
        },
    )?;
    instance.func_wrap_async("[static]outgoing-body.finish", |cx: Cx<'_>, arguments| {
        Box::new(finish(cx, arguments))
    })
}

type Finish = (Resource<OutgoingBody>, Option<Resource<Fields>>);

/// Ends a body; when its request was handed over already, it is sent now and the guest waits.
async fn finish(
    mut cx: Cx<'_>,
    (this, trailers): Finish,
) -> wasmtime::Result<(Result<(), ErrorCode>,)> {
    charged(&mut cx, 0)?;
    let guest = cx.data_mut();
    let body = delete(guest, this)?.0;
    let trailers = match trailers {
        Some(trailers) => delete(guest, trailers)?.entries.len(),
        None => 0,
    };
    let waiting = {
        let mut body = body.lock();
        let is_bad = body.is_too_long || trailers > 0;
        let waiting = body.waiting.take();
        body.is_finished = true;
        if is_bad {
            let error = if trailers > 0 {
                ErrorCode::HttpRequestTrailerSectionSize(None)
            } else {
                ErrorCode::HttpRequestBodySize(None)
            };
            if let Some(waiting) = waiting {
                waiting.slot.fill(Err(error.clone()));
            }
            body.is_too_long = true;
            return Ok((Err(error),));
        }
        waiting
    };
    if let Some(waiting) = waiting {
        let bytes = body.lock().take_bytes();
        let answer = handler::send(&mut cx, waiting.ready, bytes).await?;
        waiting.slot.fill(answer);
    }
    Ok((Ok(()),))
}

/// What a body is when its request is handed over.
pub(super) enum Standing {
    /// There is none, or it is whole.
    Whole(Vec<u8>),
    /// It was too long.
    TooLong,
    /// The guest has not finished it.
    Open(SharedBody),
}

pub(super) fn standing(body: Option<SharedBody>) -> Standing {
    let Some(shared) = body else {
        return Standing::Whole(Vec::new());
    };
    let mut body = shared.lock();
    if body.is_too_long {
        Standing::TooLong
    } else if body.is_finished {
        Standing::Whole(body.take_bytes())
    } else {
        drop(body);
        Standing::Open(shared)
    }
}
