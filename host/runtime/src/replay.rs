//! Running attempts again from their record, to see whether they come to the same.
//!
//! ```text
//! Case (what the log says) + Library (what it was pinned to) -> the loop of `attempt` -> statement -> core::replay::differences
//! ```
//! It is the same loop that ran the attempt; [`crate::around`] is where the two part. Envelopes are made again from what earlier
//! steps released, and have to be the recorded ones to the byte. Host calls are answered by the record where the answer came
//! from outside of the attempt, and done again where it only changed what the attempt itself stages. Gates are asked again.
//!
//! INVARIANT: nothing here commits, publishes, sends or writes; what is missing ends in an abstention that names it, never in a
//! guess.

mod case;
mod exported;
mod library;
mod packed;
mod played;
mod recorded;
mod state;

use std::sync::Arc;

use aim_core::{
    digest::Digest,
    name::StepName,
    outcome::Exit,
    plan::StepPath,
    replay::{Difference, Likeness, Told, differences, is_cut},
    time::Timestamp,
    transcript::Transcript,
    verdict::Verdict,
    witness::{AttemptPredicate, EngineRecord, Statement},
};
use aim_engine::Engine;

use crate::{
    around::Around,
    attempt::{Done, Watch, drive},
    effects::documents,
    host::HostFacts,
    record::{self, Facts},
};

pub use case::{Case, CaseError, Evidence};
pub use exported::{ExportedCaseError, components};
pub use library::{Library, LibraryError};
pub use packed::{Packed, pack};
pub use recorded::Recorded;

use case::Past;
use library::Loader;

/// Something that a replay needs and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The stable code.
    pub code: &'static str,
    /// What, by digest where it has one.
    pub what: String,
}

impl Missing {
    /// Something that the attempt was pinned to.
    pub(crate) fn pin(what: impl Into<String>) -> Self {
        Self {
            code: "AIM-R080",
            what: what.into(),
        }
    }

    /// Bytes that the record names by digest.
    pub(crate) fn payload(what: impl Into<String>) -> Self {
        Self {
            code: "AIM-R081",
            what: what.into(),
        }
    }

    /// The record does not say enough.
    pub(crate) fn record(what: impl Into<String>) -> Self {
        Self {
            code: "AIM-R082",
            what: what.into(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self.code {
            "AIM-R080" => {
                "name the deployment of that time with --config, or a folder of components with --components"
            }
            "AIM-R081" => "restore the artifact; what was erased on order can not be replayed",
            _ => "nothing can be said about this attempt; the others are not affected",
        }
    }
}

/// What became of one replayed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It came to the same.
    Equal,
    /// It came to something else.
    Diverged(Vec<Difference>),
    /// Something was missing, so nothing can be said.
    Abstained(Vec<Missing>),
    /// The record says that no guest and no gate ran.
    NotRun,
}

impl Standing {
    /// The word for people.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Diverged(_) => "diverged",
            Self::Abstained(_) => "abstained",
            Self::NotRun => "not-run",
        }
    }

    /// How a command that shows it exits.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Equal | Self::NotRun => Exit::Ok,
            Self::Diverged(_) => Exit::Diverged,
            Self::Abstained(_) => Exit::Abstained,
        }
    }
}

/// One attempt, replayed.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The step.
    pub step: StepName,
    /// Where its node stands.
    pub path: StepPath,
    /// Which try it was.
    pub attempt_no: u32,
    /// The witness that it is held against.
    pub witness: Digest,
    /// What that witness states.
    pub recorded: Box<AttemptPredicate>,
    /// Host calls in the record.
    pub calls: u64,
    /// True when the record was cut by time or by a person, and is compared as far as it goes.
    pub is_cut: bool,
    /// What became of it.
    pub standing: Standing,
}

/// Another component in the place of the recorded one.
#[derive(Debug, Clone)]
pub struct Against {
    /// BLAKE3 of the component, which is in the library.
    pub component: Digest,
}

/// Replays the attempts of one execution.
#[derive(Debug)]
pub struct Replayer<'a> {
    case: &'a Case,
    past: Past,
    loader: Loader<'a>,
    engine: EngineRecord,
    against: Option<Against>,
}

/// What a replayer is made of.
#[derive(Debug)]
pub struct ReplayParts<'a> {
    /// What happened.
    pub case: &'a Case,
    /// What it was pinned to, compiled.
    pub library: &'a Library,
    /// Runs it.
    pub engine: &'a Engine,
    /// What statements say about the engine.
    pub engine_record: EngineRecord,
    /// What virtual wall clocks show.
    pub pinned_time: Timestamp,
    /// Another component to run instead.
    pub against: Option<Against>,
}

impl<'a> Replayer<'a> {
    /// Reads what all attempts of the execution share.
    ///
    /// # Errors
    /// What is missing of it: then no attempt can be replayed.
    pub fn new(parts: ReplayParts<'a>) -> Result<Self, Vec<Missing>> {
        let past = Past::new(parts.case, parts.pinned_time)?;
        Ok(Self {
            case: parts.case,
            past,
            loader: Loader::new(parts.library, parts.engine),
            engine: parts.engine_record,
            against: parts.against,
        })
    }

    /// Replays every attempt of `step`, or of all steps, in the order of the log. Needs a tokio runtime with its timer.
    pub async fn replay(&mut self, step: Option<&StepName>) -> Vec<Replay> {
        let mut replays = Vec::new();
        for place in 0..self.case.attempts().len() {
            let Some(told) = self.case.attempts().get(place) else {
                continue;
            };
            let recorded = &told.statement.predicate;
            if step.is_some_and(|step| *step != recorded.step) {
                continue;
            }
            let standing = self.one(place).await;
            replays.push(Replay {
                step: recorded.step.clone(),
                path: told.path(),
                attempt_no: recorded.attempt_no,
                witness: told.witness,
                recorded: Box::new(recorded.clone()),
                calls: recorded.host_calls.calls,
                is_cut: is_cut(recorded),
                standing,
            });
        }
        replays
    }

    async fn one(&mut self, place: usize) -> Standing {
        let Some(told) = self.case.attempts().get(place) else {
            return Standing::NotRun;
        };
        let recorded = &told.statement.predicate;
        if recorded.gates.is_empty() {
            return Standing::NotRun;
        }
        match self.again(place).await {
            Ok(found) if found.is_empty() => Standing::Equal,
            Ok(found) => match unanswered(recorded).or_else(|| self.case.unheard(recorded)) {
                Some(missing) => Standing::Abstained(vec![missing]),
                None => Standing::Diverged(found),
            },
            Err(missing) => Standing::Abstained(missing),
        }
    }

    /// Runs one attempt again and compares.
    async fn again(&mut self, place: usize) -> Result<Vec<Difference>, Vec<Missing>> {
        let told = self.case.attempts().get(place);
        let told = told.ok_or_else(|| vec![Missing::record("the attempt")])?;
        let recorded = &told.statement.predicate;
        self.check_engine(recorded)?;
        let evidence = self.case.evidence();
        let transcript = Arc::new(recorded::transcript(evidence, recorded)?);
        let unit = match &self.against {
            None => self.loader.unit(&self.past, recorded)?,
            Some(against) => match self.loader.other(&self.past, recorded, against.component)? {
                Ok(unit) => unit,
                Err(refused) => return Ok(vec![refused]),
            },
        };
        let mut task = self.past.task(self.case, told)?;
        task.labels = recorded::labels(&transcript);
        let around = Recorded::of(self.case, told, &unit, &transcript)?;
        let envelope = crate::attempt::take_envelope(&mut task);
        let body = Digest::of(&envelope.body);
        let received = (recorded.attempt, envelope, body);
        let around = Around::Recorded(&around);
        let facts = self.past.facts(recorded);
        let watch = Watch::default();
        let mut done = drive(&around, &unit, &facts, &task, received, &watch).await;
        done.effects = around.close().await;
        let statement = self.stated(recorded, &unit, (&facts, &task), (&done, body));
        let none = Transcript::default();
        let again = done
            .report
            .as_ref()
            .map_or(&none, |report| &report.transcript);
        let one = Told {
            statement: &told.statement,
            transcript: &transcript,
        };
        let other = Told {
            statement: &statement,
            transcript: again,
        };
        let likeness = Likeness::of(recorded, self.against.is_none());
        Ok(differences(one, other, likeness))
    }

    fn stated(
        &self,
        recorded: &AttemptPredicate,
        unit: &crate::unit::Unit,
        (run, task): (&crate::attempt::RunFacts, &crate::attempt::Task),
        (done, body): (&Done, Digest),
    ) -> Statement<AttemptPredicate> {
        let host = HostFacts {
            origin: recorded.origin.clone(),
            host: recorded.host.clone(),
            engine: self.engine.clone(),
            config: recorded.config,
        };
        let report = done.report.as_ref();
        let documents = report.map_or_else(Vec::new, |report| documents(&report.effects));
        record::stated(&Facts {
            documents: &documents,
            host: &host,
            unit,
            run,
            task,
            attempt: recorded.attempt,
            ended: &done.ended,
            body,
            bodies: &done.bodies,
            report,
            kappa: done.kappa.clone(),
            composite: done.composite.clone(),
            disposition: done.disposition,
            effects: &done.effects,
            would_deny: &[],
            reroute: done.reroute.clone(),
            options: done.options.clone(),
            bases: &done.bases,
            started_at: recorded.started_at,
            ended_at: recorded.ended_at,
        })
    }

    fn check_engine(&self, recorded: &AttemptPredicate) -> Result<(), Vec<Missing>> {
        if recorded.engine.profile == self.engine.profile {
            return Ok(());
        }
        Err(vec![Missing::pin(format!(
            "engine profile {}; this host's is {}",
            recorded.engine.profile, self.engine.profile
        ))])
    }
}

/// A gate that gave no answer when it was asked: nobody knows why, so nothing can be held against it.
fn unanswered(recorded: &AttemptPredicate) -> Option<Missing> {
    let effects = recorded.effects.iter().flat_map(|effect| &effect.gates);
    let mut gates = recorded.gates.iter().chain(effects);
    let gate = gates.find(|gate| gate.verdict == Verdict::Error && gate.decision.is_none())?;
    let what = format!("an answer of gate `{}`, which gave none then", gate.gate);
    Some(Missing::record(what))
}
