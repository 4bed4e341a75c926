//! Immediate effects: judged, an intent, done, an outcome; and what a restart makes of those that it finds.
//!
//! One [`EffectDesk`] serves one attempt. Each effect runs in a task of its own, so that its outcome is written whatever
//! happens to the guest that waits for it.
//!
//! INVARIANT: nothing is sent before its intent is durable, and no answer reaches a guest before its outcome is.

mod addresses;
mod desk;
mod http;
mod secrets;

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{digest::Digest, effect::Prior, id::AttemptId, pool::Prices};
use aim_ports::http::Http;
use tokio::sync::Semaphore;

pub use addresses::Addresses;
pub(crate) use desk::{DeskParts, EffectDesk, request_about};
pub(crate) use http::{WITHHELD, item};
pub use secrets::{SecretBinding, SecretBook};

/// Effects of a host that are on their way at the same time; the others wait for their turn.
pub const EFFECTS_AT_ONCE: usize = 16;

/// What a host can do outside of itself.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Sends HTTP requests; absent where the deployment has no use for it.
    pub http: Option<Arc<dyn Http>>,
    /// Secrets by name, with what each may be used for.
    pub secrets: Arc<SecretBook>,
    /// What calls cost, by the operator's table; all zero where there is none.
    pub prices: Prices,
    /// Turns for effects: slow ones never take the turns of steps that compute.
    pub(crate) turns: Arc<Semaphore>,
}

impl Outside {
    /// What the composition root has.
    #[must_use]
    pub fn new(http: Option<Arc<dyn Http>>, secrets: SecretBook, at_once: usize) -> Self {
        Self {
            http,
            secrets: Arc::new(secrets),
            prices: Prices::default(),
            turns: Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    /// The same, with prices.
    #[must_use]
    pub const fn priced(mut self, prices: Prices) -> Self {
        self.prices = prices;
        self
    }

    /// Nothing at all.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new(None, SecretBook::default(), EFFECTS_AT_ONCE)
    }
}

/// Effects of attempts that have no witness, as the log tells them, and the answers that were kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unwitnessed {
    pub(crate) priors: BTreeMap<AttemptId, Vec<Prior>>,
    pub(crate) answers: BTreeMap<Digest, Vec<u8>>,
}
