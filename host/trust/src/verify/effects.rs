//! Immediate effects in a log: every outcome has its intent, nothing is begun again after it was done, and the witness of
//! an attempt lists exactly its frames.
//!
//! INVARIANT: an intent without an outcome at the end of a log is an interruption and no fault; one that a witness keeps
//! quiet about is a fault.

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use aim_core::{
    digest::Digest,
    effect::{EffectEnd, EffectIntent, EffectOutcome},
    id::{AttemptId, EffectKey},
};
use serde::Deserialize;

use super::FaultKind;

/// How many attempts without a witness are kept in mind: more than any host runs at once.
const OPEN_MAX: usize = 1 << 16;

/// What the frames say about one call.
#[derive(Debug, Clone)]
struct Call {
    intent: Digest,
    is_open: bool,
    outcome: Option<(Digest, EffectEnd)>,
}

/// Effects of attempts that have no witness yet.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    open: BTreeMap<AttemptId, BTreeMap<u32, Call>>,
    /// True once more attempts were open than are kept in mind.
    is_full: bool,
}

/// One effect, as the witness of an attempt lists it: what has to agree with the frames.
#[derive(Debug, Deserialize)]
pub(crate) struct ListedEffect {
    call: u32,
    end: EffectEnd,
    #[serde(default)]
    intent: Option<Digest>,
    #[serde(default)]
    outcome: Option<Digest>,
}

fn fault(message: impl Into<String>) -> FaultKind {
    FaultKind::Effect(message.into())
}

impl Effects {
    /// True when no attempt has effects that a witness has yet to list.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes an intent.
    pub(crate) fn intent(&mut self, body: &[u8]) -> Result<(), FaultKind> {
        let intent: EffectIntent = serde_json::from_slice(body)
            .map_err(|error| fault(format!("an intent can not be read: {error}")))?;
        if intent.to_frame() != body {
            return Err(fault("an intent is not in its one form"));
        }
        if intent.key != EffectKey::of(intent.attempt, intent.call) {
            return Err(fault(
                "an intent's key is not derived from its attempt and call",
            ));
        }
        if !self.open.contains_key(&intent.attempt) && self.open.len() >= OPEN_MAX {
            self.is_full = true;
            return Ok(());
        }
        let digest = Digest::of(body);
        let calls = self.open.entry(intent.attempt).or_default();
        let was_done = |call: &Call| matches!(call.outcome, Some((_, EffectEnd::Done)));
        match calls.get_mut(&intent.call) {
            None => {
                let call = Call {
                    intent: digest,
                    is_open: true,
                    outcome: None,
                };
                calls.insert(intent.call, call);
            }
            Some(call) if call.intent != digest => {
                return Err(fault(format!(
                    "call {} has two different intents",
                    intent.call
                )));
            }
            Some(call) if was_done(call) => {
                let message = format!("call {} was begun again after it was done", intent.call);
                return Err(fault(message));
            }
            Some(call) => call.is_open = true,
        }
        Ok(())
    }

    /// Takes an outcome.
    pub(crate) fn outcome(&mut self, body: &[u8]) -> Result<(), FaultKind> {
        let outcome: EffectOutcome = serde_json::from_slice(body)
            .map_err(|error| fault(format!("an outcome can not be read: {error}")))?;
        if outcome.to_frame() != body || outcome.end == EffectEnd::Denied {
            return Err(fault("an outcome is not in its one form"));
        }
        let calls = self.open.get_mut(&outcome.attempt);
        let call = match calls.and_then(|calls| calls.get_mut(&outcome.call)) {
            Some(call) => call,
            None if self.is_full => return Ok(()),
            None => return Err(fault("an outcome has no intent before it")),
        };
        if call.intent != outcome.intent {
            return Err(fault("an outcome names another intent than its call's"));
        }
        if !call.is_open {
            return Err(fault(format!("call {} has a second outcome", outcome.call)));
        }
        call.is_open = false;
        call.outcome = Some((Digest::of(body), outcome.end));
        Ok(())
    }

    /// Holds the list of an attempt's witness against its frames, which end here.
    pub(crate) fn witness(
        &mut self,
        attempt: AttemptId,
        listed: &[ListedEffect],
    ) -> Result<(), FaultKind> {
        let mut calls = self.open.remove(&attempt).unwrap_or_default();
        for effect in listed {
            let Some(intent) = effect.intent else {
                if effect.end != EffectEnd::Denied || effect.outcome.is_some() {
                    return Err(fault(format!(
                        "call {} is listed without an intent",
                        effect.call
                    )));
                }
                continue;
            };
            let call = match calls.remove(&effect.call) {
                Some(call) if call.intent == intent => call,
                None if self.is_full => continue,
                _ => {
                    return Err(fault(format!(
                        "call {} is listed and has no such intent",
                        effect.call
                    )));
                }
            };
            let latest = (!call.is_open).then_some(call.outcome).flatten();
            let (outcome, end) = match latest {
                Some((outcome, end)) => (Some(outcome), end),
                None => (None, EffectEnd::Unknown),
            };
            if effect.outcome != outcome || effect.end != end {
                let is = effect.end.word();
                return Err(fault(format!(
                    "call {} is listed as {is}, and its frames say {}",
                    effect.call,
                    end.word()
                )));
            }
        }
        let hidden: Vec<String> = calls.keys().map(ToString::to_string).collect();
        if hidden.is_empty() {
            return Ok(());
        }
        let message = "has effects that its witness does not list: call ".to_owned();
        Err(fault(format!("attempt {message}{}", hidden.join(", "))))
    }
}

#[cfg(test)]
mod tests {

    use aim_core::{
        effect::EffectKind,
        id::{ExecutionId, RunId, RunPins},
    };

    use super::*;

    fn intent(call: u32) -> EffectIntent {
        let run = RunId::of(&RunPins {
            plan: Digest::of(b"plan"),
            lock: Digest::of(b"lock"),
            inputs: Digest::of(b"inputs"),
            tenant: "global",
            seed: 0,
        });
        let execution = ExecutionId::of("log", run, 1);
        let attempt = AttemptId::of(execution, "step", 1);
        EffectIntent {
            action: "wasi:http/outgoing-handler.handle".to_owned(),
            attempt,
            call,
            execution,
            key: EffectKey::of(attempt, call),
            kind: EffectKind::Http,
            request: Digest::of(b"request"),
            target: "GET https://api.example:443/".to_owned(),
        }
    }

    fn outcome(call: u32, end: EffectEnd) -> EffectOutcome {
        let intent = intent(call);
        EffectOutcome {
            attempt: intent.attempt,
            call,
            end,
            fault: None,
            intent: intent.digest(),
            response: None,
            response_bytes: 0,
        }
    }

    fn listed(call: u32, end: EffectEnd, outcome: Option<&EffectOutcome>) -> ListedEffect {
        ListedEffect {
            call,
            end,
            intent: Some(intent(call).digest()),
            outcome: outcome.map(|outcome| Digest::of(&outcome.to_frame())),
        }
    }

    fn says(result: Result<(), FaultKind>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn an_effect_that_was_done_and_listed_is_no_fault() {
        let mut effects = Effects::default();
        let done = outcome(1, EffectEnd::Done);
        effects.intent(&intent(1).to_frame()).unwrap();
        effects.outcome(&done.to_frame()).unwrap();
        effects.intent(&intent(2).to_frame()).unwrap();
        let list = [
            listed(1, EffectEnd::Done, Some(&done)),
            listed(2, EffectEnd::Unknown, None),
        ];
        effects.witness(intent(1).attempt, &list).unwrap();
    }

    #[test]
    fn what_was_not_done_may_be_begun_again_and_what_was_done_may_not() {
        let mut effects = Effects::default();
        for end in [EffectEnd::NotDone, EffectEnd::Unknown, EffectEnd::Done] {
            effects.intent(&intent(1).to_frame()).unwrap();
            effects.outcome(&outcome(1, end).to_frame()).unwrap();
        }
        let again = says(effects.intent(&intent(1).to_frame()));
        assert!(again.contains("begun again"), "{again}");
    }

    // Negative control: with the look for the intent taken out of `outcome`, the first case passes and this fails.
    #[test]
    fn an_outcome_without_its_intent_a_second_one_and_another_intent_are_faults() {
        let done = outcome(1, EffectEnd::Done);
        let mut effects = Effects::default();
        let alone = says(effects.outcome(&done.to_frame()));
        assert!(alone.contains("no intent before it"), "{alone}");
        effects.intent(&intent(1).to_frame()).unwrap();
        let other = EffectOutcome {
            intent: Digest::of(b"other"),
            ..done.clone()
        };
        assert!(says(effects.outcome(&other.to_frame())).contains("another intent"));
        effects.outcome(&done.to_frame()).unwrap();
        assert!(says(effects.outcome(&done.to_frame())).contains("second outcome"));
        let changed = EffectIntent {
            target: "GET https://evil.example:443/".to_owned(),
            ..intent(2)
        };
        effects.intent(&intent(2).to_frame()).unwrap();
        assert!(says(effects.intent(&changed.to_frame())).contains("two different"));
        let forged = EffectIntent {
            key: EffectKey::of(intent(3).attempt, 4),
            ..intent(3)
        };
        assert!(says(effects.intent(&forged.to_frame())).contains("not derived"));
    }

    #[test]
    fn a_witness_that_hides_invents_or_bends_an_effect_is_a_fault() {
        let attempt = intent(1).attempt;
        let done = outcome(1, EffectEnd::Done);
        let with = |frames: &[&[u8]], list: &[ListedEffect]| {
            let mut effects = Effects::default();
            for frame in frames {
                if effects.intent(frame).is_err() {
                    effects.outcome(frame).unwrap();
                }
            }
            effects
                .witness(attempt, list)
                .err()
                .map(|fault| fault.to_string())
        };
        let (begun, ended) = (intent(1).to_frame(), done.to_frame());
        let frames = [begun.as_slice(), ended.as_slice()];
        assert!(with(&frames, &[]).unwrap().contains("does not list"));
        let invented = [listed(1, EffectEnd::Done, Some(&done))];
        assert!(with(&[], &invented).unwrap().contains("no such intent"));
        let bent = [listed(1, EffectEnd::NotDone, Some(&done))];
        assert!(
            with(&frames, &bent)
                .unwrap()
                .contains("its frames say done")
        );
        let early = [listed(1, EffectEnd::Done, Some(&done))];
        assert!(
            with(&[&begun], &early)
                .unwrap()
                .contains("its frames say unknown")
        );
        let denied = ListedEffect {
            call: 1,
            end: EffectEnd::Done,
            intent: None,
            outcome: None,
        };
        assert!(with(&[], &[denied]).unwrap().contains("without an intent"));
        assert_eq!(with(&[], &[]), None);
    }
}
