//! The host calls of both sides, one by one, up to the first that differs.
//!
//! INVARIANT: calls behind the first difference are not compared: a guest that was answered otherwise does other things.

use alloc::{format, string::ToString};

use super::{Found, NOTHING};
use crate::transcript::{CallRecord, Transcript};

/// Compares two transcripts; a cut one only as far as both go.
pub(super) fn compare(
    found: &mut Found,
    (recorded, replayed): (&Transcript, &Transcript),
    is_cut: bool,
) {
    let before = found.0.len();
    for (one, other) in recorded.records().iter().zip(replayed.records()) {
        compare_call(found, one, other);
        if found.0.len() > before {
            return;
        }
    }
    if is_cut {
        return;
    }
    let (one, other) = (recorded.records(), replayed.records());
    let index = one.len().min(other.len());
    let name = |call: Option<&CallRecord>| {
        call.map_or_else(|| NOTHING.to_string(), |call| call.function.to_string())
    };
    if one.len() != other.len() {
        let field = format!("call {index} function");
        found.add(&field, &name(one.get(index)), &name(other.get(index)));
    }
    adapters(found, recorded, replayed);
}

fn compare_call(found: &mut Found, one: &CallRecord, other: &CallRecord) {
    let field = |part: &str| format!("call {} {part}", one.index);
    if one.function != other.function {
        return found.add(&field("function"), &one.function, &other.function);
    }
    let function = &one.function;
    let with = |digest: &dyn core::fmt::Display| format!("{digest} of {function}");
    if one.request != other.request {
        let sides = (with(&one.request.digest), with(&other.request.digest));
        found.add(&field("request"), &sides.0, &sides.1);
    }
    if one.verdict != other.verdict {
        let sides = (one.verdict.word(), other.verdict.word());
        found.add(&field("verdict"), sides.0, sides.1);
    }
    if one.response != other.response {
        let sides = (with(&one.response.digest), with(&other.response.digest));
        found.add(&field("response"), &sides.0, &sides.1);
    }
}

fn adapters(found: &mut Found, recorded: &Transcript, replayed: &Transcript) {
    let (one, other) = (recorded.adapter_calls(), replayed.adapter_calls());
    for (function, count) in one {
        let again = other.get(function).copied().unwrap_or(0);
        found.same(&format!("adapter {function}"), count, &again);
    }
    let new = other
        .iter()
        .filter(|(function, _)| !one.contains_key(*function));
    for (function, count) in new {
        found.same(&format!("adapter {function}"), &0, count);
    }
}
