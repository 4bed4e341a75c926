//! `wasi:http/outgoing-handler`: the one call that leaves the host, when its request is whole.
//!
//! The guest waits in `handle`, or in `outgoing-body.finish` where it hands the request over first: one effect after the
//! other, so that every replay sees them in the same order.
//!
//! INVARIANT: a request that no granted scope allows never reaches the services, and a request is sent at most once.

use std::sync::Arc;

use aim_core::{
    access::{Capability, Mode},
    http::{
        HEADER_BYTES_MAX, HttpRequest, HttpResponse, HttpScope, Scheme as CoreScheme, Target,
        TargetError, parse_authority, parse_path,
    },
    outcome::LimitKind,
    transcript::{CallVerdict, Fields as Record},
};
use aim_ports::{
    effect::{EffectAnswer, EffectCall, EffectFault, EffectRequest},
    http::HttpCaps,
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource},
};

use super::{
    delete, push,
    request::{OutgoingRequest, RequestOptions, Standing, standing},
    response::{FutureResponse, Slot},
    types::{ErrorCode, Scheme},
};
use crate::{
    door::{self, Class},
    guest::{Guest, Stop},
};

const HANDLE: &str = "wasi:http/outgoing-handler.handle";

type Cx<'a> = StoreContextMut<'a, Guest>;
type Handed = Result<Resource<FutureResponse>, ErrorCode>;

/// A request that a scope allows, but for its body.
#[derive(Debug)]
pub(super) struct Ready {
    request: HttpRequest,
    scope: HttpScope,
    options: RequestOptions,
}

/// A request that waits for its body.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ready: Ready,
    pub(super) slot: Slot,
}

/// Links the interface.
pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap_async("handle", |cx: Cx<'_>, arguments| {
        Box::new(handle(cx, arguments))
    })
}

type Handle = (Resource<OutgoingRequest>, Option<Resource<RequestOptions>>);

async fn handle(mut cx: Cx<'_>, (request, options): Handle) -> wasmtime::Result<(Handed,)> {
    super::charged(&mut cx, 0)?;
    let guest = cx.data_mut();
    let options = match options {
        Some(options) => delete(guest, options)?,
        None => RequestOptions::default(),
    };
    let mut request = delete(guest, request)?;
    let body = standing(request.body.take());
    let ready = match ready(guest, request, options) {
        Ok(ready) => ready,
        Err(refused) => return Ok((Err(refuse(&mut cx, refused)?),)),
    };
    let slot = Slot::default();
    match body {
        Standing::TooLong => return Ok((Err(ErrorCode::HttpRequestBodySize(None)),)),
        Standing::Open(shared) => {
            let slot = slot.clone();
            shared.lock().waiting = Some(Waiting { ready, slot });
        }
        Standing::Whole(bytes) => match send(&mut cx, ready, bytes).await? {
            Err(ErrorCode::HttpRequestDenied) => {
                return Ok((Err(ErrorCode::HttpRequestDenied),));
            }
            answer => slot.fill(answer),
        },
    }
    Ok((Ok(push(cx.data_mut(), FutureResponse(slot))?),))
}

/// Why a request is not even asked about.
struct Refused {
    error: ErrorCode,
    rule: &'static str,
    what: String,
}

fn ready(
    guest: &Guest,
    request: OutgoingRequest,
    options: RequestOptions,
) -> Result<Ready, Refused> {
    let method = request.method.word().to_owned();
    let target = target(&request).map_err(|error| Refused {
        error: match error {
            TargetError::Length => ErrorCode::HttpRequestUriTooLong,
            _ => ErrorCode::HttpRequestUriInvalid,
        },
        rule: "http.target",
        what: error.to_string(),
    })?;
    let scope =
        HttpScope::find(guest.endpoints.iter(), &method, &target).map_err(|miss| Refused {
            error: ErrorCode::HttpRequestDenied,
            rule: miss.rule(),
            what: format!("{method} {target}"),
        })?;
    let request = HttpRequest {
        method,
        target,
        headers: request.headers,
        body: Vec::new(),
    };
    if request.header_bytes() > HEADER_BYTES_MAX {
        return Err(Refused {
            error: ErrorCode::HttpRequestHeaderSectionSize(None),
            rule: "http.headers",
            what: "too many bytes".to_owned(),
        });
    }
    Ok(Ready {
        request,
        scope: scope.clone(),
        options,
    })
}

fn target(request: &OutgoingRequest) -> Result<Target, TargetError> {
    let scheme = match request.scheme {
        Some(Scheme::Http) => CoreScheme::Http,
        Some(Scheme::Https) | None => CoreScheme::Https,
        Some(Scheme::Other(_)) => return Err(TargetError::Host),
    };
    let authority = request.authority.as_deref().ok_or(TargetError::Host)?;
    let (host, port) = parse_authority(authority, scheme)?;
    let (path, query) = parse_path(request.path.as_deref().unwrap_or("/"))?;
    Ok(Target {
        scheme,
        host,
        port,
        path,
        query,
    })
}

/// Writes a refusal down: as a denial where the grant is why, as an error where the request is.
fn refuse(cx: &mut Cx<'_>, refused: Refused) -> wasmtime::Result<ErrorCode> {
    let Refused { error, rule, what } = refused;
    door::begin(cx, Class::Write, what.len())?;
    let guest = cx.data_mut();
    let request = Record::new().text(&what);
    let response = Record::new().text(&error.word()).text(rule);
    let verdict = if error == ErrorCode::HttpRequestDenied {
        guest.denials = guest.denials.saturating_add(1);
        CallVerdict::Denied
    } else {
        CallVerdict::Error
    };
    door::record(guest, HANDLE, verdict, request, response)?;
    Ok(error)
}

/// Has a whole request judged and sent, and writes down what came of it.
pub(super) async fn send(
    cx: &mut Cx<'_>,
    ready: Ready,
    body: Vec<u8>,
) -> wasmtime::Result<Result<HttpResponse, ErrorCode>> {
    let Ready {
        mut request,
        scope,
        options,
    } = ready;
    request.body = body;
    let encoded = request.encode();
    let endpoint = scope.to_string();
    let wanted = (Capability::Http, Some(Mode::Request), endpoint.as_str());
    if !door::take(cx.data_mut(), wanted, encoded.len()) {
        let refused = Refused {
            error: ErrorCode::HttpRequestDenied,
            rule: "http.token",
            what: format!("{} {}", request.method, request.target),
        };
        return refuse(cx, refused).map(Err);
    }
    begin(cx, encoded.len())?;
    let guest = cx.data_mut();
    let call = EffectCall {
        call: guest.transcript.next_index(),
        action: HANDLE,
        request: EffectRequest::Http {
            request,
            scope,
            caps: caps(guest, &options),
        },
    };
    let answer = match guest.services.as_ref().map(Arc::clone) {
        Some(services) => services.act(call).await,
        None => Err(EffectFault::Unavailable),
    };
    conclude(cx, encoded, answer)
}

/// Counts the effect and charges for its request.
fn begin(cx: &mut Cx<'_>, bytes: usize) -> wasmtime::Result<()> {
    door::begin(cx, Class::Wait, 0)?;
    door::charge(cx, Class::Adapted, bytes)?;
    let guest = cx.data_mut();
    if guest.effects >= guest.limits.effects_max {
        return Err(Stop::Limit(LimitKind::Effects).error());
    }
    guest.effects += 1;
    take_bytes(guest, bytes)
}

fn take_bytes(guest: &mut Guest, bytes: usize) -> wasmtime::Result<()> {
    let Some(left) = guest.effect_left_bytes.checked_sub(bytes as u64) else {
        return Err(Stop::Limit(LimitKind::EffectBytes).error());
    };
    guest.effect_left_bytes = left;
    Ok(())
}

/// Longest wait for a connection.
const CONNECT_MS_MAX: u64 = 10_000;

fn caps(guest: &Guest, options: &RequestOptions) -> HttpCaps {
    let total_ms = guest.limits.effect_ms_max;
    let wait = |ns: Option<u64>, most: u64| ns.map_or(most, |ns| (ns / 1_000_000).clamp(1, most));
    HttpCaps {
        connect_ms: wait(options.connect_ns, total_ms.min(CONNECT_MS_MAX)),
        first_byte_ms: wait(options.first_byte_ns, total_ms),
        between_bytes_ms: wait(options.between_bytes_ns, total_ms),
        total_ms,
        // Room for the head of the answer stays.
        body_bytes: guest
            .effect_left_bytes
            .saturating_sub(HEADER_BYTES_MAX as u64),
    }
}

fn conclude(
    cx: &mut Cx<'_>,
    request: Vec<u8>,
    answer: Result<EffectAnswer, EffectFault>,
) -> wasmtime::Result<Result<HttpResponse, ErrorCode>> {
    let (error, verdict, rule) = match answer {
        Ok(EffectAnswer::Http(response)) => {
            let encoded = response.encode();
            door::charge(cx, Class::Adapted, encoded.len())?;
            let guest = cx.data_mut();
            take_bytes(guest, encoded.len())?;
            guest
                .transcript
                .push(HANDLE, CallVerdict::Ok, request, encoded);
            return Ok(Ok(response));
        }
        Ok(_) => (
            ErrorCode::InternalError(None),
            CallVerdict::Error,
            String::new(),
        ),
        Err(EffectFault::Indeterminate(call)) => return Err(Stop::Indeterminate(call).error()),
        Err(EffectFault::Denied(rule)) => (ErrorCode::HttpRequestDenied, CallVerdict::Denied, rule),
        Err(EffectFault::Http(fault)) => {
            let word = fault.kind.word().to_owned();
            (ErrorCode::of_fault(fault), CallVerdict::Error, word)
        }
        Err(EffectFault::Withheld) => {
            let error = ErrorCode::InternalError(Some("AIM-N012".to_owned()));
            (error, CallVerdict::Error, "withheld".to_owned())
        }
        Err(EffectFault::Unavailable) => {
            let error = ErrorCode::InternalError(Some("AIM-N013".to_owned()));
            (error, CallVerdict::Error, "unavailable".to_owned())
        }
    };
    let guest = cx.data_mut();
    if verdict == CallVerdict::Denied {
        guest.denials = guest.denials.saturating_add(1);
    }
    let response = Record::new().text(&error.word()).text(&rule).finish();
    guest.transcript.push(HANDLE, verdict, request, response);
    Ok(Err(error))
}
