//! Points in time as milliseconds since 1970, read from the three notations that the servers use.
//! INVARIANT: everything is UTC; what is not a date and a time of day is not read as one.

/// Times as text in JSON, for people; milliseconds in memory.
pub mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    /// Writes a time.
    ///
    /// # Errors
    /// Those of the serialiser.
    pub fn serialize<S: Serializer>(time_ms: &u64, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::shown(*time_ms))
    }

    /// Reads a time.
    ///
    /// # Errors
    /// Text that is no time.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        match super::read(&text) {
            Some((time_ms, "Z")) => Ok(time_ms),
            _ => Err(de::Error::custom(
                "this is no time: write `2026-01-31T12:00:00.123Z`",
            )),
        }
    }
}

/// Milliseconds of a second.
pub const SECOND_MS: u64 = 1000;
const DAY_MS: u64 = 86_400 * SECOND_MS;

/// Reads `2026-01-31?12:00:00[.123]`, where `?` is `T` or a space and the date may be written with `/`.
/// Returns the time and what follows it.
#[must_use]
pub fn read(text: &str) -> Option<(u64, &str)> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', ' '])?;
    let (clock, mut rest) = rest.split_at_checked(8)?;
    let separator = if date.contains('/') { '/' } else { '-' };
    let (year, month, day) = three(date, separator)?;
    let (hour, minute, second) = three(clock, ':')?;
    let mut millis = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let (digits, after) = fraction.split_at_checked(3)?;
        millis = number(digits)?;
        rest = after;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_before(year, month, day)?;
    Some((
        days * DAY_MS + ((hour * 60 + minute) * 60 + second) * SECOND_MS + millis,
        rest,
    ))
}

/// Writes a time as `2026-01-31T12:00:00.123Z`.
#[must_use]
pub fn shown(time_ms: u64) -> String {
    let (day, rest) = (time_ms / DAY_MS, time_ms % DAY_MS);
    let (year, month, day) = date(day);
    let (seconds, millis) = (rest / SECOND_MS, rest % SECOND_MS);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn three(text: &str, separator: char) -> Option<(u64, u64, u64)> {
    let mut parts = text.split(separator).map(number);
    let found = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(found)
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Days from 1970-01-01, by the calendar that counts years from March so that a leap day comes last.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (year * 365 + year / 4 - year / 100);
    let month = (of_year * 5 + 2) / 153;
    let day = of_year - (month * 153 + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_notations_mean_the_same() {
        let (expected, rest) = read("2026-11-20T06:29:27.000Z INFO").unwrap();
        assert_eq!(rest, "Z INFO");
        assert_eq!(read("2026-11-20 06:29:27.000 UTC").unwrap().0, expected);
        assert_eq!(read("2026/11/20 06:29:27 [error]").unwrap().0, expected);
        assert_eq!(expected, 1_795_156_167_000);
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        for days in [0, 59, 60, 365, 11_016, 11_017, 20_777, 47_540] {
            let time_ms = days * DAY_MS + 43_265_678;
            assert_eq!(
                read(&shown(time_ms)).unwrap().0,
                time_ms,
                "{}",
                shown(time_ms)
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-11-20",
            "2026-13-20T06:29:27",
            "2026-11-20T24:29:27",
            "\tbuffer usage: 1",
            "2026-11-2øT06:29:27",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
