//! A case and a library from an export: what an auditor replays without the log and without the deployment.
//!
//! INVARIANT: only an export that was verified comes here; what it doesn't carry is missing, whatever this machine holds.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{contract::NodeContract, digest::Digest, plan::Lock};
use aim_ports::{PortError, PortFault, artifact::ArtifactStore, schema::SchemaCompiler};
use aim_trust::{export::Export, verify::SliceLog};

use super::{
    Library, LibraryError,
    case::{Case, CaseError, Evidence},
};
use crate::ledger::{Ledger, LedgerError};

/// Why an export can not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ExportedCaseError {
    /// It was made to be checked, not to be replayed.
    #[error("the export carries its witnesses only, and nothing to run them again from")]
    NotReplayable,
    /// A statement is none that this version reads.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// As above.
    #[error(transparent)]
    Case(#[from] CaseError),
}

impl ExportedCaseError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotReplayable => "AIM-R085",
            Self::Ledger(error) => error.code(),
            Self::Case(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NotReplayable => {
                "ask for an export that was made with `aimctl witness export --replayable`"
            }
            Self::Ledger(_) | Self::Case(_) => "use the version of `aimctl` that made the export",
        }
    }
}

impl Case {
    /// The execution that an export tells of.
    ///
    /// # Errors
    /// [`ExportedCaseError`].
    pub fn of_export(export: &Export) -> Result<Self, ExportedCaseError> {
        let part = export.replay.as_ref();
        let part = part.ok_or(ExportedCaseError::NotReplayable)?;
        let start = part.start.clone();
        let ledger = Ledger::of_export(&export.origin, start, &export.witnesses)?;
        let execution = ledger.executions().first().cloned();
        let execution = execution.ok_or(ExportedCaseError::NotReplayable)?;
        let evidence = Evidence {
            ledger: Arc::new(ledger),
            reader: Arc::new(SliceLog(&[])),
            store: Arc::new(Carried(export.payloads.clone())),
        };
        Ok(Self::new(evidence, &execution)?)
    }
}

impl Library {
    /// What an export carries of contracts, rules, codexes and components. A contract that this version does not read is left
    /// out, and whoever needs it misses it.
    ///
    /// # Errors
    /// [`LibraryError`].
    pub fn of_export(export: &Export, schemas: &dyn SchemaCompiler) -> Result<Self, LibraryError> {
        let Some(part) = &export.replay else {
            return Ok(Self::default());
        };
        let mut library = Self::new(part.rules.clone());
        let contracts = part.contracts.iter();
        for contract in contracts.filter_map(|text| NodeContract::from_canonical(text.as_bytes())) {
            library.add_contract(&contract, schemas)?;
        }
        let Ok(lock) = Lock::from_json(part.start.lock.as_bytes()) else {
            return Ok(library);
        };
        let carried = |digest: &Digest| export.payloads.get(digest);
        let codexes = lock.gates.values().filter_map(|pin| pin.codex);
        for codex in codexes {
            if let Some(document) = carried(&codex) {
                library.add_codex(document);
            }
        }
        for component in components(&lock) {
            if let Some(bytes) = carried(&component) {
                library.add_component(bytes.clone());
            }
        }
        Ok(library)
    }
}

/// Every component that a lock pins.
pub fn components(lock: &Lock) -> impl Iterator<Item = Digest> {
    let steps = lock.steps.values().map(|pin| pin.component);
    steps.chain(lock.gates.values().map(|pin| pin.component))
}

/// The payloads of an export, as a store that nobody writes to.
#[derive(Debug)]
struct Carried(BTreeMap<Digest, Vec<u8>>);

impl ArtifactStore for Carried {
    fn read(&self, digest: Digest) -> Result<Vec<u8>, PortError> {
        self.0.get(&digest).cloned().ok_or_else(|| {
            let subject = format!("reading {digest}");
            PortError::new(PortFault::NotFound, subject, "it is not in the export")
        })
    }

    fn write(&self, _: &[u8]) -> Result<Digest, PortError> {
        let subject = "writing an artifact";
        Err(PortError::new(
            PortFault::Forbidden,
            subject,
            "an export is only read",
        ))
    }

    fn contains(&self, digest: Digest) -> bool {
        self.0.contains_key(&digest)
    }
}
