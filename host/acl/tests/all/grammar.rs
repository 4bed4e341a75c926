//! The grammar that editors colour plans by, `sdk/editor/acl.tmLanguage.json`, held against the language itself.
//!
//! A TextMate grammar is a list of patterns; the first match on a line wins, and a pattern with a beginning and an end opens a
//! region with patterns of its own. The little engine here does that and nothing more.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "an index that leads nowhere fails the test"
)]

use std::{fs, path::PathBuf};

use aim_acl::{
    WordKind,
    ast::Form,
    parse,
    token::{TokenKind, lex},
    vocabulary,
};
use fancy_regex::Regex;
use serde_json::Value;

use crate::corpus::fixtures;

fn file(name: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../sdk/editor");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A rule with its patterns compiled.
struct Rule {
    name: String,
    start: Regex,
    captures: Vec<(usize, String)>,
    /// For a region: its end, and what may stand in it.
    region: Option<(Regex, Vec<usize>)>,
}

/// A grammar, its rules in one list.
#[derive(Default)]
struct Grammar {
    rules: Vec<Rule>,
    top: Vec<usize>,
}

impl Grammar {
    fn read() -> Self {
        let file = file("acl.tmLanguage.json");
        let mut grammar = Self::default();
        grammar.top = grammar.add(&file, &file["patterns"]);
        grammar
    }

    fn add(&mut self, file: &Value, patterns: &Value) -> Vec<usize> {
        let mut found = Vec::new();
        for pattern in patterns.as_array().into_iter().flatten() {
            if let Some(include) = pattern["include"].as_str() {
                let Some(name) = include.strip_prefix('#') else {
                    continue;
                };
                let named = &file["repository"][name];
                assert!(named.is_object(), "{include} leads nowhere");
                found.extend(
                    match named
                        .get("patterns")
                        .filter(|_| named.get("begin").is_none())
                    {
                        Some(inner) => self.add(file, inner),
                        None => vec![self.rule(file, named)],
                    },
                );
            } else {
                found.push(self.rule(file, pattern));
            }
        }
        found
    }

    fn rule(&mut self, file: &Value, rule: &Value) -> usize {
        let regex = |key: &str| {
            let text = rule[key].as_str()?;
            Some(Regex::new(text).unwrap_or_else(|error| panic!("{text}: {error}")))
        };
        let captures = rule.get("captures").or_else(|| rule.get("beginCaptures"));
        let captures = captures.and_then(Value::as_object).into_iter().flatten();
        let captures = captures.map(|(index, capture)| {
            (
                index.parse().unwrap(),
                capture["name"].as_str().unwrap().to_owned(),
            )
        });
        let captures = captures.collect();
        let region = regex("end").map(|end| (end, self.add(file, &rule["patterns"])));
        self.rules.push(Rule {
            name: rule["name"].as_str().unwrap_or_default().to_owned(),
            start: regex("match").or_else(|| regex("begin")).unwrap(),
            captures,
            region,
        });
        self.rules.len() - 1
    }

    /// The scopes of every byte of a source, outermost first.
    fn scopes(&self, source: &str) -> Vec<String> {
        let mut scopes = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for line in source.split_inclusive('\n') {
            let text = line.trim_end_matches(['\n', '\r']);
            let mut of_line = vec![String::new(); line.len()];
            self.line(text, &mut open, &mut of_line);
            scopes.extend(of_line);
        }
        scopes
    }

    fn line(&self, text: &str, open: &mut Vec<usize>, scopes: &mut [String]) {
        let mut at = 0;
        let paint = |scopes: &mut [String], span: std::ops::Range<usize>, name: &str| {
            for scope in scopes.get_mut(span).unwrap() {
                scope.push(' ');
                scope.push_str(name);
            }
        };
        // BOUND: every turn goes on in the line, or opens or closes a region at one place, each at most once.
        for _ in 0..text.len() * 4 + 16 {
            let region = open.last().map(|rule| &self.rules[*rule]);
            let inside = region.and_then(|rule| rule.region.as_ref());
            let candidates = inside.map_or(&self.top, |(_, inside)| inside);
            let mut best: Option<(usize, usize, Option<usize>)> = None;
            if let Some((end, _)) = inside
                && let Some(found) = end.find_from_pos(text, at).unwrap()
            {
                best = Some((found.start(), found.end(), None));
            }
            for candidate in candidates {
                let found = self.rules[*candidate]
                    .start
                    .find_from_pos(text, at)
                    .unwrap();
                if let Some(found) = found
                    && best.is_none_or(|(start, ..)| found.start() < start)
                {
                    best = Some((found.start(), found.end(), Some(*candidate)));
                }
            }
            let until = best.map_or(text.len(), |(start, ..)| start);
            let end = best.map_or(text.len(), |(_, end, _)| end);
            let outer: Vec<&str> = open
                .iter()
                .map(|rule| self.rules[*rule].name.as_str())
                .collect();
            for name in &outer {
                paint(scopes, at..end, name);
            }
            let Some((start, end, chosen)) = best else {
                return;
            };
            at = end;
            match chosen {
                None => {
                    open.pop();
                }
                Some(chosen) => {
                    let rule = &self.rules[chosen];
                    paint(scopes, until..end, &rule.name);
                    let captured = rule.start.captures_from_pos(text, start).unwrap().unwrap();
                    for (index, name) in &rule.captures {
                        if let Some(part) = captured.get(*index) {
                            paint(scopes, part.range(), name);
                        }
                    }
                    if rule.region.is_some() {
                        open.push(chosen);
                    } else if start == end && end == text.len() {
                        return;
                    }
                }
            }
        }
        panic!("the grammar does not come to an end in `{text}`");
    }
}

/// Where a word of a kind stands in a plan, with the word at `@`, and how the scope that it is given begins.
fn example(form: Form, kind: WordKind) -> (&'static str, &'static [&'static str]) {
    match (form, kind) {
        (Form::Lines, WordKind::Keyword) => ("@ x", &["keyword.control"]),
        (Form::Lines, WordKind::Key) => ("BUDGET @=1", &["variable.parameter"]),
        (Form::Lines, WordKind::Action) => ("  ON_FAIL @", &["keyword.control.action"]),
        (Form::Lines, WordKind::Role) => ("ROLE x: @", &["support.type.role"]),
        (Form::Lines, _) => ("GATE g: output.x == @", &["constant.language"]),
        (_, WordKind::Keyword) => ("@", &["keyword.control", "keyword.other"]),
        (_, WordKind::Connector) => ("@ x", &["keyword.other", "variable.language"]),
        (_, WordKind::Key) => ("@: 1", &["variable.parameter"]),
        (_, WordKind::Role) => ("x: @", &["support.type.role"]),
        (_, WordKind::Action) => ("@", &["keyword.control.action"]),
        (_, WordKind::Effect) => ("effects: [@]", &["constant.other.effect"]),
        (_, WordKind::GateType) => ("gate g: @ { }", &["support.class.gate"]),
        (_, WordKind::Reducer) => ("reduce a[1..2] -> b using @", &["support.function.reducer"]),
        (_, WordKind::Event) => ("on @ => warn", &["keyword.control.event"]),
        (_, WordKind::Value) => ("risk: @", &["constant.", "keyword.control.action"]),
        (_, WordKind::Selector) => ("slice: @:a/b", &["constant.other.selector"]),
    }
}

/// The scopes of a word in its example.
fn scope_of(grammar: &Grammar, form: Form, kind: WordKind, word: &str) -> Vec<String> {
    let (example, _) = example(form, kind);
    let before = if form == Form::Lines {
        "PLAN p:\n"
    } else {
        "pipeline \"p\" {\n"
    };
    let at = before.len() + example.find('@').unwrap();
    let source = format!("{before}{}\n", example.replace('@', word));
    let scopes = grammar.scopes(&source);
    scopes.get(at..at + word.len()).unwrap().to_vec()
}

// Control: with `quarantine` taken out of the grammar, this names it in both forms.
#[test]
fn every_word_of_the_language_has_its_colour() {
    let grammar = Grammar::read();
    let mut count = 0;
    for form in [Form::Lines, Form::Braces] {
        for word in vocabulary(form) {
            count += 1;
            let (_, wanted) = example(form, word.kind);
            for scope in scope_of(&grammar, form, word.kind, word.text) {
                let is_it = scope
                    .split(' ')
                    .any(|one| wanted.iter().any(|wanted| one.starts_with(wanted)));
                assert!(
                    is_it,
                    "{form:?} {:?} `{}` is `{scope}`",
                    word.kind, word.text
                );
            }
        }
    }
    assert!(count > 150, "{count}");
}

#[test]
fn what_is_no_word_of_the_language_has_none() {
    let grammar = Grammar::read();
    for kind in [
        WordKind::Keyword,
        WordKind::Action,
        WordKind::Value,
        WordKind::Effect,
        WordKind::Event,
    ] {
        let scopes = scope_of(&grammar, Form::Braces, kind, "frobnicate");
        assert!(
            scopes.iter().all(|scope| scope.trim() == "meta.braces.acl"),
            "{scopes:?}"
        );
    }
}

#[test]
fn a_word_that_the_parser_looks_for_is_in_the_vocabulary() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/parse/braces");
    let wanted = Regex::new(r#"stream\.(?:eat|is)\("([A-Za-z_]+)"\)"#).unwrap();
    let known: Vec<&str> = vocabulary(Form::Braces)
        .iter()
        .map(|word| word.text)
        .collect();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for found in wanted.captures_iter(&text) {
            let found = found.unwrap();
            let word = found.get(1).unwrap().as_str();
            count += 1;
            assert!(known.contains(&word), "{word}");
        }
    }
    assert!(count > 5, "{count}");
}

// Control: with the escapes taken out of the grammar's texts, the text that holds a quote ends too early.
#[test]
fn texts_and_comments_of_the_corpus_are_coloured_as_such_and_nothing_else_is() {
    let grammar = Grammar::read();
    let (mut texts, mut comments) = (0, 0);
    for fixture in fixtures("good") {
        let (ast, _) = parse(&fixture.source);
        if ast.form == Form::Yaml {
            continue;
        }
        let scopes = grammar.scopes(&fixture.source);
        let is = |at: usize, name: &str| scopes[at].contains(name);
        for comment in &ast.comments {
            comments += 1;
            let mut bytes = comment
                .span
                .clone()
                .filter(|at| !fixture.source[*at..].starts_with('\n'));
            assert!(
                bytes.all(|at| is(at, "comment.")),
                "{}: {}",
                fixture.name(),
                comment.text
            );
        }
        if ast.form == Form::Lines {
            continue;
        }
        for token in lex(&fixture.source).tokens {
            let is_text = token.kind == TokenKind::Text;
            texts += usize::from(is_text);
            for at in token.span {
                assert_eq!(
                    is(at, "string.quoted"),
                    is_text,
                    "{}: {}",
                    fixture.name(),
                    token.text
                );
                assert!(!is(at, "comment."), "{}: {}", fixture.name(), token.text);
            }
        }
    }
    assert!(
        texts > 30 && comments > 10,
        "{texts} texts, {comments} comments"
    );
}

#[test]
fn the_package_names_files_that_are_there() {
    let package = file("package.json");
    let given = &package["contributes"];
    assert_eq!(given["languages"][0]["extensions"][0], ".acl");
    assert_eq!(
        given["grammars"][0]["scopeName"],
        file("acl.tmLanguage.json")["scopeName"]
    );
    for path in [
        &given["grammars"][0]["path"],
        &given["languages"][0]["configuration"],
    ] {
        assert!(file(path.as_str().unwrap()).is_object());
    }
}
