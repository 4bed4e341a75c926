//! Takes credentials out of a line and leaves the rest as it is.
//!
//! Four shapes are known: a password in a URL, a token after an authentication scheme, a value assigned to a name that
//! says secret, and the literal of an SQL `PASSWORD`.
//! INVARIANT: masking a masked text changes nothing.

/// What stands where a credential was.
pub const MASK: &str = "[REDACTED]";

/// Names whose values are secrets, in lower case.
const NAMES: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "passphrase",
];
/// Authentication schemes whose credentials follow after a space, in lower case.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];

/// Returns `line` with every credential replaced by [`MASK`].
#[must_use]
pub fn masked(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + MASK.len());
    masked_into(line, &mut out);
    out
}

/// [`masked`] into a buffer that is used again and again.
pub fn masked_into(line: &str, out: &mut String) {
    out.clear();
    let mut rest = line;
    // BOUND: every turn takes at least one character off `rest`.
    while !rest.is_empty() {
        let word = starts_word(out);
        match secret(rest, word) {
            Some((kept, hidden)) => {
                let (before, after) = rest.split_at_checked(kept).unwrap_or((rest, ""));
                out.push_str(before);
                out.push_str(MASK);
                rest = after.get(hidden..).unwrap_or_default();
            }
            None => {
                let mut characters = rest.chars();
                out.extend(characters.next());
                rest = characters.as_str();
            }
        }
    }
}

fn starts_word(before: &str) -> bool {
    !before
        .as_bytes()
        .last()
        .is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// How many bytes at the start of `rest` stay and how many after them are a credential.
fn secret(rest: &str, starts_word: bool) -> Option<(usize, usize)> {
    let found = match *rest.as_bytes().first()? {
        b':' => in_url(rest),
        byte if starts_word && byte.is_ascii_alphabetic() => {
            after_scheme(rest).or_else(|| after_name(rest))
        }
        _ => None,
    };
    found.filter(|(kept, hidden)| {
        *hidden > 0 && !rest.get(*kept..).unwrap_or_default().starts_with(MASK)
    })
}

/// `://user:password@`
fn in_url(rest: &str) -> Option<(usize, usize)> {
    let authority = rest.strip_prefix("://")?;
    let end = authority
        .find(['/', '?', '#', ' ', '"', '\''])
        .unwrap_or(authority.len());
    let user = authority.get(..end)?;
    let at = user.rfind('@')?;
    let colon = user.get(..at)?.find(':')?;
    Some((3 + colon + 1, at - colon - 1))
}

fn after_scheme(rest: &str) -> Option<(usize, usize)> {
    let scheme = SCHEMES.into_iter().find(|scheme| begins(rest, scheme))?;
    let value = rest.get(scheme.len()..)?;
    let end = value
        .find(|c: char| !(c.is_ascii_alphanumeric() || "+/=_-.~".contains(c)))
        .unwrap_or(value.len());
    // A word of prose after `basic ` is short; a credential is not.
    (end >= 8).then_some((scheme.len(), end))
}

/// `name=value`, `name: value`, and SQL's `PASSWORD 'value'`.
fn after_name(rest: &str) -> Option<(usize, usize)> {
    let name = NAMES.into_iter().find(|name| begins(rest, name))?;
    let mut value = rest.get(name.len()..)?.trim_start_matches(['"', '\'', ' ']);
    let has_space = value.len() < rest.len() - name.len();
    match value.strip_prefix(['=', ':']) {
        Some(after) => value = after.trim_start_matches([' ', '"', '\'']),
        // Without a sign only a quoted literal is a value; `password authentication` is prose.
        None if has_space && ends_with_quote(rest, value) => {}
        None => return None,
    }
    let end = value
        .find(|c: char| c.is_whitespace() || "'\",;&}".contains(c))
        .unwrap_or(value.len());
    Some((rest.len() - value.len(), end))
}

fn ends_with_quote(rest: &str, value: &str) -> bool {
    rest.get(..rest.len() - value.len())
        .is_some_and(|before| before.ends_with('\''))
}

fn begins(text: &str, lower: &str) -> bool {
    text.get(..lower.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        assert_eq!(masked(line), expected);
        assert_eq!(
            masked(&masked(line)),
            expected,
            "masking again changed something"
        );
    }

    #[test]
    fn each_shape_of_credential_is_masked() {
        check(
            "dsn=postgres://app:Harbor-1@db-1:5432/shop req=1",
            "dsn=postgres://app:[REDACTED]@db-1:5432/shop req=1",
        );
        check(
            "dsn=postgres://app:a@b:c@db-1/shop",
            "dsn=postgres://app:[REDACTED]@db-1/shop",
        );
        check(
            "Authorization: Bearer shop-demo-0a1b req=2",
            "Authorization: Bearer [REDACTED] req=2",
        );
        check(
            "CREATE ROLE app LOGIN PASSWORD 'Harbor-1'",
            "CREATE ROLE app LOGIN PASSWORD '[REDACTED]'",
        );
        check("{\"api_key\": \"abc\"}", "{\"api_key\": \"[REDACTED]\"}");
        check(
            "retrying with password=abc, token: xyz",
            "retrying with password=[REDACTED], token: [REDACTED]",
        );
    }

    #[test]
    fn what_is_no_credential_stays() {
        for line in [
            "FATAL:  password authentication failed for user \"app\"",
            "http://10.0.0.21:8000/api/items/7",
            "a basic idea: keep secrets out",
            "tokenizer=fast",
            "größe=1 Überraschung",
        ] {
            check(line, line);
        }
    }
}
