//! How deep a policy's text may go, looked at before the library sees it: its parser, its checks and its evaluation each go
//! down one call for every step of nesting, and a text of a few hundred brackets ends the process that reads it.
//!
//! INVARIANT: no text that passes makes an expression deeper than [`LEVELS_MAX`] brackets with [`CHAIN_MAX`] links in all of
//! them together, whatever else is in it.

/// Brackets inside of one another. The library's parser takes some 18 KiB of stack for each.
const LEVELS_MAX: usize = 24;
/// Links of the chains around one place: `&&`, `||`, `+`, `-`, `*`, `.`, `[`, `(`, `{` and `if`. Some 2 KiB of stack for each.
const CHAIN_MAX: usize = 256;

/// Where a text goes too deep, in bytes from its start.
pub(crate) fn too_deep(text: &str) -> Option<usize> {
    let mut scan = Scan::default();
    let mut rest = text.char_indices().peekable();
    // BOUND: every turn takes a character.
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        match (c, next) {
            ('"', _) => {
                // BOUND: to the end of the literal; a broken one is the parser's to refuse.
                while let Some((_, c)) = rest.next() {
                    match c {
                        '\\' => drop(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            ('/', Some('/')) => while rest.next_if(|(_, c)| *c != '\n').is_some() {},
            _ => scan.take(c, text.get(at..).unwrap_or_default()),
        }
        scan.is_word = c.is_alphanumeric() || c == '_';
        if scan.is_too_deep() {
            return Some(at);
        }
    }
    None
}

/// The chains that are open: one for every bracket around the present place, and one for the rule itself.
#[derive(Default)]
struct Scan {
    outer: Vec<usize>,
    links: usize,
    all: usize,
    /// The character before belongs to a word.
    is_word: bool,
}

impl Scan {
    fn take(&mut self, c: char, rest: &str) {
        match c {
            '(' | '[' | '{' => {
                self.link();
                self.outer.push(self.links);
                self.links = 0;
            }
            ')' | ']' | '}' => {
                self.all = self.all.saturating_sub(self.links);
                self.links = self.outer.pop().unwrap_or(0);
            }
            // What stands behind a comma is no part of the chain before it; a rule's end ends everything.
            ',' => self.forget(),
            ';' => *self = Self::default(),
            '&' | '|' | '+' | '-' | '*' | '.' => self.link(),
            'i' if !self.is_word && is_if(rest) => self.link(),
            _ => {}
        }
    }

    const fn link(&mut self) {
        self.links = self.links.saturating_add(1);
        self.all = self.all.saturating_add(1);
    }

    const fn forget(&mut self) {
        self.all = self.all.saturating_sub(self.links);
        self.links = 0;
    }

    /// `&&` and `||` are two characters each.
    const fn is_too_deep(&self) -> bool {
        self.outer.len() > LEVELS_MAX || self.all > 2 * CHAIN_MAX
    }
}

fn is_if(rest: &str) -> bool {
    rest.strip_prefix("if")
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(condition: &str) -> String {
        format!("permit (principal, action, resource) when {{ {condition} }};\n")
    }

    #[test]
    fn what_people_write_is_not_deep() {
        let hosts: Vec<String> = (0..400).map(|n| format!("ip(\"10.0.0.{n}\")")).collect();
        let list = format!("[{}].contains(context.address)", hosts.join(", "));
        let either = vec!["resource.host == \"a.b.c.d\""; 80].join(" || ");
        for condition in [
            list.as_str(),
            &either,
            "\"((((\" == \"[[[[\\\"{{\"",
            "((((true))))",
        ] {
            let text = rule(condition).repeat(200);
            assert_eq!(too_deep(&text), None, "{condition}");
        }
        assert_eq!(
            too_deep(&format!("// {}\n{}", "(".repeat(999), rule("true"))),
            None
        );
    }

    #[test]
    fn brackets_and_chains_end_somewhere() {
        let nested =
            |open: &str, close: &str| format!("{}true{}", open.repeat(60), close.repeat(60));
        for condition in [
            nested("(", ")"),
            nested("[", "]"),
            nested("{\"a\": ", "}"),
            format!("true{}", " && true".repeat(600)),
            format!("1{} == 2", "+1".repeat(600)),
            format!("context{}", ".a".repeat(600)),
            format!("context{}", "[\"a\"]".repeat(600)),
            format!(
                "{}true{}",
                "if true then ".repeat(600),
                " else false".repeat(600)
            ),
            // A little of everything, so that no single count is reached.
            format!(
                "{}true{}",
                "(true && true && ".repeat(20),
                ")".repeat(20) + &" || true".repeat(300)
            ),
        ] {
            let text = rule("true") + &rule(&condition);
            let at = too_deep(&text);
            assert!(at.is_some_and(|at| at > rule("true").len()), "{condition}");
        }
    }
}
