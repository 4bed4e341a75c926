//! What the host gives an attempt beside its envelope, and what the attempt leaves staged.
//!
//! INVARIANT: nothing in here is reached by a guest but through a granted capability; what is staged is a value of the report
//! and changes nothing by itself.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    access::{Ask, Capability, Grant, Mode},
    digest::Digest,
    limits::Limits,
};
use aim_ports::{clock::Clock, entropy::Entropy, folder::Change, keyvalue::BucketView};

use crate::{
    capability::{cli::state::Command, keyvalue::state::Bucket},
    folder::Snapshot,
    stage::SharedStage,
};

/// The host's side of what a grant may name.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// Configuration values of the deployment, by key.
    pub config: Arc<BTreeMap<String, String>>,
    /// Granted buckets by name; one that is missing is empty.
    pub buckets: BTreeMap<String, Arc<dyn BucketView>>,
    /// Writable folders by name, as they were when the attempt began; one that is missing is empty.
    pub writable: BTreeMap<String, Snapshot>,
    /// The machine's clocks, for a grant of real time.
    pub clock: Option<Arc<dyn Clock>>,
    /// The machine's randomness, for a grant of it.
    pub entropy: Option<Arc<dyn Entropy>>,
}

/// What an attempt changed in one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedBucket {
    /// The bucket.
    pub bucket: String,
    /// New values by key; `None` where the key is deleted. Never empty.
    pub changes: BTreeMap<String, Option<Arc<[u8]>>>,
}

/// What an attempt changed in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedFolder {
    /// The folder.
    pub folder: String,
    /// The changes, in the order in which they are made. Never empty.
    pub changes: Vec<Change>,
}

/// Everything that becomes visible to others only when the attempt's witness is durable, artifacts aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StagedEffects {
    /// Changed buckets, sorted by name.
    pub buckets: Vec<StagedBucket>,
    /// Changed folders, sorted by name.
    pub folders: Vec<StagedFolder>,
    /// Contents that were read and lie nowhere else, so that a replay can read them again.
    pub kept: BTreeMap<Digest, Arc<[u8]>>,
}

/// What one attempt holds of its granted resources.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) command: Arc<Command>,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) stages: BTreeMap<String, SharedStage>,
    pub(crate) kept: BTreeMap<Digest, Arc<[u8]>>,
    pub(crate) real_clock: Option<RealClock>,
    pub(crate) real_random: Option<Arc<dyn Entropy>>,
    /// True when the grant names them as the machine's own; the host must have given them then.
    pub(crate) wants_real_clock: bool,
    pub(crate) wants_real_random: bool,
}

/// The machine's clocks, counted from the start of the attempt.
#[derive(Debug, Clone)]
pub(crate) struct RealClock {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) start: std::time::Duration,
}

impl Held {
    /// Takes of `resources` what `grant` names, and nothing else.
    pub(crate) fn of(grant: &Grant, resources: &Resources, limits: &Limits) -> Self {
        let mut held = Self::default();
        for ask in &grant.asks {
            held.take(ask, resources, limits);
        }
        held
    }

    fn take(&mut self, ask: &Ask, resources: &Resources, limits: &Limits) {
        match ask.capability {
            Capability::Clocks if ask.modes.contains(&Mode::Real) => {
                self.wants_real_clock = true;
                self.real_clock = resources.clock.as_ref().map(|clock| RealClock {
                    clock: Arc::clone(clock),
                    start: clock.elapsed(),
                });
            }
            Capability::Random if ask.modes.contains(&Mode::Real) => {
                self.wants_real_random = true;
                self.real_random = resources.entropy.as_ref().map(Arc::clone);
            }
            Capability::Cli => self.command = Arc::new(Command::of(ask)),
            Capability::Config => self.take_values(ask, resources),
            Capability::Keyvalue => {
                for name in &ask.scope {
                    let view = resources.buckets.get(name).map(Arc::clone);
                    let bucket = self.buckets.entry(name.clone());
                    let bucket = bucket.or_insert_with(|| Bucket::new(name, view, limits));
                    bucket.allow(&ask.modes);
                }
            }
            Capability::Filesystem if ask.modes.contains(&Mode::Write) => {
                self.take_folders(ask, resources, limits);
            }
            _ => {}
        }
    }

    fn take_values(&mut self, ask: &Ask, resources: &Resources) {
        for key in &ask.scope {
            let value = ask.values.get(key).or_else(|| resources.config.get(key));
            if let Some(value) = value {
                self.config.insert(key.clone(), value.clone());
            }
        }
    }

    fn take_folders(&mut self, ask: &Ask, resources: &Resources, limits: &Limits) {
        for name in &ask.scope {
            let base = match resources.writable.get(name) {
                Some(base) if ask.modes.contains(&Mode::Read) => base.clone(),
                _ => Snapshot::new(BTreeMap::new()),
            };
            self.stages
                .insert(name.clone(), SharedStage::new(base, limits));
        }
    }

    /// What is staged, for the report.
    pub(crate) fn into_effects(self) -> StagedEffects {
        let buckets = self.buckets.into_values();
        let folders = self.stages.into_iter();
        StagedEffects {
            buckets: buckets.filter_map(Bucket::into_staged).collect(),
            folders: folders
                .map(|(folder, stage)| StagedFolder {
                    folder,
                    changes: stage.changes(),
                })
                .filter(|staged| !staged.changes.is_empty())
                .collect(),
            kept: self.kept,
        }
    }
}

impl StagedEffects {
    /// True when nothing is staged.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.folders.is_empty()
    }
}
