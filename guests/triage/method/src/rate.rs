//! Method one, rate change: when did customers begin to see failures at another rate, and whose error rate moved with it?
//!
//! The change is found by Page's cumulative sum (1954) over requests in order: a failure speaks for the higher rate, a
//! success for the lower one, and the sum starts anew whenever it falls to zero. The assumed rates are 2 % (what a
//! healthy shop shows: the odd timeout) and 20 % (an outage of one part of it), so a failure adds ln(20/2) = 2.30 and a
//! success takes ln(98/80) = 0.20. An alarm at 12.0 is a false one about every e^12 = 160 000 requests.
//! The cause is the message whose occurrences per second correlate best with the failures per second.
//! INVARIANT: integers only, so the same selection gives the same finding on every machine.

use crate::ONE_PPM;
use crate::cause::Cause;
use crate::finding::{Abstains, Citation, Finding};
use crate::log::Log;
use crate::select::{Message, Picked, Second, Selection};

/// The method's name.
pub const METHOD: &str = "rate-change";
/// What a failed request adds, in hundredths.
const FAILURE_WEIGHT: u64 = 230;
/// What a good one takes away, in hundredths.
const SUCCESS_WEIGHT: u64 = 20;
/// The sum at which the rate has changed, in hundredths.
const ALARM: u64 = 1200;
/// Seconds without a failure that end an episode.
const CALM_SECONDS: u64 = 5;
/// The least correlation between a cause and what it causes: they share two thirds of their variance.
const CORRELATION_MIN_PPM: u32 = 800_000;
/// No log makes certain.
const CONFIDENCE_MAX_PPM: u32 = 990_000;
/// Lines cited of each kind.
const CITED_MAX: usize = 5;

/// A stretch of time in which customers saw failures at the higher rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// Its first second since 1970.
    pub from: u64,
    /// Its last second with a failure.
    pub to: u64,
    /// Failed requests in it.
    pub failures: u64,
}

/// All episodes, in order.
#[must_use]
pub fn episodes(seconds: &[Second]) -> Vec<Episode> {
    let mut episodes = Vec::new();
    let mut rest = seconds;
    // BOUND: every turn continues behind the episode that it found.
    while let Some(from) = change(rest) {
        let after = rest
            .iter()
            .filter(|second| second.at >= from && second.failures > 0);
        let mut episode = Episode {
            from,
            to: from,
            failures: 0,
        };
        for second in after {
            if second.at > episode.to.saturating_add(CALM_SECONDS) {
                break;
            }
            episode.to = second.at;
            episode.failures = episode.failures.saturating_add(u64::from(second.failures));
        }
        episodes.push(episode);
        let behind = rest
            .iter()
            .position(|second| second.at > episode.to)
            .unwrap_or(rest.len());
        rest = rest.get(behind..).unwrap_or_default();
    }
    episodes
}

/// The second in which the rate changed: the first failure after the sum was last zero.
fn change(seconds: &[Second]) -> Option<u64> {
    let mut sum = 0_u64;
    let mut began = None;
    for second in seconds {
        let successes = second.requests.saturating_sub(second.failures);
        let worse = u64::from(second.failures).saturating_mul(FAILURE_WEIGHT);
        if sum == 0 {
            began = None;
        }
        if worse > 0 && began.is_none() {
            began = Some(second.at);
        }
        sum = sum.saturating_add(worse);
        if sum >= ALARM {
            return began;
        }
        sum = sum.saturating_sub(u64::from(successes).saturating_mul(SUCCESS_WEIGHT));
    }
    None
}

/// Looks for a change of rate and for the message that moved with it.
///
/// # Errors
/// [`Abstains`] when the rate of failures never changed.
pub fn find(selection: &Selection) -> Result<Finding, Abstains> {
    let episodes = episodes(&selection.seconds);
    let Some(episode) = episodes
        .iter()
        .max_by_key(|episode| episode.failures)
        .copied()
    else {
        return Err(Abstains::because(
            "the rate at which customers saw failures never changed",
        ));
    };
    let effects = effects(selection, episode);
    let Some(first) = effects.first() else {
        return Err(Abstains::because("the failures have no line to cite"));
    };
    let mut finding = Finding {
        method: METHOD.to_owned(),
        cause: None,
        component: None,
        onset: first.time,
        resolution_ms: first.file.resolution_ms(),
        confidence_ppm: 0,
        why: format!(
            "{} requests failed within {} s",
            episode.failures,
            episode.to - episode.from + 1
        ),
        cited: Vec::new(),
    };
    if let Some((message, cause, correlation_ppm)) = mover(selection) {
        finding.cause = Some(cause);
        finding.component = Some(cause.component());
        finding.confidence_ppm = correlation_ppm.min(CONFIDENCE_MAX_PPM);
        finding.why = format!(
            "{}; `{}` in {} rose with them",
            finding.why, message.text, message.file
        );
        let lines = selection
            .lines
            .iter()
            .filter(|line| line.template == message.template);
        let lines = lines.filter(|line| (episode.from..=episode.to).contains(&line.second()));
        finding
            .cited
            .extend(lines.take(CITED_MAX).map(Citation::of));
    }
    finding
        .cited
        .extend(effects.into_iter().take(CITED_MAX).map(Citation::of));
    Ok(finding)
}

/// The customers' lines of the episode, those with the status that most of them got.
fn effects(selection: &Selection, episode: Episode) -> Vec<&Picked> {
    let lines: Vec<&Picked> = selection
        .failures()
        .filter(|line| (episode.from..=episode.to).contains(&line.second()))
        .collect();
    let count = |status| lines.iter().filter(|line| line.status == status).count();
    let usual = lines
        .iter()
        .map(|line| line.status)
        .max_by_key(|status| (count(*status), *status));
    lines
        .iter()
        .filter(|line| Some(line.status) == usual)
        .copied()
        .collect()
}

/// The message with a known cause whose rate follows the failures most closely; of equals the deepest.
fn mover(selection: &Selection) -> Option<(&Message, Cause, u32)> {
    let failures: Vec<(u64, u32)> = selection
        .seconds
        .iter()
        .map(|second| (second.at, second.failures))
        .collect();
    let candidates = selection
        .messages
        .iter()
        .filter(|message| !matches!(message.file, Log::Client | Log::Access));
    let judged = candidates.filter_map(|message| {
        let cause = Cause::of_message(&message.text)?;
        let (from, to) = (selection.from / 1000, selection.to / 1000);
        Some((
            message,
            cause,
            correlation_ppm(from, to, &failures, &message.counts),
        ))
    });
    judged
        .filter(|(_, _, correlation_ppm)| *correlation_ppm >= CORRELATION_MIN_PPM)
        .max_by_key(|(message, _, correlation_ppm)| {
            (*correlation_ppm, message.file, message.template)
        })
}

/// Pearson's correlation of two series by second, in parts per million; 0 when it is negative or undefined.
#[must_use]
pub fn correlation_ppm(from: u64, to: u64, one: &[(u64, u32)], other: &[(u64, u32)]) -> u32 {
    let at = |series: &[(u64, u32)], second: u64| {
        let place = series.binary_search_by_key(&second, |(at, _)| *at).ok();
        i128::from(
            place
                .and_then(|place| series.get(place))
                .map_or(0, |(_, count)| *count),
        )
    };
    let (mut n, mut x, mut y, mut xx, mut yy, mut xy) = (0_i128, 0, 0, 0, 0, 0);
    for second in from..=to {
        let (a, b) = (at(one, second), at(other, second));
        n += 1;
        x += a;
        y += b;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    let (shared, spread) = (n * xy - x * y, (n * xx - x * x) * (n * yy - y * y));
    if shared <= 0 || spread <= 0 {
        return 0;
    }
    // Counts of one second and at most hours of seconds: the squares below stay far from the ends of the type.
    let root = u128::try_from(spread).unwrap_or(0).isqrt();
    let shared = u128::try_from(shared).unwrap_or(0);
    let ratio = (shared * u128::from(ONE_PPM))
        .checked_div(root)
        .unwrap_or(0);
    u32::try_from(ratio).unwrap_or(ONE_PPM).min(ONE_PPM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(pattern: &[(u32, u32)]) -> Vec<Second> {
        let numbered = (100_u64..).zip(pattern);
        numbered
            .map(|(at, (requests, failures))| Second {
                at,
                requests: *requests,
                failures: *failures,
            })
            .collect()
    }

    #[test]
    fn a_few_scattered_failures_are_no_change() {
        let calm = [
            (25, 0),
            (25, 1),
            (25, 1),
            (25, 0),
            (25, 2),
            (25, 1),
            (25, 1),
            (25, 1),
            (25, 0),
        ]
        .repeat(20);
        assert_eq!(episodes(&seconds(&calm)), []);
    }

    #[test]
    fn a_change_begins_with_its_first_failure_and_ends_with_its_last() {
        let mut pattern = vec![(25, 0); 20];
        pattern.extend(vec![(25, 7); 10]);
        pattern.extend(vec![(25, 0); 20]);
        let expected = Episode {
            from: 120,
            to: 129,
            failures: 70,
        };
        assert_eq!(episodes(&seconds(&pattern)), [expected]);
        let mut twice = pattern.clone();
        twice.extend(pattern);
        assert_eq!(episodes(&seconds(&twice)).len(), 2);
    }

    #[test]
    fn correlation_is_one_for_the_same_and_zero_for_the_opposite() {
        let one = [(1, 3), (2, 9), (4, 1)];
        assert_eq!(correlation_ppm(0, 9, &one, &one), ONE_PPM);
        assert_eq!(correlation_ppm(0, 9, &one, &[(7, 5)]), 0);
        assert_eq!(correlation_ppm(0, 9, &one, &[]), 0);
    }
}
