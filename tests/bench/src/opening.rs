//! What opening a host costs when its log has grown, beside the parts of it: reading the blocks, reading what they say, and
//! verifying all of it as an auditor would.
//!
//! INVARIANT: each opening is that of a fresh process on the log of a host that was closed in order, with the signer in its own
//! process.

mod written;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use aim_clock_system::{SystemClock, SystemEntropy};
use aim_core::{
    digest::Digest,
    frame::{BLOCK_HEADER_BYTES, Block, ChainPosition},
    leaf::SigningMode,
    traffic::TrafficLimits,
    witness::{EngineRecord, HostRecord},
};
use aim_log_file::{FileLogReader, FileLogWriter};
use aim_ports::log::LogReader as _;
use aim_runtime::{
    effects::WritableFolders,
    host::{Host, HostParts},
    ledger::Ledger,
};
use aim_signer_process::{SideCommand, SignerProcess};
use aim_store_dir::DirArtifactStore;
use aim_trust::{
    key::{KeyRole, KeySet, SecretKey},
    signing::KeysSigningCore,
    verify::{VerifyOptions, verify_log},
};

use crate::{
    Result,
    fixture::{Fixture, signing_core},
    process::{peak_mib, resident_mib},
    say,
    stats::{Values, digits},
};

/// Leaves of the logs that are opened.
const SIZES: [u64; 3] = [2_000, 20_000, 100_000];

/// What one fresh process says about one log, in the order in which it prints it.
const COLUMNS: [&str; 8] = [
    "open ms",
    "of which CPU ms",
    "memory MiB",
    "peak MiB",
    "blocks ms",
    "ledger ms",
    "events ms",
    "verify ms",
];

/// Writes a log of each size and opens each `rounds` times. The largest stays in `keep`, when that is given.
pub(crate) fn measure(fixture: &Fixture, rounds: usize, keep: Option<&Path>) -> Result<String> {
    let mut text = format!(
        "opening a host, signing each, {rounds} processes each\n\n| leaves | log MiB | {} |\n|{}\n",
        COLUMNS.join(" | "),
        " ---: |".repeat(COLUMNS.len() + 2)
    );
    for leaves in SIZES {
        say::progress(&format!("a log of {leaves} leaves"));
        let temporary = fixture.places.temporary()?;
        let folder = match keep {
            Some(keep) => {
                let folder = keep.join(leaves.to_string());
                std::fs::create_dir_all(&folder)?;
                folder
            }
            None => temporary.path().to_owned(),
        };
        written::write(fixture, &folder, leaves)?;
        let bytes = std::fs::metadata(folder.join("data/log/evidence.log"))?.len();
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); COLUMNS.len()];
        for _ in 0..rounds {
            let said = fresh_process(&folder)?;
            for (column, value) in columns.iter_mut().zip(said) {
                column.push(value);
            }
        }
        let shown: Vec<String> = columns
            .into_iter()
            .map(|column| Values::new(column).shown())
            .collect();
        text.push_str(&format!(
            "| {leaves} | {} | {} |\n",
            digits(mebibytes(bytes)),
            shown.join(" | ")
        ));
    }
    Ok(text)
}

fn mebibytes(bytes: u64) -> f64 {
    u32::try_from(bytes >> 10).map_or(f64::INFINITY, f64::from) / 1024.0
}

/// Starts this program once more, to open the log in `folder`.
fn fresh_process(folder: &Path) -> Result<Vec<f64>> {
    let output = Command::new(std::env::current_exe()?)
        .arg("--reopen")
        .arg(folder)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: std::result::Result<Vec<f64>, _> =
        text.split_whitespace().map(str::parse).collect();
    match numbers {
        Ok(numbers) if numbers.len() == COLUMNS.len() => Ok(numbers),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("opening said nothing of use: {said}").into())
        }
    }
}

/// Opens the log in `folder` and says what it cost, then what its parts cost one by one.
pub(crate) fn reopen(folder: &Path) -> Result<()> {
    let (before, _) = resident_mib()?;
    let signer = spawn_signer(&folder.join("keys"))?;
    let keys = KeySet::of(&aim_ports::signer::Signer::public_keys(&signer))?;
    let cpu = crate::process::process_cpu(None)?;
    let began = Instant::now();
    let (host, ledger) = open(folder, signer)?;
    let open_ms = milliseconds(began);
    let cpu_ms = (crate::process::process_cpu(None)? - cpu).as_secs_f64() * 1e3;
    let (after, _) = resident_mib()?;
    let peak = peak_mib()?;
    drop(ledger);
    host.committer.close()?;
    let reader = FileLogReader::open(&folder.join("data"))?;
    let began = Instant::now();
    blocks(&reader)?;
    let blocks_ms = milliseconds(began);
    let began = Instant::now();
    let ledger = Ledger::read(&reader)?;
    let ledger_ms = milliseconds(began);
    let began = Instant::now();
    drop(ledger.events());
    let events_ms = milliseconds(began);
    drop(ledger);
    let began = Instant::now();
    let checkpoint = reader.checkpoint()?;
    let report = verify_log(
        &reader,
        &VerifyOptions {
            keys: Some(&keys),
            checkpoint: checkpoint.as_deref(),
            ..VerifyOptions::default()
        },
    )?;
    let verify_ms = milliseconds(began);
    if !report.authenticated {
        return Err(format!("the log does not verify: {:?}", report.faults).into());
    }
    say::line(&format!(
        "{open_ms} {cpu_ms} {} {} {blocks_ms} {ledger_ms} {events_ms} {verify_ms}",
        after - before,
        peak - before
    ));
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Reads every block and nothing of what it says.
fn blocks(reader: &FileLogReader) -> Result<()> {
    let mut position = ChainPosition::START;
    // BOUND: every turn moves behind a whole block.
    loop {
        let header = reader.read(position.offset, BLOCK_HEADER_BYTES)?;
        if header.is_empty() {
            return Ok(());
        }
        let length = position
            .header(&header)
            .map_err(|fault| fault.to_string())?;
        let length = length.block_bytes().ok_or("a block is too long")?;
        let bytes = reader.read(position.offset, length)?;
        let block = Block::read(&bytes, &position).map_err(|fault| fault.to_string())?;
        position = block.next();
    }
}

/// A signer process with the keys of a folder: this program once more.
fn spawn_signer(keys: &Path) -> Result<SignerProcess> {
    let arguments = ["--signer".into(), keys.as_os_str().to_owned()];
    let command = SideCommand::new(std::env::current_exe()?, arguments);
    Ok(SignerProcess::spawn(&command)?)
}

/// Is the signer process, until the host is gone.
pub(crate) fn sign(keys: &Path) -> Result<()> {
    // Never used for keys that were just made: the serving side refuses a core with other keys than its own.
    let other = signing_core()?;
    aim_signer_process::serve(keys, |seeds| {
        let step = SecretKey::from_bytes(KeyRole::Step, seeds.step.bytes());
        let log = SecretKey::from_bytes(KeyRole::Log, seeds.log.bytes());
        Box::new(KeysSigningCore::new(step, log).unwrap_or(other))
    })?;
    Ok(())
}

/// A host on the log in `folder`.
fn open(folder: &Path, signer: SignerProcess) -> Result<(Host, Ledger)> {
    let data: PathBuf = folder.join("data");
    let writer = FileLogWriter::open(&data, "aim-bench")?;
    Ok(Host::open(HostParts {
        reader: Arc::new(FileLogReader::open(&data)?),
        writer: Box::new(writer),
        signer: Box::new(signer),
        store: Arc::new(DirArtifactStore::new(&data)),
        clock: Arc::new(SystemClock::start()),
        traffic: TrafficLimits::DEFAULT,
        entropy: Arc::new(SystemEntropy),
        folders: WritableFolders::new(),
        outside: aim_runtime::outside::Outside::nothing(),
        mode: SigningMode::Each,
        new_origin: "aim.local/0123456789abcdef/1".to_owned(),
        host: HostRecord {
            isolation: "landlock".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        engine: EngineRecord {
            allocator: "none".to_owned(),
            profile: Digest::of(b"none"),
        },
        config: Digest::of(b"bench"),
    })?)
}
