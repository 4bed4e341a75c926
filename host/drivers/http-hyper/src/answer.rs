//! Taking an answer in: its head within limits, its body up to its maximum, nothing that is for one hop only.
//!
//! INVARIANT: never more than the maximum and one piece of the network's is in memory; a longer body is a fault, not a cut.

use aim_core::http::{HEADER_BYTES_MAX, HEADERS_MAX, HttpResponse, is_set_by_host};
use aim_ports::http::{HttpCaps, HttpFault, HttpFaultKind, HttpStage};
use http_body_util::BodyExt as _;
use hyper::{
    Response,
    body::Incoming,
    header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING},
};
use tokio::time::timeout;

use crate::{Builder, fault, millis};

/// Bytes that the client buffers for a head; a longer one is an error of its own.
const BUFFER_BYTES: usize = 64 * 1024;

pub(crate) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_buf_size(BUFFER_BYTES)
        .max_headers(HEADERS_MAX)
        .http09_responses(false);
    builder
}

pub(crate) fn head_fault(error: &hyper::Error) -> HttpFault {
    // The client's build of the library has no question for it but its sentence.
    let is_too_large = error.to_string() == "message head is too large";
    let kind = if is_too_large {
        HttpFaultKind::HeadSize
    } else if error.is_parse() || error.is_user() {
        HttpFaultKind::Protocol
    } else {
        HttpFaultKind::Cut
    };
    fault(kind, HttpStage::Sent)
}

/// Takes the whole answer.
pub(crate) async fn whole(
    response: Response<Incoming>,
    is_head: bool,
    caps: &HttpCaps,
) -> Result<HttpResponse, HttpFault> {
    let answered = |kind| fault(kind, HttpStage::Answered);
    let (parts, mut body) = response.into_parts();
    let status = parts.status.as_u16();
    // 101 would make something else of the connection; it was not asked for.
    if !(200..=599).contains(&status) {
        return Err(answered(HttpFaultKind::Protocol));
    }
    // Two lengths are one for each reader. The library believes the chunks; a guest would be told the other.
    if parts.headers.contains_key(TRANSFER_ENCODING) && parts.headers.contains_key(CONTENT_LENGTH) {
        return Err(answered(HttpFaultKind::Protocol));
    }
    let headers = headers(&parts.headers).ok_or(answered(HttpFaultKind::HeadSize))?;
    let most = usize::try_from(caps.body_bytes).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    // BOUND: every turn brings bytes, which are counted, or is bounded by a timeout.
    loop {
        if is_head {
            break;
        }
        let piece = timeout(millis(caps.between_bytes_ms), body.frame())
            .await
            .map_err(|_| answered(HttpFaultKind::Timeout))?;
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|_| answered(HttpFaultKind::Cut))?;
        let Ok(data) = piece.into_data() else {
            continue;
        };
        if bytes.len().saturating_add(data.len()) > most {
            return Err(answered(HttpFaultKind::BodySize));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(HttpResponse {
        status,
        headers,
        body: bytes,
    })
}

fn headers(map: &HeaderMap) -> Option<Vec<(String, Vec<u8>)>> {
    let mut headers = Vec::with_capacity(map.len());
    let mut bytes = 0_usize;
    for (name, value) in map {
        bytes = bytes.saturating_add(name.as_str().len() + value.len());
        if bytes > HEADER_BYTES_MAX {
            return None;
        }
        if !is_set_by_host(name.as_str()) {
            headers.push((name.as_str().to_owned(), value.as_bytes().to_vec()));
        }
    }
    Some(headers)
}
