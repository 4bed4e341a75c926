//! Reading the log when a host opens: once, with every block held against what this machine can vouch for.
//!
//! ```text
//! signer: (size, root) --\
//! each block -> verifier: place, hash, root at that size, signatures behind it -> report
//!            \-> ledger: what it says                                     the end: whole, or cut
//! ```
//! Only the signer can have written down what it remembers, in the key folder, which whoever brings a data directory along can
//! not reach. A log that leads to the remembered root is, up to there, what the signer was given; its signatures are not
//! checked again. Without memory, and behind it, every signature is checked.
//!
//! INVARIANT: nothing of a log is believed, signed or added to before the report about all of it is without fault.

use aim_core::frame::{BLOCK_BYTES_MAX, Block, Recovery, recover};
use aim_ports::signer::SignedTree;
use aim_trust::{
    checkpoint::Checkpoint,
    key::KeySet,
    verify::{LogVerifier, Report, VerifyOptions},
};

use super::{HostParts, OpenError, publish};
use crate::ledger::{Ledger, LedgerError};

/// A log that was read to its end.
pub(super) struct Reading {
    /// What it says.
    pub(super) ledger: Ledger,
    /// Whether it holds.
    report: Report,
    /// What the signer remembers of it.
    signed: Option<SignedTree>,
    /// How many leaves the checkpoint beside it states.
    published: u64,
}

/// Reads the log to its end and cuts an unfinished last block.
pub(super) fn read_and_recover(parts: &mut HostParts) -> Result<Reading, OpenError> {
    let published = parts.reader.checkpoint()?;
    let origin = Ledger::read_origin(&*parts.reader)?;
    let signed = match &origin {
        Some(origin) => parts.signer.signed_tree(origin)?,
        None => None,
    };
    let signed = signed.filter(|tree| tree.size > 0);
    let keys = KeySet::of(&parts.signer.public_keys());
    let keys = keys.map_err(|error| OpenError::Unvouched(error.to_string()))?;
    let mut verifier = LogVerifier::new(&VerifyOptions {
        keys: Some(&keys),
        checkpoint: published.as_deref(),
        anchor: None,
        is_live: false,
    });
    if let Some(tree) = signed {
        verifier = verifier.knowing(tree);
    }
    // Unchecked on purpose: a claim of more leaves than there are stops the host, whoever wrote it.
    let stated = published.as_deref();
    let stated = stated.and_then(|note| Checkpoint::parse_unchecked(note).ok());
    let stated = stated.map_or(0, |checkpoint| checkpoint.size);
    let known = stated.max(signed.map_or(0, |tree| tree.size));
    let mut ledger = Ledger::default();
    let mut see = |block: &Block<'_>| verifier.block(block);
    read_to_the_end(parts, &mut ledger, known, &mut see)?;
    // What the signer remembers was looked up by a first look at the origin; whoever changed it since has dodged that memory.
    if ledger.origin() != origin.as_deref().unwrap_or_default() {
        let what = "its origin changed while it was read".to_owned();
        return Err(OpenError::Unvouched(what));
    }
    Ok(Reading {
        ledger,
        report: verifier.end(),
        signed,
        published: stated,
    })
}

/// Reads what there is. `known` leaves must be there: the larger of what was published and what the signer signed for.
fn read_to_the_end(
    parts: &mut HostParts,
    ledger: &mut Ledger,
    known: u64,
    see: &mut dyn FnMut(&Block<'_>),
) -> Result<(), OpenError> {
    match ledger.refresh_seeing(&*parts.reader, see) {
        Ok(_) | Err(LedgerError::Damaged(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let position = ledger.position();
    // One byte more than a block can have: whatever is longer is no unfinished last block.
    let tail = parts
        .reader
        .read(position.offset, BLOCK_BYTES_MAX.saturating_add(1))?;
    match recover(&tail, position, known) {
        Recovery::Clean(at) if at == position => Ok(()),
        Recovery::Torn { position: at, .. } if at == position => {
            Ok(parts.writer.cut(position.offset)?)
        }
        _ if tail.is_empty() => Err(OpenError::Cut {
            found: position.next_leaf,
            known,
        }),
        Recovery::Corrupt(fault) | Recovery::Torn { fault, .. } => Err(OpenError::Damaged(fault)),
        // The log grew between two reads, though this is its only writer.
        Recovery::Clean(_) => {
            ledger.refresh_seeing(&*parts.reader, see)?;
            Ok(())
        }
    }
}

/// Believes a log that was read, if everything in it is this machine's own: a log from elsewhere may name its keys and hold
/// anything. What mode `batch` left without a checkpoint in a crash counts when the signer knows the leaves before it.
/// Returns how many leaves the signer has signed for, beside the log.
pub(super) fn check_vouched(
    parts: &mut HostParts,
    reading: Reading,
) -> Result<(Ledger, u64), OpenError> {
    if let Some(fault) = reading.report.faults.first() {
        return Err(OpenError::Unvouched(fault.to_string()));
    }
    let signed = reading.signed.map_or(0, |tree| tree.size);
    if !reading.report.authenticated && signed == 0 {
        let what = "it has neither signature nor checkpoint".to_owned();
        return Err(OpenError::Unvouched(what));
    }
    let is_behind = !reading.report.authenticated || reading.published < signed;
    if signed > 0 && is_behind {
        publish_the_rest(parts, &reading.ledger, signed)?;
        return Ok((reading.ledger, reading.report.size));
    }
    Ok((reading.ledger, signed))
}

/// Has the signer sign for the leaves that it has not seen, and publishes the checkpoint that a crash kept back.
fn publish_the_rest(parts: &mut HostParts, ledger: &Ledger, signed: u64) -> Result<(), OpenError> {
    let rest = unsigned(ledger, signed);
    let published = publish(parts, ledger.origin().to_owned(), signed, rest);
    published.map_err(|error| OpenError::Unvouched(error.to_string()))
}

/// The leaves behind the first `signed`.
pub(super) fn unsigned(ledger: &Ledger, signed: u64) -> Vec<[u8; 32]> {
    let from = usize::try_from(signed).unwrap_or(usize::MAX);
    let rest = ledger.leaf_hashes().get(from..);
    rest.unwrap_or_default().to_vec()
}
