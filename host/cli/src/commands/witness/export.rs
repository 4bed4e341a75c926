//! `witness export`: one run's statements with proofs, as a portable file.
//!
//! The newest published checkpoint is read first and the log after it, so that the log holds at least what the checkpoint
//! covers, also while a run writes.
//!
//! INVARIANT: an export is written whole or not at all, and every witness in it is under its checkpoint; one that is made to be
//! replayed has everything that the run was pinned to, or is refused.

mod pins;

use std::collections::{BTreeMap, BTreeSet};

use aim_core::{
    digest::Digest,
    frame::{BLOCK_HEADER_BYTES, Block, ChainPosition, FrameBody},
    outcome::Exit,
};
use aim_log_file::FileLogReader;
use aim_ports::log::LogReader as _;
use aim_runtime::{
    ledger::{Entry, Execution, Ledger, LedgerError},
    resume::Payloads,
};
use aim_store_dir::DirArtifactStore;
use aim_trust::{
    export::{ExportError, ExportParts, ExportWitness, ReplayPart, build_export},
    tree::{Hash, Tree},
};

use crate::{
    args::{Cli, WitnessExportArgs},
    error::{CliError, Problem},
    evidence, files,
    render::out,
};

/// What goes into the export of one execution.
struct Contents<'a> {
    entries: Vec<&'a Entry>,
    found: Found,
    part: Option<ReplayPart>,
}

/// `aimctl witness export`.
pub(crate) fn export(_: &Cli, args: &WitnessExportArgs) -> Result<Exit, CliError> {
    let reader = evidence::open(&args.data.data_dir)?;
    let checkpoint = reader.checkpoint()?.ok_or_else(no_checkpoint)?;
    let checkpoint = String::from_utf8(checkpoint).map_err(|_| no_checkpoint())?;
    let ledger = Ledger::read(&reader)?;
    let execution = evidence::execution(&ledger, &args.run)?;
    let contents = contents(args, (&reader, &ledger), execution)?;
    let mut document = document((&reader, &ledger), &checkpoint, &contents)?;
    document.push('\n');
    match &args.file {
        Some(path) => files::write_whole(path, document.as_bytes())?,
        None => out::text(&document)?,
    }
    out::talk(&format!(
        "{} witnesses of {}, {} payloads{}{}\n",
        contents.entries.len(),
        execution.start.execution,
        contents.found.payloads.len(),
        contents.found.missing_text(),
        args.file
            .as_ref()
            .map(|path| format!(", mode 0644: {}", path.display()))
            .unwrap_or_default(),
    ));
    Ok(Exit::Ok)
}

fn contents<'a>(
    args: &WitnessExportArgs,
    (reader, ledger): (&FileLogReader, &'a Ledger),
    execution: &Execution,
) -> Result<Contents<'a>, CliError> {
    if args.replayable {
        let ready = pins::pack(args, ledger, execution)?;
        let entries = at(ledger, ready.entries.iter().copied());
        let (part, found) = ready.into_parts();
        return Ok(Contents {
            entries,
            found,
            part: Some(part),
        });
    }
    let entries = entries(ledger, execution);
    let store = DirArtifactStore::new(&args.data.data_dir);
    let payloads = Payloads {
        ledger,
        reader,
        store: &store,
    };
    let found = if args.payloads {
        find(payloads, &entries)
    } else {
        Found::default()
    };
    Ok(Contents {
        entries,
        found,
        part: None,
    })
}

/// The export with proofs for everything in it.
fn document(
    (reader, ledger): (&FileLogReader, &Ledger),
    checkpoint: &str,
    contents: &Contents<'_>,
) -> Result<String, CliError> {
    let previous = previous_blocks(reader, ledger)?;
    let entries = contents.entries.iter();
    let witnesses = entries.filter_map(|entry| {
        let previous_block = *previous.get(&entry.leaf.index)?;
        Some(ExportWitness {
            leaf: entry.leaf,
            previous_block,
            statement: &entry.statement,
        })
    });
    let witnesses: Vec<ExportWitness<'_>> = witnesses.collect();
    let payloads = contents.found.payloads.iter();
    let payloads: Vec<(Digest, &[u8])> = payloads
        .map(|(digest, bytes)| (*digest, bytes.as_slice()))
        .collect();
    let mut tree = Tree::new();
    tree.extend(ledger.leaf_hashes().iter().copied());
    let keys = ledger.keys().ok_or_else(no_checkpoint)?;
    let parts = ExportParts {
        checkpoint,
        keys: &keys,
        tree: &tree,
        witnesses: &witnesses,
        payloads: &payloads,
        replay: contents.part.as_ref(),
    };
    build_export(&parts).map_err(|error| export_error(&error))
}

/// The statements of an execution, and what people said about it, in the order of their leaves.
fn entries<'a>(ledger: &'a Ledger, execution: &Execution) -> Vec<&'a Entry> {
    let mut places = ledger.said_about(execution);
    places.extend(execution.attempts.iter().chain(&execution.end));
    at(ledger, places.into_iter())
}

fn at(ledger: &Ledger, places: impl Iterator<Item = usize>) -> Vec<&Entry> {
    places
        .filter_map(|place| ledger.entries().get(place))
        .collect()
}

/// For each leaf, the hash of the block before the one that holds it.
fn previous_blocks(
    reader: &FileLogReader,
    ledger: &Ledger,
) -> Result<BTreeMap<u64, Hash>, CliError> {
    let end = ledger.position();
    let mut position = ChainPosition::START;
    let mut hashes = BTreeMap::new();
    // BOUND: every turn moves the position forward by a whole block, up to what the ledger read.
    while position.offset < end.offset {
        let header = reader.read(position.offset, BLOCK_HEADER_BYTES)?;
        let header = position.header(&header).map_err(LedgerError::Damaged)?;
        let length = header.block_bytes().unwrap_or(BLOCK_HEADER_BYTES);
        let bytes = reader.read(position.offset, length)?;
        let block = Block::read(&bytes, &position).map_err(LedgerError::Damaged)?;
        for frame in block.frames() {
            if let FrameBody::Witness(witness) = frame.body {
                hashes.insert(witness.leaf.index, block.header().previous);
            }
        }
        position = block.next();
    }
    Ok(hashes)
}

/// Payloads that were looked for.
#[derive(Default)]
struct Found {
    payloads: BTreeMap<Digest, Vec<u8>>,
    missing: usize,
}

impl Found {
    fn missing_text(&self) -> String {
        match self.missing {
            0 => String::new(),
            missing => format!(" ({missing} are erased or not here)"),
        }
    }
}

fn find(payloads: Payloads<'_>, entries: &[&Entry]) -> Found {
    let mut found = Found::default();
    let wanted: BTreeSet<Digest> = entries
        .iter()
        .flat_map(|entry| evidence::subjects(entry))
        .collect();
    for digest in wanted {
        match payloads.find(digest) {
            Ok(bytes) => drop(found.payloads.insert(digest, bytes)),
            Err(_) => found.missing += 1,
        }
    }
    found
}

fn no_checkpoint() -> CliError {
    CliError::not_found(
        "AIM-E030",
        "no published checkpoint covers this run yet",
        "wait until the run has ended; after a crash, run the same command again: it publishes one",
    )
}

fn export_error(error: &ExportError) -> CliError {
    match error {
        ExportError::Witness { .. } => no_checkpoint(),
        ExportError::Checkpoint(_) => CliError::new(
            Exit::Evidence,
            Problem::new("AIM-E010", error.to_string())
                .with_help("`aimctl verify` says what is wrong with the checkpoint"),
        ),
        ExportError::Size => CliError::usage(
            "AIM-E031",
            error.to_string(),
            "export without --payloads, or with --without-components, and hand the rest over apart",
        ),
    }
}
