//! Doing one HTTP request, after it was judged and its intent written.
//!
//! INVARIANT: an answer that holds a secret is dropped here, before anything of it is written or handed on.

use std::{sync::Arc, time::Duration};

use aim_core::{digest::Digest, envelope::Target as ItemTarget};
use aim_core::{effect::EffectEnd, gate::Item, http::HttpRequest, id::EffectKey, secret::Filled};
use aim_ports::{
    effect::{EffectAnswer, EffectFault},
    http::{AddressJudge, Http, HttpCall, HttpCaps, HttpFault, HttpFaultKind, HttpStage},
};

use super::{SecretBook, addresses::DialJudge};

/// What doing it came to.
pub(super) struct Did {
    pub(super) end: EffectEnd,
    /// The word for why there is no answer.
    pub(super) fault: Option<String>,
    /// The answer's encoding.
    pub(super) response: Vec<u8>,
    pub(super) answer: Result<EffectAnswer, EffectFault>,
}

impl Did {
    pub(super) fn failed(fault: HttpFault) -> Self {
        let end = match fault.stage {
            HttpStage::NotSent => EffectEnd::NotDone,
            HttpStage::Sent => EffectEnd::Unknown,
            HttpStage::Answered => EffectEnd::Done,
        };
        Self {
            end,
            fault: Some(fault.kind.word().to_owned()),
            response: Vec::new(),
            answer: Err(EffectFault::Http(fault)),
        }
    }
}

/// The word in evidence for an answer that is kept from the guest.
pub(crate) const WITHHELD: &str = "answer-withheld";

/// What a request is for people and frames: no query, no payload.
pub(super) fn shown(request: &HttpRequest) -> String {
    format!("{} {}", request.method, request.target)
}

/// What gates are asked about.
pub(crate) fn item(request: &HttpRequest, action: &str, is_opaque: bool) -> Item {
    let media_type = request
        .headers
        .iter()
        .find(|(name, _)| name == "content-type")
        .and_then(|(_, value)| String::from_utf8(value.clone()).ok())
        .unwrap_or_else(|| "application/octet-stream".to_owned());
    Item {
        target: ItemTarget::Node(shown(request)),
        action: action.to_owned(),
        media_type,
        artifacts: Vec::new(),
        payload_digest: Digest::of(&request.body),
        payload: (!is_opaque).then(|| request.body.clone()),
    }
}

/// A request that can be sent.
pub(super) struct Sendable {
    pub(super) request: HttpRequest,
    pub(super) headers: Vec<(String, Filled)>,
    pub(super) networks: Vec<aim_core::http::Network>,
    pub(super) caps: HttpCaps,
    pub(super) judge: Option<Arc<DialJudge>>,
}

/// Sends it. The other side can tell a repetition by `key`.
pub(super) async fn send(
    http: Option<Arc<dyn Http>>,
    secrets: &SecretBook,
    sendable: Sendable,
    key: EffectKey,
) -> Did {
    let Some(http) = http else {
        return Did::failed(HttpFault {
            kind: HttpFaultKind::Unsupported,
            stage: HttpStage::NotSent,
        });
    };
    let Sendable {
        request,
        mut headers,
        networks,
        caps,
        judge,
    } = sendable;
    let is_carrying = headers
        .iter()
        .any(|(_, value)| matches!(value, Filled::Secret(_)));
    let key = key.to_string().into_bytes();
    headers.push(("idempotency-key".to_owned(), Filled::Plain(key)));
    let call = HttpCall {
        method: request.method,
        target: request.target,
        headers,
        body: request.body,
        networks,
        caps,
        judge: judge.map(|judge| judge as Arc<dyn AddressJudge>),
    };
    // The driver keeps to its times itself; this is for one that does not.
    let patience = Duration::from_millis(caps.total_ms.saturating_add(1_000));
    let sent = match tokio::time::timeout(patience, http.send(call)).await {
        Ok(sent) => sent,
        Err(_) => Err(HttpFault {
            kind: HttpFaultKind::Timeout,
            stage: HttpStage::Sent,
        }),
    };
    match sent {
        Err(fault) => Did::failed(fault),
        Ok(response)
            if (is_carrying && SecretBook::is_unsearchable(&response))
                || secrets.is_echoed(&response) =>
        {
            Did {
                end: EffectEnd::Done,
                fault: Some(WITHHELD.to_owned()),
                response: Vec::new(),
                answer: Err(EffectFault::Withheld),
            }
        }
        Ok(response) => Did {
            end: EffectEnd::Done,
            fault: None,
            response: response.encode(),
            answer: Ok(EffectAnswer::Http(response)),
        },
    }
}
