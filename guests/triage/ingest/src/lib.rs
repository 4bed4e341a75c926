//! Reads the granted folder `logs` line by line and puts two artifacts: records of all lines, and the raw lines.
//! INVARIANT: a line is in memory once and for a moment; the body that is emitted holds counts only.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use aim_sdk::artifact::{CHUNK_BYTES, Writer};
use aim_sdk::serde_json::json;
use aim_sdk::{Emission, Envelope, Step, StepError};
use triage_method::log::Log;
use triage_method::record::{FileSummary, MEDIA_TYPE, RAW_MEDIA_TYPE, Reader};

/// Where the host mounts the run input `logs`.
const FOLDER: &str = "/logs";
/// The longest line, in bytes: longer ones are no log lines.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Bytes asked of a file at once.
const READ_BYTES: usize = 64 * 1024;
/// Of this many lines, at most one may be of another form.
const UNREAD_MAX_OF: u32 = 5;

struct Ingest;

/// An artifact on its way out, a chunk at a time.
struct Outlet {
    writer: Writer,
    chunk: Vec<u8>,
}

impl Step for Ingest {
    fn handle(_: Envelope) -> Result<Vec<Emission>, StepError> {
        let mut records = Outlet::open(MEDIA_TYPE)?;
        let mut raw = Outlet::open(RAW_MEDIA_TYPE)?;
        let mut reader = Reader::new();
        for log in Log::ALL {
            read(log, &mut reader, &mut records, &mut raw)?;
        }
        check(reader.files())?;
        let body = json!({ "files": reader.files() });
        let emission = aim_sdk::json::emit("ingested", &body)?
            .with_artifact(records.close()?)
            .with_artifact(raw.close()?);
        Ok(vec![emission])
    }
}

fn read(
    log: Log,
    reader: &mut Reader,
    records: &mut Outlet,
    raw: &mut Outlet,
) -> Result<(), StepError> {
    let cannot = |error: std::io::Error| {
        StepError::invalid_input(format!("can not read {log} in `logs`: {error}"))
    };
    let file = File::open(Path::new(FOLDER).join(log.file())).map_err(cannot)?;
    let mut file = BufReader::with_capacity(READ_BYTES, file);
    let (mut line, mut text) = (Vec::new(), String::new());
    reader.begin(log);
    // BOUND: every turn takes at least one byte off the file.
    loop {
        line.clear();
        text.clear();
        let size = file
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .map_err(cannot)?;
        if size == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") && u64::try_from(size).is_ok_and(|size| size == LINE_BYTES_MAX) {
            let message =
                format!("{log} has a line of more than {LINE_BYTES_MAX} bytes: this is no log");
            return Err(StepError::invalid_input(message));
        }
        reader.line(&line, &mut text);
        records.push(text.as_bytes())?;
        raw.push(&line)?;
    }
}

fn check(files: &[FileSummary]) -> Result<(), StepError> {
    let odd = files
        .iter()
        .find(|file| file.unread > file.lines / UNREAD_MAX_OF);
    odd.map_or(Ok(()), |file| {
        let FileSummary {
            file,
            lines,
            unread,
            ..
        } = file;
        Err(StepError::invalid_input(format!(
            "{unread} of {lines} lines of {file} are not of its form"
        )))
    })
}

impl Outlet {
    fn open(media_type: &str) -> Result<Self, StepError> {
        let writer = Writer::create(media_type)?;
        let room = usize::try_from(CHUNK_BYTES).unwrap_or(0) + READ_BYTES;
        Ok(Self {
            writer,
            chunk: Vec::with_capacity(room),
        })
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), StepError> {
        self.chunk.extend_from_slice(bytes);
        if u32::try_from(self.chunk.len()).is_ok_and(|size| size < CHUNK_BYTES) {
            return Ok(());
        }
        self.writer.append(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }

    fn close(self) -> Result<aim_sdk::ArtifactRef, StepError> {
        self.writer.append(&self.chunk)?;
        Ok(self.writer.finish()?)
    }
}

aim_sdk::export_step!(Ingest, arena: 4 * aim_sdk::MIB);
