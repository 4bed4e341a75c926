//! `wasi:http/types`: answers, which are whole before a guest sees anything of them.
//!
//! INVARIANT: what a guest reads is what is recorded; there is nothing left to wait for but a body that it never finished.

use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::http::HttpResponse;
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceType},
};
use wasmtime_wasi_io::{
    async_trait,
    bytes::Bytes,
    poll::{DynPollable, Pollable, subscribe},
    streams::{DynInputStream, InputStream, StreamError, StreamResult},
};

use super::{charged, delete, fields::Fields, push, types::ErrorCode};
use crate::guest::Guest;

type Cx<'a> = StoreContextMut<'a, Guest>;
type Answer = Result<HttpResponse, ErrorCode>;

/// Where an answer is put.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Empty,
    Full(Answer),
    Taken,
}

impl Slot {
    pub(super) fn fill(&self, answer: Answer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::Full(answer);
    }

    fn is_empty(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Empty)
    }

    /// `None` while there is none; an error when it was taken before.
    fn take(&self) -> Option<Result<Answer, ()>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Empty) {
            return None;
        }
        match std::mem::replace(&mut *state, State::Taken) {
            State::Full(answer) => Some(Ok(answer)),
            State::Taken | State::Empty => Some(Err(())),
        }
    }
}

/// `future-incoming-response`.
#[derive(Debug)]
pub(crate) struct FutureResponse(pub(super) Slot);

#[async_trait]
impl Pollable for FutureResponse {
    async fn ready(&mut self) {
        if self.0.is_empty() {
            // Only finishing the body brings the answer, and the guest that waits here does not: its deadline ends it.
            pending::<()>().await;
        }
    }
}

/// `incoming-response`.
#[derive(Debug)]
pub(crate) struct IncomingResponse {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Bytes>,
}

/// `incoming-body`.
#[derive(Debug)]
pub(crate) struct IncomingBody(Option<Bytes>);

/// `future-trailers`.
#[derive(Debug)]
pub(crate) struct FutureTrailers {
    is_taken: bool,
}

#[async_trait]
impl Pollable for FutureTrailers {
    async fn ready(&mut self) {}
}

/// Reads a body.
struct BodyStream(Bytes);

#[async_trait]
impl Pollable for BodyStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for BodyStream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.0.is_empty() {
            return Err(StreamError::Closed);
        }
        let size = size.min(self.0.len());
        Ok(self.0.split_to(size))
    }
}

/// Links the four resources and their functions.
pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    macro_rules! resource {
        ($name:literal, $ty:ty) => {
            instance.resource($name, ResourceType::host::<$ty>(), |mut cx, rep| {
                delete(cx.data_mut(), Resource::<$ty>::new_own(rep)).map(drop)
            })?;
        };
    }
    resource!("future-incoming-response", FutureResponse);
    resource!("incoming-response", IncomingResponse);
    resource!("incoming-body", IncomingBody);
    resource!("future-trailers", FutureTrailers);
    link_future(instance)?;
    link_response(instance)?;
    link_trailers(instance)
}

type Got = Option<Result<Result<Resource<IncomingResponse>, ErrorCode>, ()>>;

fn link_future(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]future-incoming-response.subscribe",
        |mut cx: Cx<'_>, (this,): (Resource<FutureResponse>,)| {
            charged(&mut cx, 0)?;
            let pollable: Resource<DynPollable> = subscribe(&mut cx.data_mut().table, this)?;
            Ok((pollable,))
        },
    )?;
    instance.func_wrap(
        "[method]future-incoming-response.get",
        |mut cx: Cx<'_>, (this,): (Resource<FutureResponse>,)| {
            charged(&mut cx, 0)?;
            let guest = cx.data_mut();
            let got: Got = match guest.table.get(&this)?.0.take() {
                None => None,
                Some(Err(())) => Some(Err(())),
                Some(Ok(Err(error))) => Some(Ok(Err(error))),
                Some(Ok(Ok(response))) => {
                    let response = IncomingResponse {
                        status: response.status,
                        headers: response.headers,
                        body: Some(response.body.into()),
                    };
                    Some(Ok(Ok(push(guest, response)?)))
                }
            };
            Ok((got,))
        },
    )
}

fn link_response(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]incoming-response.status",
        |mut cx: Cx<'_>, (this,): (Resource<IncomingResponse>,)| {
            charged(&mut cx, 0)?;
            Ok((cx.data().table.get(&this)?.status,))
        },
    )?;
    instance.func_wrap(
        "[method]incoming-response.headers",
        |mut cx: Cx<'_>, (this,): (Resource<IncomingResponse>,)| {
            charged(&mut cx, 0)?;
            let guest = cx.data_mut();
            let entries = guest.table.get(&this)?.headers.clone();
            Ok((push(guest, Fields::immutable(entries))?,))
        },
    )?;
    instance.func_wrap(
        "[method]incoming-response.consume",
        |mut cx: Cx<'_>, (this,): (Resource<IncomingResponse>,)| {
            charged(&mut cx, 0)?;
            let guest = cx.data_mut();
            let Some(body) = guest.table.get_mut(&this)?.body.take() else {
                return Ok((Err::<Resource<IncomingBody>, ()>(()),));
            };
            Ok((Ok(push(guest, IncomingBody(Some(body)))?),))
        },
    )?;
    instance.func_wrap(
        "[method]incoming-body.stream",
        |mut cx: Cx<'_>, (this,): (Resource<IncomingBody>,)| {
            charged(&mut cx, 0)?;
            let guest = cx.data_mut();
            let Some(body) = guest.table.get_mut(&this)?.0.take() else {
                return Ok((Err::<Resource<DynInputStream>, ()>(()),));
            };
            let stream: DynInputStream = Box::new(BodyStream(body));
            Ok((Ok(push(guest, stream)?),))
        },
    )
}

type Trailers = Option<Result<Result<Option<Resource<Fields>>, ErrorCode>, ()>>;

fn link_trailers(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[static]incoming-body.finish",
        |mut cx: Cx<'_>, (this,): (Resource<IncomingBody>,)| {
            charged(&mut cx, 0)?;
            let guest = cx.data_mut();
            delete(guest, this)?;
            Ok((push(guest, FutureTrailers { is_taken: false })?,))
        },
    )?;
    instance.func_wrap(
        "[method]future-trailers.subscribe",
        |mut cx: Cx<'_>, (this,): (Resource<FutureTrailers>,)| {
            charged(&mut cx, 0)?;
            let pollable: Resource<DynPollable> = subscribe(&mut cx.data_mut().table, this)?;
            Ok((pollable,))
        },
    )?;
    instance.func_wrap(
        "[method]future-trailers.get",
        |mut cx: Cx<'_>, (this,): (Resource<FutureTrailers>,)| {
            charged(&mut cx, 0)?;
            let trailers = cx.data_mut().table.get_mut(&this)?;
            // Trailers of an answer are not kept, so there are none.
            let got: Trailers = match std::mem::replace(&mut trailers.is_taken, true) {
                false => Some(Ok(Ok(None))),
                true => Some(Err(())),
            };
            Ok((got,))
        },
    )
}
