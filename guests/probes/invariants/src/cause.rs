//! Invariants of evidence: every witness is what it says, is there once, and follows from what was before.
//! INVARIANT: a cause that is not in the record counts as missing, unless attempts were left out for size.

use std::collections::{BTreeMap, BTreeSet};

use aim_sdk::serde_json::Value;

use crate::{Broken, record::Record};

/// Every witness is the digest of its statement.
pub(crate) fn witness_integrity(record: &Record) -> Result<(), Broken> {
    for attempt in &record.attempts {
        let digest = blake3::hash(attempt.statement.as_bytes());
        let digest = format!("blake3:{}", digest.to_hex());
        if digest != attempt.witness {
            return Err(format!(
                "{} of `{}` is not the digest of its statement",
                attempt.witness,
                attempt.path()
            ));
        }
    }
    Ok(())
}

/// Every attempt has its witness, in order from 1, what completed has one, and every cause is in the record.
pub(crate) fn chain_complete(record: &Record) -> Result<(), Broken> {
    let spans: BTreeSet<&str> = record
        .attempts
        .iter()
        .filter_map(|one| one.text("span"))
        .collect();
    let mut next: BTreeMap<&str, u64> = BTreeMap::new();
    for attempt in &record.attempts {
        let number = attempt
            .says
            .get("attemptNo")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let expected = next.entry(attempt.path()).or_insert(1);
        if number != *expected {
            return Err(format!(
                "attempt {expected} of `{}` has no witness",
                attempt.path()
            ));
        }
        *expected += 1;
        if let Some(parent) = attempt.text("parentSpan")
            && !spans.contains(parent)
            && record.omitted == 0
        {
            return Err(format!(
                "`{}` follows from an attempt that is not there",
                attempt.path()
            ));
        }
    }
    let mut nodes = record.steps.iter();
    let bare = nodes.find(|node| node.is_released && node.witnesses.is_empty());
    bare.map_or(Ok(()), |node| {
        Err(format!(
            "`{}` released something without a witness",
            node.path
        ))
    })
}

/// The record names exactly the witnesses that are there, each once: what is exported is closed.
pub(crate) fn export_integrity(record: &Record) -> Result<(), Broken> {
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for node in &record.steps {
        for witness in &node.witnesses {
            if !named.insert(witness) {
                return Err(format!("{witness} is named twice"));
            }
        }
    }
    let there: BTreeSet<&str> = record
        .attempts
        .iter()
        .map(|one| one.witness.as_str())
        .collect();
    if let Some(stray) = there.difference(&named).next() {
        return Err(format!("{stray} belongs to no step"));
    }
    match named.difference(&there).next() {
        Some(missing) if record.omitted == 0 => Err(format!("{missing} is named and not there")),
        _ => Ok(()),
    }
}

/// Nothing began before what it follows from had begun, and nothing ended before it began.
pub(crate) fn as_of(record: &Record) -> Result<(), Broken> {
    let mut began: BTreeMap<&str, &Value> = BTreeMap::new();
    for attempt in &record.attempts {
        if let (Some(span), Some(at)) = (attempt.text("span"), attempt.says.get("startedAt")) {
            began.insert(span, at);
        }
    }
    for attempt in &record.attempts {
        let (started, ended) = (attempt.says.get("startedAt"), attempt.says.get("endedAt"));
        let (Some(started), Some(ended)) = (started, ended) else {
            return Err(format!("`{}` has no time", attempt.path()));
        };
        if is_before(ended, started) {
            return Err(format!("`{}` ended before it began", attempt.path()));
        }
        let parent = attempt.text("parentSpan").and_then(|span| began.get(span));
        if parent.is_some_and(|parent| is_before(started, parent)) {
            return Err(format!(
                "`{}` began before what it follows from",
                attempt.path()
            ));
        }
    }
    Ok(())
}

/// Instants are numbers, or texts that sort as their times do.
fn is_before(one: &Value, other: &Value) -> bool {
    match (one.as_u64(), other.as_u64()) {
        (Some(one), Some(other)) => one < other,
        _ => one.as_str() < other.as_str(),
    }
}
