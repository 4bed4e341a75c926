//! Labelled lines: how commands show one thing to people.
//!
//! INVARIANT: what is added is one line, whatever characters it holds.

use aim_engine::text::neutralise;
use serde::Serialize;

/// Bytes of one line that are shown.
const LINE_BYTES_MAX: usize = 2048;

/// Lines with a label in front; a label that repeats is left out.
#[derive(Debug)]
pub(crate) struct Lines {
    text: String,
    last: String,
    width: usize,
}

impl Lines {
    /// Starts with nothing; labels get `width` columns.
    pub(crate) const fn new(width: usize) -> Self {
        Self {
            text: String::new(),
            last: String::new(),
            width,
        }
    }

    /// Adds a line. An empty label continues the one above.
    pub(crate) fn add(&mut self, label: &str, rest: impl AsRef<str>) {
        let is_new = !label.is_empty() && label != self.last;
        let shown = if is_new { label } else { "" };
        let rest = neutralise(rest.as_ref(), LINE_BYTES_MAX);
        let line = format!("{shown:<width$}  {rest}", width = self.width);
        self.text.push_str(line.trim_end());
        self.text.push('\n');
        if is_new {
            label.clone_into(&mut self.last);
        }
    }

    /// Adds a line without a label.
    pub(crate) fn title(&mut self, title: &str) {
        self.last.clear();
        self.text.push_str(title);
        self.text.push('\n');
    }

    /// Gives the text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// The word that stands for `value` in documents: a bare word, or its JSON.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_feed_in_a_value_makes_no_second_line() {
        let mut lines = Lines::new(4);
        lines.add("a", "one\nVERIFIED");
        lines.add("a", "two");
        assert_eq!(lines.into_text(), "a     one\\u{a}VERIFIED\n      two\n");
    }
}
