//! What verification found, and what it could not prove.
//!
//! INVARIANT: the first fault that was found is the first in the list, and `fault_count` counts those that had no room.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use aim_core::leaf::KeyId;

use super::{EvidenceFault, FaultKind};
use crate::{
    key::{KeyRole, KeySet},
    tree::{Hash, empty_root},
};

/// The most faults that a report lists.
pub const FAULTS_MAX: usize = 16;

/// The most different words about key isolation that a report lists.
const ISOLATION_MAX: usize = 8;

/// Against what the size and the root of the log were held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Anchored {
    /// Nothing: records may be missing at the end.
    None,
    /// The checkpoint that lies beside the log: whoever can replace the log can replace both by older ones.
    Checkpoint,
    /// A checkpoint that the reader brought along.
    External,
}

impl Anchored {
    /// Returns the word for documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Checkpoint => "checkpoint",
            Self::External => "external",
        }
    }
}

/// Where the keys came from that signatures were checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// From the reader.
    Given,
    /// From the data itself: this shows consistency, not authenticity.
    Data,
}

/// The keys that signatures were checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysUsed {
    /// Where they came from.
    pub source: KeySource,
    /// Their roles and names.
    pub ids: Vec<(KeyRole, KeyId)>,
}

impl KeysUsed {
    pub(crate) fn of(keys: &KeySet, is_given: bool) -> Self {
        Self {
            source: if is_given {
                KeySource::Given
            } else {
                KeySource::Data
            },
            ids: keys.iter().map(|key| (key.role(), key.id())).collect(),
        }
    }
}

/// Payloads that statements are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadCount {
    /// There, with the right digest.
    pub present: u64,
    /// Erased; the digest remains.
    pub redacted: u64,
    /// Subjects of statements whose bytes are not in the data: kept elsewhere or lost.
    pub missing: u64,
    /// False when there were too many payloads to tell exactly which are missing.
    pub is_exact: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Keys from outside were given, every leaf is vouched for by them, and there is no fault.
    pub authenticated: bool,
    /// The log's origin, as it says itself; `None` when there is no readable genesis.
    pub origin: Option<String>,
    /// How many frames were read; 0 for an export.
    pub frames: u64,
    /// How many statements were read.
    pub witnesses: u64,
    /// Size of the tree: the log's own, or the one that an export's checkpoint states.
    pub size: u64,
    /// Root of that tree.
    pub root: Hash,
    /// How many bytes of the log were read and belong to whole blocks.
    pub log_bytes: u64,
    /// Where an unfinished last block starts, when the log was read as one in use.
    pub unfinished_tail_at: Option<u64>,
    /// How many leaves a good checkpoint vouches for.
    pub leaves_covered: u64,
    /// How many good checkpoints were found inside the log.
    pub checkpoints: u64,
    /// Against what size and root were held.
    pub anchored: Anchored,
    /// What hosts said about how far the signing keys were out of reach; their word, sorted.
    pub isolation: Vec<String>,
    /// Answers of people that are signed with a key that no key from outside vouches for.
    pub strangers: u64,
    /// Payloads.
    pub payloads: PayloadCount,
    /// The keys that were used; `None` when there were none at all.
    pub keys: Option<KeysUsed>,
    /// The first faults, up to [`FAULTS_MAX`].
    pub faults: Vec<EvidenceFault>,
    /// How many faults there were.
    pub fault_count: u64,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            authenticated: false,
            origin: None,
            frames: 0,
            witnesses: 0,
            size: 0,
            root: empty_root(),
            log_bytes: 0,
            unfinished_tail_at: None,
            leaves_covered: 0,
            checkpoints: 0,
            anchored: Anchored::None,
            isolation: Vec::new(),
            strangers: 0,
            payloads: PayloadCount {
                present: 0,
                redacted: 0,
                missing: 0,
                is_exact: true,
            },
            keys: None,
            faults: Vec::new(),
            fault_count: 0,
        }
    }

    /// Returns whether the data agrees with itself, whoever made it.
    #[must_use]
    pub const fn is_consistent(&self) -> bool {
        self.fault_count == 0
    }

    pub(crate) fn add(&mut self, fault: EvidenceFault) {
        self.fault_count = self.fault_count.saturating_add(1);
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    pub(crate) fn add_isolation(&mut self, word: Option<&str>) {
        let Some(word) = word else { return };
        let place = self
            .isolation
            .binary_search_by(|known| known.as_str().cmp(word));
        if let Err(at) = place
            && self.isolation.len() < ISOLATION_MAX
        {
            self.isolation.insert(at, word.to_string());
        }
    }

    pub(super) fn has_broken_structure(&self) -> bool {
        let is_structure = |fault: &EvidenceFault| matches!(fault.kind, FaultKind::Structure(_));
        self.faults.iter().any(is_structure)
    }
}
