//! One run's witnesses, portable: what a reader without the log needs to check them.
//!
//! The document carries a signed checkpoint and, for each witness, leaf, envelope and inclusion proof; payloads may come
//! along. Keys in it are there to be read by people: they prove nothing. `docs/formats/export.md` has the format.
//!
//! INVARIANT: every witness that is counted was found under the checkpoint's root, and an export is handed on only when nothing is
//! wrong with it.

mod replay;

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use aim_core::{
    digest::{Digest, decode_hex, encode_hex},
    leaf::{LEAF_BYTES, Leaf, SigningMode},
};
use aim_ports::signer::PublicKeys;
use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    dsse::PAYLOAD_TYPE,
    encoding::{from_base64, from_base64_either, to_base64},
    genesis::WrittenKeys,
    key::KeySet,
    tree::{Hash, Tree, hash_record, verify_inclusion},
    verify::{Anchored, EvidenceFault, FaultKind, Judge, KeysUsed, Place, Report, StatementHead},
};

pub use replay::{PolicyTexts, ReplayPart};

/// The `$type` of an export.
pub const EXPORT_TYPE: &str = "aim.export/v1";

/// The largest export, in bytes.
pub const EXPORT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A witness as the log holds it.
#[derive(Debug, Clone, Copy)]
pub struct ExportWitness<'a> {
    /// The leaf.
    pub leaf: Leaf,
    /// Hash of the block before the one that holds the leaf.
    pub previous_block: Hash,
    /// The statement's exact bytes.
    pub statement: &'a [u8],
}

/// What goes into an export.
#[derive(Debug, Clone, Copy)]
pub struct ExportParts<'a> {
    /// A signed checkpoint that covers all witnesses.
    pub checkpoint: &'a str,
    /// The signer's keys, for people to read.
    pub keys: &'a PublicKeys,
    /// The log's tree, at least as large as the checkpoint.
    pub tree: &'a Tree,
    /// The witnesses, by ascending index.
    pub witnesses: &'a [ExportWitness<'a>],
    /// Payloads by digest, each once.
    pub payloads: &'a [(Digest, &'a [u8])],
    /// What it takes to run the run again, where that is wanted.
    pub replay: Option<&'a ReplayPart>,
}

/// An export that was read and verified.
#[derive(Debug, Clone)]
pub struct Export {
    /// The log that it is from.
    pub origin: String,
    /// Leaf and exact statement of each witness, by ascending index.
    pub witnesses: Vec<(Leaf, Vec<u8>)>,
    /// Payloads by digest; each has it.
    pub payloads: BTreeMap<Digest, Vec<u8>>,
    /// What it takes to run the run again.
    pub replay: Option<ReplayPart>,
}

/// Why an export can not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The checkpoint can not be read.
    #[error("export: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A witness is not under the checkpoint, or not in order.
    #[error(
        "export: witness {index} is not covered by the checkpoint or not in order: ask for a newer checkpoint"
    )]
    Witness {
        /// Its index.
        index: u64,
    },
    /// The document would be over [`EXPORT_BYTES_MAX`].
    #[error("export: document would be over {EXPORT_BYTES_MAX} bytes: leave out payloads")]
    Size,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenExport {
    #[serde(rename = "$type")]
    document_type: String,
    checkpoint: String,
    keys: WrittenKeys,
    origin: String,
    payloads: Vec<WrittenPayload>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    replay: Option<ReplayPart>,
    witnesses: Vec<WrittenWitness>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPayload {
    bytes: String,
    digest: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenWitness {
    envelope: WrittenEnvelope,
    leaf: String,
    previous_block: String,
    proof: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenEnvelope {
    payload: String,
    payload_type: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSignature {
    keyid: String,
    sig: String,
}

/// Writes an export.
///
/// # Errors
/// [`ExportError`].
pub fn build_export(parts: &ExportParts<'_>) -> Result<String, ExportError> {
    let checkpoint = Checkpoint::parse_unchecked(parts.checkpoint.as_bytes())?;
    let mut next = 0;
    let mut witnesses = Vec::with_capacity(parts.witnesses.len());
    for witness in parts.witnesses {
        let index = witness.leaf.index;
        let proof = parts.tree.inclusion(index, checkpoint.size);
        match proof {
            Some(proof) if index >= next => witnesses.push(write_witness(witness, &proof)),
            _ => return Err(ExportError::Witness { index }),
        }
        next = index.saturating_add(1);
    }
    let payload = |(digest, bytes): &(Digest, &[u8])| WrittenPayload {
        bytes: to_base64(bytes),
        digest: *digest,
    };
    let document = WrittenExport {
        document_type: EXPORT_TYPE.into(),
        checkpoint: parts.checkpoint.into(),
        keys: WrittenKeys::of(parts.keys),
        origin: checkpoint.origin,
        payloads: parts.payloads.iter().map(payload).collect(),
        replay: parts.replay.cloned(),
        witnesses,
    };
    // Strings in fixed fields: serialisation has no failure to report.
    let json = serde_json::to_string_pretty(&document).unwrap_or_default();
    if json.len() > EXPORT_BYTES_MAX {
        return Err(ExportError::Size);
    }
    Ok(json)
}

fn write_witness(witness: &ExportWitness<'_>, proof: &[Hash]) -> WrittenWitness {
    let signatures = match witness.leaf.mode {
        SigningMode::Batch => Vec::new(),
        SigningMode::Each => [WrittenSignature {
            keyid: witness.leaf.key.to_string(),
            sig: to_base64(&witness.leaf.signature),
        }]
        .into(),
    };
    WrittenWitness {
        envelope: WrittenEnvelope {
            payload: to_base64(witness.statement),
            payload_type: PAYLOAD_TYPE.into(),
            signatures,
        },
        leaf: to_base64(&witness.leaf.encode()),
        previous_block: encode_hex(&witness.previous_block),
        proof: proof.iter().map(|hash| to_base64(hash)).collect(),
    }
}

/// Verifies an export. Whatever is wrong is in the report; keys from the document only show consistency.
#[must_use]
pub fn verify_export(bytes: &[u8], keys: Option<&KeySet>, anchor: Option<&[u8]>) -> Report {
    open_export(bytes, keys, anchor).0
}

/// Verifies an export and hands on what is in it; `None` when anything is wrong. Without keys from outside what is handed on
/// agrees with itself, whoever made it.
#[must_use]
pub fn open_export(
    bytes: &[u8],
    keys: Option<&KeySet>,
    anchor: Option<&[u8]>,
) -> (Report, Option<Export>) {
    let mut report = Report::new();
    let read = fill_report(&mut report, bytes, keys, anchor);
    let read = read.map_err(|fault| report.add(fault)).ok();
    let is_backed = report.witnesses > 0 && report.leaves_covered > 0;
    report.authenticated = keys.is_some() && is_backed && report.is_consistent();
    let export = read.filter(|_| report.is_consistent());
    (report, export)
}

fn fill_report(
    report: &mut Report,
    bytes: &[u8],
    given: Option<&KeySet>,
    anchor: Option<&[u8]>,
) -> Result<Export, EvidenceFault> {
    let document = parse(bytes).map_err(document_fault)?;
    report.origin = Some(document.origin.clone());
    let own = document.keys.read().and_then(|keys| KeySet::of(&keys).ok());
    let keys = given
        .or(own.as_ref())
        .ok_or_else(|| document_fault("keys can not be read".into()))?;
    report.keys = Some(KeysUsed::of(keys, given.is_some()));
    let checkpoint = read_checkpoint(document.checkpoint.as_bytes(), keys, &document.origin)
        .map_err(|kind| EvidenceFault::new(Place::Checkpoint, kind))?;
    report.size = checkpoint.size;
    report.root = checkpoint.root;
    report.leaves_covered = checkpoint.size;
    if let Some(note) = anchor {
        match hold_against_anchor(note, keys, &checkpoint) {
            Ok(()) => report.anchored = Anchored::External,
            Err(kind) => report.add(EvidenceFault::new(Place::Anchor, kind)),
        }
    }
    let judge = Judge {
        keys,
        origin: &document.origin,
    };
    let payloads = read_payloads(report, &document.payloads)?;
    let witnesses = read_witnesses(
        report,
        &document.witnesses,
        (&judge, &checkpoint),
        &payloads,
    )?;
    if let Some(part) = &document.replay
        && report.is_consistent()
    {
        let held = replay::hold(part, &document.origin, &witnesses, &payloads);
        held.map_err(|detail| EvidenceFault::new(Place::Document, FaultKind::Replay(detail)))?;
    }
    Ok(Export {
        origin: document.origin,
        witnesses,
        payloads,
        replay: document.replay,
    })
}

fn read_witnesses(
    report: &mut Report,
    written: &[WrittenWitness],
    (judge, checkpoint): (&Judge<'_>, &Checkpoint),
    payloads: &BTreeMap<Digest, Vec<u8>>,
) -> Result<Vec<(Leaf, Vec<u8>)>, EvidenceFault> {
    let mut read = Vec::with_capacity(written.len());
    let mut next = 0;
    for written in written {
        let witness = ReadWitness::of(written).map_err(document_fault)?;
        let index = witness.leaf.index;
        if index < next {
            return Err(document_fault(
                "witnesses must be in order, each once".into(),
            ));
        }
        next = index.saturating_add(1);
        match witness.judge(judge, checkpoint) {
            Ok(head) => {
                report.add_isolation(head.isolation.as_deref());
                report.strangers += u64::from(head.is_by_a_stranger);
                let is_missing = |digest: &&Digest| !payloads.contains_key(*digest);
                let missing = head.subjects.iter().filter(is_missing).count();
                report.payloads.missing += u64::try_from(missing).unwrap_or(u64::MAX);
            }
            Err(kind) => report.add(EvidenceFault::new(Place::Leaf(index), kind)),
        }
        report.witnesses += 1;
        read.push((witness.leaf, witness.statement));
    }
    Ok(read)
}

fn document_fault(detail: String) -> EvidenceFault {
    EvidenceFault::new(Place::Document, FaultKind::Document(detail))
}

fn parse(bytes: &[u8]) -> Result<WrittenExport, String> {
    if bytes.len() > EXPORT_BYTES_MAX {
        return Err(format!("document is over {EXPORT_BYTES_MAX} bytes"));
    }
    let document: WrittenExport = serde_json::from_slice(bytes)
        .map_err(|error| format!("document is not well-formed: {error}"))?;
    if document.document_type == EXPORT_TYPE {
        Ok(document)
    } else {
        Err(format!("document is not of type `{EXPORT_TYPE}`"))
    }
}

fn read_checkpoint(note: &[u8], keys: &KeySet, origin: &str) -> Result<Checkpoint, FaultKind> {
    let checkpoint = Checkpoint::verify(note, keys).map_err(|error| match error {
        CheckpointError::Untrusted => FaultKind::Key,
        error => FaultKind::Checkpoint(error),
    })?;
    if checkpoint.origin == origin {
        Ok(checkpoint)
    } else {
        Err(FaultKind::Origin)
    }
}

/// An export has the proofs of one size only, so the anchor must be of that size.
fn hold_against_anchor(
    note: &[u8],
    keys: &KeySet,
    checkpoint: &Checkpoint,
) -> Result<(), FaultKind> {
    let anchor = read_checkpoint(note, keys, &checkpoint.origin)?;
    if anchor.size != checkpoint.size {
        let (wanted, found) = (anchor.size, checkpoint.size);
        let detail = format!(
            "anchor is for {wanted} leaves, the export for {found}: verify the log itself against it"
        );
        return Err(FaultKind::Document(detail));
    }
    if anchor.root == checkpoint.root {
        Ok(())
    } else {
        Err(FaultKind::Tree)
    }
}

fn read_payloads(
    report: &mut Report,
    written: &[WrittenPayload],
) -> Result<BTreeMap<Digest, Vec<u8>>, EvidenceFault> {
    let mut read = BTreeMap::new();
    for payload in written {
        let bytes = from_base64(&payload.bytes)
            .ok_or_else(|| document_fault("payload is not base64".into()))?;
        if Digest::of(&bytes) == payload.digest {
            report.payloads.present += 1;
        } else {
            report.add(EvidenceFault::new(Place::Document, FaultKind::Payload));
        }
        if read.insert(payload.digest, bytes).is_some() {
            return Err(document_fault("a payload is listed twice".into()));
        }
    }
    Ok(read)
}

struct ReadWitness {
    leaf: Leaf,
    leaf_bytes: [u8; LEAF_BYTES],
    previous_block: Hash,
    statement: Vec<u8>,
    proof: Vec<Hash>,
}

impl ReadWitness {
    fn of(written: &WrittenWitness) -> Result<Self, String> {
        let text = |what: &str| what.to_string();
        let leaf_bytes: [u8; LEAF_BYTES] = from_base64(&written.leaf)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| text("leaf is not 116 bytes of base64"))?;
        let leaf = Leaf::decode(&leaf_bytes).map_err(|error| error.to_string())?;
        let envelope = &written.envelope;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(format!(
                "envelope carries another payload type than `{PAYLOAD_TYPE}`"
            ));
        }
        if !has_signature_of(envelope, &leaf) {
            return Err(text(
                "envelope must carry exactly the signature of its leaf",
            ));
        }
        // BOUND: a proof has at most 64 hashes.
        let hash = |written: &String| from_base64(written)?.try_into().ok();
        let proof: Option<Vec<Hash>> = written.proof.iter().take(65).map(hash).collect();
        Ok(Self {
            leaf,
            leaf_bytes,
            previous_block: decode_hex(&written.previous_block)
                .ok_or_else(|| text("previous block is not 64 hex digits"))?,
            statement: from_base64_either(&envelope.payload)
                .ok_or_else(|| text("statement is not base64"))?,
            proof: proof.ok_or_else(|| text("proof holds something that is no hash"))?,
        })
    }

    fn judge(
        &self,
        judge: &Judge<'_>,
        checkpoint: &Checkpoint,
    ) -> Result<StatementHead, FaultKind> {
        let head = judge.judge(&self.leaf, &self.statement)?;
        let hash = hash_record(&self.leaf_bytes, &self.previous_block);
        let (index, size) = (self.leaf.index, checkpoint.size);
        verify_inclusion(&hash, index, size, &self.proof, &checkpoint.root)
            .map_err(FaultKind::Proof)?;
        Ok(head)
    }
}

/// A leaf of its own signature comes with that signature, a leaf of a batch with none.
fn has_signature_of(envelope: &WrittenEnvelope, leaf: &Leaf) -> bool {
    match (leaf.mode, envelope.signatures.as_slice()) {
        (SigningMode::Batch, []) => true,
        (SigningMode::Each, [only]) => {
            from_base64_either(&only.sig).as_deref() == Some(leaf.signature.as_slice())
        }
        _ => false,
    }
}
