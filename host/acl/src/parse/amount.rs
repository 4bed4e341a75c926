//! Numbers that say how much: counts with `k`, times with units, money.
//!
//! INVARIANT: an amount is positive and at most what the IR can hold, or it is refused with what to write instead.

use alloc::{format, string::String};

use aim_core::{condition::Decimal, plan::INTEGER_MAX};

/// What a budget part is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A plain count.
    Count,
    /// A count that may end in `k`.
    Kilo,
    /// A time with `ms`, `s` or `m`.
    Time,
    /// Dollars, with up to six digits after the point.
    Money,
}

/// Reads a positive amount: a count, milliseconds, or millionths of a dollar.
pub(super) fn amount(key: &str, text: &str, unit: Unit) -> Result<u64, (String, &'static str)> {
    let parsed = match unit {
        Unit::Count => digits(text).map(|digits| (digits, 1)),
        Unit::Kilo => {
            let (number, factor) = text
                .strip_suffix('k')
                .map_or((text, 1), |number| (number, 1_000));
            digits(number).map(|digits| (digits, factor))
        }
        Unit::Time => time(text),
        Unit::Money => return money(key, text),
    };
    let Some((number, factor)) = parsed else {
        let shown: String = text.chars().take(40).collect();
        let help = match unit {
            Unit::Time => "write a whole number and a unit: `500ms`, `30s` or `5m`",
            Unit::Kilo => "write a whole number without signs, such as `1000` or `120k`",
            _ => "write a whole number without signs, such as `1000`",
        };
        return Err((format!("`{shown}` is no amount of {key}"), help));
    };
    bounded(
        key,
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor)),
    )
}

fn bounded(key: &str, amount: Option<u64>) -> Result<u64, (String, &'static str)> {
    match amount {
        Some(0) => Err((
            format!("{key} must be more than zero"),
            "a step with nothing to spend can not run; leave the part out or give it an amount",
        )),
        Some(amount) if amount <= INTEGER_MAX => Ok(amount),
        _ => Err((
            format!("{key} is larger than a plan can hold"),
            "write a smaller amount",
        )),
    }
}

fn digits(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(text)
}

fn time(text: &str) -> Option<(&str, u64)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    digits(number).map(|number| (number, factor))
}

fn money(key: &str, text: &str) -> Result<u64, (String, &'static str)> {
    let help = "write dollars with at most six digits after the point, such as `0.25`";
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain = digits(whole).is_some() && digits(fraction).is_some() && fraction.len() <= 6;
    if !is_plain {
        let shown: String = text.chars().take(40).collect();
        return Err((format!("`{shown}` is no amount of {key}"), help));
    }
    let micros = format!("{fraction:0<6}").parse::<u64>().ok();
    let whole = whole
        .parse::<u64>()
        .ok()
        .and_then(|whole| whole.checked_mul(1_000_000));
    bounded(key, whole.and_then(|whole| whole.checked_add(micros?)))
}

/// Reads a share from 0 to 1 in whole millionths, such as a threshold of confidence.
pub(super) fn share(text: &str) -> Option<Decimal> {
    Decimal::parse(text).filter(|share| !text.starts_with('-') && share.share_ppm().is_some())
}
