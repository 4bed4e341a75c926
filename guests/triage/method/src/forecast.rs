//! Whether it will happen again: a question that one incident can hardly answer.
//! INVARIANT: the confidence comes from how much was seen, never from how clear it looked.

use serde::{Deserialize, Serialize};

use crate::finding::Abstains;
use crate::rate::episodes;
use crate::select::Selection;
use crate::share_ppm;

/// The method's name.
pub const METHOD: &str = "rule-of-succession";

/// A guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Episodes that were seen.
    pub episodes: u32,
    /// Mean seconds from the begin of one to the begin of the next; absent when there was only one.
    pub interval_seconds: Option<u64>,
    /// How sure, in parts per million.
    pub confidence_ppm: u32,
}

/// Guesses from the episodes in the logs. Laplace's rule of succession: what happened n times will happen again with
/// (n + 1) / (n + 2), and the confidence in an interval is what lies beyond even chances of that.
///
/// # Errors
/// [`Abstains`] when nothing happened.
pub fn find(selection: &Selection) -> Result<Forecast, Abstains> {
    let episodes = episodes(&selection.seconds);
    let (Some(first), Some(last)) = (episodes.first(), episodes.last()) else {
        return Err(Abstains::because(
            "nothing happened that could happen again",
        ));
    };
    let count = u64::try_from(episodes.len()).unwrap_or(u64::MAX);
    let interval_seconds = (last.from - first.from).checked_div(count.saturating_sub(1));
    let confidence_ppm = share_ppm(count, count.saturating_add(2));
    Ok(Forecast {
        episodes: u32::try_from(count).unwrap_or(u32::MAX),
        interval_seconds,
        confidence_ppm,
    })
}
