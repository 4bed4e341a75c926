//! What steps change in buckets and folders: staged in an attempt, committed with its witness, served to the next one.
//!
//! The log holds the truth: a witness names its changes by digest, and they lie in the same block. What is served here is a
//! projection of that, made when the host opens and moved forward by every commit. A folder of the machine is the one thing
//! outside of the log; its changes are published after the commit, and a note in the log says that they were. What a crash left
//! unpublished is published when the host opens, before anything runs.
//!
//! Whoever may write to a bucket or a folder has it alone from the beginning of the attempt to its commit, so no change is lost
//! to another that was made at the same time.
//!
//! INVARIANT: nothing is applied or published before the witness that names it is durable, and nothing is skipped.

mod base;
mod document;
mod rebuild;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::{
    access::{Capability, Mode},
    digest::Digest,
    frame::FrameKind,
    name::{NodeId, StepName, TenantId},
    staged::Published,
    witness::AttemptPredicate,
};
use aim_engine::{Resources, Snapshot, StagedEffects};
use aim_ports::{
    PortError, PortFault,
    artifact::ArtifactStore,
    folder::{SnapshotLimits, WritableFolder},
};
use tokio::sync::OwnedMutexGuard;

use crate::{attempt::RunFacts, commit::Submission, host::Host, unit::Unit};

pub(crate) use base::{Base, bases};
pub(crate) use document::{Document, documents};
pub(crate) use rebuild::{pending, publication, rebuild};
pub(crate) use view::{BucketState, Value, View};

/// The folders of the machine that steps may change, by name.
pub type WritableFolders = BTreeMap<String, Arc<dyn WritableFolder>>;

/// Whose bucket it is: of one step of one plan, as long as the same node stands there, and of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Namespace {
    tenant: TenantId,
    plan: StepName,
    step: StepName,
    node: NodeId,
    bucket: String,
}

/// What one attempt at a time may write to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Written {
    Bucket(Namespace),
    Folder(String),
}

/// The committed state of everything that steps may change.
#[derive(Debug)]
pub struct Effects {
    buckets: Mutex<BTreeMap<Namespace, Arc<BucketState>>>,
    folders: WritableFolders,
    turns: Mutex<BTreeMap<Written, Arc<tokio::sync::Mutex<()>>>>,
    store: Arc<dyn ArtifactStore>,
}

/// The right to write to everything that a unit may write to. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held, not read")] Vec<OwnedMutexGuard<()>>);

impl Effects {
    pub(crate) fn new(
        buckets: BTreeMap<Namespace, Arc<BucketState>>,
        folders: WritableFolders,
        store: Arc<dyn ArtifactStore>,
    ) -> Self {
        Self {
            buckets: Mutex::new(buckets),
            folders,
            turns: Mutex::default(),
            store,
        }
    }

    /// Waits for the right to write. Names are taken in order, so no two attempts wait for each other.
    pub(crate) async fn turn(&self, unit: &Unit, run: &RunFacts) -> Turn {
        let mut held = Vec::new();
        for name in written(unit, run) {
            let turn = {
                let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(turns.entry(name).or_default())
            };
            held.push(turn.lock_owned().await);
        }
        Turn(held)
    }

    /// Everything that the unit's grant names, as it is now.
    pub(crate) async fn resources(
        &self,
        host: &Host,
        unit: &Unit,
        run: &RunFacts,
    ) -> Result<Resources, PortError> {
        let mut resources = Resources {
            config: Arc::clone(&unit.config),
            clock: Some(Arc::clone(&host.clock)),
            entropy: Some(Arc::clone(&host.entropy)),
            ..Resources::default()
        };
        for bucket in unit.grant.scope_of(Capability::Keyvalue) {
            let namespace = Namespace::of(unit, run, bucket);
            let view = Arc::new(self.view(&namespace));
            resources.buckets.insert(bucket.to_owned(), view);
        }
        for ask in unit.grant.asks_for(Capability::Filesystem) {
            if !ask.modes.contains(&Mode::Write) {
                continue;
            }
            for name in &ask.scope {
                let is_read = ask.modes.contains(&Mode::Read);
                let snapshot = self.folder(name, unit, is_read).await?;
                resources.writable.insert(name.clone(), snapshot);
            }
        }
        Ok(resources)
    }

    async fn folder(&self, name: &str, unit: &Unit, is_read: bool) -> Result<Snapshot, PortError> {
        let folder = self.folders.get(name).ok_or_else(|| {
            let subject = format!("folder `{name}`");
            PortError::new(
                PortFault::NotFound,
                subject,
                "the deployment names no such folder",
            )
        })?;
        if !is_read {
            return Ok(Snapshot::new(BTreeMap::new()));
        }
        let limits = SnapshotLimits {
            bytes_max: unit.limits.folder_bytes_max,
            files_max: usize::try_from(unit.limits.files_max).unwrap_or(usize::MAX),
        };
        let folder = Arc::clone(folder);
        let files = blocking(move || folder.read(limits)).await?;
        Ok(Snapshot::new(
            files.into_iter().map(|file| (file.path, file.bytes)),
        ))
    }

    fn view(&self, namespace: &Namespace) -> View {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let state = buckets.get(namespace).map(Arc::clone).unwrap_or_default();
        View::new(state, Arc::clone(&self.store))
    }

    /// Makes what a durable witness names visible.
    pub(crate) async fn apply(
        &self,
        host: &Host,
        (unit, run): (&Unit, &RunFacts),
        staged: &StagedEffects,
        witness: Digest,
    ) -> Result<(), PortError> {
        {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            for bucket in &staged.buckets {
                let namespace = Namespace::of(unit, run, &bucket.bucket);
                let state = Arc::make_mut(buckets.entry(namespace).or_default());
                for (key, value) in &bucket.changes {
                    state.set(key, value.as_ref().map(Value::of));
                }
            }
        }
        for staged in &staged.folders {
            let Some(folder) = self.folders.get(&staged.folder).map(Arc::clone) else {
                continue;
            };
            let changes = staged.changes.clone();
            blocking(move || folder.publish(&changes)).await?;
            let note = Published::new(&staged.folder, witness).encode();
            let note = Submission::frame(FrameKind::EventNote, note, Vec::new());
            let noted = host.committer.commit(note).await;
            noted.map_err(|error| {
                let subject = format!("noting what was published in `{}`", staged.folder);
                PortError::new(PortFault::FailStop, subject, error.to_string())
            })?;
        }
        Ok(())
    }
}

impl Namespace {
    pub(crate) fn of(unit: &Unit, run: &RunFacts, bucket: &str) -> Self {
        Self {
            tenant: run.tenant.clone(),
            plan: run.plan_name.clone(),
            step: unit.step().name.clone(),
            node: unit.contract.node_id.clone(),
            bucket: bucket.to_owned(),
        }
    }

    /// The same, as a witness of a run of `plan` tells it.
    pub(crate) fn told(attempt: &AttemptPredicate, plan: &StepName, bucket: &str) -> Self {
        Self {
            tenant: attempt.tenant.clone(),
            plan: plan.clone(),
            step: attempt.step.clone(),
            node: attempt.node.clone(),
            bucket: bucket.to_owned(),
        }
    }
}

/// Everything that a unit may write to.
fn written(unit: &Unit, run: &RunFacts) -> BTreeSet<Written> {
    let mut names = BTreeSet::new();
    for ask in &unit.grant.asks {
        if !ask.modes.contains(&Mode::Write) {
            continue;
        }
        names.extend(ask.scope.iter().filter_map(|name| match ask.capability {
            Capability::Keyvalue => Some(Written::Bucket(Namespace::of(unit, run, name))),
            Capability::Filesystem => Some(Written::Folder(name.clone())),
            _ => None,
        }));
    }
    names
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            let detail = error.to_string();
            Err(PortError::new(
                PortFault::FailStop,
                "using a folder",
                detail,
            ))
        })
}
