//! From all records to what is worth reasoning about: a few hundred lines instead of twelve thousand.
//!
//! Kept are how many requests succeeded and failed in each second, how often each bad message occurred in each second,
//! the first occurrences of each in each second, and every line about a sample of the requests that failed.
//! INVARIANT: whatever the size of the logs, a selection fits into a body; it holds templates and numbers, never lines.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::log::Log;
use crate::parse::Level;
use crate::record::{Entry, Record, entries};
use crate::time::as_text;

/// Occurrences of one message that are picked in one second, and failed requests that are followed in one second.
pub const PER_SECOND_MAX: u32 = 4;
/// Picked lines in all.
pub const PICKED_MAX: usize = 4000;
/// The longest stretch of time, in seconds: two hours around an incident.
pub const SPAN_SECONDS_MAX: u64 = 7200;

/// What the methods get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The first request.
    #[serde(with = "as_text")]
    pub from: u64,
    /// The last request.
    #[serde(with = "as_text")]
    pub to: u64,
    /// Requests by second; seconds without one are absent.
    pub seconds: Vec<Second>,
    /// Messages that say something went wrong.
    pub messages: Vec<Message>,
    /// The failed requests of which every line is picked.
    pub followed: Vec<String>,
    /// Lines, in reading order.
    pub lines: Vec<Picked>,
}

/// The requests of one second, as the customers saw them end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since 1970.
    pub at: u64,
    /// All requests.
    pub requests: u32,
    /// Those that failed.
    pub failures: u32,
}

/// A message of level error or worse, and when it occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The template's id.
    pub template: u32,
    /// The file.
    pub file: Log,
    /// The template.
    pub text: String,
    /// Occurrences by second since 1970.
    pub counts: Vec<(u64, u32)>,
}

/// A line that a method may cite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picked {
    /// The file.
    pub file: Log,
    /// The line's number, from 1.
    pub line: u32,
    /// When it was written.
    #[serde(with = "as_text")]
    pub time: u64,
    /// How bad it says it is.
    pub level: Level,
    /// HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The template's id.
    pub template: u32,
    /// Request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// BLAKE3 of the masked line.
    pub digest: String,
}

/// Why records can't be selected from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectError {
    /// A line that is no record; its number, from 1.
    Malformed(usize),
    /// No customer's request is in the records.
    NoRequests,
    /// The records span more seconds than [`SPAN_SECONDS_MAX`].
    TooLong(u64),
}

impl std::fmt::Display for SelectError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(line) => write!(out, "line {line} of the records is no record"),
            Self::NoRequests => write!(
                out,
                "client.log holds no request, so nobody can say whether anything broke"
            ),
            Self::TooLong(seconds) => {
                write!(
                    out,
                    "the logs span {seconds} s; cut them to {SPAN_SECONDS_MAX} s around the incident"
                )
            }
        }
    }
}

impl std::error::Error for SelectError {}

/// What the first pass counts.
#[derive(Debug, Default)]
struct Counted<'a> {
    seconds: BTreeMap<u64, Second>,
    messages: BTreeMap<u32, Message>,
    counts: BTreeMap<(u32, u64), u32>,
    followed: BTreeSet<&'a str>,
    span: Option<(u64, u64)>,
}

/// Selects from records.
///
/// # Errors
/// [`SelectError`]; nothing is selected from records that are malformed or say nothing about customers.
pub fn select(records: &str) -> Result<Selection, SelectError> {
    let mut counted = Counted::default();
    for (index, entry) in entries(records).enumerate() {
        counted.add(entry.ok_or(SelectError::Malformed(index + 1))?);
    }
    let (from, to) = counted.span.ok_or(SelectError::NoRequests)?;
    let span_seconds = (to - from) / 1000;
    if span_seconds > SPAN_SECONDS_MAX {
        return Err(SelectError::TooLong(span_seconds));
    }
    let lines = pick(records, &counted);
    let followed = counted
        .followed
        .iter()
        .map(|request| (*request).to_owned())
        .collect();
    for ((template, second), count) in counted.counts {
        if let Some(message) = counted.messages.get_mut(&template) {
            message.counts.push((second, count));
        }
    }
    let seconds = counted.seconds.into_values().collect();
    let messages = counted
        .messages
        .into_values()
        .filter(|message| !message.counts.is_empty())
        .collect();
    Ok(Selection {
        from,
        to,
        seconds,
        messages,
        followed,
        lines,
    })
}

impl<'a> Counted<'a> {
    fn add(&mut self, entry: Entry<'a>) {
        match entry {
            Entry::Template(template) if template.level >= Level::Error => {
                let text = template.text.to_owned();
                let message = Message {
                    template: template.id,
                    file: template.log,
                    text,
                    counts: Vec::new(),
                };
                self.messages.insert(template.id, message);
            }
            Entry::Template(_) => {}
            Entry::Record(record) => {
                if record.level >= Level::Error {
                    *self
                        .counts
                        .entry((record.template, record.second()))
                        .or_default() += 1;
                }
                if record.log == Log::Client && record.request.is_some() {
                    self.add_request(&record);
                }
            }
        }
    }

    fn add_request(&mut self, record: &Record<'a>) {
        let (from, to) = self.span.unwrap_or((record.time_ms, record.time_ms));
        self.span = Some((from.min(record.time_ms), to.max(record.time_ms)));
        let at = record.second();
        let second = self.seconds.entry(at).or_insert(Second {
            at,
            requests: 0,
            failures: 0,
        });
        second.requests = second.requests.saturating_add(1);
        if record.is_failed_request() {
            second.failures = second.failures.saturating_add(1);
            if second.failures <= PER_SECOND_MAX {
                self.followed.extend(record.request);
            }
        }
    }
}

fn pick(records: &str, counted: &Counted<'_>) -> Vec<Picked> {
    let mut seen: BTreeMap<(u32, u64), u32> = BTreeMap::new();
    let mut picked = Vec::new();
    for entry in entries(records) {
        let Some(Entry::Record(record)) = entry else {
            continue;
        };
        let is_followed = record
            .request
            .is_some_and(|request| counted.followed.contains(request));
        let is_early = record.level >= Level::Error && {
            let count = seen.entry((record.template, record.second())).or_default();
            *count = count.saturating_add(1);
            *count <= PER_SECOND_MAX
        };
        if (is_followed || is_early) && picked.len() < PICKED_MAX {
            picked.push(Picked::of(&record));
        }
    }
    picked
}

impl Picked {
    fn of(record: &Record<'_>) -> Self {
        Self {
            file: record.log,
            line: record.line,
            time: record.time_ms,
            level: record.level,
            status: record.status,
            template: record.template,
            request: record.request.map(str::to_owned),
            digest: record.digest.to_owned(),
        }
    }

    /// The second in which the line was written.
    #[must_use]
    pub const fn second(&self) -> u64 {
        self.time / crate::time::SECOND_MS
    }
}

impl Selection {
    /// The message with that template id.
    #[must_use]
    pub fn message(&self, template: u32) -> Option<&Message> {
        self.messages
            .iter()
            .find(|message| message.template == template)
    }

    /// Lines that show failed requests to the customers, in order.
    pub fn failures(&self) -> impl Iterator<Item = &Picked> {
        self.lines.iter().filter(|line| {
            line.file == Log::Client
                && line.request.is_some()
                && line
                    .status
                    .map_or(line.level >= Level::Error, |status| status >= 500)
        })
    }
}

impl Message {
    /// Occurrences in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| u64::from(*count)).sum()
    }
}
