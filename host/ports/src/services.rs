//! What a running step can reach through its host calls, after the engine has permitted, charged and recorded them.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::fmt::Debug;

use aim_core::{digest::Digest, gate::Decision};
use async_trait::async_trait;

use crate::{
    PortError,
    effect::{EffectAnswer, EffectCall, EffectFault},
};

/// The host's side of one attempt's host calls.
#[async_trait]
pub trait StepServices: Debug + Send + Sync {
    /// Reads an artifact that the attempt may read: the engine has checked that it is an input of the step, was put by
    /// it, or is otherwise granted.
    ///
    /// # Errors
    /// [`crate::PortFault::NotFound`], [`crate::PortFault::Corrupt`], [`crate::PortFault::Unavailable`].
    async fn read_artifact(&self, digest: Digest) -> Result<Arc<[u8]>, PortError>;

    /// Asks the gates about an intended action.
    ///
    /// # Errors
    /// [`crate::PortFault::Unavailable`] when a gate can not answer; the guest must treat that as a denial.
    async fn consult(
        &self,
        action: String,
        target: String,
        payload: Vec<u8>,
    ) -> Result<Decision, PortError>;

    /// Has an immediate effect judged, writes its intent, does it, writes its outcome. The engine has found a granted scope
    /// for it. Calls of one attempt come one after the other. When the future is dropped, the effect is stopped where it is
    /// and its outcome is written all the same.
    ///
    /// # Errors
    /// [`EffectFault`].
    async fn act(&self, call: EffectCall) -> Result<EffectAnswer, EffectFault>;
}
