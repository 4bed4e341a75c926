//! What a line says once everything that differs from one occurrence to the next is taken out of it.
//!
//! Quoted text, paths and every word with a digit are variable. Three kinds of digits are the message itself and stay:
//! an HTTP status, an SQLSTATE, and the error number that the system gave, as in `(111: Connection refused)`.
//! INVARIANT: a template comes from a masked line and holds no request, no address and no statement.

/// The most bytes of a template; what distinguishes two messages stands before.
const TEMPLATE_BYTES_MAX: usize = 240;
/// What follows this word is somebody's SQL.
const STATEMENT: &str = "statement:";
/// Words that keep their digits.
const KEPT: [&str; 3] = ["status=", "ustatus=", "sqlstate="];

/// Writes the template of `text` into `out`, which is cleared first.
pub fn template_into(text: &str, out: &mut String) {
    out.clear();
    let mut rest = text.trim();
    // BOUND: every turn takes at least one character off `rest`.
    while !rest.is_empty() && out.len() < TEMPLATE_BYTES_MAX {
        if !out.is_empty() {
            out.push(' ');
        }
        rest = if let Some(quoted) = rest.strip_prefix('"') {
            out.push_str("\"*\"");
            let after = quoted.split_once('"').map_or("", |(_, after)| after);
            punctuation(after, out)
        } else {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            push_word(word, out);
            if word == STATEMENT { "" } else { after }
        }
        .trim_start();
    }
}

fn push_word(word: &str, out: &mut String) {
    let is_error_number = word.starts_with('(') && word.ends_with(':');
    if word.starts_with("req=") {
        out.truncate(out.trim_end().len());
    } else if is_error_number || KEPT.iter().any(|kept| word.starts_with(kept)) {
        out.push_str(word);
    } else if word.starts_with('/') {
        out.push_str("/*");
    } else if word.bytes().any(|byte| byte.is_ascii_digit()) {
        out.push('#');
    } else {
        out.push_str(word);
    }
}

/// Keeps the sign that follows a quoted text, as in `"shop",`.
fn punctuation<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let after = rest.trim_start_matches([',', ':', ';', '.']);
    out.push_str(rest.strip_suffix(after).unwrap_or_default());
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut out = String::new();
        template_into(text, &mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn what_differs_between_occurrences_is_taken_out() {
        check(
            "db: query failed: sqlstate=53100 ERROR: could not extend file \"base/1\": No space left on device req=c-1",
            "db: query failed: sqlstate=53100 ERROR: could not extend file \"*\": No space left on device",
        );
        check(
            "http: GET /api/items/7 status=500 ms=1.2 req=c-2",
            "http: GET /* status=500 #",
        );
        check(
            "*12 connect() failed (111: Connection refused), client: 10.0.0.1, request: \"GET / HTTP/1.1\", host: \"a\"",
            "# connect() failed (111: Connection refused), client: # request: \"*\", host: \"*\"",
        );
        check(
            "duration: 12.5 ms  statement: SELECT secret FROM vault",
            "duration: # ms statement:",
        );
    }

    #[test]
    fn odd_text_ends_and_does_not_panic() {
        for text in ["", "\"", "\"open", "   ", "æ \"ø\" å", "req=", "((((:"] {
            let mut out = String::new();
            template_into(text, &mut out);
            assert!(out.len() <= TEMPLATE_BYTES_MAX + text.len());
        }
    }
}
