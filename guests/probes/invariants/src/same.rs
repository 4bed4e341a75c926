//! Invariants of sameness: what stands under one name is one thing.
//! INVARIANT: two things are compared only where the record says that they should be the same.

use std::collections::BTreeMap;

use aim_sdk::serde_json::Value;

use crate::{Broken, record::Record};

/// The plan that runs is the one that its own bytes give again.
pub(crate) fn plan_determinism(record: &Record) -> Result<(), Broken> {
    match record.compiled.as_slice() {
        [ran, read] if ran == read => Ok(()),
        [ran, read] => Err(format!("{ran} ran, and its own bytes give {read}")),
        _ => Err("the record does not say what ran".into()),
    }
}

/// Equal steps, components, envelopes and host calls gave equal outputs.
pub(crate) fn replay_fidelity(record: &Record) -> Result<(), Broken> {
    let mut known: BTreeMap<String, (&str, String)> = BTreeMap::new();
    for attempt in record.attempts.iter().filter(|one| one.is_released()) {
        let body = attempt.object("envelope").and_then(|one| one.get("body"));
        let calls = attempt
            .object("hostCalls")
            .map(|calls| format!("{calls:?}"));
        let (Some(body), Some(calls)) = (body, calls) else {
            return Err(format!(
                "`{}` can not be run again: its input or its calls are not recorded",
                attempt.path()
            ));
        };
        let step = attempt.text("step").unwrap_or_default();
        let component = attempt.text("component").unwrap_or_default();
        let outputs: Vec<&Value> = attempt
            .list("outputs")
            .iter()
            .filter_map(|one| one.get("body"))
            .collect();
        let question = format!("{step} {component} {body} {calls}");
        let answer = format!("{outputs:?}");
        match known.get(&question) {
            Some((other, before)) if *before != answer => {
                return Err(format!(
                    "`{}` and `{other}` were asked the same and answered differently",
                    attempt.path()
                ));
            }
            _ => drop(known.insert(question, (attempt.path(), answer))),
        }
    }
    Ok(())
}

/// One digest stands for one content: the same size, wherever it is named.
pub(crate) fn atom_hash_stable(record: &Record) -> Result<(), Broken> {
    let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
    for attempt in &record.attempts {
        let outputs = attempt.list("outputs").iter();
        let of_outputs = outputs
            .filter_map(|output| output.get("artifacts")?.as_array())
            .flatten();
        let envelope = attempt
            .object("envelope")
            .and_then(|one| one.get("artifacts")?.as_array());
        for artifact in of_outputs.chain(envelope.into_iter().flatten()) {
            let digest = artifact.get("digest").and_then(Value::as_str);
            let size = artifact.get("size_bytes").and_then(Value::as_u64);
            let (Some(digest), Some(size)) = (digest, size) else {
                return Err(format!(
                    "`{}` names an artifact without digest or size",
                    attempt.path()
                ));
            };
            if sizes
                .insert(digest, size)
                .is_some_and(|before| before != size)
            {
                return Err(format!("{digest} has two sizes"));
            }
        }
    }
    Ok(())
}

/// Every step saw the same state of what was mounted as a snapshot.
pub(crate) fn snapshot_reversible(record: &Record) -> Result<(), Broken> {
    let mut states: BTreeMap<&str, &Value> = BTreeMap::new();
    for attempt in &record.attempts {
        for (folder, state) in attempt.object("folders").into_iter().flatten() {
            if states
                .insert(folder, state)
                .is_some_and(|before| before != state)
            {
                return Err(format!(
                    "`{}` saw another state of `{folder}`",
                    attempt.path()
                ));
            }
        }
    }
    Ok(())
}

/// No output is said to be supported and contradicted by the same source.
pub(crate) fn contradiction(record: &Record) -> Result<(), Broken> {
    for attempt in record.attempts.iter().filter(|one| one.is_released()) {
        let mut said: BTreeMap<&str, &str> = BTreeMap::new();
        let claims = attempt.object("guestClaims");
        let citations = claims.and_then(|claims| claims.get("citations")?.as_array());
        for citation in citations.into_iter().flatten() {
            let relation = citation
                .get("relation")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let source = citation
                .get("source")
                .and_then(|one| one.get("digest")?.as_str());
            let source = source.unwrap_or_default();
            if !["supports", "contradicts"].contains(&relation) {
                continue;
            }
            if said
                .insert(source, relation)
                .is_some_and(|before| before != relation)
            {
                return Err(format!(
                    "`{}` says that {source} speaks for and against its output",
                    attempt.path()
                ));
            }
        }
    }
    Ok(())
}
