//! Records: what is kept of every line, as tab-separated text in reading order.
//!
//! ```text
//! T <id> <file> <level> <template>                    before the first record that has it
//! R <file> <line> <time ms> <level> <status> <template id> <request> <offset> <length> <digest>
//! ```
//!
//! Absent values are `-`. `offset` and `length` find the line in the raw lines. The digest is the BLAKE3 of the *masked*
//! line: one of the raw line would let anybody who guesses a password check the guess.
//! INVARIANT: reading is streaming; nothing is kept of a line but its record and, once, its template.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::log::Log;
use crate::mask::masked_into;
use crate::parse::{Level, Parsed, parse};
use crate::template::template_into;
use crate::time;

/// Media type of the records.
pub const MEDIA_TYPE: &str = "text/tab-separated-values";
/// Media type of the raw lines.
pub const RAW_MEDIA_TYPE: &str = "text/plain";

/// What is kept of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The log.
    pub log: Log,
    /// The line's number, from 1.
    pub line: u32,
    /// When, in milliseconds.
    pub time_ms: u64,
    /// How bad.
    pub level: Level,
    /// HTTP status.
    pub status: Option<u16>,
    /// The template's id.
    pub template: u32,
    /// Request id.
    pub request: Option<&'a str>,
    /// Where the line begins in the raw lines, in bytes.
    pub offset: u64,
    /// The line's length without its end, in bytes.
    pub length: u32,
    /// BLAKE3 of the masked line, `blake3:` and 64 hex digits.
    pub digest: &'a str,
}

/// A message as it recurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template<'a> {
    /// Its id in these records.
    pub id: u32,
    /// The log.
    pub log: Log,
    /// How bad.
    pub level: Level,
    /// The text.
    pub text: &'a str,
}

/// One line of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A template.
    Template(Template<'a>),
    /// A record.
    Record(Record<'a>),
}

/// What was read of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSummary {
    /// The file.
    pub file: Log,
    /// Its lines.
    pub lines: u32,
    /// Its bytes.
    pub bytes: u64,
    /// Lines that are not of the file's form; they take the time of the line before them.
    pub unread: u32,
}

/// Turns lines into records.
#[derive(Debug, Default)]
pub struct Reader {
    templates: BTreeMap<String, u32>,
    files: Vec<FileSummary>,
    offset: u64,
    time_ms: u64,
    masked: String,
    text: String,
    key: String,
}

impl Reader {
    /// A reader that has read nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a file.
    pub fn begin(&mut self, file: Log) {
        self.files.push(FileSummary {
            file,
            lines: 0,
            bytes: 0,
            unread: 0,
        });
        self.time_ms = 0;
    }

    /// Reads one line, its end included, and writes its record to `out`. Lines before the first [`Self::begin`] are skipped.
    pub fn line(&mut self, raw: &[u8], out: &mut String) {
        let Some(file) = self.files.last_mut() else {
            return;
        };
        let text = String::from_utf8_lossy(raw.trim_ascii_end());
        masked_into(&text, &mut self.masked);
        file.lines = file.lines.saturating_add(1);
        let size = u64::try_from(raw.len()).unwrap_or(u64::MAX);
        file.bytes = file.bytes.saturating_add(size);
        let (log, line) = (file.file, file.lines);
        let parsed = parse(log, &self.masked);
        if parsed.is_none() {
            file.unread = file.unread.saturating_add(1);
        }
        let parsed = parsed.unwrap_or(Parsed {
            time_ms: self.time_ms,
            level: Level::Info,
            status: None,
            request: None,
            subject: "",
            message: "",
        });
        self.time_ms = parsed.time_ms;
        template_into(parsed.message, &mut self.text);
        self.key.clear();
        // Writing to a string has no failure.
        let _ = write!(
            self.key,
            "{log}\t{}\t{}",
            parsed.level.word(),
            parsed.subject
        );
        if !parsed.subject.is_empty() {
            self.key.push(' ');
        }
        self.key.push_str(&self.text.replace('\t', " "));
        let template = template_id(&mut self.templates, &self.key, out);
        let record = Record {
            log,
            line,
            time_ms: parsed.time_ms,
            level: parsed.level,
            status: parsed.status,
            template,
            request: parsed.request,
            offset: self.offset,
            length: u32::try_from(raw.trim_ascii_end().len()).unwrap_or(u32::MAX),
            digest: &digest(&self.masked),
        };
        write_record(&record, out);
        self.offset = self.offset.saturating_add(size);
    }

    /// What was read, per file.
    #[must_use]
    pub fn files(&self) -> &[FileSummary] {
        &self.files
    }
}

/// The digest by which a line is cited.
#[must_use]
pub fn digest(masked: &str) -> String {
    format!("blake3:{}", blake3::hash(masked.as_bytes()).to_hex())
}

fn template_id(templates: &mut BTreeMap<String, u32>, key: &str, out: &mut String) -> u32 {
    if let Some(id) = templates.get(key) {
        return *id;
    }
    let id = u32::try_from(templates.len()).unwrap_or(u32::MAX);
    templates.insert(key.to_owned(), id);
    let _ = writeln!(out, "T\t{id}\t{key}");
    id
}

fn write_record(record: &Record<'_>, out: &mut String) {
    let _ = write!(
        out,
        "R\t{}\t{}\t{}\t{}\t",
        record.log,
        record.line,
        record.time_ms,
        record.level.word()
    );
    let _ = match record.status {
        Some(status) => write!(out, "{status}"),
        None => write!(out, "-"),
    };
    let (request, digest) = (record.request.unwrap_or("-"), record.digest);
    let _ = writeln!(
        out,
        "\t{}\t{request}\t{}\t{}\t{digest}",
        record.template, record.offset, record.length
    );
}

/// Reads records back; a line that is none gives `None`.
pub fn entries(text: &str) -> impl Iterator<Item = Option<Entry<'_>>> {
    text.lines().map(entry)
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let mut fields = line.split('\t');
    match fields.next()? {
        "T" => Some(Entry::Template(Template {
            id: fields.next()?.parse().ok()?,
            log: Log::of_file(fields.next()?)?,
            level: level(fields.next()?)?,
            text: fields.next()?,
        })),
        "R" => Some(Entry::Record(Record {
            log: Log::of_file(fields.next()?)?,
            line: fields.next()?.parse().ok()?,
            time_ms: fields.next()?.parse().ok()?,
            level: level(fields.next()?)?,
            status: Some(fields.next()?)
                .filter(|text| *text != "-")
                .and_then(|text| text.parse().ok()),
            template: fields.next()?.parse().ok()?,
            request: Some(fields.next()?).filter(|text| *text != "-"),
            offset: fields.next()?.parse().ok()?,
            length: fields.next()?.parse().ok()?,
            digest: fields.next()?,
        })),
        _ => None,
    }
}

fn level(word: &str) -> Option<Level> {
    Level::of_word(word)
}

impl Record<'_> {
    /// The second in which the line was written.
    #[must_use]
    pub const fn second(&self) -> u64 {
        self.time_ms / time::SECOND_MS
    }

    /// True for a request that the customer got no good answer to.
    #[must_use]
    pub fn is_failed_request(&self) -> bool {
        self.log == Log::Client
            && self.request.is_some()
            && self
                .status
                .map_or(self.level >= Level::Error, |status| status >= 500)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_can_be_read_back_and_hold_no_credential() {
        let mut reader = Reader::new();
        let mut out = String::new();
        reader.begin(Log::App);
        let line = "2026-11-20T06:27:29.112Z ERROR [w-12] db: connect failed: dsn=postgres://app:Harbor-59@db-1/shop sqlstate=28P01 FATAL: no req=c-7\n";
        reader.line(line.as_bytes(), &mut out);
        reader.line(b"\tnot a line of this log\n", &mut out);
        assert!(!out.contains("Harbor"), "{out}");
        let all: Vec<_> = entries(&out).map(Option::unwrap).collect();
        let [
            Entry::Template(template),
            Entry::Record(first),
            Entry::Template(_),
            Entry::Record(second),
        ] = all.as_slice()
        else {
            panic!("{all:?}")
        };
        assert_eq!(
            template.text,
            "# db: connect failed: # sqlstate=28P01 FATAL: no"
        );
        assert_eq!(
            (first.line, first.request, first.level),
            (1, Some("c-7"), Level::Error)
        );
        assert_eq!((second.time_ms, second.line), (first.time_ms, 2));
        let raw = line.len() as u64;
        assert_eq!((second.offset, u64::from(first.length)), (raw, raw - 1));
        assert_eq!(reader.files()[0].unread, 1);
    }
}
