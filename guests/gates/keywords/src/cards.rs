//! Payment card numbers: 13 to 19 digits, spaces or dashes between them, with a right check digit (Luhn).
//! INVARIANT: the answer is a place; the digits stay where they are.

/// Where the first card number begins.
pub(crate) fn find(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    // BOUND: `at` grows with every turn.
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        if !rest.first().is_some_and(u8::is_ascii_digit) {
            at += 1;
            continue;
        }
        let run = rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'))
            .count();
        let candidate = rest.get(..run).unwrap_or_default();
        let digits: Vec<u8> = candidate
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .map(|byte| byte - b'0')
            .collect();
        if (13..=19).contains(&digits.len()) && is_valid(&digits) {
            return Some(at);
        }
        at += run.max(1);
    }
    None
}

fn is_valid(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}
