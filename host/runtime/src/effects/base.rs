//! What a folder held that a step may read and change, written down before the step runs.
//!
//! The files that it opens are kept beside the witness; of the others a replay needs names and sizes only.
//!
//! INVARIANT: equal folders have equal manifests.

use std::sync::Arc;

use aim_core::{
    access::{Capability, Mode},
    digest::Digest,
};
use aim_engine::Resources;

use crate::{inputs::manifest, unit::Unit};

/// One folder as it was.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// Its name.
    pub(crate) folder: String,
    /// BLAKE3 of the manifest.
    pub(crate) digest: Digest,
    /// Every file by path, digest and size.
    pub(crate) manifest: Arc<[u8]>,
}

/// The folders that the unit may read and change.
pub(crate) fn bases(unit: &Unit, resources: &Resources) -> Vec<Base> {
    let asks = unit.grant.asks_for(Capability::Filesystem);
    let both = asks.filter(|ask| {
        [Mode::Read, Mode::Write]
            .iter()
            .all(|mode| ask.modes.contains(mode))
    });
    let names = both.flat_map(|ask| &ask.scope);
    let folders = names.filter_map(|name| Some((name, resources.writable.get(name)?)));
    folders
        .map(|(name, snapshot)| {
            let manifest = manifest(snapshot);
            Base {
                folder: name.clone(),
                digest: Digest::of(&manifest),
                manifest: manifest.into(),
            }
        })
        .collect()
}
