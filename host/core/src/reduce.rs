//! Many outputs made into one: the best, the one that most agree on, or the mean.
//!
//! INVARIANT: equal candidates in equal order give equal bytes, and what can not be told is an abstention, never a guess.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Reverse;

use serde_json::Value;

use crate::{
    canonical,
    condition::Decimal,
    envelope::Emission,
    join::{JOIN_MEDIA_TYPE, is_json},
    json,
    plan::{Reduce, ReduceMethod, Tie},
};

/// Fraction digits that a mean is kept with.
const DIGITS: u32 = 9;
const SCALE: i128 = 1_000_000_000;

/// Why candidates could not be made into one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReduceError {
    /// Nothing to choose from.
    #[error("no candidate has completed")]
    Empty,
    /// A candidate is not one JSON body.
    #[error("candidate {0} is not exactly one JSON body")]
    NotJson(usize),
    /// A candidate lacks the number that it is judged by.
    #[error("candidate {candidate} has no number `{field}` of at most 9 fraction digits")]
    NoNumber {
        /// Which one, from 1.
        candidate: usize,
        /// What it lacks.
        field: &'static str,
    },
    /// No answer has more than half of the votes.
    #[error("no answer has more than half of {0} votes")]
    Tie(usize),
    /// The method leaves the decision to the step.
    #[error("adjudication is the step's own work")]
    Adjudicate,
}

impl ReduceError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "ACL-R104"
    }
}

/// Makes one emission of the candidates; each is what one instance released, in the order of their numbers.
///
/// # Errors
/// [`ReduceError`].
pub fn reduce(how: Reduce, candidates: &[&[Emission]]) -> Result<Emission, ReduceError> {
    if candidates.is_empty() {
        return Err(ReduceError::Empty);
    }
    let mut parsed = Vec::with_capacity(candidates.len());
    for (number, emissions) in (1..).zip(candidates) {
        parsed.push(one_json(number, emissions)?);
    }
    match how.method {
        ReduceMethod::Merge => merge(&parsed),
        ReduceMethod::Vote => vote(&parsed, how.tie),
        ReduceMethod::Score => score(&parsed),
        ReduceMethod::Adjudicate => Err(ReduceError::Adjudicate),
    }
}

type Candidate<'a> = (&'a Emission, Value);

fn one_json(number: usize, emissions: &[Emission]) -> Result<Candidate<'_>, ReduceError> {
    let not_json = ReduceError::NotJson(number);
    let [only] = emissions else {
        return Err(not_json);
    };
    let value = is_json(&only.media_type)
        .then(|| json::parse(&only.body).ok())
        .flatten();
    value.map(|value| (only, value)).ok_or(not_json)
}

fn number_text(value: &Value, field: &str) -> Option<String> {
    match value.get(field)? {
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn merge(candidates: &[Candidate<'_>]) -> Result<Emission, ReduceError> {
    let mut best: Option<(Decimal, &Emission)> = None;
    for (number, (emission, value)) in (1..).zip(candidates) {
        let score = number_text(value, "rs").and_then(|text| Decimal::parse_json(&text));
        let score = score.ok_or(ReduceError::NoNumber {
            candidate: number,
            field: "rs",
        })?;
        // Only a greater one takes the place, so that of equal ones the first goes on.
        if best.as_ref().is_none_or(|(greatest, _)| score > *greatest) {
            best = Some((score, emission));
        }
    }
    best.map(|(_, emission)| emission.clone())
        .ok_or(ReduceError::Empty)
}

fn vote(candidates: &[Candidate<'_>], tie: Tie) -> Result<Emission, ReduceError> {
    let mut votes: BTreeMap<Vec<u8>, (usize, usize)> = BTreeMap::new();
    for (place, (_, value)) in candidates.iter().enumerate() {
        let answer = canonical::bytes(value.get("vote").unwrap_or(value));
        votes.entry(answer).or_insert((0, place)).0 += 1;
    }
    let most = votes
        .values()
        .max_by_key(|(count, first)| (*count, Reverse(*first)));
    let (count, first) = most.copied().ok_or(ReduceError::Empty)?;
    if count * 2 <= candidates.len() && tie == Tie::Abstain {
        return Err(ReduceError::Tie(candidates.len()));
    }
    let winner = candidates.get(first).ok_or(ReduceError::Empty)?;
    Ok(winner.0.clone())
}

fn score(candidates: &[Candidate<'_>]) -> Result<Emission, ReduceError> {
    let mut sum = 0_i128;
    for (number, (_, value)) in (1..).zip(candidates) {
        let no_number = ReduceError::NoNumber {
            candidate: number,
            field: "score",
        };
        let text = number_text(value, "score").ok_or(no_number.clone())?;
        sum += scaled(&text).ok_or(no_number)?;
    }
    let count = i128::try_from(candidates.len()).unwrap_or(i128::MAX);
    let mean = mean_text(sum, count);
    let (first, _) = candidates.first().ok_or(ReduceError::Empty)?;
    Ok(Emission {
        body: format!("{{\"count\":{count},\"score\":{mean}}}").into_bytes(),
        media_type: JOIN_MEDIA_TYPE.to_string(),
        artifacts: Vec::new(),
        ..(*first).clone()
    })
}

/// Reads a plain decimal as billionths; `None` for exponents, too many digits and absurd sizes.
fn scaled(text: &str) -> Option<i128> {
    let (is_negative, text) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let digits = u32::try_from(fraction.len())
        .ok()
        .filter(|digits| *digits <= DIGITS)?;
    if whole.is_empty() || whole.len() > 18 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let fraction: i128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let fraction = fraction * 10_i128.checked_pow(DIGITS - digits)?;
    let value = whole.parse::<i128>().ok()? * SCALE + fraction;
    Some(if is_negative { -value } else { value })
}

/// The mean in billionths, ties to even, without trailing zeros.
fn mean_text(sum: i128, count: i128) -> String {
    let (quotient, remainder) = (sum.div_euclid(count), sum.rem_euclid(count));
    let is_up = remainder * 2 > count || (remainder * 2 == count && quotient.rem_euclid(2) == 1);
    let mean = quotient + i128::from(is_up);
    let sign = if mean < 0 { "-" } else { "" };
    let (whole, fraction) = (mean.abs() / SCALE, mean.abs() % SCALE);
    let fraction = format!("{fraction:09}");
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::envelope::Target;

    fn emission(body: &str) -> Vec<Emission> {
        vec![Emission {
            target: Target::Next,
            operation: "op".to_string(),
            media_type: JOIN_MEDIA_TYPE.to_string(),
            artifacts: vec![],
            body: body.as_bytes().to_vec(),
        }]
    }

    fn reduced(method: ReduceMethod, tie: Tie, bodies: &[&str]) -> Result<String, ReduceError> {
        let all: Vec<Vec<Emission>> = bodies.iter().map(|body| emission(body)).collect();
        let all: Vec<&[Emission]> = all.iter().map(Vec::as_slice).collect();
        let how = Reduce {
            method,
            quorum: None,
            tie,
        };
        reduce(how, &all).map(|one| String::from_utf8(one.body).unwrap())
    }

    /// Control: with `>=` in `merge` the tie goes to the last one and this fails.
    #[test]
    fn merge_takes_the_greatest_score_and_of_equal_ones_the_first() {
        let merge = |bodies: &[&str]| reduced(ReduceMethod::Merge, Tie::Abstain, bodies);
        let low = r#"{"rs":0.25,"who":"a"}"#;
        let high = r#"{"rs":0.3,"who":"b"}"#;
        let same = r#"{"rs":0.30,"who":"c"}"#;
        assert_eq!(merge(&[low, high, same]).unwrap(), high);
        assert_eq!(merge(&[same, high, low]).unwrap(), same);
        let missing = ReduceError::NoNumber {
            candidate: 2,
            field: "rs",
        };
        assert_eq!(merge(&[low, "{}"]), Err(missing));
        assert_eq!(merge(&[]), Err(ReduceError::Empty));
    }

    /// Control: with `<` in place of `<=` half of the votes would win and this fails.
    #[test]
    fn a_vote_needs_more_than_half_or_the_plan_takes_the_most_frequent() {
        let yes = r#"{"vote":{"b":1,"a":2},"by":1}"#;
        let same = r#"{"vote":{"a":2,"b":1},"by":2}"#;
        let no = r#"{"vote":"no"}"#;
        let vote = |tie, bodies: &[&str]| reduced(ReduceMethod::Vote, tie, bodies);
        assert_eq!(vote(Tie::Abstain, &[no, yes, same]).unwrap(), yes);
        assert_eq!(vote(Tie::Abstain, &[yes, no]), Err(ReduceError::Tie(2)));
        assert_eq!(vote(Tie::First, &[no, yes]).unwrap(), no);
        assert_eq!(vote(Tie::First, &["1", "2", "2", "3"]).unwrap(), "2");
    }

    #[test]
    fn the_mean_is_exact() {
        let mean = |bodies: &[&str]| reduced(ReduceMethod::Score, Tie::Abstain, bodies);
        let text = mean(&[r#"{"score":0.1}"#, r#"{"score":0.2}"#]).unwrap();
        assert_eq!(text, r#"{"count":2,"score":0.15}"#);
        let text = mean(&[r#"{"score":1}"#, r#"{"score":0}"#, r#"{"score":0}"#]).unwrap();
        assert_eq!(text, r#"{"count":3,"score":0.333333333}"#);
        let text = mean(&[r#"{"score":-1.5}"#, r#"{"score":1.5}"#]).unwrap();
        assert_eq!(text, r#"{"count":2,"score":0}"#);
        let text = mean(&[r#"{"score":-0.25}"#]).unwrap();
        assert_eq!(text, r#"{"count":1,"score":-0.25}"#);
        assert!(mean(&[r#"{"score":"1"}"#]).is_err());
    }

    #[test]
    fn adjudication_is_left_to_the_step() {
        let all = reduced(ReduceMethod::Adjudicate, Tie::Abstain, &["1"]);
        assert_eq!(all, Err(ReduceError::Adjudicate));
    }
}
