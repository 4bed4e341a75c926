//! Buckets and folders as they were when a recorded attempt began.
//!
//! INVARIANT: nothing that was committed after the attempt shows, and the machine's folders are never read.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    access::{Capability, Mode},
    digest::Digest,
    transcript::{CallVerdict, Fields, Transcript},
    witness::AttemptPredicate,
};
use aim_engine::{Snapshot, SnapshotFile};
use aim_ports::keyvalue::BucketView;

use super::{
    Missing,
    case::{Case, Evidence, ToldAttempt},
};
use crate::{
    effects::{Namespace, View},
    inputs::listed,
};

const OPEN_AT: &str = "wasi:filesystem/types.[method]descriptor.open-at";

/// The granted buckets. Whoever writes to a bucket has it alone, so what was committed before the witness is what was there.
pub(super) fn buckets(case: &Case, told: &ToldAttempt) -> BTreeMap<String, Arc<dyn BucketView>> {
    let recorded = &told.statement.predicate;
    let mut names = recorded.grant.scope_of(Capability::Keyvalue).peekable();
    if names.peek().is_none() {
        return BTreeMap::new();
    }
    let states = case.evidence().buckets(told.sequence);
    let view = |name: &str| {
        let namespace = Namespace::told(recorded, &case.start().plan_name, name);
        let state = states.get(&namespace).map(Arc::clone).unwrap_or_default();
        let view = View::new(state, Arc::clone(&case.evidence().store));
        (name.to_owned(), Arc::new(view) as Arc<dyn BucketView>)
    };
    names.map(view).collect()
}

/// The folders that the step may change, with what they held.
pub(super) fn folders(
    evidence: &Evidence,
    recorded: &AttemptPredicate,
    transcript: &Transcript,
) -> Result<BTreeMap<String, Snapshot>, Vec<Missing>> {
    let mut folders = BTreeMap::new();
    let mut missing = Vec::new();
    for ask in recorded.grant.asks_for(Capability::Filesystem) {
        if !ask.modes.contains(&Mode::Write) {
            continue;
        }
        for name in &ask.scope {
            let base = if ask.modes.contains(&Mode::Read) {
                base(evidence, recorded.bases.get(name), transcript)
            } else {
                Ok(Snapshot::new(BTreeMap::new()))
            };
            match base {
                Ok(base) => drop(folders.insert(name.clone(), base)),
                Err(what) => missing.push(Missing::payload(format!("{what} of folder `{name}`"))),
            }
        }
    }
    if missing.is_empty() {
        Ok(folders)
    } else {
        Err(missing)
    }
}

/// One folder; what of it is not there.
fn base(
    evidence: &Evidence,
    manifest: Option<&Digest>,
    transcript: &Transcript,
) -> Result<Snapshot, String> {
    let digest = manifest.ok_or("the manifest")?;
    let bytes = evidence.find(*digest);
    let files = bytes.as_deref().and_then(listed);
    let files = files.ok_or_else(|| format!("{digest}, the manifest,"))?;
    let mut found = BTreeMap::new();
    for (path, digest, size_bytes) in files {
        let bytes: Arc<[u8]> = match evidence.find(digest) {
            Some(bytes) => bytes.into(),
            None if was_opened(transcript, digest) => return Err(format!("{digest} (`{path}`)")),
            // Nobody looked into it, so its size is enough; whoever opens it now differs from the record by that.
            None => vec![0; size_bytes].into(),
        };
        found.insert(path, SnapshotFile { bytes, digest });
    }
    Ok(Snapshot::of_files(found))
}

/// True when the attempt opened a file with this content.
pub(super) fn was_opened(transcript: &Transcript, digest: Digest) -> bool {
    let answer = Fields::new().bytes(digest.as_bytes()).finish();
    let answer = Digest::of(&answer);
    let mut records = transcript.records().iter();
    records.any(|record| {
        record.function == OPEN_AT
            && record.verdict == CallVerdict::Ok
            && record.response.digest == answer
    })
}
