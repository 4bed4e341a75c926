//! One line of one of the five logs, taken apart.
//! INVARIANT: a line that is not of its log's form gives `None`, never a guess.

use serde::{Deserialize, Serialize};

use crate::log::Log;
use crate::time;

/// How bad a line says it is, over the words of all servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For developers.
    Debug,
    /// Ordinary.
    Info,
    /// Odd, and dealt with.
    Warn,
    /// Something was not done.
    Error,
    /// A session or a process ended.
    Fatal,
}

/// A line taken apart; texts are parts of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// When, in milliseconds.
    pub time_ms: u64,
    /// How bad.
    pub level: Level,
    /// HTTP status; absent for other lines and for requests without an answer.
    pub status: Option<u16>,
    /// Request id.
    pub request: Option<&'a str>,
    /// Who the line is about, where the log says it before the message: a database's `user@database`.
    pub subject: &'a str,
    /// The message.
    pub message: &'a str,
}

impl Level {
    /// The level's word in records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// The level that any of the servers means by `word`. Words of lines that explain another line are ordinary.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "DEBUG" | "debug" => Self::Debug,
            "INFO" | "info" | "LOG" | "NOTICE" | "notice" => Self::Info,
            "DETAIL" | "HINT" | "CONTEXT" | "STATEMENT" | "QUERY" => Self::Info,
            "WARN" | "WARNING" | "warn" => Self::Warn,
            "ERROR" | "error" | "crit" => Self::Error,
            "FATAL" | "PANIC" | "alert" | "emerg" | "fatal" => Self::Fatal,
            _ => return None,
        })
    }
}

/// Takes a line of `log` apart. The line must be masked already and have no line end.
#[must_use]
pub fn parse(log: Log, line: &str) -> Option<Parsed<'_>> {
    let (time_ms, rest) = time::read(line)?;
    let parsed = match log {
        Log::Client | Log::App => leveled(rest)?,
        Log::Access => access(rest)?,
        Log::Nginx => nginx(rest)?,
        Log::Postgres => postgres(rest)?,
    };
    Some(Parsed { time_ms, ..parsed })
}

/// `Z LEVEL message`
fn leveled(rest: &str) -> Option<Parsed<'_>> {
    let (word, message) = rest.strip_prefix("Z ")?.split_once(' ')?;
    let message = message.trim_start();
    let level = Level::of_word(word)?;
    Some(Parsed {
        time_ms: 0,
        level,
        status: status(message),
        request: request(message),
        subject: "",
        message,
    })
}

/// `Z ADDRESS "REQUEST" status=N ...`: the level follows from the status.
fn access(rest: &str) -> Option<Parsed<'_>> {
    let (_, message) = rest.strip_prefix("Z ")?.split_once(' ')?;
    let status = status(message);
    let level = match status? {
        500.. => Level::Error,
        400.. => Level::Warn,
        _ => Level::Info,
    };
    Some(Parsed {
        time_ms: 0,
        level,
        status,
        request: request(message),
        subject: "",
        message,
    })
}

/// ` [level] PID#PID: *CONNECTION message`
fn nginx(rest: &str) -> Option<Parsed<'_>> {
    let (word, rest) = rest.strip_prefix(" [")?.split_once("] ")?;
    let (_, message) = rest.split_once(": ")?;
    let level = Level::of_word(word)?;
    Some(Parsed {
        time_ms: 0,
        level,
        status: None,
        request: None,
        subject: "",
        message,
    })
}

/// ` UTC [PID] user@database LEVEL:  message`
fn postgres(rest: &str) -> Option<Parsed<'_>> {
    let (_, rest) = rest.strip_prefix(" UTC [")?.split_once("] ")?;
    let (subject, rest) = rest.split_once(' ')?;
    let (word, message) = rest.split_once(':')?;
    let level = Level::of_word(word)?;
    // A statement is somebody's SQL: nothing that can be counted.
    let message = if word == "STATEMENT" {
        "statement:"
    } else {
        message.trim_start()
    };
    Some(Parsed {
        time_ms: 0,
        level,
        status: None,
        request: None,
        subject,
        message,
    })
}

fn status(message: &str) -> Option<u16> {
    let word = message
        .split(' ')
        .find_map(|word| word.strip_prefix("status="))?;
    word.parse()
        .ok()
        .filter(|status| (100..=599).contains(status))
}

fn request(message: &str) -> Option<&str> {
    let word = message
        .split(' ')
        .find_map(|word| word.strip_prefix("req="))?;
    let is_id = !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_id.then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_log_is_taken_apart() {
        let line = "2026-11-20T06:29:27.236Z INFO  req=c-001559 POST /api/orders status=201 ms=2.1 bytes=13";
        let parsed = parse(Log::Client, line).unwrap();
        assert_eq!(
            (parsed.level, parsed.status, parsed.request),
            (Level::Info, Some(201), Some("c-001559"))
        );
        let line = "2026-11-20T06:27:43.453Z 10.0.0.101 \"GET / HTTP/1.1\" status=502 bytes=21 ustatus=502 req=c-1 agent=\"a\"";
        let parsed = parse(Log::Access, line).unwrap();
        assert_eq!(
            (parsed.level, parsed.status, parsed.request),
            (Level::Error, Some(502), Some("c-1"))
        );
        let line = "2026/11/20 06:29:27 [error] 3771#3771: *3053 connect() failed (111: Connection refused)";
        let parsed = parse(Log::Nginx, line).unwrap();
        assert_eq!(
            (parsed.level, parsed.message),
            (
                Level::Error,
                "*3053 connect() failed (111: Connection refused)"
            )
        );
        let line = "2026-11-20 06:27:29.113 UTC [453] app@shop FATAL:  password authentication failed for user \"app\"";
        let parsed = parse(Log::Postgres, line).unwrap();
        assert_eq!((parsed.level, parsed.subject), (Level::Fatal, "app@shop"));
        let line = "2026-11-20T06:25:50.698Z ERROR [w-15] db: query failed: sqlstate=53100 ERROR: full req=c-001488";
        let parsed = parse(Log::App, line).unwrap();
        assert_eq!(
            (parsed.level, parsed.request),
            (Level::Error, Some("c-001488"))
        );
    }

    #[test]
    fn a_line_of_another_form_is_not_guessed_at() {
        for log in Log::ALL {
            for line in [
                "",
                "\tbuffer usage: 3 hits",
                "2026-11-20T06:29:27.236Z",
                "2026-11-20T06:29:27.236Z LOUD hello",
            ] {
                assert!(parse(log, line).is_none(), "{log}: {line}");
            }
        }
    }
}
