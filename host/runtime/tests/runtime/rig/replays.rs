//! Replaying what the rig ran: with everything that was pinned, and with one thing taken away.
//!
//! INVARIANT: every run that ended is replayed before the test goes on, and comes to the same.

use std::sync::Arc;

use aim_core::{digest::Digest, name::StepName, time::Timestamp, witness::EngineRecord};
use aim_engine::EngineProfile;
use aim_ports::artifact::ArtifactStore;
use aim_runtime::{
    judge::GateRules,
    replay::{Against, Case, Evidence, Library, Missing, Replay, ReplayParts, Replayer, Standing},
};

use super::{ENGINE, InProcess, RequiredKeys, Rig, engine_record, guest};

impl Rig {
    /// Everything that a replay of the newest execution may load: the deployment's nodes, compiled.
    pub(crate) fn library(&self) -> Library {
        let mut library = Library::new(self.rules.clone());
        let wanted = self.fill(&mut library);
        library.compile(wanted.into_iter(), &mut InProcess, EngineProfile::default());
        library
    }

    /// The same without one thing: `component`, `contract` or `codex` of a node, or the deployment's `rules`.
    pub(crate) fn library_without(&self, what: &str) -> Library {
        let rules = GateRules {
            is_quarantining: self.rules.is_quarantining != (what == "rules"),
            ..self.rules.clone()
        };
        let mut library = Library::new(rules);
        let mut wanted = Vec::new();
        for (id, node) in &self.nodes {
            let is_wanted = |kind: &str| what != format!("{kind} {id}");
            if is_wanted("component") {
                wanted.push(library.add_component(node.component.clone()));
            }
            if is_wanted("contract") {
                let schemas = RequiredKeys(Vec::new());
                library.add_contract(&node.contract, &schemas).unwrap();
            }
            if let Some(codex) = node.codex.as_ref().filter(|_| is_wanted("codex")) {
                library.add_codex(&codex.document);
            }
        }
        library.compile(wanted.into_iter(), &mut InProcess, EngineProfile::default());
        library
    }

    /// Puts every node in; the components are to be compiled.
    pub(crate) fn fill(&self, library: &mut Library) -> Vec<Digest> {
        self.fill_without(library, "")
    }

    /// As [`Self::fill`], without one component.
    pub(crate) fn fill_without(&self, library: &mut Library, component: &str) -> Vec<Digest> {
        let left_out = (!component.is_empty()).then(|| guest(component));
        let mut wanted = Vec::new();
        for node in self.nodes.values() {
            if left_out.as_ref() != Some(&node.component) {
                wanted.push(library.add_component(node.component.clone()));
            }
            let schemas = RequiredKeys(Vec::new());
            library.add_contract(&node.contract, &schemas).unwrap();
            if let Some(codex) = &node.codex {
                library.add_codex(&codex.document);
            }
        }
        wanted
    }

    /// The newest execution, as a replay reads it.
    pub(crate) fn case(&self) -> Case {
        let ledger = self.ledger();
        let execution = ledger.executions().last().unwrap().clone();
        let evidence = Evidence {
            ledger: Arc::new(ledger),
            reader: Arc::new(self.log.reader()),
            store: Arc::clone(&self.store) as Arc<dyn ArtifactStore>,
        };
        Case::new(evidence, &execution).unwrap()
    }

    /// Replays the newest execution with what is in `library`, or with another component in a step's place.
    pub(crate) fn replay_with(
        &self,
        library: &Library,
        step: Option<&str>,
        against: Option<Digest>,
    ) -> Result<Vec<Replay>, Vec<Missing>> {
        self.replay_on(library, step, against, engine_record())
    }

    /// As [`Self::replay_with`], on an engine that says this of itself.
    pub(crate) fn replay_on(
        &self,
        library: &Library,
        step: Option<&str>,
        against: Option<Digest>,
        engine_record: EngineRecord,
    ) -> Result<Vec<Replay>, Vec<Missing>> {
        let case = self.case();
        let step = step.map(|step| StepName::parse(step).unwrap());
        let mut replayer = Replayer::new(ReplayParts {
            case: &case,
            library,
            engine: &ENGINE,
            engine_record,
            pinned_time: Timestamp::from_millis(0),
            against: against.map(|component| Against { component }),
        })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap();
        Ok(runtime.block_on(replayer.replay(step.as_ref())))
    }

    /// Replays the newest execution with its own components.
    pub(crate) fn replay(&self) -> Vec<Replay> {
        self.replay_with(&self.library(), None, None).unwrap()
    }

    /// How each attempt of the newest execution stands when it is replayed, in the order of the log.
    pub(crate) fn standings(&self) -> Vec<&'static str> {
        let replays = self.replay();
        replays.iter().map(|one| one.standing.word()).collect()
    }

    /// Every attempt of every run replays to what its witness says; where a gate gave no answer, nothing can be said.
    pub(super) fn assert_replays(&self) {
        let Ok(replays) = self.replay_with(&self.library(), None, None) else {
            assert!(self.attempts().is_empty(), "nothing could be replayed");
            return;
        };
        for replay in replays {
            match &replay.standing {
                Standing::Equal | Standing::NotRun => {}
                Standing::Abstained(missing)
                    if missing.iter().all(|one| one.code == "AIM-R082") => {}
                other => panic!("{} #{}: {other:#?}", replay.path, replay.attempt_no),
            }
        }
    }
}
