//! S1: text that a terminal would obey: colours, titles, links, clipboard writes, overwritten lines, reversed text.

use aim_sdk::log;
use aim_sdk::serde_json::{Value, json};

/// What is logged, as message and as field, one line each.
const LINES: &[&str] = &[
    "\u{1b}[31mred\u{1b}[0m and \u{1b}[2J cleared",
    "\u{1b}]0;another title\u{7}",
    "\u{1b}]8;;https://example.org/\u{1b}\\link\u{1b}]8;;\u{1b}\\",
    "\u{1b}]52;c;Y29waWVk\u{7}",
    "first\rsecond\u{8}\u{8}\u{8}third",
    "one line\nINFO forged line\u{2028}another\u{2029}third",
    "\u{202e}desrever\u{202c} \u{2066}isolated\u{2069} \u{200f}mark",
    "\u{9b}31m eight-bit \u{85} next line \u{0} nul \u{7f} delete",
];

/// Logs each line.
pub(crate) fn run() -> Value {
    for line in LINES {
        log::warn(line, &[("field", line), (line, "key")]);
    }
    json!({ "lines": LINES.len() })
}
