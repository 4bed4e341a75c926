//! Method two, rare templates: which message is there exactly when customers suffer, and hardly ever otherwise?
//!
//! Seconds are sets here, not rates: how often a message occurs does not matter, only when. A burst of harmless errors
//! covers few of the bad seconds, and noise covers many of the good ones; both lose.
//! INVARIANT: customers must suffer for a while before any message can be to blame.

use std::collections::BTreeSet;

use crate::cause::Cause;
use crate::finding::{Abstains, Citation, Finding};
use crate::log::Log;
use crate::select::{Message, Picked, Selection};
use crate::share_ppm;

/// The method's name.
pub const METHOD: &str = "rare-template";
/// Fewer bad seconds than this make no pattern: 2^-8 is the chance that a message of every other second is there in all.
const BAD_SECONDS_MIN: usize = 8;
/// The least overlap: the message is there in most of the bad seconds and in few others.
const OVERLAP_MIN_PPM: u32 = 500_000;
/// A message has set in when it occurs in this many of the seconds that follow.
const SET_IN_SECONDS: (u64, usize) = (5, 3);
/// No log makes certain.
const CONFIDENCE_MAX_PPM: u32 = 990_000;
/// Lines cited of each kind.
const CITED_MAX: usize = 5;

/// Looks for the message that is there when customers suffer.
///
/// # Errors
/// [`Abstains`] when they hardly suffer, or no message is there when they do.
pub fn find(selection: &Selection) -> Result<Finding, Abstains> {
    let bad: BTreeSet<u64> = selection
        .seconds
        .iter()
        .filter(|second| second.failures > 0)
        .map(|second| second.at)
        .collect();
    if bad.len() < BAD_SECONDS_MIN {
        return Err(Abstains::because(format!(
            "customers saw failures in {} seconds only",
            bad.len()
        )));
    }
    let Some((overlap_ppm, cause, message)) = best(selection, &bad) else {
        return Err(Abstains::because(
            "no message is there when customers suffer",
        ));
    };
    let lines: Vec<&Picked> = selection
        .lines
        .iter()
        .filter(|line| line.template == message.template && bad.contains(&line.second()))
        .skip_while(|line| !has_set_in(message, line.second()))
        .collect();
    let Some(first) = lines.first() else {
        return Err(Abstains::because(
            "the message that fits has no line to cite",
        ));
    };
    Ok(Finding {
        method: METHOD.to_owned(),
        cause,
        component: Some(cause.map_or(message.file.component(), Cause::component)),
        onset: first.time,
        resolution_ms: first.file.resolution_ms(),
        confidence_ppm: overlap_ppm.min(CONFIDENCE_MAX_PPM),
        why: format!(
            "`{}` in {} is in {} of {} bad seconds and {} others",
            message.text,
            message.file,
            inside(message, &bad),
            bad.len(),
            message.counts.len().saturating_sub(inside(message, &bad)),
        ),
        cited: lines
            .iter()
            .take(CITED_MAX)
            .map(|line| Citation::of(line))
            .collect(),
    })
}

/// The message that covers the bad seconds best, with its overlap and the cause that it names.
fn best<'a>(
    selection: &'a Selection,
    bad: &BTreeSet<u64>,
) -> Option<(u32, Option<Cause>, &'a Message)> {
    selection
        .messages
        .iter()
        .filter(|message| !matches!(message.file, Log::Client | Log::Access))
        .map(|message| {
            (
                overlap_ppm(message, bad),
                Cause::of_message(&message.text),
                message,
            )
        })
        .filter(|(overlap_ppm, _, _)| *overlap_ppm >= OVERLAP_MIN_PPM)
        // A message that names a cause says more than one that does not, whichever fits better.
        .max_by_key(|(overlap_ppm, cause, message)| {
            (
                cause.is_some(),
                *overlap_ppm,
                message.file,
                message.template,
            )
        })
}

fn inside(message: &Message, bad: &BTreeSet<u64>) -> usize {
    message
        .counts
        .iter()
        .filter(|(second, _)| bad.contains(second))
        .count()
}

/// Jaccard's index of the message's seconds and the bad ones.
fn overlap_ppm(message: &Message, bad: &BTreeSet<u64>) -> u32 {
    let both = inside(message, bad);
    let either = message.counts.len() + bad.len() - both;
    share_ppm(
        u64::try_from(both).unwrap_or(0),
        u64::try_from(either).unwrap_or(u64::MAX),
    )
}

fn has_set_in(message: &Message, second: u64) -> bool {
    let (within, needed) = SET_IN_SECONDS;
    let soon = second..second.saturating_add(within);
    message
        .counts
        .iter()
        .filter(|(at, _)| soon.contains(at))
        .count()
        >= needed
}
