//! The host's side of host calls: one that answers from a table, one that never answers.
//!
//! INVARIANT: unknown artifacts are absent and unprepared questions are unavailable, never permitted.

use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::{digest::Digest, gate::Decision};
use aim_ports::{
    PortError, PortFault,
    effect::{EffectAnswer, EffectCall, EffectFault},
    services::StepServices,
};
use async_trait::async_trait;

/// Answers from what a test prepared and remembers what was asked.
#[derive(Debug, Default)]
pub struct TestServices {
    artifacts: BTreeMap<Digest, Arc<[u8]>>,
    decision: Option<Decision>,
    asked: Mutex<Vec<(String, String)>>,
    answers: Mutex<VecDeque<Result<EffectAnswer, EffectFault>>>,
    effects: Mutex<Vec<EffectCall>>,
}

impl TestServices {
    /// Answers the next effect with `answer`; may be called for each one that will come.
    #[must_use]
    pub fn with_answer(self, answer: Result<EffectAnswer, EffectFault>) -> Self {
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(answer);
        self
    }

    /// Every effect that was asked for so far.
    #[must_use]
    pub fn effects(&self) -> Vec<EffectCall> {
        self.effects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes bytes readable under their digest.
    #[must_use]
    pub fn with_artifact(mut self, bytes: &[u8]) -> Self {
        self.artifacts.insert(Digest::of(bytes), bytes.into());
        self
    }

    /// Answers every consultation with `decision`.
    #[must_use]
    pub fn with_decision(mut self, decision: Decision) -> Self {
        self.decision = Some(decision);
        self
    }

    /// The action and target of every consultation so far.
    #[must_use]
    pub fn asked(&self) -> Vec<(String, String)> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl StepServices for TestServices {
    async fn read_artifact(&self, digest: Digest) -> Result<Arc<[u8]>, PortError> {
        self.artifacts.get(&digest).cloned().ok_or_else(|| {
            let subject = format!("read artifact {digest}");
            PortError::new(PortFault::NotFound, subject, "does not exist")
        })
    }

    async fn consult(
        &self,
        action: String,
        target: String,
        _payload: Vec<u8>,
    ) -> Result<Decision, PortError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push((action, target));
        self.decision.clone().ok_or_else(|| {
            PortError::new(
                PortFault::Unavailable,
                "consult the gates",
                "no answer prepared",
            )
        })
    }

    async fn act(&self, call: EffectCall) -> Result<EffectAnswer, EffectFault> {
        self.effects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers
            .pop_front()
            .unwrap_or_else(|| Err(EffectFault::Denied("unprepared".to_owned())))
    }
}

/// Never answers: a host call on it hangs until somebody else ends it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SilentServices;

#[async_trait]
impl StepServices for SilentServices {
    async fn read_artifact(&self, _digest: Digest) -> Result<Arc<[u8]>, PortError> {
        pending().await
    }

    async fn consult(
        &self,
        _action: String,
        _target: String,
        _payload: Vec<u8>,
    ) -> Result<Decision, PortError> {
        pending().await
    }

    async fn act(&self, _call: EffectCall) -> Result<EffectAnswer, EffectFault> {
        pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn answers_what_was_prepared_and_nothing_else() {
        let services = TestServices::default().with_artifact(b"x");
        let read = poll(services.read_artifact(Digest::of(b"x")));
        assert!(matches!(read, Poll::Ready(Ok(bytes)) if *bytes == *b"x"));
        assert!(matches!(
            poll(services.read_artifact(Digest::of(b"y"))),
            Poll::Ready(Err(_))
        ));
        let asked = poll(services.consult("pay".into(), "bank".into(), vec![]));
        assert!(matches!(asked, Poll::Ready(Err(e)) if e.fault == PortFault::Unavailable));
        assert_eq!(services.asked(), [("pay".to_owned(), "bank".to_owned())]);
    }

    #[test]
    fn silence_is_silence() {
        assert!(poll(SilentServices.read_artifact(Digest::of(b"x"))).is_pending());
        assert!(poll(SilentServices.consult(String::new(), String::new(), vec![])).is_pending());
    }
}
