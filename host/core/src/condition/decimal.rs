//! Exact decimals: a number is compared as it was written, never through binary floating point.
//!
//! INVARIANT: equal numbers have one representation, so `1`, `1.0` and `1e0` are the same value and the same bytes.

use alloc::{string::String, vec::Vec};
use core::{cmp::Ordering, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::claims::RATIO_ONE;

/// The most significant digits that a written number may have.
const DIGITS_MAX: usize = 64;
/// Bounds the exponent of a JSON number and of the plain spelling.
const EXPONENT_MAX: i64 = 4_096;

/// An exact decimal number: `0.d1 d2 d3... * 10^exponent`, without leading or trailing zero digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    is_negative: bool,
    exponent: i64,
    /// Digits 0 to 9 by value; empty for zero.
    digits: Vec<u8>,
}

impl Decimal {
    /// Reads a plain decimal (`-12.50`): no exponent, no leading `+`, digits on both sides of a point.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains(['e', 'E']) {
            return None;
        }
        Self::parse_json(text)
    }

    /// Reads a number as JSON writes it, exponents included; `None` when it is malformed or absurdly long.
    #[must_use]
    pub fn parse_json(text: &str) -> Option<Self> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, shift) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        Self::normalised(is_negative, whole, fraction, shift)
    }

    /// The number in millionths, as shares and factors are kept. `None` for one that is below zero, beyond `u32`, or no whole
    /// number of millionths: what somebody wrote is never rounded, or a threshold would not be the one that was agreed to.
    #[must_use]
    pub fn millionths(&self) -> Option<u32> {
        let places = i64::try_from(self.digits.len()).ok()?;
        let zeros = u32::try_from(self.exponent.checked_add(6)?.checked_sub(places)?).ok()?;
        let written = self.digits.iter().try_fold(0_u32, |sum, digit| {
            sum.checked_mul(10)?.checked_add(u32::from(*digit))
        })?;
        let all = written.checked_mul(10_u32.checked_pow(zeros)?)?;
        (!self.is_negative).then_some(all)
    }

    /// A share from 0 to 1 in millionths; `None` for one outside, and as [`Self::millionths`].
    #[must_use]
    pub fn share_ppm(&self) -> Option<u32> {
        self.millionths().filter(|ppm| *ppm <= RATIO_ONE)
    }

    fn normalised(is_negative: bool, whole: &str, fraction: &str, shift: i64) -> Option<Self> {
        let all = || whole.bytes().chain(fraction.bytes()).map(|b| b - b'0');
        let leading = all().take_while(|digit| *digit == 0).count();
        let mut digits: Vec<u8> = all().skip(leading).collect();
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.is_empty() {
            return Some(Self {
                is_negative: false,
                exponent: 0,
                digits,
            });
        }
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        let exponent = point.checked_add(shift)?;
        let is_bounded = digits.len() <= DIGITS_MAX && exponent.abs() <= EXPONENT_MAX;
        is_bounded.then_some(Self {
            is_negative,
            exponent,
            digits,
        })
    }

    /// True for zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Compares magnitudes. Digits carry no leading zeros, so the exponent decides first.
    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self
                .exponent
                .cmp(&other.exponent)
                .then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let value: i64 = if is_plain {
        text.parse().ok()?
    } else {
        return None;
    };
    (value.abs() <= EXPONENT_MAX).then_some(value)
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

/// Writes the one plain spelling: no exponent, no needless zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negative {
            f.write_str("-")?;
        }
        let point = usize::try_from(self.exponent).unwrap_or(0);
        if point == 0 {
            f.write_str("0")?;
        }
        // BOUND: at most EXPONENT_MAX places before the point.
        for place in 0..point {
            write!(f, "{}", self.digits.get(place).copied().unwrap_or(0))?;
        }
        let rest = self.digits.get(point..).unwrap_or_default();
        if !rest.is_empty() {
            f.write_str(".")?;
            for _ in self.exponent..0 {
                f.write_str("0")?;
            }
            for digit in rest {
                write!(f, "{digit}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a plain decimal number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Negative control: with what is beyond a millionth cut, or rounded, the rows of seven digits fail (seen).
    #[test]
    fn a_number_has_millionths_exactly_or_not_at_all() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1", Some(1_000_000)),
            ("0.29", Some(290_000)),
            ("0.123456", Some(123_456)),
            ("0.000001", Some(1)),
            ("0.5000000", Some(500_000)),
            ("100", Some(100_000_000)),
            ("4294.967295", Some(u32::MAX)),
            ("4294.967296", None),
            ("10000000000000000000000", None),
            ("0.1234567", None),
            ("0.9999999", None),
            ("0.0000001", None),
            ("-0.5", None),
        ] {
            assert_eq!(
                Decimal::parse(text).unwrap().millionths(),
                expected,
                "{text}"
            );
        }
        let share = |text| Decimal::parse(text).unwrap().share_ppm();
        assert_eq!(
            (share("1.000000"), share("1.000001")),
            (Some(1_000_000), None)
        );
    }
}
