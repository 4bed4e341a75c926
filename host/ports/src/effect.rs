//! An immediate effect as the engine hands it over, after the grant's scope allowed it and it was charged.

use alloc::{string::String, vec::Vec};

use aim_core::{
    effect::EffectKind,
    http::{HttpRequest, HttpResponse, HttpScope},
};

use crate::http::{HttpCaps, HttpFault};

/// One effect that a guest asks for.
#[derive(Debug, Clone)]
pub struct EffectCall {
    /// Index of the host call in the attempt: what its intent and its record name.
    pub call: u32,
    /// The interface function.
    pub action: &'static str,
    /// What is to be done.
    pub request: EffectRequest,
}

/// What is to be done, by kind.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EffectRequest {
    /// A request to a server.
    Http {
        /// With placeholders where secrets will stand.
        request: HttpRequest,
        /// The granted scope that allows it, with the networks out of the special ranges that may be dialled.
        scope: HttpScope,
        /// Its maxima.
        caps: HttpCaps,
    },
}

impl EffectRequest {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> EffectKind {
        match self {
            Self::Http { .. } => EffectKind::Http,
        }
    }

    /// The bytes whose digest stands for it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Http { request, .. } => request.encode(),
        }
    }
}

/// What came back, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EffectAnswer {
    /// An answer of a server.
    Http(HttpResponse),
}

/// Why a guest gets no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EffectFault {
    /// Refused before anything was done; the rule.
    #[error("denied by {0}")]
    Denied(String),
    /// It failed, before or after the other side noticed.
    #[error("{0}")]
    Http(HttpFault),
    /// It was done; the answer is not for the guest.
    #[error("the answer is withheld")]
    Withheld,
    /// Nobody knows whether the call was done: the attempt ends here.
    #[error("the end of host call {0} is unknown")]
    Indeterminate(u32),
    /// The host could not write the intent down, so nothing was done.
    #[error("the host can not do it now")]
    Unavailable,
}
